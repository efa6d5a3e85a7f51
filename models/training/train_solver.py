"""Training of the mask network through the inpainting itself, from pictures alone.

    dinp train solver --data DATA --out runs/solver --minutes 30 --seed 1 [--resume]

What a surrogate stands in for in `dinp.models.training.train_surrogate` is done here: the inpainting itself, by
`dinp.models.networks.inpainting_layer`, whose gradient takes one further solve. `DATA` holds pictures in train/bsds and
train/cid22, and in tune/cid22 those of the validation. The folder `--out` receives `checkpoint.pt`, `curve.json` and
`weights.npz`, as those of `dinp.models.training.train`; the curve holds losses, and PSNR on tuning pictures.

Confidences enter the inpainting on the way from soft to binary, and known values corrected by the mean errors of their
cells, both as `dinp.models.training.train_surrogate` explains, with the same loss and crops of the same sizes.
"""

from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dinp.models.networks.inpainting_layer import inpaint
from dinp.models.networks.mask import MaskNetwork
from dinp.models.training import surrogate_batches, surrogate_validation
from dinp.models.training.processes import launched, rank, world_size
from dinp.models.training.run import Run, check_beginning, place_and_precision
from dinp.models.training.surrogate_batches import (
    binarised,
    cell_means,
    draw,
    on_the_way,
    to_tensors,
    training_planes,
)
from dinp.models.training.surrogate_losses import masked_inpainting_loss
from dinp.models.training.surrogate_validation import tuning_planes, validate

VARIANCE_WEIGHT = 0.02  # at the end; it grows from 0 in proportion to the time


@launched
def train(
    data: Path,
    out: Path,
    *,
    minutes: float = 30.0,
    steps: int | None = None,
    seed: int = 1,
    device: str = "auto",
    bf16: bool | None = None,
    resume: bool = False,
    limit: int | None = None,
    start: Path | None = None,
    peak: float = 1.0,
    every: float = 300.0,
    masks: dict | None = None,
) -> Run:
    """Train the mask network; see the module's text.

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
        Convolutions in bfloat16; the inpainting is in float32. Default: on CUDA only.
    limit : int, optional
        Use so many training pictures only.
    start : Path, optional
        Weights to begin with, of a network of the same widths.
    peak : float
        Factor on the learning rate.
    every : float
        Seconds between validations and checkpoints.
    masks : dict, optional
        Arguments of `MaskNetwork`.

    Raises
    ------
    DinpError
        Pictures are missing, there is nothing to resume, or both `start` and `resume` are given.
    """
    check_beginning(resume, start)
    place, bf16 = place_and_precision(device, bf16)
    planes, tuning = training_planes(data, limit), tuning_planes(data)
    run = Run.start("mask", {"mask": partial(MaskNetwork, **(masks or {}))}, seed, place)
    run.begin(out, resume=resume, start=start, figure="valid_psnr")

    settings = run.settings(
        network="mask",
        through="the true solver",
        config=run.network.config,
        parameters=sum(p.numel() for p in run.network.parameters()),
        seed=seed,
        crops={side: count * world_size() for side, count in surrogate_batches.CROPS.items()},
        pictures=len(planes),
        start=start and start.name,
        peak=peak,
        bf16=bf16,
        **surrogate_validation.described(tuning, compared=rank() == 0),
    )

    def measure(recent: list[list[float]]) -> dict:
        means = np.mean(recent, axis=0).round(4).tolist()
        found = dict(zip(("log_error", "variance", "unevenness"), means, strict=True))
        return found | {"valid_psnr": validate(run.averaged(), tuning, place)}

    if rank() == 0 and not resume:
        run.curve.append({"seconds": 0.0, "step": 0, "valid_psnr": validate(run.averaged(), tuning, place)})
    drawn = run.batches(partial(draw, planes))

    def step(fraction: float, rate: float) -> list[float]:
        return one_step(run, *to_tensors(*next(drawn), place), bf16, fraction, rate)

    return run.follow(step, measure, out, settings, minutes=minutes, steps=steps, peak=peak, every=every)


def one_step(run: Run, f: Tensor, density: Tensor, bf16: bool, fraction: float, rate: float) -> list[float]:
    """Update the mask network; returns the parts of `dinp.models.training.surrogate_losses.masked_inpainting_loss`."""
    with torch.autocast(f.device.type, torch.bfloat16, enabled=bf16):
        c = run.model(f, density)
    points, b = binarised(c)
    x = on_the_way(c, b, run.rng)
    with torch.no_grad():
        known = f + cell_means(f - inpaint(b, f), points)
    loss, parts = masked_inpainting_loss(inpaint(x, known), f, c, density, fraction * VARIANCE_WEIGHT)
    run.update(loss, rate)
    return parts.tolist()
