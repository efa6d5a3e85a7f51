"""Plots of the benchmark of masks: PSNR against density, and PSNR against the time that a mask takes."""

from pathlib import Path
from typing import TYPE_CHECKING

from dinp.benchmarks.environment import library
from dinp.errors import DinpError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#161719"
# Learned masks in warm colours and full lines; colours that the colour-blind keep apart together with the markers.
STYLES = {
    "random": ("#868e96", "x", ":"),
    "analytic, sigma 1": ("#adb5bd", "+", ":"),
    "analytic": ("#495057", "d", "--"),
    "probabilistic sparsification": ("#74b9e7", "v", "-."),
    "sparsification + pixel exchange": ("#1c6fb5", "^", "-."),
    "sparsification + pixel exchange until it stands still": ("#0b3d66", ">", "-."),
    "densification": ("#74c69d", "s", "--"),
    "densification + exchange": ("#2b9348", "D", "--"),
    "learned with a surrogate": ("#b15fd6", "P", "-"),
    "learned, for plain values": ("#f2d0a9", "<", ":"),
    "learned, one pass": ("#ffd8a8", "p", "-"),
    "learned": ("#ffa94d", "o", "-"),
    "learned, eight passes": ("#fd7e14", "H", "-"),
    "learned + fast refinement": ("#f76707", "h", "-"),
    "learned + refinement": ("#e8590c", "*", "-"),
    "learned + long refinement": ("#c92a2a", "v", "-"),
}
EXCHANGE_ROW = "sparsification + pixel exchange"


def write_plots(result: dict, folder: Path, stem: str) -> list[Path]:
    """Write `STEM_density.png` and `STEM_seconds.png` of a file of results.

    Raises
    ------
    DinpError
        matplotlib is not installed, or the folder cannot be written to.
    """
    paths = []
    for name, figure in (("density", density_plot(result)), ("seconds", seconds_plot(result))):
        path = folder / f"{stem}_{name}.png"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            figure.savefig(path, dpi=150)
        except OSError as error:
            raise DinpError(f"{path} cannot be written: {error.strerror}") from error
        paths.append(path)
    return paths


def density_plot(result: dict) -> "Figure":
    """PSNR after tonal optimisation over the density, a line for each method."""
    figure, axes = _axes("known pixels in %", _title(result))
    for name, rows in _by_method(result).items():
        colour, marker, dashes = _style(name)
        x = [100 * row["density"] for row in rows]
        style = {"color": colour, "marker": marker, "markersize": 5, "label": _label(result, name, rows)}
        axes.plot(x, [r["tonal_psnr"] for r in rows], dashes, **style)
    axes.set_xscale("log")
    ticks = sorted({100 * row["density"] for row in result["results"]})
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    _legend(axes)
    return figure


def seconds_plot(result: dict) -> "Figure":
    """PSNR after tonal optimisation over the seconds that a mask takes, at the density nearest to 5 %."""
    density = min({row["density"] for row in result["results"]}, key=lambda d: abs(d - 0.05))
    figure, axes = _axes("seconds per mask", f"{_title(result)}, {100 * density:g} % known")
    for name, rows in _by_method(result).items():
        for row in rows:
            if row["density"] == density:
                colour, marker, _ = _style(name)
                label = _label(result, name, rows)
                axes.plot(row["seconds"], row["tonal_psnr"], marker, color=colour, markersize=8, label=label)
    exchanged = [row for row in _by_method(result).get(EXCHANGE_ROW, []) if row["density"] == density]
    for entry in result.get("extrapolated", []):
        if exchanged and entry["density"] == density:
            style = {"color": _style(EXCHANGE_ROW)[0], "fillstyle": "none", "markersize": 8}
            label = "pixel exchange, a solve for every swap (time extrapolated)"
            axes.plot(entry["seconds"], exchanged[0]["tonal_psnr"], "^", label=label, **style)
    axes.set_xscale("log")
    _legend(axes)
    return figure


def _by_method(result: dict) -> dict[str, list[dict]]:
    out: dict[str, list[dict]] = {}
    for row in sorted(result["results"], key=lambda row: row["density"]):
        out.setdefault(row["method"], []).append(row)
    return out


def _style(name: str) -> tuple[str, str, str]:
    return STYLES.get(name, (INK, ".", "-"))


def _label(result: dict, name: str, rows: list[dict]) -> str:
    count = min(len(row["tonal"]) for row in rows)
    return name if count == len(result["pictures"]) else f"{name} (first {count} pictures)"


def _title(result: dict) -> str:
    count = len(result["pictures"])
    return f"{result['set']}: mean over {count} picture{'s' if count > 1 else ''}"


def _axes(label: str, title: str) -> tuple["Figure", "Axes"]:
    figure = library("matplotlib.figure").Figure(figsize=(6.4, 4.6), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel(label, color=INK)
    axes.set_ylabel("PSNR in dB, tonally optimised", color=INK)
    axes.set_title(title, color=INK, fontsize=10)
    axes.tick_params(colors=INK)
    axes.grid(color=INK, alpha=0.15)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure, axes


def _legend(axes: "Axes") -> None:
    axes.legend(frameon=False, labelcolor=INK, fontsize=7, loc="lower right")
