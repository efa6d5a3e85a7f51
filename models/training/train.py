"""Training of the mask network and the tree network by imitation of optimised masks and trees.

    python -m dinp.models.training.train mask --data DATA --out runs/mask --minutes 70 --seed 1 [--start weights.npz]
    python -m dinp.models.training.train tree --data DATA --out runs/tree --minutes 70 --seed 1 [--resume]
    torchrun --nproc-per-node 4 -m dinp.models.training.train mask --data DATA --out runs/mask --minutes 70

(`surrogate`, `solver` and `restoration` in their place start `dinp.models.training.train_surrogate`,
`dinp.models.training.train_solver` and `dinp.models.training.train_restoration`.)

`DATA` holds the labels and pictures that `dinp.models.training.data` describes. The folder `--out` receives

    checkpoint.pt   everything needed to go on (`--resume`), replaced every two minutes
    curve.json      settings and the loss curve: training and validation against seconds and steps
    weights.npz     the averaged weights, in the form that `dinp.models.weights.hub` loads and the package ships

The loss is the cross-entropy of the teacher's choices: for masks at every pixel, for trees at every cell that exists in
the teacher's tree, each level with the same weight. Imitation is ahead of a
surrogate from 5 % on (models/weights/mask.md). The learning rate follows a cosine over the wall-clock budget, so a run
uses the time it is given; with `--steps` it follows the steps instead, and the run is repeatable.
"""

import importlib
import json
import math
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from dinp.errors import DinpError
from dinp.models.networks.tree import SIDES
from dinp.models.training import data
from dinp.models.training.losses import LOSSES, base_rate
from dinp.models.training.optimisers import OPTIMISERS, Muon
from dinp.models.training.options import add_start_options, run_training, training_parser
from dinp.models.training.processes import agreed, launched, mean_gradients, rank, world_size
from dinp.models.weights.hub import NETWORKS, load_network, save_weights

LEARNING_RATE = 2e-3
WEIGHT_DECAY = 0.02
WARM_UP = 200  # steps
GRADIENT_NORM = 1.0
EMA = 0.999
BATCH = 8
VALIDATION_CROPS = 64
T = TypeVar("T")


LOADERS: dict[str, Callable] = {"mask": data.load_masks, "tree": data.load_trees}
WAYS = {"valid": "by imitation", "valid_psnr": "through the solver"}  # of training a mask network, by their figures
ELSEWHERE = ("restoration", "solver", "surrogate")  # trained by modules of their own


@dataclass
class Run:
    """A training run: what a checkpoint holds."""

    kind: str
    network: nn.Module
    average: dict[str, Tensor]
    optimiser: torch.optim.Optimizer | Muon
    rng: np.random.Generator
    step: int = 0
    seconds: float = 0.0
    curve: list[dict] = field(default_factory=list)

    @classmethod
    def start(cls, kind: str, seed: int, device: torch.device, optimiser: str = "adamw", **config: object) -> "Run":
        torch.manual_seed(seed)
        network = NETWORKS[kind](**config).to(device, memory_format=torch.channels_last)
        average = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
        chosen = OPTIMISERS[optimiser](network, lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        return cls(kind, network, average, chosen, np.random.default_rng(seed))

    def update(self, loss: Tensor, learning_rate: float) -> None:
        """One step with the clipped mean gradient of all processes, and of the weights' moving average."""
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        mean_gradients(self.network)
        nn.utils.clip_grad_norm_(self.network.parameters(), GRADIENT_NORM)
        self.optimiser.step()
        self.step += 1
        decay = min(EMA, (1 + self.step) / (10 + self.step))
        for name, tensor in self.network.state_dict().items():
            self.average[name].lerp_(tensor, 1 - decay)

    def save(self, out: Path, settings: dict) -> None:
        """Write checkpoint, loss curve and weights; each replaces the old one only when complete."""
        state = {
            "kind": self.kind,
            "network": self.network.state_dict(),
            "average": self.average,
            "optimiser": self.optimiser.state_dict(),
            "rng": self.rng.bit_generator.state,
            "step": self.step,
            "seconds": self.seconds,
            "curve": self.curve,
        }
        replace(out / "checkpoint.pt", lambda path: torch.save(state, path))
        curve = {**settings, "step": self.step, "seconds": round(self.seconds, 1), "curve": self.curve}
        replace(out / "curve.json", lambda path: path.write_text(json.dumps(curve, indent=1) + "\n"))
        replace(out / "weights.npz", lambda path: save_weights(path, self.kind, self.network.config, self.average))

    def begin_with(self, network: nn.Module) -> None:
        """Take the weights of a trained network.

        Raises
        ------
        DinpError
            The weights do not fit: they are those of a network of other widths.
        """
        try:
            self.network.load_state_dict(network.state_dict())
        except RuntimeError as error:
            raise DinpError("the weights to begin with are those of a network of other widths") from error
        self.average = {name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()}

    def share(self) -> None:
        """Where there are several processes: let each draw crops of its own."""
        if rank():
            self.rng = np.random.default_rng([int(self.rng.integers(2**32)), rank()])

    def resume(self, out: Path, figure: str) -> None:
        """Go on from the checkpoint in `out`, of a training whose curve has this figure."""
        path = out / "checkpoint.pt"
        if not path.is_file():
            raise DinpError(f"{path} is missing: there is nothing to resume")
        state = torch.load(path, map_location=next(self.network.parameters()).device, weights_only=True)
        if state["kind"] != self.kind:
            raise DinpError(f"{path} belongs to a {state['kind']} network, not to a {self.kind} network")
        try:
            self.network.load_state_dict(state["network"])
        except RuntimeError as error:
            raise DinpError(f"{path} belongs to a network of other widths: give those it was begun with") from error
        self.average = state["average"]
        try:
            self.optimiser.load_state_dict(state["optimiser"])
        except (ValueError, KeyError) as error:
            raise DinpError(f"{path} belongs to a training with another optimiser") from error
        self.rng.bit_generator.state = state["rng"]
        self.step, self.seconds, self.curve = state["step"], state["seconds"], state["curve"]
        if self.curve and figure not in self.curve[0]:
            found = next(way for column, way in WAYS.items() if column in self.curve[0])
            raise DinpError(f"{path} belongs to a training {found}, not to one {WAYS[figure]}")

    def averaged(self) -> nn.Module:
        """The network with its averaged weights."""
        device = next(self.network.parameters()).device
        network = NETWORKS[self.kind](**self.network.config).to(device, memory_format=torch.channels_last).eval()
        network.load_state_dict(self.average)
        return network

    def follow(
        self,
        one_step: Callable[[float, float], T],
        measure: Callable[[list[T]], dict],
        out: Path,
        settings: dict,
        *,
        minutes: float,
        steps: int | None,
        peak: float,
        every: float,
        progress: Callable[[str], object] | None = None,
    ) -> "Run":
        """Train until the time or the steps are used up; checkpoints, and rows of the curve, every so many seconds.

        `one_step` is given the done fraction and the learning rate; `measure` makes figures of what the steps since the
        last time returned; `progress` is told them, by default on standard error.
        """
        device = next(self.network.parameters()).device
        begin, last = time.monotonic() - self.seconds, time.monotonic()
        recent: list[T] = []
        rate = 0.0

        def report() -> None:
            row = {"seconds": round(self.seconds, 1), "step": self.step, "learning_rate": float(f"{rate:.3g}")}
            row |= measure(recent)
            self.curve.append(row)
            recent.clear()
            self.save(out, settings)
            (progress or sys.stderr.write)(f"{json.dumps(row)}\n")

        while True:
            (self.seconds,) = agreed(time.monotonic() - begin, device=device)
            fraction = self.step / steps if steps is not None else self.seconds / (60 * minutes)
            if fraction >= 1:
                break
            if rank() == 0 and recent and time.monotonic() - last >= every:
                report()
                last = time.monotonic()
            rate = peak * learning_rate(self.step, fraction)
            recent.append(one_step(fraction, rate))
        if rank() == 0 and recent:
            report()
        return self


def learning_rate(step: int, fraction: float) -> float:
    """Linear warm-up, then a cosine from the peak to 1 % of it over the done fraction of the budget."""
    cosine = 0.01 + 0.99 * (1 + math.cos(math.pi * min(fraction, 1.0))) / 2
    return LEARNING_RATE * min(1.0, (step + 1) / WARM_UP) * cosine


def validate(run: Run, crops: data.Labelled, device: torch.device) -> list[float]:
    """Mean loss parts of the averaged weights on validation crops."""
    network = run.averaged()
    parts = []
    with torch.inference_mode():
        for i in range(0, len(crops), BATCH):
            rows = np.arange(i, min(i + BATCH, len(crops)))
            chosen = crops.select(rows)
            batch = data.to_tensors(chosen.planes, chosen.density, chosen.labels, device)
            parts.append((LOSSES[run.kind](network, *batch)[1].cpu().double(), rows.size))
    total = sum(part * n for part, n in parts) / sum(n for _, n in parts)
    return [round(v, 5) for v in total.tolist()]


@launched
def train(
    kind: str,
    data_folder: Path,
    out: Path,
    *,
    minutes: float = 60.0,
    steps: int | None = None,
    seed: int = 1,
    device: str = "auto",
    bf16: bool | None = None,
    resume: bool = False,
    limit: int | None = None,
    labels: Sequence[Path] | None = None,
    start: Path | None = None,
    peak: float = 1.0,
    every: float = 120.0,
) -> Run:
    """Train a network; see the module's text.

    Parameters
    ----------
    kind : str
        "mask" or "tree".
    data_folder, out : Path
        Labels and pictures; where the results go.
    minutes : float
        Wall-clock budget, resumed time included.
    steps : int, optional
        Stop after so many steps instead; the learning rate then follows the steps.
    device : str
        "auto" (CUDA if there is one), "cpu", "cuda", ...
    bf16 : bool, optional
        Convolutions in bfloat16. Default: on CUDA only (on CPUs it pays where there are instructions for it).
    limit : int, optional
        Use the first labels only, of each file.
    labels : sequence of Path, optional
        Files of masks to imitate (`dinp.models.training.mask_labels` makes them), in place of those below
        `data_folder`.
    start : Path, optional
        Weights to begin with, of a network of the same widths.
    peak : float
        Factor on the learning rate.
    every : float
        Seconds between checkpoints.

    Raises
    ------
    DinpError
        Labels or pictures are missing, there is nothing to resume, or both `start` and `resume` are given.
    """
    if resume and start is not None:
        raise DinpError("a run that is resumed has its weights already: give either --resume or --start")
    place = torch.device(device)
    bf16 = place.type == "cuda" if bf16 is None else bf16
    out.mkdir(parents=True, exist_ok=True)
    if labels is not None and kind != "mask":
        raise DinpError(f"files of labels are for the mask network, not for the {kind} network")
    load = partial(data.load_masks, files=labels) if labels is not None else LOADERS[kind]
    training, held_out = load(data_folder, limit)
    order = np.random.default_rng(0).permutation(len(held_out))
    validation = held_out.select(np.sort(order[:VALIDATION_CROPS]))
    run = Run.start(kind, seed, place)
    if resume:
        run.resume(out, "valid")
    elif start is not None:
        run.begin_with(load_network(kind, start))
    run.share()
    settings = {
        "network": kind,
        "config": run.network.config,
        "parameters": sum(p.numel() for p in run.network.parameters()),
        "seed": seed,
        "batch": BATCH * world_size(),
        "labels": [path.name for path in labels] if labels is not None else None,
        "start": start and start.name,
        "peak": peak,
        "training_crops": len(training),
        "validation_crops": len(validation),
        "device": place.type,
        "processes": world_size(),
        "bf16": bf16,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "loss_parts": ["pixel"] if kind == "mask" else [f"side {s}" for s in SIDES],
        "base_rate": base_rate(kind, validation),
    }
    draw = data.batches(training, BATCH, run.rng, place)

    def one_step(_: float, rate: float) -> float:
        planes, density, labels = draw()
        with torch.autocast(place.type, torch.bfloat16, enabled=bf16):
            loss, _ = LOSSES[kind](run.network, planes.contiguous(memory_format=torch.channels_last), density, labels)
        run.update(loss, rate)
        return loss.detach().item()

    def measure(recent: list[float]) -> dict:
        valid = validate(run, validation, place)
        means = (round(float(np.mean(values)), 5) for values in (recent, valid))
        return dict(zip(("train", "valid"), means, strict=True)) | {"valid_parts": valid}

    return run.follow(one_step, measure, out, settings, minutes=minutes, steps=steps, peak=peak, every=every)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    argv = list(sys.argv[1:] if argv is None else argv)
    if argv and argv[0] in ELSEWHERE:
        return importlib.import_module(f"dinp.models.training.train_{argv[0]}").main(argv[1:])
    parser = training_parser("train", __doc__.splitlines()[0], "folder with train/teacher_*.npz and the pictures")
    parser.add_argument("kind", choices=sorted([*LOADERS, *ELSEWHERE]))
    parser.add_argument("--limit", type=int, help="use the first labels only")
    parser.add_argument("--labels", type=Path, nargs="+", help="masks to imitate, by dinp.models.training.mask_labels")
    add_start_options(parser, "of a network of the same widths")
    args = parser.parse_args(argv)
    if args.kind in ELSEWHERE:
        parser.error(f"the kind comes first: {parser.prog} {args.kind} ...")
    own = {"limit": args.limit, "labels": args.labels, "start": args.start, "peak": args.peak}
    return run_training(args, partial(train, args.kind, args.data, args.out, **own))


def replace(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file beside `path` and move it there when it is complete."""
    partial = path.with_name(f"partial-{path.name}")
    write(partial)
    os.replace(partial, path)


if __name__ == "__main__":
    sys.exit(main())
