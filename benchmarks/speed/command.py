"""Speed of the inpainting solver, side by side with pyamg, to the same measured accuracy.

    dinp bench speed run --out speed.json [--size 768x512] [--densities 0.01,0.03,0.1] [--qualities 10,30,50]
    dinp bench speed table speed.json [more.json ...] [--readme README.md]

`dinp.benchmarks.speed.solvers` says what is compared, and how.
"""

import json
from pathlib import Path
from typing import Any

import click

from dinp.benchmarks.environment import environment, library
from dinp.benchmarks.readme import END, tell_table
from dinp.cli import progress
from dinp.cli.options import NUMBER_LIST, PATH, Listed, Number
from dinp.pictures.files import check_output, write_output

MARKER = "<!-- speed -->"
PACKAGES = ("dinp", "numpy", "scipy", "pyamg", "torch")


class Size(click.ParamType):
    """Width and height in one text, such as 768x512."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """The two numbers."""
        try:
            width, height = (int(side) for side in str(value).split("x"))
        except ValueError:
            width = height = 0
        if min(width, height) < 1:
            self.fail(f"{value!r} is not a size like 768x512", param, ctx)
        return width, height


@click.group()
def speed() -> None:
    """Time the solver, side by side with pyamg."""


@speed.command()
@click.option("--out", type=PATH, required=True, metavar="FILE", help="JSON file for the results; replaced.")
@click.option("--size", type=Size(), default="768x512", show_default=True, metavar="WxH", help="Width x height.")
@click.option(
    "--picture", type=PATH, metavar="FILE", help="Made grey and brought to the size.  [default: the cameraman]"
)
@click.option(
    "--masks", type=Listed(click.Choice(("random", "structured"))), default="random,structured", show_default=True
)
@click.option(
    "--densities",
    type=Listed(Number(0, 1, above=True)),
    default="0.01,0.03,0.1",
    show_default=True,
    help="Of these masks.",
)
@click.option("--qualities", type=NUMBER_LIST, default="10,30,50", show_default=True, help="Of files.")
@click.option("--repeats", type=click.IntRange(min=1), default=7, show_default=True)
def run(
    out: Path,
    size: tuple[int, int],
    picture: Path | None,
    masks: tuple[str, ...],
    densities: tuple[float, ...],
    qualities: tuple[float, ...],
    repeats: int,
) -> None:
    """Measure, and write JSON."""
    check_output(str(out), force=True)
    library("pyamg")
    from dinp.benchmarks.speed.solvers import HEAD, line, load, measure
    from dinp.diffusion.inpaint import TOLERANCE
    from dinp.threads import thread_count

    loaded = load(picture, *size)
    result: dict[str, Any] = {"benchmark": "speed", **environment(PACKAGES)}
    result |= {
        "size": "{}x{}".format(*size),
        "picture": picture.name if picture else "skimage.data.camera",
        "repeats": repeats,
        "threads": thread_count(),
        "tolerance": TOLERANCE,
        "units": "largest errors in grey levels, seconds wall-clock (medians), ratios to ours",
        "results": [],
    }
    progress.out(" | ".join(HEAD))
    for row in measure(loaded, masks, densities, qualities, repeats):
        progress.out(" | ".join(line(row)))
        result["results"].append(row)
    write_output(str(out), (json.dumps(result, indent=1) + "\n").encode(), force=True)


@speed.command()
@click.argument("results", type=PATH, nargs=-1, required=True)
@click.option("--readme", type=PATH, metavar="FILE", help=f"Write into this file, between {MARKER} and {END}.")
def table(results: tuple[Path, ...], readme: Path | None) -> None:
    """Print Markdown tables.

    RESULTS are JSON files of runs.
    """
    from dinp.benchmarks.result_files import load_results
    from dinp.benchmarks.speed.solvers import readme_text

    text = readme_text([load_results(path, "speed") for path in results])
    tell_table(text, readme, MARKER)
