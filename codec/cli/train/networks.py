"""Commands that train a network; what each does, and what its folder receives, say the modules in `dinp.models`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from dinp.cli.options import PATH, Listed, Number
from dinp.cli.train.form import restoration_form
from dinp.pictures.files import check_folder

F = TypeVar("F", bound=Callable[..., object])

_STRIDES = click.IntRange(min=1)


def _common(*, data: str, minutes: float, bf16: bool | None = None) -> Callable[[F], F]:
    """The options that every training has; `data` says what the folder is to hold, the others are defaults."""
    told = "on CUDA only" if bf16 is None else "bf16" if bf16 else "no-bf16"
    return _stacked(
        click.option("--data", type=PATH, required=True, metavar="FOLDER", help=f"Folder with {data}."),
        click.option("--out", type=PATH, required=True, metavar="FOLDER", help="For checkpoint, curve and weights."),
        click.option(
            "--minutes", type=Number(0, above=True), default=minutes, show_default=True, help="Wall-clock budget."
        ),
        click.option(
            "--steps", type=click.IntRange(min=1), help="Stop after so many steps instead; a run is then repeatable."
        ),
        click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True),
        click.option("--threads", type=click.IntRange(min=1), help="Threads of the CPU."),
        click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda."),
        click.option("--bf16/--no-bf16", default=bf16, help=f"Convolutions in bfloat16.  [default: {told}]"),
        click.option("--resume", is_flag=True, help="Go on from the checkpoint in --out."),
    )


def _stacked(*decorators: Callable[[F], F]) -> Callable[[F], F]:
    def decorated(function: F) -> F:
        for one in reversed(decorators):
            function = one(function)
        return function

    return decorated


def _start(which: str) -> Callable[[F], F]:
    """Options of training that can begin with weights; `which` says what weights these may be."""
    return _stacked(
        click.option("--start", type=PATH, metavar="FILE", help=f"Weights to begin with, of a network {which}."),
        click.option(
            "--peak", type=Number(0, above=True), default=1.0, show_default=True, help="Factor on the learning rate."
        ),
    )


def _widths(count: int | None, of: str, name: str = "--widths") -> Callable[[F], F]:
    return click.option(name, type=Listed(_STRIDES, count), metavar="N,N,...", help=f"Channels of {of}.")


_limit = click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Use so many labels or pictures only.")

_optimiser = click.option("--optimiser", type=click.Choice(("adamw", "muon")), default="adamw", show_default=True)


def _ready(out: Path, threads: int | None, **common: Any) -> dict[str, Any]:  # noqa: ANN401 (options of a training)
    """The common options of a training function, checked before its data is read."""
    import torch

    from dinp.models.training.processes import check_device

    check_device(common["device"])
    check_folder(str(out))
    if threads:
        torch.set_num_threads(threads)
    return {"out": out, **common}


@click.command()
@click.argument("labels", type=PATH, nargs=-1)
@_common(data="train/teacher_masks.npz and the pictures", minutes=60)
@_limit
@_start("of the same widths")
def mask(
    data: Path,
    limit: int | None,
    labels: tuple[Path, ...],
    start: Path | None,
    peak: float,
    **common: Any,  # noqa: ANN401
) -> None:
    """Train the mask network by imitation of optimised masks.

    LABELS are files of mask-labels, in place of those below --data.
    """
    common = _ready(**common)
    from dinp.models.training.train import train

    train("mask", data, limit=limit, labels=labels or None, start=start, peak=peak, **common)


@click.command()
@click.argument("labels", type=PATH, nargs=-1, required=True)
@_common(data="the pictures of the labels", minutes=60)
@_limit
@_start("of one pass or of several; by default the shipped ones")
@_optimiser
@click.option(
    "--distil",
    type=Number(0, 1),
    default=0.0,
    show_default=True,
    help="Share of the shipped network's answer in the target.",
)
def mask_passes(labels: tuple[Path, ...], data: Path, **options: Any) -> None:  # noqa: ANN401
    """Train the mask network to place points in several passes.

    LABELS are files of mask-labels.
    """
    options = _ready(**options)
    from dinp.models.training.train_passes import train

    train(data, labels, **options)


@click.command()
@_common(data="train/teacher_trees.npz and the pictures", minutes=60)
@_limit
@_start("of any form")
@click.option(
    "--distil",
    type=Number(0, 1),
    default=0.0,
    show_default=True,
    help="Share of steps that imitate the shipped network on enlarged pictures.",
)
def tree(data: Path, **options: Any) -> None:  # noqa: ANN401
    """Train the tree network by imitation of optimised trees."""
    options = _ready(**options)
    from dinp.models.training.train import train

    train("tree", data, **options)


@click.command()
@_common(data="train and tune", minutes=55)
@_widths(5, "the mask network at strides 2 to 32")
@_widths(None, "the other network at strides 2, 4, ...", "--inpainting-widths")
@_limit
@click.option(
    "--start",
    type=(PATH, PATH),
    default=None,
    metavar="MASKS INPAINTING",
    help="Weights to begin with, a surrogate.npz and an inpainting.npz.",
)
@click.option("--corrected", is_flag=True, help="Correct known values from the first step on.")
@click.option("--peak", type=Number(0, above=True), default=1.0, show_default=True, help="Factor on the learning rate.")
def surrogate(
    data: Path,
    widths: tuple[int, ...] | None,
    inpainting_widths: tuple[int, ...] | None,
    limit: int | None,
    **common: Any,  # noqa: ANN401
) -> None:
    """Train a mask network jointly with a surrogate of inpainting."""
    common = _ready(**common)
    from dinp.models.training.train_surrogate import train

    train(data, limit=limit, masks=_config(widths), inpainting=_config(inpainting_widths), **common)


@click.command()
@_common(data="train and tune", minutes=30)
@_widths(5, "the network at strides 2 to 32")
@_limit
@_start("of the same widths")
def solver(
    data: Path,
    widths: tuple[int, ...] | None,
    limit: int | None,
    start: Path | None,
    peak: float,
    **common: Any,  # noqa: ANN401
) -> None:
    """Train a mask network through the inpainting itself."""
    common = _ready(**common)
    from dinp.models.training.train_solver import train

    train(data, limit=limit, start=start, peak=peak, masks=_config(widths), **common)


def _config(widths: tuple[int, ...] | None) -> dict | None:
    return {"widths": list(widths)} if widths else None


@click.command()
@click.argument("files", type=PATH, nargs=-1, required=True)
@_common(data="train and tune", minutes=60, bf16=True)
@click.option("--tune", type=PATH, required=True, metavar="FILE", help="Coded tuning pictures.")
@restoration_form
@click.option(
    "--distil", type=Number(0, 1), default=0.0, show_default=True, help="Share of a teacher's correction in the target."
)
@click.option("--crop", type=int, default=128, show_default=True, help="Side of the crops, pixels.")
@click.option(
    "--low-rates",
    type=Number(0, above=True),
    default=1.0,
    show_default=True,
    help="Draw crops of low rates so much more often.",
)
@_optimiser
@click.option("--compile", "compiled", is_flag=True, help="Let torch compile the network.")
@_start("at most as wide")
def restoration(data: Path, files: tuple[Path, ...], **options: Any) -> None:  # noqa: ANN401
    """Train the restoration network on coded pictures.

    FILES are those of restoration-data or, to distil, of restoration-planes, of training pictures.
    """
    options = _ready(**options)
    from dinp.models.training.train_restoration import train

    train(data, files, **options)


@click.command()
@click.argument("what", type=click.Choice(("tree", "values", "mask")))
@click.argument("samples", type=PATH, nargs=-1)
@click.option("--data", type=PATH, metavar="FOLDER", help="Folder with train/teacher_masks.npz (mask).")
@click.option("--out", type=PATH, required=True, metavar="FOLDER", help="For WHAT.npz, curve and checkpoint.")
@click.option("--minutes", type=Number(0, above=True), default=5.0, show_default=True, help="Wall-clock budget.")
@click.option("--limit", type=click.IntRange(min=1), default=2000, show_default=True, help="Number of labels (mask).")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Threads of the CPU.")
def entropy(what: str, samples: tuple[Path, ...], data: Path | None, out: Path, threads: int, **options: Any) -> None:  # noqa: ANN401
    """Train an integer context model of the entropy coder.

    SAMPLES are files of context-data, for tree and values; mask learns from the labels below --data.
    """
    if data is None if what == "mask" else not samples:
        raise click.UsageError("Give --data for mask, SAMPLES for tree and values.")
    check_folder(str(out))
    import torch

    from dinp.models.training.train_entropy import train

    torch.set_num_threads(threads)
    train(what, list(samples), data, out, **options)
