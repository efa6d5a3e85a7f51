"""Rate against distortion: dinp and the codecs that ship with Pillow, on any folder of pictures.

    dinp bench rd run --pictures DIR --out rd.json [--mode grey|colour|both] [--codecs dinp,jpeg,...] [--jobs N]
    dinp bench rd table rd.json [more.json ...] [--metric METRIC] [--readme README.md]
    dinp bench rd plot rd.json [more.json ...] --out FOLDER
    dinp bench rd report rd.json [more.json ...] --pictures DIR --out report/index.html

`python -m dinp.benchmarks.rd.command` is the same. What is compared is whole files and decoded 8-bit pixels
(dinp.benchmarks.rd.codecs, dinp.benchmarks.rd.metrics). A run that was stopped is continued by the same command.
Results of several files are put together by the other three: the same setting of the same codec counts once, from the
last file.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from dinp.benchmarks.rd.codecs import CODECS, COMPARED, Dinp, codecs_named
from dinp.benchmarks.rd.metrics import METRICS, check_metrics
from dinp.benchmarks.rd.runs import MODES, Results, Task, pictures_in, run_tasks
from dinp.benchmarks.readme import END, replace_section
from dinp.errors import DinpError

MARKER = "<!-- rd tables -->"


def make_tasks(args: argparse.Namespace) -> list[Task]:
    """All that a run is asked for."""
    modes = MODES if args.mode == "both" else (args.mode,)
    tasks = []
    for mode in modes:
        for codec in codecs_named(args.codecs):
            settings = tuple(args.qualities or codec.settings) if isinstance(codec, Dinp) else codec.settings
            max_bpp = None if isinstance(codec, Dinp) else args.max_bpp
            for path in pictures_in(args.pictures, args.limit):
                tasks.append(Task(codec.name, mode, path, settings, tuple(args.metrics), max_bpp))
    return tasks


def run(args: argparse.Namespace) -> int:
    """Measure and write the JSON file; 1 if something failed."""
    if not args.out.parent.is_dir():
        raise DinpError(f"cannot write {args.out}: there is no folder {args.out.parent}")
    check_metrics(args.metrics)
    tasks = make_tasks(args)
    results = Results(args.out, args.set or args.pictures.resolve().name, codecs_named(args.codecs), args.jobs)
    if results.dropped:
        click.echo(f"{results.dropped} series of other versions of the codecs are measured anew", err=True)
    pending = list(results.pending(tasks))
    if len(pending) < len(tasks):
        click.echo(f"{len(tasks) - len(pending)} of {len(tasks)} series are there already", err=True)
    if not pending:
        return 0
    with click.progressbar(length=len(pending), label="measuring", file=sys.stderr) as bar:
        failures = run_tasks(pending, results, args.jobs, lambda: bar.update(1))
    for failure in failures:
        click.echo(failure, err=True)
    return int(bool(failures))


def table(args: argparse.Namespace) -> int:
    """Print Markdown, or write it into a file."""
    from dinp.benchmarks.rd import tables
    from dinp.benchmarks.rd.curves import load_measured

    measured = load_measured(args.results)
    found = tables.tables(measured, args.metric, args.qualities, args.per_picture)
    text = tables.markdown(found, measured)
    if args.readme is None:
        click.echo(text)
    else:
        replace_section(args.readme, MARKER, text)
        click.echo(args.readme)
    return 0


def plot(args: argparse.Namespace) -> int:
    """Write curves as PNG files."""
    from dinp.benchmarks.rd import plots
    from dinp.benchmarks.rd.curves import load_measured

    args.out.mkdir(parents=True, exist_ok=True)
    for path in plots.write_plots(load_measured(args.results), args.out):
        click.echo(path)
    return 0


def write_report(args: argparse.Namespace) -> int:
    """Write the HTML page."""
    from dinp.benchmarks.rd import report
    from dinp.benchmarks.rd.curves import load_measured

    args.out.parent.mkdir(parents=True, exist_ok=True)
    points = load_measured(args.results)
    paths = report.chosen_pictures(pictures_in(args.pictures), args.show)
    steps = len(paths) * len(args.bpp) * len(report.shown_codecs(points, args.mode))
    with click.progressbar(length=steps, label="coding pictures to show", file=sys.stderr) as bar:
        page = report.make_page(points, paths, args.mode, args.bpp, lambda: bar.update(1))
    args.out.write_text(page, encoding="utf-8")
    click.echo(args.out)
    return 0


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _numbers(text: str) -> list[float]:
    return sorted({float(number) for number in _names(text)})


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="dinp bench rd", description=__doc__.splitlines()[0])
    verbs = top.add_subparsers(required=True)

    one = verbs.add_parser("run", help="measure, and write JSON")
    one.set_defaults(work=run)
    one.add_argument("--pictures", type=Path, required=True, help="folder of pictures")
    one.add_argument("--out", type=Path, required=True, help="JSON file; continued if it exists")
    one.add_argument("--mode", choices=(*MODES, "both"), default="both")
    one.add_argument(
        "--codecs",
        type=_names,
        default=list(COMPARED),
        help=f"default: {','.join(COMPARED)}; also dinp1, dinp3, dinp1-plain, dinp3-plain",
    )
    default = ",".join(map(str, CODECS["dinp"].settings))
    one.add_argument("--qualities", type=_numbers, help=f"settings of dinp (default: {default})")
    one.add_argument("--metrics", type=_names, default=list(METRICS), help=f"default: {','.join(METRICS)}")
    one.add_argument(
        "--max-bpp",
        type=float,
        default=0.75,
        help="the other codecs' settings go up to the first larger file (default: 0.75)",
    )
    one.add_argument("--set", help="name of the set of pictures (default: the folder's)")
    one.add_argument("--limit", type=_count, help="take the first pictures only")
    one.add_argument("--jobs", type=_count, default=1, help="processes (default: 1); more make times longer")

    for name, work, text in (
        ("table", table, "print Markdown tables"),
        ("plot", plot, "write curves as PNG"),
        ("report", write_report, "write one HTML page"),
    ):
        one = verbs.add_parser(name, help=text)
        one.set_defaults(work=work)
        one.add_argument("results", type=Path, nargs="+", help="JSON files of runs")
        if name == "table":
            one.add_argument("--metric", choices=tuple(METRICS), default="psnr", help="for the comparison of codecs")
            one.add_argument("--qualities", type=_numbers, help="settings of dinp to list (default: all)")
            one.add_argument("--per-picture", action="store_true", help="add the BD-rates on each picture")
            one.add_argument("--readme", type=Path, help=f"write into this file, between {MARKER} and {END}")
        else:
            one.add_argument("--out", type=Path, required=True, help="folder" if name == "plot" else "HTML file")
    one.add_argument("--pictures", type=Path, required=True, help="folder of the pictures that were measured")
    one.add_argument("--show", type=_names, default=[], help="pictures to show (default: the first three)")
    one.add_argument("--mode", choices=MODES, default="grey", help="how to show them")
    one.add_argument("--bpp", type=_numbers, default=[0.2], help="at these rates (default: 0.2)")
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    args = parser().parse_args(argv)
    try:
        return args.work(args)
    except DinpError as error:
        click.echo(f"Error: {error}", err=True)
    except KeyboardInterrupt:
        click.echo("Error: interrupted; the same command goes on from here", err=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
