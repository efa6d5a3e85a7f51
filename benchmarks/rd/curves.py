"""Rate-distortion curves: from measured files to a codec's curve on a picture, its mean over pictures, and BD-rates.

How a curve is made of the points (bits per pixel, value of a metric) that a codec has on one picture:

1. Hull. Only points on the lower convex hull in (rate, distortion) count, from the smallest file to the least
   distortion. Distortion is the mean squared error for PSNR, and the distance from the metric's best value for the
   others. AVIF, WebP and JPEG 2000 now and then have points that more bits make no better, and JPEG's lowest qualities
   nearly share one size; the hull leaves out what no user would choose, for every codec alike.
2. Interpolation. Between the points left: monotone cubic (PCHIP) of the value over the logarithm of the rate. Never
   beyond the first and the last point.
3. Mean. The values of all pictures averaged at equal rates, where every picture's curve reaches the rate.

BD-rate (Bjontegaard, VCEG-M33): mean difference of the log rate between two curves at equal value, over the range of
values that both have, as percent of rate; negative means fewer bits. By the package bjontegaard, method pchip. Each
curve is first cut to 0.05-0.5 bits per pixel: points outside are dropped, and the ends of the range become points, with
interpolated values, where the curve reaches them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy.interpolate import PchipInterpolator

from dinp.benchmarks.environment import library
from dinp.benchmarks.result_files import load_results
from dinp.errors import DinpError

LOW, HIGH = 0.05, 0.5
GRID = 33  # rates of a mean curve; twice as many change BD-rates by less than 0.02 percentage points
COLUMNS = {"codec", "mode", "picture", "width", "height", "run"}


@dataclass(frozen=True)
class Series:
    """What one codec did to one picture: `rows`, in rising order of setting, are what the result file has by setting.

    A row holds `settings`, `bytes`, `bpp`, metrics, `encode_s`, `decode_s` and what a codec tells of its files.
    """

    set: str
    mode: str
    codec: str
    picture: str
    version: str
    rows: tuple[dict, ...]


@dataclass(frozen=True)
class Measured:
    """The content of result files: every series once, and the runs that they come from."""

    series: tuple[Series, ...]
    runs: tuple[dict, ...]

    def groups(self) -> list[tuple[str, str]]:
        """Sets and modes, in the order of the files."""
        return list(dict.fromkeys((one.set, one.mode) for one in self.series))

    def of(self, group: tuple[str, str]) -> dict[str, dict[str, Series]]:
        """Series by codec and picture."""
        found: dict[str, dict[str, Series]] = {}
        for one in self.series:
            if (one.set, one.mode) == group:
                found.setdefault(one.codec, {})[one.picture] = one
        return found


def load_measured(paths: Sequence[Path]) -> Measured:
    """Put result files together.

    The same setting of the same codec counts once, from the last file; where a later file has another version of a
    codec, its points replace all of the earlier ones.

    Raises
    ------
    DinpError
        A file is not a result of this benchmark, or nothing was measured.
    """
    merged: dict[tuple[str, str, str, str], tuple[str, dict[float, dict]]] = {}
    runs = []
    for path in paths:
        content = load_results(path, "rd")
        runs += content["runs"]
        for one in content["series"]:
            version = content["runs"][one["run"]]["codecs"][one["codec"]]
            key = (content["set"], one["mode"], one["codec"], one["picture"])
            known, rows = merged.get(key, (version, {}))
            merged[key] = (version, (rows if known == version else {}) | _rows(one))
    if not merged:
        raise DinpError(f"there are no measurements in {', '.join(map(str, paths))}")
    series = [
        Series(*key, version, tuple(rows[setting] for setting in sorted(rows)))
        for key, (version, rows) in merged.items()
    ]
    return Measured(tuple(series), tuple(runs))


def _rows(series: dict) -> dict[float, dict]:
    """The columns of a series in a file, as rows by setting."""
    columns = {name: values for name, values in series.items() if name not in COLUMNS}
    pixels = series["width"] * series["height"]
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return {row["settings"]: row | {"bpp": 8 * row["bytes"] / pixels} for row in rows}


@dataclass(frozen=True)
class Curve:
    """A curve through points of rising rate and rising value.

    Attributes
    ----------
    bpp, values : (n,) float64, n >= 1
    """

    bpp: np.ndarray
    values: np.ndarray

    @cached_property
    def _interpolant(self) -> PchipInterpolator:
        return PchipInterpolator(np.log(self.bpp), self.values, extrapolate=False)

    def at(self, bpp: float | np.ndarray) -> np.ndarray:
        """Values at rates; NaN where the curve does not reach."""
        bpp = np.asarray(bpp, dtype=np.float64)
        reached = (bpp >= self.bpp[0]) & (bpp <= self.bpp[-1])
        if len(self.bpp) == 1:
            return np.where(reached, self.values[0], np.nan)
        return np.where(reached, self._interpolant(np.log(np.clip(bpp, self.bpp[0], self.bpp[-1]))), np.nan)

    def cut(self, low: float = LOW, high: float = HIGH) -> "Curve | None":
        """The part between two rates; None if it has less than two points."""
        ends = [rate for rate in (low, high) if self.bpp[0] < rate < self.bpp[-1]]
        inside = (self.bpp >= low) & (self.bpp <= high)
        bpp = np.union1d(self.bpp[inside], ends)
        return Curve(bpp, self.at(bpp)) if len(bpp) >= 2 else None

    def below(self, value: float) -> "Curve":
        """The part up to a value, to which the rate is interpolated; the whole curve if it does not reach it."""
        inside = self.values < value
        if not inside.any() or self.values[-1] <= value:
            return self
        rate = np.exp(PchipInterpolator(self.values, np.log(self.bpp))(value))
        return Curve(np.append(self.bpp[inside], rate), np.append(self.values[inside], value))


def distortion(values: np.ndarray, metric: str) -> np.ndarray:
    """What the hull is taken of: mean squared error up to a factor, or distance from the value for equal pictures."""
    if metric in ("psnr", "plain_psnr"):
        return 10.0 ** (-values / 10)
    return (100.0 if metric == "ssimulacra2" else 1.0) - values


def hull(bpp: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Indices of the lower convex hull, from the smallest rate to the least error, in rising order of rate.

    Parameters
    ----------
    bpp, errors : (n,) float
        In any order.
    """
    kept: list[int] = []
    for index in np.lexsort((errors, bpp)):
        if kept and errors[index] >= errors[kept[-1]]:
            continue  # more bits, or as many, and no better
        while len(kept) >= 2:
            (x0, x1), (y0, y1) = bpp[kept[-2:]], errors[kept[-2:]]
            if (y1 - y0) * (bpp[index] - x0) < (errors[index] - y0) * (x1 - x0):
                break
            kept.pop()
        kept.append(int(index))
    return np.array(kept)


def curve_of(series: Series, metric: str = "psnr", exact: float | None = None) -> Curve | None:
    """The curve of a codec on a picture; None without a finite value of the metric.

    `exact` stands for a missing value, which equal pictures have; by default such points are left out.
    """
    points = [(row["bpp"], exact if row.get(metric) is None else row[metric]) for row in series.rows]
    points = [point for point in points if point[1] is not None]
    if not points:
        return None
    bpp, values = np.array(points, dtype=np.float64).T
    kept = hull(bpp, distortion(values, metric))
    return Curve(bpp[kept], values[kept])


def mean_curve(curves: Sequence[Curve], low: float = LOW, high: float = HIGH) -> Curve | None:
    """Mean over pictures at equal rates, between two rates; None where the pictures have no rates in common."""
    if not curves:
        return None
    low = max(low, *(curve.bpp[0] for curve in curves))
    high = min(high, *(curve.bpp[-1] for curve in curves))
    if not low < high:
        return None
    bpp = np.geomspace(low, high, GRID)
    bpp[[0, -1]] = low, high  # rounding must not lead past a curve's end
    return Curve(bpp, np.mean([curve.at(bpp) for curve in curves], axis=0))


def bd_rate(anchor: Curve | None, test: Curve | None, low: float = LOW, high: float = HIGH) -> float | None:
    """BD-rate of a curve against another in percent, see above; None if they have no values in common."""
    anchor, test = (curve and curve.cut(low, high) for curve in (anchor, test))
    if anchor is None or test is None:
        return None
    if min(anchor.values[-1], test.values[-1]) <= max(anchor.values[0], test.values[0]):
        return None
    return float(
        library("bjontegaard").bd_rate(
            anchor.bpp,
            anchor.values,
            test.bpp,
            test.values,
            method="pchip",
            require_matching_points=False,
            min_overlap=0,
        )
    )
