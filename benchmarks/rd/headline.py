"""Writes the README's one table: how many more or fewer bits dinp needs than other codecs, by kind of picture.

    dinp bench headline benchmarks/results/rd_*.json [--readme README.md]

A row is a set of pictures in one mode, a column another codec, a cell the mean of the pictures' BD-rates in PSNR:
over 0.05-0.5 bits per pixel, of the set `smooth` and of drawings in colour as `dinp.benchmarks.rd.smooth` tells.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean

import click

from dinp.benchmarks.rd import smooth
from dinp.benchmarks.rd.curves import HIGH, LOW, Curve, Measured, Series, bd_rate, curve_of, load_measured
from dinp.benchmarks.rd.tables import DASH, TITLES, percent
from dinp.benchmarks.readme import END, markdown_table, tell_table
from dinp.cli.options import PATH
from dinp.errors import DinpError

ANCHORS = smooth.ANCHORS
MARKER = "<!-- headline -->"
DRAWINGS = "drawings in colour"  # the set that `dinp bench drawings` measures
NOTE = (
    "BD-rate of dinp in PSNR, whole files: negative means that dinp needs fewer bits. *AVIF, PSNR* is AVIF tuned for "
    "PSNR, the strongest; *AVIF* is tuned for looks, as it is by default. In brackets: number of pictures."
)


def _mean(
    test: dict[str, Series], anchor: dict[str, Series], curve: Callable[[Series], Curve | None], low: float, high: float
) -> str:
    """The mean BD-rate over the pictures that both codecs have, and how many these are if not all of the first's."""
    common = sorted(set(test) & set(anchor))
    rates = [bd_rate(curve(anchor[name]), curve(test[name]), low, high) for name in common]
    known = [rate for rate in rates if rate is not None]
    partial = "" if len(known) == len(test) else f" ({len(known)})"
    return (percent(fmean(known)) if known else DASH) + partial


def headline_table(measured: Measured) -> str:
    """The table as Markdown, and how to read it.

    Raises
    ------
    DinpError
        Nothing of dinp was measured.
    """
    lines = []
    for group in measured.groups():
        by_codec = measured.of(group)
        own = by_codec.get("dinp")
        if own is None:
            continue
        name, curve, low, high = ", ".join(group), curve_of, LOW, HIGH
        if group[0] in ("smooth", DRAWINGS):
            curve, low, high, name = smooth.smooth_curve, smooth.LOW, smooth.HIGH, group[0]
        if group[0] == "smooth":
            own = {path: one for path, one in own.items() if Path(path).stem in smooth.PIECEWISE_SMOOTH}
            name = "disparity, flow, drawings"
        cells = [_mean(own, by_codec.get(anchor, {}), curve, low, high) for anchor in ANCHORS]
        lines.append((f"{name} ({len(own)})", *cells))
    if not lines:
        raise DinpError("nothing of dinp was measured: give result files of it, too")
    kept = [k for k in range(len(ANCHORS)) if any(line[k + 1][0] != DASH for line in lines)]
    head = ("pictures", *(TITLES[ANCHORS[k]] for k in kept))
    table = markdown_table(head, [(line[0], *(line[k + 1] for k in kept)) for line in lines])
    commits = sorted({run["commit"][:10] for run in measured.runs if "dinp" in run["codecs"] and run["commit"]})
    made = f" dinp is that of commit {', '.join(commits)}." if commits else ""
    return f"{table}\n\n{NOTE}{made}"


@click.command()
@click.argument("results", type=PATH, nargs=-1, required=True)
@click.option("--readme", type=PATH, help=f"Write into this file, between {MARKER} and {END}.")
def headline(results: Sequence[Path], readme: Path | None) -> None:
    """Print the table of mean BD-rates as Markdown."""
    text = headline_table(load_measured(results))
    tell_table(text, readme, MARKER)
