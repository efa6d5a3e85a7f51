"""Plots of the rate-distortion benchmark: a metric over bits per pixel, a line for each codec."""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dinp.benchmarks.environment import library
from dinp.benchmarks.rd.curves import Curve, Measured, mean_curve
from dinp.benchmarks.rd.metrics import METRICS
from dinp.benchmarks.rd.tables import TITLES, curves_by_codec

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RANGE = (0.03, 1.0)  # bits per pixel
SMOOTH = 120  # rates that a line is drawn through
TICKS = (0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
UNITS = {"psnr": "PSNR in dB", "ssim": "SSIM", "ms_ssim": "MS-SSIM", "ssimulacra2": "SSIMULACRA2"}
# Colours that keep apart on white and on black, and for the colour-blind together with the dashes.
STYLES = {
    "dinp": ("#e8590c", "-", 2.4),
    "jpeg": ("#868e96", "--", 1.5),
    "jpeg2000": ("#2b9348", "-.", 1.5),
    "webp": ("#b15fd6", ":", 1.8),
    "avif": ("#3b8fd9", (0, (6, 2)), 1.5),
    "avif-psnr": ("#1864ab", "-", 1.5),
    "jpegxl": ("#c2255c", (0, (4, 1)), 1.5),
    "heic": ("#7c6a0a", (0, (3, 1, 1, 1)), 1.5),
    "dinp1": ("#e8590c", ":", 1.2),
    "dinp3": ("#e8590c", "--", 1.2),
    "dinp-plain": ("#e8590c", "-.", 1.6),
    "dinp1-plain": ("#f0a27a", ":", 1.2),
    "dinp3-plain": ("#f0a27a", "--", 1.2),
}
INK = "#161719"  # of text and axes; an inline SVG takes the page's colour in its place
SVG_IDS = "dinp"  # any fixed salt: without one the ids of an SVG differ from run to run
METADATA = ("Creator", "Date", "Format", "Type")  # left out of an SVG


def draw(
    curves: dict[str, Curve], metric: str, title: str, marks: Sequence[float] = (), points: bool = False
) -> "Figure":
    """A figure with a curve for each codec.

    Parameters
    ----------
    curves : dict
        By the codec's name.
    metric : str
        What the values are.
    title : str
    marks : sequence of float
        Rates to mark by vertical lines.
    points : bool
        Whether to show the points that a curve goes through.

    Raises
    ------
    DinpError
        matplotlib is not installed.
    """
    figure = library("matplotlib.figure").Figure(figsize=(6.0, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for name, curve in curves.items():
        if curve.cut(*RANGE) is None:
            continue
        colour, dashes, width = STYLES[name]
        style = {"color": colour, "zorder": 3 if name == "dinp" else 2}
        rates = np.geomspace(max(RANGE[0], curve.bpp[0]), min(RANGE[1], curve.bpp[-1]), SMOOTH)
        axes.plot(rates, curve.at(rates), linestyle=dashes, linewidth=width, label=TITLES[name], **style)
        if points:
            shown = (curve.bpp >= RANGE[0]) & (curve.bpp <= RANGE[1])
            axes.plot(curve.bpp[shown], curve.values[shown], "o", markersize=3, **style)
    for rate in marks:
        axes.axvline(rate, color=INK, linewidth=0.8, alpha=0.4, zorder=1)
    axes.set_xscale("log")
    axes.set_xlim(*RANGE)
    axes.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
    axes.minorticks_off()
    axes.set_xlabel("bits per pixel", color=INK)
    axes.set_ylabel(UNITS[metric], color=INK)
    axes.set_title(title, color=INK, fontsize=10)
    axes.tick_params(colors=INK)
    axes.grid(color=INK, alpha=0.15)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if axes.lines:
        axes.legend(frameon=False, labelcolor=INK, loc="lower right", fontsize=9 if len(curves) < 8 else 6.5)
    return figure


def mean_plots(
    measured: Measured, metrics: Sequence[str] = tuple(METRICS)
) -> Iterator[tuple[tuple[str, str], str, "Figure"]]:
    """Set and mode, metric, and figure of the mean curves over the pictures that all codecs of a set have."""
    for group in measured.groups():
        for metric in metrics:
            by_codec = curves_by_codec(measured.of(group), metric)
            common = set.intersection(*map(set, by_codec.values())) if by_codec else set()
            means = {
                codec: mean
                for codec, pictures in by_codec.items()
                if (mean := mean_curve([pictures[name] for name in sorted(common)], *RANGE))
            }
            if means:
                title = f"{', '.join(group)}: mean over {len(common)} picture{'s' if len(common) > 1 else ''}"
                yield group, metric, draw(means, metric, title)


def write_plots(measured: Measured, folder: Path, metrics: Sequence[str] = tuple(METRICS)) -> Iterator[Path]:
    """Write all plots of mean curves as PNG files, `rd_SET_MODE_METRIC.png`; yields each path when it is written."""
    for group, metric, figure in mean_plots(measured, metrics):
        path = folder / f"rd_{'_'.join(group)}_{metric}.png"
        folder.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150)
        yield path


def svg(figure: "Figure") -> str:
    """The figure as an SVG element to stand in a page: its text and axes have the page's colour, and no background."""
    buffer = io.StringIO()
    with library("matplotlib").rc_context({"svg.fonttype": "none", "svg.hashsalt": SVG_IDS}):
        figure.savefig(buffer, format="svg", transparent=True, metadata=dict.fromkeys(METADATA))
    text = buffer.getvalue()
    return text[text.index("<svg") :].replace(INK, "currentColor").strip()
