"""Joint training of a mask network and its surrogate of the inpainting, from pictures alone.

    python -m dinp.models.training.train surrogate --data DATA --out runs/surrogate --minutes 55 --seed 1 [--resume]
    torchrun --nproc-per-node 4 -m dinp.models.training.train surrogate --data DATA --out runs/surrogate --minutes 55

`DATA` holds pictures in train/bsds and train/cid22, and in tune/cid22 those of the validation. No mask is imitated. The
folder `--out` receives

    checkpoint.pt    everything needed to go on (`--resume`)
    curve.json       settings, losses, and PSNR on tuning pictures, against seconds and steps
    surrogate.npz    the averaged weights of the mask network
    inpainting.npz   the weights of the inpainting network

Each step draws crops and densities, then updates the two in turn, the inpainting network first; in the first steps it
alone. It sees the masks of the moment, binarised and not, and some between: a gradient with respect to confidences is
only worth something where confidences vary in training.

The mask network's confidences c enter its loss as x = b + e (c - b), with b the binarised confidences, the gradient of
c itself, and e drawn for each crop from 0 to 1. At e = 0 this is the straight-through gradient, which says where a
point is missing, but not which of the known points could go: at c = 1 the equation hardly feels its confidence. At
e = 1 nothing is binary, and the error is far from that of a mask. On the way from one to the other the gradient sees
both.

Masks are meant for tonal optimisation, but the error with the picture's own values asks for pixels whose values are
typical. So, once the inpainting is good, the values at known pixels are corrected by the mean error of their Voronoi
cells, which takes one inpainting more and gains three quarters of what tonal optimisation does.
"""

import json
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from dinp.errors import DinpError
from dinp.models.masks.surrogate import mask_loss, residual_loss
from dinp.models.networks.inpainting import InpaintingNetwork
from dinp.models.networks.mask import MaskNetwork
from dinp.models.training import surrogate_batches, surrogate_validation
from dinp.models.training.options import run_training, training_parser
from dinp.models.training.processes import agreed, mean_gradients, processes
from dinp.models.training.surrogate_batches import between, binarised, cell_means, draw, on_the_way, training_planes
from dinp.models.training.surrogate_validation import tuning_planes, validate
from dinp.models.training.train import EMA, GRADIENT_NORM, WEIGHT_DECAY, learning_rate, replace
from dinp.models.weights.hub import save_weights

MASK_RATE = 2.5  # learning rate of the mask network over that of the inpainting network
LEAD = 60  # steps in which the inpainting network learns alone
LATE = 0.4  # part of the time after which known values are corrected, and the inpainting network learns half as often
VARIANCE_WEIGHT = 0.02  # at the end; it grows from 0 in proportion to the time


@dataclass
class Pair:
    """The two networks in training: what a checkpoint holds."""

    masks: nn.Module
    inpainting: nn.Module
    average: dict[str, Tensor]
    optimisers: dict[str, torch.optim.Optimizer]
    step: int = 0
    seconds: float = 0.0
    curve: list[dict] = field(default_factory=list)

    @classmethod
    def start(
        cls, seed: int, device: torch.device, masks: dict | None = None, inpainting: dict | None = None
    ) -> "Pair":
        torch.manual_seed(seed)
        networks = [MaskNetwork(**(masks or {})), InpaintingNetwork(**(inpainting or {}))]
        networks = [network.to(device, memory_format=torch.channels_last) for network in networks]
        decays = (WEIGHT_DECAY, 0.0)
        optimisers = [torch.optim.AdamW(n.parameters(), weight_decay=d) for n, d in zip(networks, decays, strict=True)]
        average = {name: tensor.detach().clone() for name, tensor in networks[0].state_dict().items()}
        return cls(*networks, average, dict(zip(("masks", "inpainting"), optimisers, strict=True)))

    def update(self, name: str, loss: Tensor, rate: float) -> None:
        """One step of one of the two networks, with the mean gradient of all processes, clipped."""
        network, optimiser = getattr(self, name), self.optimisers[name]
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        mean_gradients(network)
        nn.utils.clip_grad_norm_(network.parameters(), GRADIENT_NORM)
        optimiser.step()
        if name == "masks":
            decay = min(EMA, (1 + self.step) / (10 + self.step))
            for key, tensor in network.state_dict().items():
                self.average[key].lerp_(tensor, 1 - decay)

    def averaged(self) -> nn.Module:
        """The mask network with its averaged weights."""
        network = MaskNetwork(**self.masks.config).to(next(self.masks.parameters()).device).eval()
        network.load_state_dict(self.average)
        return network.to(memory_format=torch.channels_last)

    def save(self, out: Path, settings: dict) -> None:
        """Write checkpoint, curve and weights; each replaces the old one only when complete."""
        state = {"masks": self.masks.state_dict(), "inpainting": self.inpainting.state_dict(), "average": self.average}
        state |= {"step": self.step, "seconds": self.seconds, "curve": self.curve}
        state["optimisers"] = {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()}
        curve = {**settings, "step": self.step, "seconds": round(self.seconds, 1), "curve": self.curve}
        solver = self.inpainting
        replace(out / "checkpoint.pt", lambda path: torch.save(state, path))
        replace(out / "curve.json", lambda path: path.write_text(json.dumps(curve, indent=1) + "\n"))
        replace(out / "surrogate.npz", lambda path: save_weights(path, "mask", self.masks.config, self.average))
        replace(
            out / "inpainting.npz", lambda path: save_weights(path, "inpainting", solver.config, solver.state_dict())
        )

    def resume(self, out: Path) -> None:
        """Go on from the checkpoint in `out`."""
        path = out / "checkpoint.pt"
        if not path.is_file():
            raise DinpError(f"{path} is missing: there is nothing to resume")
        state = torch.load(path, map_location=next(self.masks.parameters()).device, weights_only=True)
        if "inpainting" not in state:
            raise DinpError(f"{path} belongs to a {state.get('kind')} network, not to a surrogate's training")
        self.masks.load_state_dict(state["masks"])
        self.inpainting.load_state_dict(state["inpainting"])
        for name, optimiser in self.optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])
        self.average = state["average"]
        self.step, self.seconds, self.curve = state["step"], state["seconds"], state["curve"]


def train(
    data: Path,
    out: Path,
    *,
    minutes: float = 55.0,
    steps: int | None = None,
    seed: int = 1,
    device: str = "auto",
    bf16: bool | None = None,
    resume: bool = False,
    limit: int | None = None,
    every: float = 300.0,
    masks: dict | None = None,
    inpainting: dict | None = None,
) -> Pair:
    """Train the two networks; see the module's text.

    Parameters
    ----------
    data, out : Path
        Pictures; where the results go.
    minutes : float
        Wall-clock budget, resumed time included.
    steps : int, optional
        Stop after so many steps instead; the learning rate then follows the steps.
    seed : int
    device : str
        "auto" (CUDA if there is one), "cpu", "cuda", ...
    bf16 : bool, optional
        Convolutions in bfloat16. Default: on CUDA only.
    limit : int, optional
        Use so many training pictures only.
    every : float
        Seconds between validations and checkpoints.
    masks, inpainting : dict, optional
        Arguments of `MaskNetwork` and `InpaintingNetwork`.

    Raises
    ------
    DinpError
        Pictures are missing, or there is nothing to resume.
    """
    with processes(device) as (place, rank, world):
        bf16 = place.type == "cuda" if bf16 is None else bf16
        out.mkdir(parents=True, exist_ok=True)
        planes, tuning = training_planes(data, limit), tuning_planes(data)
        pair = Pair.start(seed, place, masks, inpainting)
        if resume:
            pair.resume(out)
        settings = {
            "network": "surrogate",
            "config": {"mask": pair.masks.config, "inpainting": pair.inpainting.config},
            "parameters": [sum(p.numel() for p in n.parameters()) for n in (pair.masks, pair.inpainting)],
            "seed": seed,
            "batch": surrogate_batches.BATCH * world,
            "crop": surrogate_batches.CROP,
            "pictures": len(planes),
            "device": place.type,
            "processes": world,
            "bf16": bf16,
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "python": platform.python_version(),
            "validation": {"pictures": len(tuning), "size": surrogate_validation.SIZE},
            "densities": surrogate_validation.DENSITIES,
            "psnr": "plain, tonally optimised; means over the pictures, by the true solver",
            "reference": surrogate_validation.reference(tuning) if rank == 0 else {},
        }
        begin = time.monotonic() - pair.seconds
        last = time.monotonic()
        recent: list[dict[str, float]] = []

        def report() -> None:
            row = {"seconds": round(pair.seconds, 1), "step": pair.step}
            for name in ("inpainting", "residual", "log_error", "variance", "unevenness"):
                found = [parts[name] for parts in recent if name in parts]
                row |= {name: round(float(np.mean(found)), 4)} if found else {}
            row["valid_psnr"] = validate(pair.averaged(), tuning, place)
            pair.curve.append(row)
            recent.clear()
            pair.save(out, settings)
            sys.stderr.write(f"{json.dumps(row)}\n")

        while True:
            fraction, pair.seconds = agreed(
                pair.step / steps if steps is not None else (time.monotonic() - begin) / (60 * minutes),
                time.monotonic() - begin,
                device=place,
            )
            if fraction >= 1:
                break
            if rank == 0 and recent and time.monotonic() - last >= every:
                report()
                last = time.monotonic()
            recent.append(one_step(pair, planes, (seed, rank, pair.step), fraction, place, bf16))
        if rank == 0 and recent:
            report()
    return pair


def one_step(
    pair: Pair, planes: Sequence[np.ndarray], seed: tuple[int, ...], fraction: float, device: torch.device, bf16: bool
) -> dict[str, float]:
    """Update the inpainting network, then the mask network; returns the losses' parts by name."""
    rng = np.random.default_rng(seed)
    f, density = draw(planes, rng, device)
    mixed = torch.autocast(device.type, torch.bfloat16, enabled=bf16)
    leading, late = pair.step < LEAD, fraction >= LATE
    with mixed, torch.set_grad_enabled(not leading):
        c = pair.masks(f, density)
    soft = c.detach()
    points, b = binarised(soft)

    parts = {}
    if not (late and pair.step % 2):
        x = between(soft, b, rng)
        with mixed:
            u = pair.inpainting(f * x, x)
        loss, residual = residual_loss(u, f * x, x, f)
        pair.update("inpainting", loss, learning_rate(pair.step, fraction))
        parts = {"inpainting": loss.item(), "residual": residual.item()}
    if not leading:
        x = on_the_way(c, b, rng)
        pair.inpainting.requires_grad_(False)
        with mixed:
            known = f
            if late:
                with torch.no_grad():
                    known = f + cell_means(f - pair.inpainting(f * x, x), points)
            u = pair.inpainting(known * x, x)
        loss, found = mask_loss(u, f, c, density, fraction * VARIANCE_WEIGHT)
        pair.update("masks", loss, MASK_RATE * learning_rate(pair.step - LEAD, fraction))
        pair.inpainting.requires_grad_(True)
        parts |= dict(zip(("log_error", "variance", "unevenness"), found.tolist(), strict=True))
    pair.step += 1
    return parts


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = training_parser("train surrogate", __doc__.splitlines()[0], "folder with train and tune", minutes=55.0)
    parser.add_argument("--widths", type=int, nargs=5, help="channels of the mask network at strides 2 to 32")
    parser.add_argument("--inpainting-widths", type=int, nargs="+", help="channels of the other at strides 2, 4, ...")
    parser.add_argument("--limit", type=int, help="use so many training pictures only")
    args = parser.parse_args(argv)
    networks = {"masks": args.widths, "inpainting": args.inpainting_widths}
    configs = {name: {"widths": widths} if widths else None for name, widths in networks.items()}
    return run_training(args, partial(train, args.data, args.out, limit=args.limit, **configs))


if __name__ == "__main__":
    sys.exit(main())
