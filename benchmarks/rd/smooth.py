"""Measures piecewise smooth pictures: disparity, flow, thermal, drawings; they reach far lower rates and higher PSNR.

    dinp bench smooth run --pictures SMOOTH --out rd_smooth.json [--codecs dinp]
    dinp bench smooth table rd_smooth.json rd_smooth_others.json [--readme docs/benchmarks.md]
    dinp bench smooth parts rd_smooth.json [--readme docs/benchmarks.md]

BD-rates as elsewhere (`dinp.benchmarks.rd.curves`), but over 0.02-0.6 bits per pixel and up to 60 dB: above, errors are
those of single grey levels here and there, and some codecs end in files without loss.
"""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import click

from dinp.benchmarks.rd.codecs import CODECS, codecs_named
from dinp.benchmarks.rd.curves import Curve, Measured, Series, bd_rate, curve_of, load_measured
from dinp.benchmarks.rd.own import PSNR_CAP
from dinp.benchmarks.rd.runs import Results, measure_pending, pictures_in, tasks_of
from dinp.benchmarks.rd.tables import DASH, TITLES, Table, markdown, percent
from dinp.benchmarks.readme import END, tell_table
from dinp.cli.options import NAME_LIST, PATH
from dinp.errors import DinpError

LOW, HIGH = 0.02, 0.6  # bits per pixel
TOP = 60.0  # dB
ANCHORS = ("avif-psnr", "avif", "heic", "jpegxl", "webp", "jpeg2000")
# Disparity, flow and drawings; thermal pictures and paintings, which are noisy, count apart.
PIECEWISE_SMOOTH = (
    "tsukuba_disparity",
    "cones_disparity",
    "teddy_disparity",
    "aloe_disparity",
    "flow_u",
    "flow_v",
    "graph",
    "cartoon",
)
QUALITIES = (0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 57, 65, 72, 80, 88, 95, 100)
MARKER = "<!-- smooth -->"
PARTS_MARKER = "<!-- smooth parts -->"
PARTS_AT = (25, 50, 80)  # qualities


def smooth_curve(series: Series) -> Curve | None:
    """The curve up to 60 dB; a file without loss counts as one of 100 dB."""
    curve = curve_of(series, exact=PSNR_CAP)
    return curve and curve.below(TOP)


def smooth_table(measured: Measured, codec: str, anchors: Sequence[str] = ANCHORS, mode: str = "grey") -> Table:
    """BD-rates of a codec on each picture, and their means over the piecewise smooth ones and over all.

    Raises
    ------
    DinpError
        The codec, or all anchors, were not measured in this mode.
    """
    found: dict[str, dict[str, Curve]] = {}
    for one in measured.series:
        if one.mode == mode and (curve := smooth_curve(one)):
            found.setdefault(one.codec, {})[Path(one.picture).stem] = curve
    anchors = [anchor for anchor in anchors if anchor in found and anchor != codec]
    if codec not in found or not anchors:
        raise DinpError(f"{codec} was not measured together with any of {', '.join(ANCHORS)}")
    rates = {
        name: [bd_rate(found[anchor].get(name), curve, LOW, HIGH) for anchor in anchors]
        for name, curve in found[codec].items()
    }
    order = [name for name in PIECEWISE_SMOOTH if name in rates]
    others = sorted(set(rates) - set(order))
    lines = [(name, *map(percent, rates[name])) for name in order]
    if order:
        lines.append((f"mean of {len(order)}", *_means(rates, order)))
    lines += [(name, *map(percent, rates[name])) for name in others]
    lines.append((f"mean of {len(rates)}", *_means(rates, list(rates))))
    sets = ", ".join(dict.fromkeys(one.set for one in measured.series))
    return Table(
        f"{sets}, {mode}: BD-rate (PSNR) of {TITLES[codec]} against",
        ("picture", *(TITLES[anchor] for anchor in anchors)),
        tuple(lines),
        f"BD-rate over {LOW:g}-{HIGH:g} bits per pixel and up to {TOP:g} dB: negative means fewer bits at equal PSNR. "
        "In brackets: on how many pictures both codecs reach a common PSNR, if not on all.",
    )


def parts_table(measured: Measured) -> Table:
    """Bits per crack, per region and per value of dinp's files with barriers, and what share of a file each part is.

    Raises
    ------
    DinpError
        No file with barriers was measured.
    """
    lines = []
    for one in sorted(measured.series, key=lambda one: one.picture):
        for row in one.rows:
            if one.codec == "dinp" and row["settings"] in PARTS_AT and row.get("cracks"):
                lines.append(
                    (Path(one.picture).stem, f"{row['settings']:g}", f"{row['psnr'] or PSNR_CAP:.1f}", *_parts(row))
                )
    if not lines:
        raise DinpError("no file of dinp with barriers was measured at the qualities " + ", ".join(map(str, PARTS_AT)))
    return Table(
        "bits of the parts of files with barriers",
        ("picture", "quality", "PSNR", "bytes", "cracks", "per crack", "regions", "per region", "values", "per value"),
        tuple(lines),
        "Per crack: bits of the contours. Per region: bits of the region's first value. Values: those that come after, "
        "in divided regions; per value: its bits and those that tell where regions are divided.",
    )


def _parts(row: dict) -> list[str]:
    values = row["points"] - row["regions"]
    value_bits = row["value_bits_per_point"] * row["points"] - row["first_bits"] + row["division_bits"]
    found = []
    for count, bits in (
        (row["cracks"], row["crack_bits"]),
        (row["regions"], row["first_bits"]),
        (values, value_bits),
    ):
        found += [f"{count:.0f}", f"{bits / count:.2f}" if count else DASH]
    return [f"{row['bytes']:,}", *found]


def _means(rates: dict[str, list[float | None]], names: Sequence[str]) -> list[str]:
    cells = []
    for column in zip(*(rates[name] for name in names), strict=True):
        known = [rate for rate in column if rate is not None]
        partial = "" if len(known) == len(column) else f" ({len(known)})"
        cells.append((percent(fmean(known)) if known else DASH) + partial)
    return cells


@click.group()
def smooth() -> None:
    """Measure piecewise smooth pictures."""


@smooth.command()
@click.option("--pictures", type=PATH, required=True, help="Folder of the pictures.")
@click.option("--out", type=PATH, required=True, help="JSON file; continued if it exists.")
@click.option("--codecs", type=NAME_LIST, default="dinp", show_default=True)
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes.")
def run(pictures: Path, out: Path, codecs: tuple[str, ...], jobs: int) -> None:
    """Measure codecs in grey, and write JSON."""
    chosen = codecs_named(codecs)
    tasks = tasks_of(chosen, "grey", pictures_in(pictures), ("psnr", "ssim"), qualities=QUALITIES, max_bpp=HIGH)
    results = Results(out, "smooth", chosen, jobs)
    measure_pending(tasks, results, jobs)


@smooth.command()
@click.argument("results", type=PATH, nargs=-1, required=True)
@click.option("--readme", type=PATH, help=f"Write into this file, between {PARTS_MARKER} and {END}.")
def parts(results: tuple[Path, ...], readme: Path | None) -> None:
    """Print the table of bits per crack, region and value as Markdown."""
    measured = load_measured(results)
    tell_table(markdown([parts_table(measured)], measured), readme, PARTS_MARKER)


@smooth.command()
@click.argument("results", type=PATH, nargs=-1, required=True)
@click.option("--codec", type=click.Choice(tuple(CODECS)), default="dinp", show_default=True, help="Whose BD-rates.")
@click.option("--readme", type=PATH, help=f"Write into this file, between {MARKER} and {END}.")
def table(results: tuple[Path, ...], codec: str, readme: Path | None) -> None:
    """Print the table of BD-rates as Markdown."""
    measured = load_measured(results)
    tell_table(markdown([smooth_table(measured, codec)], measured), readme, MARKER)
