"""Training of the mask network to place points in several passes, told in each what is placed already.

    dinp train mask-passes LABELS... --data DATA --out runs/passes --minutes 60 --seed 1 [--start weights.npz]

One network serves every pass, the first included, in which nothing is placed. It begins with the weights of a network
of one pass, and LABELS are files of `dinp train mask-labels`. See `dinp.models.training.passes_data` for what it is
told, and `dinp.models.training.run` for what the folder receives; besides

    known.npz       weights of the network whose points are placed in training, and which is the teacher of a lighter
                    one: what a resumed run goes on with

The loss is the cross-entropy of the missing points, over the square root of their number: a sum over pixels would
hardly see the last points of a mask, nor masks of few points, and a mean over points would see little else. Crops are
seen in several sizes, see `dinp.models.training.sizes`. A lighter network, which `dinp train mask-start` makes, learns
from the shipped one's answers, too (`--distil`).
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from dinp.errors import DinpError
from dinp.models.networks.mask import NO_MARGINS, Margins, MaskNetwork, inner
from dinp.models.training import data
from dinp.models.training.passes_data import Staged, draw
from dinp.models.training.processes import launched, world_size
from dinp.models.training.run import Run, check_beginning, place_and_precision, replace, save_averaged
from dinp.models.training.sizes import OTHER_SIZES, framed
from dinp.models.weights.files import shipped
from dinp.models.weights.hub import load_network
from dinp.models.weights.mask_model import load_mask_model

BATCH = 8
VALIDATION_BATCHES = 8
WARM_UP = 40  # steps: nearly all weights are trained already
REFERENCE = 0.04  # missing points per pixel of which the loss is the cross-entropy per pixel


def passes_loss(
    network: nn.Module,
    planes: Tensor,
    density: Tensor,
    placed: Tensor,
    missing: Tensor,
    margins: Margins = NO_MARGINS,
    told: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The loss, and the cross-entropy in nats a missing point of the first pass and of the later ones.

    Parameters
    ----------
    network : MaskNetwork
        With passes.
    planes, density : (B, 1, H, W) and (B,) float tensors
    placed, missing : (B, H, W) and (B, h, w) float tensors
        1 where a point is, or is to be.
    margins : 4 ints
        Pixels around planes and around what is placed that are only seen, as for the network; the others are without
        them.
    told : (B, h, w) float tensor, optional
        What is to be answered instead of `missing`.
    """
    confidence = network(planes, density, placed[:, None], margins).clamp(1e-7, 1 - 1e-7)[:, 0]
    placed = inner(placed, margins)
    wanted = missing if told is None else told
    with torch.autocast(planes.device.type, enabled=False):  # which has no half precision
        entropy = functional.binary_cross_entropy(confidence, wanted, reduction="none")
    entropy = (entropy * (1 - placed)).sum(dim=(1, 2))
    points = missing.sum(dim=(1, 2)).clamp_min(1)
    size = missing[0].numel()
    loss = (entropy * (REFERENCE * size / points).sqrt()).mean() / size
    later = placed.amax(dim=(1, 2)) > 0
    each = (entropy / points).detach()
    return loss, torch.stack([(each * part).sum() / part.sum().clamp_min(1) for part in (~later, later)])


def begun(start: Path | None) -> MaskNetwork:
    """A network of passes with the weights of a file, of a network with passes or without, or with the shipped ones."""
    old = load_network("mask", start)
    new = MaskNetwork(**(old.config | {"passes": True}))
    missing, _ = new.load_state_dict(old.state_dict(), strict=False)
    if any("tell" not in name and "hint" not in name for name in missing):
        raise DinpError("the weights to begin with are those of a network of another form")
    return new


def validate(run: Run, batches: Sequence[tuple]) -> list[float]:
    """Of the averaged weights: the mean loss, and nats a missing point of the first pass and of later ones.

    Each batch is what `passes_loss` takes after the network.
    """
    network = run.averaged()
    with torch.inference_mode():
        found = [passes_loss(network, *batch) for batch in batches]
    loss = torch.stack([one for one, _ in found]).mean().item()
    parts = torch.stack([part for _, part in found]).mean(dim=0).tolist()
    return [round(value, 5) for value in (loss, *parts)]


@launched
def train(
    data_folder: Path,
    labels: Sequence[Path],
    out: Path,
    *,
    minutes: float = 60.0,
    steps: int | None = None,
    seed: int = 1,
    device: str = "auto",
    bf16: bool | None = None,
    resume: bool = False,
    limit: int | None = None,
    start: Path | None = None,
    peak: float = 0.4,
    optimiser: str = "adamw",
    distil: float = 0.0,
    every: float = 180.0,
) -> Run:
    """Train a mask network of passes; see the module's text.

    Parameters are those of `dinp.models.training.train.train`; `start` are the weights of a mask network with passes or
    without, by default the shipped ones; `optimiser` is a name of `dinp.models.training.optimisers`; `distil` is the
    share of a teacher's answer in what is to be answered, the rest being the label: of the shipped network, when the
    run began, or of the weights in `known.npz`.

    Raises
    ------
    DinpError
        Labels, pictures or `known.npz` are missing, there is nothing to resume, or both `start` and `resume` are given.
    """
    check_beginning(resume, start)
    place, bf16 = place_and_precision(device, bf16)
    training, held_out = data.load_masks(data_folder, limit, files=labels)
    written = out / "weights.npz"  # of the form that the run was begun with
    network = begun(written if resume and written.is_file() else start)
    known = out / "known.npz"
    run = Run.start("mask", {"mask": partial(MaskNetwork, **network.config)}, seed, place, optimiser=optimiser)
    if resume:
        run.resume(out, "valid")
        if not known.is_file():
            raise DinpError(f"{known} is missing: copy the weights there that the run was begun with")
        origin = known
    else:
        run.begin_with(network)
        origin = shipped("mask.npz") if distil or start is None else start
    run.share()
    first, content = load_mask_model(origin), origin.read_bytes()

    def write(run: Run, out: Path) -> None:
        save_averaged(run, out)
        replace(known, lambda path: path.write_bytes(content))  # with the checkpoint that it belongs to

    run.write = write
    settings = run.settings(
        network="mask",
        config=run.network.config,
        parameters=sum(p.numel() for p in run.network.parameters()),
        seed=seed,
        batch=BATCH * world_size(),
        labels=[path.name for path in labels],
        start=start and start.name,
        peak=peak,
        optimiser=optimiser,
        distil=distil,
        training_crops=len(training),
        validation_crops=len(held_out),
        bf16=bf16,
        valid_other_sizes="as valid, of windows of the crops and of crops with mirrored surroundings",
        valid_parts=["nats a missing point, first pass", "nats a missing point, later passes"],
    )
    staged = Staged(training, first)
    fixed = np.random.default_rng(0)
    held = Staged(held_out, first)
    validation = [_tensors(draw(held, BATCH, fixed), place) for _ in range(VALIDATION_BATCHES)]
    other_sizes = [_framed(batch, fixed, share=0.5) for batch in validation]
    drawn = run.batches(partial(draw, staged, BATCH))
    teacher = load_network("mask", origin).to(place, memory_format=torch.channels_last).eval() if distil else None

    def one_step(_: float, rate: float) -> float:
        planes, density, placed, missing, margins = _framed(_tensors(next(drawn), place), run.rng)
        with torch.autocast(place.type, torch.bfloat16, enabled=bf16):
            planes = planes.contiguous(memory_format=torch.channels_last)
            told = None
            if teacher is not None:
                with torch.no_grad():
                    answer = teacher(planes, density, placed[:, None], margins)[:, 0]
                    told = distil * answer + (1 - distil) * missing
            loss, _ = passes_loss(run.model, planes, density, placed, missing, margins, told)
        run.update(loss, rate)
        return loss.detach().item()

    def measure(recent: list[float]) -> dict:
        valid, *parts = validate(run, validation)
        other, *_ = validate(run, other_sizes)
        row = {"train": round(float(np.mean(recent)), 5), "valid": valid, "valid_parts": parts}
        return row | {"valid_other_sizes": other}

    return run.follow(
        one_step, measure, out, settings, minutes=minutes, steps=steps, peak=peak, every=every, warm=WARM_UP
    )


def _tensors(
    batch: tuple[np.ndarray, np.ndarray, list[np.ndarray]], device: torch.device
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    planes, density, (placed, missing) = data.to_tensors(*batch, device)
    return planes, density, placed, missing


def _framed(
    batch: tuple[Tensor, ...], rng: np.random.Generator, share: float = OTHER_SIZES
) -> tuple[Tensor, Tensor, Tensor, Tensor, Margins]:
    """What `passes_loss` takes, of a batch that may be seen in another size, see `dinp.models.training.sizes`."""
    planes, density, placed, missing = batch
    (planes, density, (placed,), (missing,)), margins = framed(planes, density, [placed], [missing], rng, share)
    return planes, density, placed, missing, margins
