"""Rate against distortion: dinp and other codecs, on any folder of pictures.

    dinp bench rd run --pictures DIR --out rd.json [--mode grey|colour|both] [--codecs dinp,jpeg,...] [--jobs N]
    dinp bench rd table rd.json [more.json ...] [--metric METRIC] [--readme README.md]
    dinp bench rd plot rd.json [more.json ...] --out FOLDER
    dinp bench rd report rd.json [more.json ...] --pictures DIR --out report/index.html

What is compared is whole files and decoded 8-bit pixels
(dinp.benchmarks.rd.codecs, dinp.benchmarks.rd.metrics). A run that was stopped is continued by the same command.
Results of several files are put together by the other three: the same setting of the same codec counts once, from the
last file.
"""

from pathlib import Path

import click

from dinp.benchmarks.rd.codecs import CODECS, COMPARED, codecs_named
from dinp.benchmarks.rd.metrics import METRICS, check_metrics
from dinp.benchmarks.rd.runs import MODES, Results, measure_pending, pictures_in, tasks_of
from dinp.benchmarks.readme import END, tell_table
from dinp.cli import progress
from dinp.cli.options import NAME_LIST, NUMBER_LIST, PATH, Number
from dinp.cli.progress import counted
from dinp.errors import DinpError
from dinp.pictures.files import check_folder

MARKER = "<!-- rd tables -->"

_results = click.argument("results", type=PATH, nargs=-1, required=True)


@click.group()
def rd() -> None:
    """Measure rate against distortion, next to other codecs.

    RESULTS are JSON files of runs: the same setting of the same codec counts once, from the last of them.
    """


@rd.command()
@click.option("--pictures", type=PATH, required=True, metavar="FOLDER", help="Pictures to code.")
@click.option("--out", type=PATH, required=True, metavar="FILE", help="JSON file; continued if it exists.")
@click.option("--mode", type=click.Choice((*MODES, "both")), default="both", show_default=True)
@click.option(
    "--codecs",
    type=NAME_LIST,
    default=",".join(COMPARED),
    show_default=True,
    help="Also dinp1, dinp3, dinp1-plain, dinp3-plain, heic.",
)
@click.option(
    "--qualities", type=NUMBER_LIST, help=f"Settings of dinp.  [default: {','.join(map(str, CODECS['dinp'].settings))}]"
)
@click.option("--metrics", type=NAME_LIST, default=",".join(METRICS), show_default=True)
@click.option(
    "--max-bpp",
    type=Number(0, above=True),
    default=0.75,
    show_default=True,
    help="The other codecs' settings go up to the first larger file.",
)
@click.option("--set", "name", help="Name of the set of pictures.  [default: the folder's]")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Take the first pictures only.")
@click.option(
    "--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes; more make times longer."
)
def run(
    pictures: Path,
    out: Path,
    mode: str,
    codecs: tuple[str, ...],
    qualities: tuple[float, ...] | None,
    metrics: tuple[str, ...],
    max_bpp: float,
    name: str | None,
    limit: int | None,
    jobs: int,
) -> None:
    """Measure, and write JSON."""
    if not out.parent.is_dir():
        raise DinpError(f"cannot write {out}: there is no folder {out.parent}")
    check_metrics(metrics)
    chosen = codecs_named(codecs)
    paths, tasks = pictures_in(pictures, limit), []
    for one in MODES if mode == "both" else (mode,):
        tasks += tasks_of(chosen, one, paths, metrics, qualities=qualities, max_bpp=max_bpp)
    results = Results(out, name or pictures.resolve().name, chosen, jobs)
    measure_pending(tasks, results, jobs)


@rd.command()
@_results
@click.option(
    "--metric", type=click.Choice(tuple(METRICS)), default="psnr", show_default=True, help="To compare codecs by."
)
@click.option("--qualities", type=NUMBER_LIST, help="Settings of dinp to list.  [default: all]")
@click.option("--per-picture", is_flag=True, help="Add the BD-rates on each picture.")
@click.option("--readme", type=PATH, metavar="FILE", help=f"Write into this file, between {MARKER} and {END}.")
def table(
    results: tuple[Path, ...],
    metric: str,
    qualities: tuple[float, ...] | None,
    per_picture: bool,
    readme: Path | None,
) -> None:
    """Print Markdown tables."""
    from dinp.benchmarks.rd import tables
    from dinp.benchmarks.rd.curves import load_measured

    measured = load_measured(results)
    text = tables.markdown(tables.tables(measured, metric, qualities, per_picture), measured)
    tell_table(text, readme, MARKER)


@rd.command()
@_results
@click.option("--out", type=PATH, required=True, metavar="FOLDER", help="For the plots.")
@click.option("--metrics", type=NAME_LIST, default=",".join(METRICS), show_default=True)
def plot(results: tuple[Path, ...], out: Path, metrics: tuple[str, ...]) -> None:
    """Write curves as PNG."""
    from dinp.benchmarks.rd import plots
    from dinp.benchmarks.rd.curves import load_measured

    check_metrics(metrics)
    check_folder(str(out))
    for path in plots.write_plots(load_measured(results), out, metrics):
        progress.out(path)


@rd.command()
@_results
@click.option("--out", type=PATH, required=True, metavar="FILE", help="HTML file.")
@click.option("--pictures", type=PATH, required=True, metavar="FOLDER", help="The pictures that were measured.")
@click.option("--show", type=NAME_LIST, default=(), help="Pictures to show.  [default: the first three]")
@click.option("--mode", type=click.Choice(MODES), default="grey", show_default=True, help="How to show them.")
@click.option("--bpp", type=NUMBER_LIST, default="0.2", show_default=True, help="At these rates.")
def report(
    results: tuple[Path, ...], out: Path, pictures: Path, show: tuple[str, ...], mode: str, bpp: tuple[float, ...]
) -> None:
    """Write one HTML page."""
    from dinp.benchmarks.rd import report as pages
    from dinp.benchmarks.rd.curves import load_measured

    check_folder(str(out.parent))
    points = load_measured(results)
    paths = pages.chosen_pictures(pictures_in(pictures), show)
    with counted("coding pictures to show", len(paths) * len(bpp) * len(pages.shown_codecs(points, mode))) as done:
        page = pages.make_page(points, paths, mode, bpp, done)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page, encoding="utf-8")
    progress.out(out)
