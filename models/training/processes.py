"""Training on several GPUs, or in several processes of a CPU, as PyTorch's torchrun starts them."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

import torch
from torch import distributed

from dinp.errors import DinpError

P = ParamSpec("P")
R = TypeVar("R")


def _several() -> bool:
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def own_device(device: str) -> torch.device:
    """The device of this process: "auto" is CUDA if there is one; of several processes each has a GPU of its own.

    Raises
    ------
    DinpError
        One GPU is named for several processes.
    """
    kind = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    if not _several():
        return torch.device(kind)
    if ":" in kind:
        raise DinpError(f"several processes cannot share {kind}: give cuda, cpu or auto")
    return torch.device(kind, int(os.environ["LOCAL_RANK"])) if kind == "cuda" else torch.device(kind)


def check_device(device: str) -> None:
    """Raise DinpError if a device cannot be used."""
    if device == "auto":
        return
    try:
        torch.zeros(1, device=own_device(device))
    except (RuntimeError, AssertionError) as error:
        raise DinpError(f"the device {device} cannot be used: {str(error).splitlines()[0]}") from None


@contextmanager
def processes(device: str) -> Iterator[tuple[torch.device, int, int]]:
    """The device, rank and number of processes of this one; torchrun's are connected, with a GPU each if there are."""
    place = own_device(device)
    if not _several():
        yield place, 0, 1
        return
    if place.type == "cuda":
        torch.cuda.set_device(place)
    distributed.init_process_group("nccl" if place.type == "cuda" else "gloo")
    try:
        yield place, distributed.get_rank(), distributed.get_world_size()
    finally:
        distributed.destroy_process_group()


def launched(train: Callable[P, R]) -> Callable[P, R]:
    """A training function, of which `device` is a keyword, that may be run by torchrun: with `processes` around it."""

    @wraps(train)
    def run(*args: P.args, device: str = "auto", **kwargs: P.kwargs) -> R:
        with processes(device) as (place, _, _):
            return train(*args, device=str(place), **kwargs)

    return run


def rank() -> int:
    """Number of this process, 0 where there is but one."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def world_size() -> int:
    """Number of processes."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def agreed(*numbers: float, device: torch.device) -> list[float]:
    """The first process's numbers, in all."""
    if not distributed.is_initialized():
        return list(numbers)
    shared = torch.tensor(numbers, dtype=torch.float64, device=device)
    distributed.broadcast(shared, 0)
    return shared.tolist()
