"""Commands that make what networks are trained with, and what the package ships of them."""

import io
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from dinp.cli.options import PATH, Listed, Number
from dinp.cli.progress import counted, progress, say
from dinp.cli.train.form import inside, restoration_form
from dinp.pictures.files import check_folder, check_output, write_output

_data = click.option("--data", type=PATH, required=True, metavar="FOLDER", help="Folder with train/bsds, train/cid22.")
_out = click.option("--out", type=PATH, required=True, metavar="FILE", help="The file to make (.npz).")


def _check(out: Path, data: Path) -> None:
    """Raise DinpError, before the work, where the file cannot be written; its folder may have to be made."""
    check_folder(str(out.parent))
    if out.parent.is_dir():
        check_output(str(out), str(data), force=True)


def _write(out: Path, **arrays: object) -> None:
    import numpy as np

    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_output(str(out), buffer.getvalue(), force=True)


@click.command()
@_data
@_out
@click.option("--count", type=click.IntRange(min=1), default=1600, show_default=True, help="Number of labels.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of crops, densities, masks.")
@click.option(
    "--weights", type=PATH, metavar="FILE", help="Of the mask network to begin with.  [default: the shipped ones]"
)
def mask_labels(data: Path, out: Path, count: int, seed: int, weights: Path | None) -> None:
    """Make optimised masks for the mask network to imitate.

    Work that is interrupted leaves what was made so far.
    """
    _check(out, data)
    from dinp.models.training.mask_labels import make

    with counted("making masks", count) as done:
        found = make(data, count, seed, done, weights)
    _write(out, **found)
    if len(found["bits"]) < count:
        say(f"note: interrupted: {len(found['bits'])} of {count} masks are in {out}")


@click.command()
@_data
@_out
@click.option("--set", "chosen", type=click.Choice(("train", "tune")), default="train", show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of what is drawn for each.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Use so many pictures only.")
@click.option("--part", type=(int, int), default=(0, 1), metavar="K N", help="Every Nth picture from K on.")
@click.option("--restore", is_flag=True, help="Code with the shipped restoration in view.")
@click.option("--colour", type=Number(0, 1), default=0.35, show_default=True, help="Share of pictures coded in colour.")
@click.option(
    "--qualities", type=Listed(Number(0, 100), 2), metavar="FROM,TO", help="Range.  [default: mostly 3 to 70]"
)
def restoration_data(
    data: Path,
    out: Path,
    chosen: str,
    seed: int,
    limit: int | None,
    part: tuple[int, int],
    restore: bool,
    colour: float,
    qualities: tuple[float, float] | None,
) -> None:
    """Code pictures for the restoration network."""
    _check(out, data)
    from dinp.models.training.restoration_data import make, packed

    own = {"restore": restore, "colour_share": colour, "qualities": qualities, "part": part}
    with progress("coding pictures", log=True) as draw:

        def done(number: int, total: int) -> None:
            if draw is not None:
                draw(number / total)

        turns, files = make(data, seed, chosen, limit, done, **own)
    _write(out, **packed(turns, files))


def _teacher(which: str) -> Any:  # noqa: ANN401 (a decorator)
    return click.option("--teacher", type=PATH, metavar="FILE", help=f"Weights of the teacher.  [default: {which}]")


@click.command()
@click.argument("file", type=PATH)
@_data
@_out
@_teacher("version 1")
@click.option("--bf16", is_flag=True, help="The teacher in bfloat16.")
def restoration_planes(file: Path, data: Path, out: Path, teacher: Path | None, bf16: bool) -> None:
    """Decode coded pictures and have a teacher restore them.

    FILE is one of restoration-data.
    """
    _check(out, file)
    from dinp.models.training.restoration_planes import make

    _write(out, **make(data, file, teacher, bf16=bf16))


@click.command()
@click.argument("planes", type=PATH)
@_out
@_teacher("version 1")
@restoration_form
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of the crops.")
def restoration_start(planes: Path, out: Path, teacher: Path | None, **options: Any) -> None:  # noqa: ANN401
    """Make a smaller restoration network from a larger one.

    PLANES is a file of restoration-planes.
    """
    _check(out, planes)
    from dinp.models.training.restoration_shrink import make

    out.parent.mkdir(parents=True, exist_ok=True)
    make(planes, teacher, out, **options)


def _lighter(network: str) -> click.Command:
    """The command that makes a lighter network from a larger one."""

    @click.command(f"{network}-start", help=f"Make a lighter {network} network from a larger one.")
    @_data
    @_out
    @_teacher("the shipped ones")
    @inside(5)
    @click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of the crops.")
    def start(data: Path, out: Path, teacher: Path | None, **options: Any) -> None:  # noqa: ANN401
        _check(out, data)
        made = import_module(f"dinp.models.training.{network}_shrink")
        out.parent.mkdir(parents=True, exist_ok=True)
        made.make(data, teacher, out, **options)

    return start


tree_start, mask_start = _lighter("tree"), _lighter("mask")


@click.command()
@_data
@_out
@click.option("--count", type=click.IntRange(min=1), default=400, show_default=True, help="Number of planes.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
def context_data(data: Path, out: Path, count: int, seed: int) -> None:
    """Make samples for the context models."""
    _check(out, data)
    from dinp.models.training.context_data import generate
    from dinp.models.weights.predictors import load_tree_model

    with counted("coding planes", count) as done:
        samples = generate(data, count, seed, load_tree_model(), done)
    _write(out, **samples)


@click.command()
@click.option("--out", type=PATH, metavar="FOLDER", help="For NAME.onnx.  [default: that of the weights]")
def graphs(out: Path | None) -> None:
    """Make the graphs of the shipped networks."""
    from dinp.models.weights import export

    folder = Path(export.__file__).parent if out is None else out
    check_folder(str(folder))
    found = export.graphs()
    folder.mkdir(parents=True, exist_ok=True)
    for name, graph in found.items():
        write_output(str(folder / f"{name}.onnx"), graph, force=True)
