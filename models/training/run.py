"""One training run: networks, optimisers, averaged weights, checkpoints, the loss curve, and the loop around a step.

All trainings share it. The folder of a run receives

    checkpoint.pt   everything needed to go on (`--resume`)
    curve.json      settings and the loss curve: figures against seconds and steps
    weights         files that the kind of training names, of the averaged weights

The learning rate follows a cosine over the wall-clock budget, so a run uses the time it is given; with a number of
steps it follows the steps instead, and the run is repeatable. Several processes (torchrun) train one network.
"""

import json
import math
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader, IterableDataset

from dinp.errors import DinpError
from dinp.models.training.optimisers import OPTIMISERS, Muon
from dinp.models.training.processes import agreed, rank, world_size
from dinp.models.weights.hub import load_network, save_weights

LEARNING_RATE = 2e-3
WEIGHT_DECAY = 0.02
WARM_UP = 200  # steps
GRADIENT_NORM = 1.0
EMA = 0.999
WAYS = {"valid": "by imitation", "valid_psnr": "through the solver"}  # of training a mask network, by their figures
T = TypeVar("T")
Write = Callable[["Run", Path], None]


def place_and_precision(device: str, bf16: bool | None) -> tuple[torch.device, bool]:
    """Where a training computes, and whether in bfloat16: if nothing is said, on CUDA only."""
    place = torch.device(device)
    return place, place.type == "cuda" if bf16 is None else bf16


def check_beginning(resume: bool, start: object | None) -> None:
    """Raise DinpError if a run is to begin in two ways."""
    if resume and start is not None:
        raise DinpError("a run that is resumed has its weights already: give either --resume or --start")


def save_averaged(run: "Run", out: Path) -> None:
    """Write the averaged weights of the first network to weights.npz, in the form that the package ships."""
    network = run.average.module
    replace(out / "weights.npz", lambda path: save_weights(path, run.kind, network.config, network.state_dict()))


@dataclass
class Run:
    """A training run: what a checkpoint holds, and how to go on with it.

    Attributes
    ----------
    kind : str
        What is trained; a checkpoint of another kind is refused.
    networks : dict of Module
        The networks by name. The first one is the run's `network`, of which the moving average is kept.
    models : dict of Module
        The same to be called in training: of several processes each computes the mean gradient of all.
    optimisers : dict
        One a network.
    average : AveragedModel
    rng : numpy Generator
        What is drawn for training.
    write : callable
        Writes the weights into the run's folder: (run, folder).
    step, seconds, curve
        Where the run is.
    begun_with : str or list of str, optional
        Files of the weights that a resumed run was begun with.
    """

    kind: str
    networks: dict[str, nn.Module]
    optimisers: dict[str, torch.optim.Optimizer | Muon]
    rng: np.random.Generator
    write: Write = save_averaged
    step: int = 0
    seconds: float = 0.0
    curve: list[dict] = field(default_factory=list)
    begun_with: str | list[str] | None = None

    def __post_init__(self) -> None:
        self.average = AveragedModel(self.network, avg_fn=_moving_average)
        several = world_size() > 1
        self.models = {n: DistributedDataParallel(m) if several else m for n, m in self.networks.items()}

    @classmethod
    def start(
        cls,
        kind: str,
        make: Mapping[str, Callable[[], nn.Module]],
        seed: int,
        device: torch.device,
        *,
        optimiser: str = "adamw",
        weight_decay: Mapping[str, float] | None = None,
        write: Write = save_averaged,
    ) -> "Run":
        """A run from its beginning; `make` has the networks by name, `weight_decay` what is not `WEIGHT_DECAY`."""
        torch.manual_seed(seed)
        networks = {name: m().to(device, memory_format=torch.channels_last) for name, m in make.items()}
        decays = dict.fromkeys(make, WEIGHT_DECAY) | dict(weight_decay or {})
        optimisers = {
            name: OPTIMISERS[optimiser](network, lr=LEARNING_RATE, weight_decay=decays[name])
            for name, network in networks.items()
        }
        return cls(kind, networks, optimisers, np.random.default_rng(seed), write)

    @property
    def network(self) -> nn.Module:
        """The first network, on its own: for all but the training itself."""
        return next(iter(self.networks.values()))

    @property
    def model(self) -> nn.Module:
        """The first network as it is called in training."""
        return next(iter(self.models.values()))

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return next(self.network.parameters()).device

    def update(self, loss: Tensor, learning_rate: float, name: str | None = None) -> None:
        """One step of a network, by default the first, with the clipped gradient; and of its moving average."""
        name = next(iter(self.networks)) if name is None else name
        network, optimiser = self.networks[name], self.optimisers[name]
        for group in optimiser.param_groups:
            group["lr"] = learning_rate
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), GRADIENT_NORM)
        optimiser.step()
        if network is self.network:
            self.average.update_parameters(network)

    def save(self, out: Path, settings: dict) -> None:
        """Write checkpoint, loss curve and weights; each replaces the old one only when complete."""
        out.mkdir(parents=True, exist_ok=True)
        state = {
            "kind": self.kind,
            "networks": {name: network.state_dict() for name, network in self.networks.items()},
            "average": self.average.state_dict(),
            "optimisers": {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()},
            "rng": self.rng.bit_generator.state,
            "step": self.step,
            "seconds": self.seconds,
            "curve": self.curve,
            "start": settings.get("start"),
        }
        replace(out / "checkpoint.pt", lambda path: torch.save(state, path))
        curve = {**settings, "step": self.step, "seconds": round(self.seconds, 1), "curve": self.curve}
        replace(out / "curve.json", lambda path: path.write_text(json.dumps(curve, indent=1) + "\n"))
        self.write(self, out)

    def begin_with(self, *networks: nn.Module) -> None:
        """Take the weights of trained networks: of the first one, or of the first ones.

        Raises
        ------
        DinpError
            The weights do not fit: they are those of a network of other widths.
        """
        try:
            for own, network in zip(self.networks.values(), networks, strict=False):
                own.load_state_dict(network.state_dict())
        except RuntimeError as error:
            raise DinpError("the weights to begin with are those of a network of another form") from error
        self.average.module.load_state_dict(self.network.state_dict())

    def begin(self, out: Path, *, resume: bool, start: Path | None = None, figure: str | None = None) -> None:
        """Go on from the checkpoint in `out`, or begin, with trained weights where they are given: then draw.

        Parameters
        ----------
        out : Path
            The run's folder.
        resume : bool
        start : Path, optional
            Weights to begin with, of a network of the same widths.
        figure : str, optional
            See `resume`.

        Raises
        ------
        DinpError
            There is nothing to resume, or the weights do not fit.
        """
        if resume:
            self.resume(out, figure)
        elif start is not None:
            self.begin_with(load_network(self.kind, start))
        self.share()

    def share(self) -> None:
        """Where there are several processes: let each draw crops of its own."""
        if rank():
            self.rng = np.random.default_rng([int(self.rng.integers(2**32)), rank()])

    def resume(self, out: Path, figure: str | None = None) -> None:
        """Go on from the checkpoint in `out`, of a training whose curve has this figure.

        Raises
        ------
        DinpError
            There is none, or it belongs to another training.
        """
        path = out / "checkpoint.pt"
        if not path.is_file():
            raise DinpError(f"{path} is missing: there is nothing to resume")
        state = torch.load(path, map_location=self.device, weights_only=True)
        if state["kind"] != self.kind:
            raise DinpError(f"{path} belongs to a {state['kind']} network, not to a {self.kind} network")
        try:
            for name, network in self.networks.items():
                network.load_state_dict(state["networks"][name])
            self.average.load_state_dict(state["average"])
        except RuntimeError as error:
            raise DinpError(f"{path} belongs to a network of other widths: give those it was begun with") from error
        try:
            for name, optimiser in self.optimisers.items():
                optimiser.load_state_dict(state["optimisers"][name])
        except (ValueError, KeyError) as error:
            raise DinpError(f"{path} belongs to a training with another optimiser") from error
        self.rng.bit_generator.state = state["rng"]
        self.step, self.seconds, self.curve = state["step"], state["seconds"], state["curve"]
        self.begun_with = state.get("start")
        if figure and self.curve and figure not in self.curve[0]:
            found = next(way for column, way in WAYS.items() if column in self.curve[0])
            raise DinpError(f"{path} belongs to a training {found}, not to one {WAYS[figure]}")

    def averaged(self) -> nn.Module:
        """The first network with its averaged weights, for evaluation."""
        return self.average.module.eval()

    def settings(self, **own: object) -> dict:
        """What curve.json says of the run: the given, and what is known of every run."""
        if "start" in own:
            own["start"] = own["start"] or self.begun_with
        return own | {
            "device": self.device.type,
            "processes": world_size(),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "python": platform.python_version(),
        }

    def batches(self, draw: Callable[[np.random.Generator], T]) -> Iterator[T]:
        """What `draw` makes of the run's generator, without end, by torch's own feeding."""
        drawn = DataLoader(_Drawn(self, draw), batch_size=None, generator=torch.Generator())
        return iter(drawn)

    def follow(
        self,
        one_step: Callable[[float, float], T],
        measure: Callable[[list[T]], dict],
        out: Path,
        settings: dict,
        *,
        minutes: float,
        steps: int | None,
        every: float,
        peak: float = 1.0,
        warm: int | None = None,
        progress: Callable[[str], object] | None = None,
    ) -> "Run":
        """Train until the time or the steps are used up; checkpoints, and rows of the curve, every so many seconds.

        `one_step` is given the done fraction and the learning rate; `measure` makes figures of what the steps since the
        last time returned; `progress` is told them, by default on standard error. The learning rate rises for `warm`
        steps, by default `WARM_UP`.
        """
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
            (self.seconds,) = agreed(time.monotonic() - begin, device=self.device)
            fraction = self.step / steps if steps is not None else self.seconds / (60 * minutes)
            if fraction >= 1:
                break
            if rank() == 0 and recent and time.monotonic() - last >= every:
                report()
                last = time.monotonic()
            rate = peak * learning_rate(self.step, fraction, warm)
            recent.append(one_step(fraction, rate))
            self.step += 1
        if rank() == 0 and recent:
            report()
        return self


class _Drawn(IterableDataset):
    """Batches that are drawn when they are asked for."""

    def __init__(self, run: Run, draw: Callable[[np.random.Generator], object]) -> None:
        super().__init__()
        self.run, self.draw = run, draw

    def __iter__(self) -> Iterator[object]:
        while True:
            yield self.draw(self.run.rng)


def _moving_average(average: Tensor, latest: Tensor, number: Tensor | int) -> Tensor:
    """Exponential, with a memory that grows with the number of averaged steps."""
    decay = min(EMA, (2 + int(number)) / (11 + int(number)))
    return average.lerp(latest, 1 - decay)


def learning_rate(step: int, fraction: float, warm: int | None = None) -> float:
    """Linear warm-up, then a cosine from the peak to 1 % of it over the done fraction of the budget."""
    cosine = 0.01 + 0.99 * (1 + math.cos(math.pi * min(fraction, 1.0))) / 2
    return LEARNING_RATE * warm_up(step, warm) * cosine


def warm_up(step: int, steps: int | None = None) -> float:
    """Factor on the learning rate, from near 0 to 1 over the first steps."""
    return min(1.0, (step + 1) / (steps or WARM_UP))


def replace(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file beside `path` and move it there when it is complete."""
    partial = path.with_name(f"partial-{path.name}")
    write(partial)
    os.replace(partial, path)
