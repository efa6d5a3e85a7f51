"""The options that every training command has."""

import argparse
import math
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from dinp.errors import DinpError
from dinp.models.training.processes import own_device


def training_parser(
    prog: str, description: str, data: str, *, minutes: float = 60.0, bf16: bool | None = None
) -> argparse.ArgumentParser:
    """A parser with the common options; `data` says what the folder is to hold, the others are defaults."""
    parser = argparse.ArgumentParser(prog=f"python -m dinp.models.{prog}", description=description)
    told = "on CUDA only" if bf16 is None else "yes" if bf16 else "no"
    parser.add_argument("--data", type=Path, required=True, help=data)
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint, loss curve and weights")
    parser.add_argument("--minutes", type=float, default=minutes, help=f"wall-clock budget (default {minutes:g})")
    parser.add_argument("--steps", type=int, help="stop after so many steps instead (repeatable)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, help="threads of the CPU")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--bf16", action=argparse.BooleanOptionalAction, default=bf16, help=f"default: {told}")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    return parser


def add_start_options(parser: argparse.ArgumentParser, which: str) -> None:
    """Options of training that can begin with weights; `which` says what weights these may be."""
    parser.add_argument("--start", type=Path, help=f"weights to begin with, {which}")
    parser.add_argument("--peak", type=float, default=1.0, help="factor on the learning rate (default 1)")


def run_training(args: argparse.Namespace, train: Callable[..., object]) -> int:
    """Call `train` with the common options; returns the exit code, 1 for bad input."""
    common = ("minutes", "steps", "seed", "device", "bf16", "resume")
    try:
        _check(args)
        if args.threads:
            torch.set_num_threads(args.threads)
        train(**{name: getattr(args, name) for name in common})
    except DinpError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _check(args: argparse.Namespace) -> None:
    """Raise DinpError for numbers that are no budget, a device that is not there, or a place that is no folder."""
    for name, least in (("steps", 1), ("threads", 1), ("seed", 0)):
        if getattr(args, name) is not None and getattr(args, name) < least:
            raise DinpError(f"--{name} must be at least {least}, not {getattr(args, name)}")
    for name in ("peak", "limit", "low_rates"):
        if getattr(args, name, None) is not None and not 0 < getattr(args, name) < math.inf:
            raise DinpError(f"--{name.replace('_', '-')} must be above 0, not {getattr(args, name):g}")
    if not args.minutes > 0:
        raise DinpError(f"--minutes must be above 0, not {args.minutes:g}")
    if args.device != "auto":
        try:
            torch.zeros(1, device=own_device(args.device))
        except (RuntimeError, AssertionError) as error:
            raise DinpError(f"the device {args.device} cannot be used: {str(error).splitlines()[0]}") from None
    try:
        args.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DinpError(f"{args.out} cannot be made a folder for the results: {error.strerror}") from None
