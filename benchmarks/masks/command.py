"""Quality of inpainting masks at equal density: random, analytic, searched and learned ones.

    dinp bench masks run --data DATA --out masks.json [--pictures N] [--slow-pictures M] [--size PIXELS]
        [--densities 0.01,0.02,0.05,0.1] [--extrapolate SWAPS]
    dinp bench masks table masks.json [--readme README.md] [--claims]
    dinp bench masks plot masks.json --out FOLDER
    dinp bench masks seconds --data DATA --out seconds.json [--readme README.md]
    dinp bench masks limits --data DATA --out limits.json [--weights WEIGHTS] [--readme README.md]
    dinp bench masks sizes --data DATA --out sizes.json [--weights WEIGHTS] [--readme README.md]

For each picture of `DATA/report/bsds_test` (or another folder, `--set`), grey and cut to its central 256 x 256 pixels
(`--size 0`: whole): the PSNR of the inpainted picture, with the original values at the mask (plain) and after tonal
optimisation. A run that was stopped is continued by the same command: what the file has already for the same settings
is left out, except the methods named with `--again`.
"""

from pathlib import Path

import click

from dinp.benchmarks.readme import END, tell_table
from dinp.cli import progress
from dinp.cli.options import PATH, Listed, Number
from dinp.cli.progress import say
from dinp.errors import DinpError
from dinp.pictures.files import check_folder

MARKER, CLAIMS_MARKER, SECONDS_MARKER = "<!-- masks -->", "<!-- mask claims -->", "<!-- mask seconds -->"
LIMITS_MARKER, SIZES_MARKER = "<!-- mask limits -->", "<!-- mask sizes -->"
TUNING = "tune/cid22"

_result = click.argument("result", type=PATH)


@click.group()
def masks() -> None:
    """Compare inpainting masks at equal density."""


@masks.command()
@click.option("--data", type=PATH, required=True, metavar="FOLDER", help="Folder with report/bsds_test.")
@click.option("--set", "name", default="report/bsds_test", show_default=True, help="Pictures below --data.")
@click.option("--pictures", type=click.IntRange(min=1), metavar="N", help="Use the first pictures only.")
@click.option("--slow-pictures", type=click.IntRange(min=1), metavar="N", help="So many for slow methods.")
@click.option(
    "--size", type=click.IntRange(min=0), default=256, show_default=True, help="Side of the central crop; 0: whole."
)
@click.option("--densities", type=Listed(Number(0, 1, above=True)), default="0.01,0.02,0.05,0.1", show_default=True)
@click.option("--method", "methods", multiple=True, help="Measure this one; repeatable.  [default: all]")
@click.option("--again", multiple=True, metavar="METHOD", help="Measure this one anew; repeatable.")
@click.option(
    "--extrapolate", type=click.IntRange(min=1), metavar="SWAPS", help="Time pixel exchange with a solve for each swap."
)
@click.option("--out", type=PATH, required=True, metavar="FILE", help="JSON file; continued if it exists.")
def run(
    data: Path,
    name: str,
    pictures: int | None,
    slow_pictures: int | None,
    size: int,
    densities: tuple[float, ...],
    methods: tuple[str, ...],
    again: tuple[str, ...],
    extrapolate: int | None,
    out: Path,
) -> None:
    """Measure, and write JSON."""
    from dinp.benchmarks.masks import measuring

    paths = measuring.pictures_in(data / name)[:pictures]
    if not out.parent.is_dir():
        raise DinpError(f"cannot write {out}: there is no folder {out.parent}")
    for method in (*methods, *again):
        if method not in measuring.METHODS:
            raise DinpError(f"there is no method {method!r}: choose among {'; '.join(measuring.METHODS)}")
    settings = {"set": name, "pictures": [path.name for path in paths], "size": size}
    settings |= measuring.HOW
    with measuring.one_thread():
        measuring.measured(
            paths,
            out,
            settings,
            densities=densities,
            names=methods or None,
            again=again,
            slow_pictures=slow_pictures,
            swaps=extrapolate,
            tell=say,
        )


@masks.command()
@_result
@click.option("--readme", type=PATH, metavar="FILE", help=f"Write into this file, between {MARKER} and {END}.")
@click.option(
    "--claims", is_flag=True, help=f"Of learned masks against exchange only, between {CLAIMS_MARKER} and {END}."
)
def table(result: Path, readme: Path | None, claims: bool) -> None:
    """Print a Markdown table."""
    from dinp.benchmarks.masks.measuring import claims_table, readme_table
    from dinp.benchmarks.result_files import load_results

    made, marker = (claims_table, CLAIMS_MARKER) if claims else (readme_table, MARKER)
    tell_table(made(load_results(result, "masks")), readme, marker)


@masks.command()
@_result
@click.option("--out", type=PATH, required=True, metavar="FOLDER", help="For the plots, named as the results.")
def plot(result: Path, out: Path) -> None:
    """Write plots as PNG."""
    from dinp.benchmarks.masks.plots import write_plots
    from dinp.benchmarks.result_files import load_results

    check_folder(str(out))
    for path in write_plots(load_results(result, "masks"), out, result.stem):
        progress.out(path)


@masks.command()
@click.option("--data", type=PATH, required=True, metavar="FOLDER", help="Folder with report and uhd.")
@click.option("--out", type=PATH, required=True, metavar="FILE", help="JSON file for the results; replaced.")
@click.option(
    "--repeats", type=click.IntRange(min=1), default=3, show_default=True, help="The least of so many counts."
)
@click.option("--readme", type=PATH, metavar="FILE", help=f"Write into this file, between {SECONDS_MARKER} and {END}.")
def seconds(data: Path, out: Path, repeats: int, readme: Path | None) -> None:
    """Time masks of a small picture, of a photograph and of one of 8 megapixels."""
    from dinp.benchmarks.masks import seconds as timing
    from dinp.benchmarks.result_files import keep_row
    from dinp.pictures.files import check_output

    check_output(str(out), force=True)
    rows: list[dict] = []
    for row in timing.measured(data, repeats=repeats):
        keep_row(out, rows, row)
    tell_table(timing.seconds_table(rows), readme, SECONDS_MARKER)


@masks.command()
@click.option("--data", type=PATH, required=True, metavar="FOLDER", help=f"Folder with {TUNING}.")
@click.option("--out", type=PATH, required=True, metavar="FILE", help="JSON file for the results; replaced.")
@click.option("--weights", type=PATH, metavar="FILE", help="A mask network; by default that trained with a surrogate.")
@click.option("--pictures", type=click.IntRange(min=1), default=10, show_default=True, help="The first so many.")
@click.option("--readme", type=PATH, metavar="FILE", help=f"Write into this file, between {LIMITS_MARKER} and {END}.")
def limits(data: Path, out: Path, weights: Path | None, pictures: int, readme: Path | None) -> None:
    """Say what a network's masks lack of those of the shipped one: density or detail; on tuning pictures."""
    from dinp.benchmarks.masks import limits as limiting
    from dinp.benchmarks.masks.measuring import one_thread, pictures_in
    from dinp.benchmarks.result_files import keep_row
    from dinp.models.weights.files import shipped
    from dinp.models.weights.mask_model import load_mask_model
    from dinp.pictures.files import check_output

    check_output(str(out), force=True)
    source = shipped("surrogate.npz") if weights is None else weights
    own = load_mask_model(source)
    rows: list[dict] = []
    with one_thread():
        for row in limiting.measured(pictures_in(data / TUNING)[:pictures], own, load_mask_model()):
            keep_row(out, rows, {"own": source.name, "other": "mask.npz"} | row)
    tell_table(limiting.limits_table(rows), readme, LIMITS_MARKER)


@masks.command()
@click.option("--data", type=PATH, required=True, metavar="FOLDER", help=f"Folder with {TUNING}.")
@click.option("--out", type=PATH, required=True, metavar="FILE", help="JSON file for the results; replaced.")
@click.option("--weights", type=PATH, metavar="FILE", help="Measure this mask network instead of the shipped ones.")
@click.option("--pictures", type=click.IntRange(min=1), default=8, show_default=True, help="So many, evenly chosen.")
@click.option(
    "--sizes",
    "sides",
    type=Listed(click.IntRange(min=16)),
    default="64,96,128,192,256,384,512",
    show_default=True,
    help="Sides of the central crops.",
)
@click.option("--readme", type=PATH, metavar="FILE", help=f"Write into this file, between {SIZES_MARKER} and {END}.")
def sizes(
    data: Path, out: Path, weights: Path | None, pictures: int, sides: tuple[int, ...], readme: Path | None
) -> None:
    """Compare learned masks with searched ones in several sizes; on tuning pictures."""
    from dinp.benchmarks.masks import sizes as sizing
    from dinp.benchmarks.masks.measuring import one_thread, pictures_in
    from dinp.benchmarks.result_files import keep_row
    from dinp.pictures.files import check_output

    check_output(str(out), force=True)
    methods = sizing.compared(weights)
    paths = sizing.evenly(pictures_in(data / TUNING), pictures)
    rows: list[dict] = []
    with one_thread():
        for row in sizing.measured(paths, methods, sides):
            keep_row(out, rows, row)
    tell_table(sizing.sizes_table(rows), readme, SIZES_MARKER)
