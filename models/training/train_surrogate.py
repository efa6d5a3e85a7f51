"""Joint training of a mask network and its surrogate of the inpainting, from pictures alone.

    dinp train surrogate --data DATA --out runs/surrogate --minutes 55 --seed 1 [--resume]
    torchrun --nproc-per-node 4 -m dinp train surrogate --data DATA --out runs/surrogate --minutes 55

`DATA` holds pictures in train/bsds and train/cid22, and in tune/cid22 those of the validation. No mask is imitated. The
folder `--out` receives

    checkpoint.pt    everything needed to go on (`--resume`)
    curve.json       settings, losses, and PSNR on tuning pictures, against seconds and steps
    surrogate.npz    the averaged weights of the mask network
    inpainting.npz   the weights of the inpainting network

both as they were when the masks were best on tuning pictures, after tonal optimisation, of all that the run measured:
the loss goes on falling when they no longer become better.

Each step draws crops, of one of several sizes so that none is learned, and densities, then updates the two in turn, the
inpainting network first; in the first steps it alone. It sees the masks of the moment, binarised and not, and some
between: a gradient with respect to confidences is only worth something where confidences vary in training.

The mask network's confidences c enter its loss as x = b + e (c - b), with b the binarised confidences, the gradient of
c itself, and e drawn for each crop from 0 to 1. At e = 0 this is the straight-through gradient, which says where a
point is missing, but not which of the known points could go: at c = 1 the equation hardly feels its confidence. At
e = 1 nothing is binary, and the error is far from that of a mask. On the way from one to the other the gradient sees
both.

Masks are meant for tonal optimisation, but the error with the picture's own values asks for pixels whose values are
typical. So, once the inpainting is good, the values at known pixels are corrected by the mean error of their Voronoi
cells, which takes one inpainting more and gains three quarters of what tonal optimisation does.
"""

from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from dinp.models.networks.inpainting import InpaintingNetwork
from dinp.models.networks.mask import MaskNetwork
from dinp.models.training import surrogate_batches, surrogate_validation
from dinp.models.training.processes import launched, rank, world_size
from dinp.models.training.run import Run, check_beginning, place_and_precision, replace, warm_up
from dinp.models.training.surrogate_batches import (
    between,
    binarised,
    cell_means,
    draw,
    on_the_way,
    to_tensors,
    training_planes,
)
from dinp.models.training.surrogate_losses import masked_inpainting_loss, residual_loss
from dinp.models.training.surrogate_validation import tuning_planes, validate
from dinp.models.weights.hub import load_network, save_weights

MASK_RATE = 2.5  # learning rate of the mask network over that of the inpainting network
LEAD = 60  # steps in which the inpainting network learns alone
LATE = 0.4  # part of the time after which known values are corrected, and the inpainting network learns half as often
VARIANCE_WEIGHT = 0.02  # at the end; it grows from 0 in proportion to the time


def save_weights_of_both(run: Run, out: Path) -> None:
    """Write the averaged weights of the mask network, and those of the inpainting network, if no masks were better."""
    worths = [np.mean([tonal for _, tonal in row["valid_psnr"]]) for row in run.curve]
    if worths and worths[-1] < max(worths):
        return
    masks, inpainting = run.average.module, run.networks["inpainting"]
    for name, kind, network in (("surrogate", "mask", masks), ("inpainting", "inpainting", inpainting)):
        replace(out / f"{name}.npz", partial(_save, kind, network))


def _save(kind: str, network: nn.Module, path: Path) -> None:
    save_weights(path, kind, network.config, network.state_dict())


@launched
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
    start: tuple[Path, Path] | None = None,
    corrected: bool = False,
    peak: float = 1.0,
) -> Run:
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
    start : pair of Path, optional
        Weights of the two to begin with.
    corrected : bool
        Correct known values from the first step on, as is done late in a training: to go on from trained weights. To
        be given again with `resume`.
    peak : float
        Factor on the learning rate.

    Raises
    ------
    DinpError
        Pictures are missing, there is nothing to resume, the weights do not fit, or both `start` and `resume` are
        given.
    """
    check_beginning(resume, start)
    place, bf16 = place_and_precision(device, bf16)
    planes, tuning = training_planes(data, limit), tuning_planes(data)
    make = {
        "masks": partial(MaskNetwork, **(masks or {})),
        "inpainting": partial(InpaintingNetwork, **(inpainting or {})),
    }
    run = Run.start("surrogate", make, seed, place, weight_decay={"inpainting": 0.0}, write=save_weights_of_both)
    run.begin(out, resume=resume)
    if start is not None:
        run.begin_with(*(load_network(kind, path) for kind, path in zip(("mask", "inpainting"), start, strict=True)))
    settings = run.settings(
        network="surrogate",
        config={"mask": run.networks["masks"].config, "inpainting": run.networks["inpainting"].config},
        parameters=[sum(p.numel() for p in network.parameters()) for network in run.networks.values()],
        seed=seed,
        crops={side: count * world_size() for side, count in surrogate_batches.CROPS.items()},
        pictures=len(planes),
        start=start and [path.name for path in start],
        corrected=corrected,
        peak=peak,
        bf16=bf16,
        **surrogate_validation.described(tuning, compared=rank() == 0),
    )
    drawn = run.batches(partial(draw, planes))

    def step(fraction: float, rate: float) -> dict[str, float]:
        return one_step(run, *to_tensors(*next(drawn), place), bf16, 1.0 if corrected else fraction, rate)

    def measure(recent: list[dict[str, float]]) -> dict:
        row = {}
        for name in ("inpainting", "residual", "log_error", "variance", "unevenness"):
            found = [parts[name] for parts in recent if name in parts]
            row |= {name: round(float(np.mean(found)), 4)} if found else {}
        return row | {"valid_psnr": validate(run.averaged(), tuning, place)}

    return run.follow(step, measure, out, settings, minutes=minutes, steps=steps, peak=peak, every=every)


def one_step(run: Run, f: Tensor, density: Tensor, bf16: bool, fraction: float, rate: float) -> dict[str, float]:
    """Update the inpainting network, then the mask network; returns the losses' parts by name.

    `fraction` says how far the training is: when known values are corrected, and how much variance counts.

    Of several processes, a network whose gradient is not wanted is called on its own.
    """
    rng, inpainting = run.rng, run.networks["inpainting"]
    mixed = torch.autocast(f.device.type, torch.bfloat16, enabled=bf16)
    leading = run.step < LEAD
    late = fraction >= LATE and not leading
    with mixed, torch.set_grad_enabled(not leading):
        c = (run.networks if leading else run.models)["masks"](f, density)
    soft = c.detach()
    points, b = binarised(soft)

    parts = {}
    if not (late and run.step % 2):
        x = between(soft, b, rng)
        with mixed:
            u = run.models["inpainting"](f * x, x)
        loss, residual = residual_loss(u, f * x, x, f)
        run.update(loss, rate, "inpainting")
        parts = {"inpainting": loss.item(), "residual": residual.item()}
    if not leading:
        x = on_the_way(c, b, rng)
        inpainting.requires_grad_(False)
        with mixed:
            known = f
            if late:
                with torch.no_grad():
                    known = f + cell_means(f - inpainting(f * x, x), points)
            u = inpainting(known * x, x)
        loss, found = masked_inpainting_loss(u, f, c, density, fraction * VARIANCE_WEIGHT)
        run.update(loss, MASK_RATE * rate * warm_up(run.step - LEAD), "masks")
        inpainting.requires_grad_(True)
        parts |= dict(zip(("log_error", "variance", "unevenness"), found.tolist(), strict=True))
    return parts
