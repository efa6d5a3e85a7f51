"""Training of the mask network and the tree network by imitation of optimised masks and trees.

    dinp train mask --data DATA --out runs/mask --minutes 70 --seed 1 [--start weights.npz]
    dinp train tree --data DATA --out runs/tree --minutes 70 --seed 1 [--resume]
    torchrun --nproc-per-node 4 -m dinp train mask --data DATA --out runs/mask --minutes 70
    dinp train tree --data DATA --out runs/tree2 --minutes 40 --start runs/tree2/start.npz --distil 0.5

`DATA` holds the labels and pictures that `dinp.models.training.data` describes; what the folder `--out` receives, and
how the learning rate goes, says `dinp.models.training.run`: weights.npz is in the form that the package ships.

The loss is the cross-entropy of the teacher's choices: for masks at every pixel, for trees at every cell that exists in
the teacher's tree, each level with the same weight. A mask network sees its crops in several sizes, see
`dinp.models.training.sizes`; it is validated on whole crops only. Imitation is ahead of a surrogate from 5 % on
(models/weights/mask.md).

A lighter tree network is distilled from the shipped one: in a share of the steps it imitates that one's answers for
enlarged pictures, see `dinp.models.training.enlarged`.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import torch

from dinp.errors import DinpError
from dinp.models.networks.tree import SIDES
from dinp.models.training import data, enlarged
from dinp.models.training.imitation_losses import LOSSES, base_rate
from dinp.models.training.processes import launched, world_size
from dinp.models.training.run import Run, check_beginning, place_and_precision
from dinp.models.training.sizes import framed
from dinp.models.weights.files import read_weights
from dinp.models.weights.hub import NETWORKS, load_network

BATCH = 8
VALIDATION_CROPS = 64
LOADERS: dict[str, Callable] = {"mask": data.load_masks, "tree": data.load_trees}


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
    distil: float = 0.0,
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
        Weights to begin with, of a mask network of the same widths or a tree network of any form.
    peak : float
        Factor on the learning rate.
    distil : float
        Share of the steps in which a tree network imitates the shipped one.
    every : float
        Seconds between checkpoints.

    Raises
    ------
    DinpError
        Labels or pictures are missing, there is nothing to resume, both `start` and `resume` are given, or a mask
        network is to be distilled.
    """
    check_beginning(resume, start)
    place, bf16 = place_and_precision(device, bf16)
    if labels is not None and kind != "mask":
        raise DinpError(f"files of labels are for the mask network, not for the {kind} network")
    if distil and kind != "tree":
        raise DinpError(f"only the tree network is distilled, not the {kind} network")
    load = partial(data.load_masks, files=labels) if labels is not None else LOADERS[kind]
    training, held_out = load(data_folder, limit)
    order = np.random.default_rng(0).permutation(len(held_out))
    validation = held_out.select(np.sort(order[:VALIDATION_CROPS]))
    form = {}
    if kind == "tree" and start is not None:
        form = read_weights(kind, start).config
    elif kind == "tree" and resume:
        with suppress(DinpError):  # of what is missing or of another kind the checkpoint tells
            form = read_weights(kind, out / "weights.npz").config
    run = Run.start(kind, {kind: partial(NETWORKS[kind], **form)}, seed, place)
    run.begin(out, resume=resume, start=start, figure="valid")
    settings = run.settings(
        network=kind,
        config=run.network.config,
        parameters=sum(p.numel() for p in run.network.parameters()),
        seed=seed,
        batch=BATCH * world_size(),
        labels=[path.name for path in labels] if labels is not None else None,
        start=start and start.name,
        peak=peak,
        distil=distil,
        training_crops=len(training),
        validation_crops=len(validation),
        bf16=bf16,
        loss_parts=["pixel"] if kind == "mask" else [f"side {s}" for s in SIDES],
        base_rate=base_rate(kind, validation),
    )
    draw = partial(data.draw, training, BATCH)
    if distil:
        found, larger, side = enlarged.pictures(data_folder), load_network(kind).to(place), enlarged.CROP
        count = max(1, BATCH * data.TREE_CROP**2 // side**2)
        draw = enlarged.mixed(draw, partial(enlarged.draw, found, larger, count, side=side), distil)
    drawn = run.batches(draw)

    def one_step(_: float, rate: float) -> float:
        planes, density, labels = data.to_tensors(*next(drawn), place)
        seen = {}
        if kind == "mask":
            (planes, density, _, labels), margins = framed(planes, density, [], labels, run.rng)
            seen = {"margins": margins}
        with torch.autocast(place.type, torch.bfloat16, enabled=bf16):
            planes = planes.contiguous(memory_format=torch.channels_last)
            loss, _ = LOSSES[kind](run.model, planes, density, labels, **seen)
        run.update(loss, rate)
        return loss.detach().item()

    def measure(recent: list[float]) -> dict:
        valid = validate(run, validation, place)
        means = (round(float(np.mean(values)), 5) for values in (recent, valid))
        return dict(zip(("train", "valid"), means, strict=True)) | {"valid_parts": valid}

    return run.follow(one_step, measure, out, settings, minutes=minutes, steps=steps, peak=peak, every=every)
