"""What the benchmark of masks measures, and the file that keeps it.

Known values and reconstructions are not quantised; reconstructions are clipped to 0-255. Results are written after each
method and density.
"""

import json
import os
import resource
import secrets
import statistics
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from dinp.benchmarks.environment import environment
from dinp.benchmarks.readme import markdown_table
from dinp.errors import DinpError
from dinp.models.masks.analytic import analytic_mask, random_mask
from dinp.models.masks.densification import densification
from dinp.models.masks.exchange import (
    densification_exchange,
    global_exchange_seconds,
    nonlocal_pixel_exchange,
    settled_pixel_exchange,
)
from dinp.models.masks.learned import (
    learned_mask,
    learned_mask_of_eight_passes,
    learned_mask_of_one_pass,
    learned_plain_mask,
)
from dinp.models.masks.refinement import fast_refined_mask, learned_refined_mask, long_refined_mask
from dinp.models.masks.report import TONAL_CYCLES, TONAL_STEPS, mask_worth
from dinp.models.masks.sparsification import probabilistic_sparsification
from dinp.models.masks.surrogate import surrogate_mask

ENDINGS = {".jpg", ".png", ".pgm", ".tif"}
SIZE = 256
DENSITIES = (0.01, 0.02, 0.05, 0.10)
PACKAGES = ("dinp", "numpy", "onnxruntime", "scipy")

HOW = {"tonal_steps": TONAL_STEPS, "tonal_cycles": TONAL_CYCLES, "psnr": "clipped to 0-255, not rounded"}

MaskMethod = Callable[[np.ndarray, float, int], np.ndarray]

SPARSIFICATION = "probabilistic sparsification"
EXCHANGE = "sparsification + pixel exchange"
SETTLED = "sparsification + pixel exchange until it stands still"
SLOW = (SPARSIFICATION, EXCHANGE, SETTLED)
LEARNED = ("learned", "learned, eight passes", "learned + fast refinement", "learned + refinement")


METHODS: dict[str, MaskMethod] = {
    "random": random_mask,
    "analytic, sigma 1": partial(analytic_mask, sigma=1.0),
    "analytic": analytic_mask,
    SPARSIFICATION: probabilistic_sparsification,
    EXCHANGE: nonlocal_pixel_exchange,
    SETTLED: settled_pixel_exchange,
    "densification": densification,
    "densification + exchange": densification_exchange,
    "learned": learned_mask,
    "learned, eight passes": learned_mask_of_eight_passes,
    "learned, one pass": learned_mask_of_one_pass,
    "learned, for plain values": learned_plain_mask,
    "learned + fast refinement": fast_refined_mask,
    "learned + refinement": learned_refined_mask,
    "learned + long refinement": long_refined_mask,
    "learned with a surrogate": surrogate_mask,
}


@contextmanager
def one_thread() -> Iterator[None]:
    """Let all that is timed run on one thread."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before


def measure(plane: np.ndarray, mask: np.ndarray) -> tuple[float, float]:
    """PSNR in dB with the original values at the mask, and with tonally optimised values; see `mask_worth`."""
    worth = mask_worth(plane, mask)
    return worth.plain_psnr, worth.tonal_psnr


def central_crop(path: Path, size: int = SIZE) -> np.ndarray:
    """Grey values (size, size) float64 of the centre of a picture; less where it is smaller, all of it for size 0."""
    with Image.open(path) as image:
        grey = np.asarray(image.convert("L"), dtype=np.float64)
    if not size:
        return grey
    y, x = (max(0, (side - size) // 2) for side in grey.shape)
    return grey[y : y + size, x : x + size]


def pictures_in(folder: Path) -> list[Path]:
    """The pictures of a folder, by name; DinpError if there are none."""
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in ENDINGS)
    if not paths:
        raise DinpError(f"there are no pictures in {folder}")
    return paths


def peak_memory() -> float:
    """Most memory that the process ever had resident, MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)


def run(
    paths: Sequence[Path],
    densities: Sequence[float] = DENSITIES,
    methods: dict[str, MaskMethod] = METHODS,
    size: int = SIZE,
    slow_pictures: int | None = None,
    kept: Sequence[dict] = (),
) -> Iterator[dict]:
    """One row per method and density: means over the pictures of PSNR and seconds, and the PSNR of each picture.

    `peak_mib` is the most memory that the process had held once the first mask was made: of the first row's method
    alone, and for others a bound.

    Parameters
    ----------
    paths : sequence of Path
    densities : sequence of float
    methods : dict
        By name.
    size : int
        Side of the central crop, 0 for whole pictures.
    slow_pictures : int, optional
        Number of pictures, the first ones, for the methods in `SLOW`. Default: all.
    kept : sequence of dict
        Rows of an earlier run, which are not measured again.
    """
    planes = [central_crop(path, size) for path in paths]
    have = {(row["method"], row["density"], len(row["tonal"])) for row in kept}
    loaded = set()
    for density in densities:
        for name, method in methods.items():
            chosen = planes[:slow_pictures] if name in SLOW else planes
            if (name, density, len(chosen)) in have:
                continue
            if name not in loaded and name not in SLOW:
                method(planes[0], density, 0)  # loads what the method needs, which is not what is timed
                loaded.add(name)
            plain, tonal, seconds, peak = [], [], [], 0.0
            for seed, plane in enumerate(chosen):
                start = time.perf_counter()
                mask = method(plane, density, seed)
                seconds.append(time.perf_counter() - start)
                peak = peak or peak_memory()
                if np.count_nonzero(mask) != max(1, round(density * plane.size)):
                    raise DinpError(f"the method {name} missed the density {density:g}")
                for figures, figure in zip((plain, tonal), measure(plane, mask), strict=True):
                    figures.append(round(figure, 4))
            row = {"method": name, "density": density, "plain_psnr": round(statistics.fmean(plain), 3)}
            row |= {"tonal_psnr": round(statistics.fmean(tonal), 3), "seconds": round(statistics.fmean(seconds), 5)}
            row |= {"peak_mib": peak}
            yield row | {"plain": plain, "tonal": tonal}


def extrapolated(plane: np.ndarray, densities: Sequence[float], swaps: int) -> Iterator[dict]:
    """Seconds that pixel exchange would take with a solve for every swap, for one picture, from a few swaps."""
    for density in densities:
        seconds = global_exchange_seconds(plane, density, swaps=swaps)
        yield {"density": density, "swaps": swaps, "pixels": plane.size, "seconds": round(seconds, 1)}


def margins(rows: list[dict], methods: Sequence[str] = LEARNED) -> list[dict]:
    """By how many dB the methods' masks beat the others' at each density: mean over pictures, and pictures won.

    Where a row has fewer pictures than the other, over those that both have.
    """
    out = []
    for method in methods:
        for row in rows:
            best = next((r for r in rows if r["method"] == method and r["density"] == row["density"]), row)
            if row is best:
                continue
            margin = {"method": method, "density": row["density"], "over": row["method"]}
            for kind in ("plain", "tonal"):
                common = min(len(best[kind]), len(row[kind]))
                differences = np.subtract(best[kind][:common], row[kind][:common])
                margin[f"{kind}_db"] = round(float(differences.mean()), 3)
                margin[f"{kind}_won"] = int((differences > 0).sum())
            out.append(margin | {"pictures": common})
    return out


def readme_table(result: dict) -> str:
    """Markdown: mean PSNR of each method and density, and the time for a mask."""
    rows = result["results"]
    densities = sorted({row["density"] for row in rows})
    count = len(result["pictures"])
    head = ["PSNR in dB, plain / tonally optimised", *(f"{100 * d:g} %" for d in densities), "seconds per mask"]
    table = []
    for name in dict.fromkeys(row["method"] for row in rows):
        own = {row["density"]: row for row in rows if row["method"] == name}
        cells = [f"{own[d]['plain_psnr']:.2f} / {own[d]['tonal_psnr']:.2f}" if d in own else "–" for d in densities]
        subsets = {len(row["tonal"]) for row in own.values()}
        label = name
        if len(subsets) > 1:
            cells = [
                f"{cell} (first {len(own[d]['tonal'])})" if d in own and len(own[d]["tonal"]) < count else cell
                for d, cell in zip(densities, cells, strict=True)
            ]
        elif min(subsets) < count:
            label = f"{name} (first {min(subsets)} pictures)"
        table.append([label, *cells, _two_digits(row["seconds"] for row in own.values())])
    extra = result.get("extrapolated")
    if extra:
        cells = [""] * len(densities)
        table.append(
            [
                "pixel exchange with a solve for every swap, extrapolated",
                *cells,
                _two_digits(entry["seconds"] for entry in extra),
            ]
        )
    size = f"the central {result['size']} x {result['size']} pixels" if result["size"] else "whole"
    text = f"{count} picture{'s' if count > 1 else ''} of `{result['set']}`, {size}, on one core of {result['cpu']}."
    return f"{text}\n\n{markdown_table(head, table)}"


def claims_table(result: dict) -> str:
    """Markdown: by how many dB, tonally optimised, learned masks are ahead of exchange, and on how many pictures."""
    rows = result["results"]
    densities = sorted({row["density"] for row in rows})
    names = [name for name in dict.fromkeys(row["method"] for row in rows) if name.startswith(LEARNED[0])]
    found = {(m["method"], m["over"], m["density"]): m for m in margins(rows, names)}
    table = []
    for over in (EXCHANGE, SETTLED):
        for name in names:
            own = [found.get((name, over, density)) for density in densities]
            if any(own):
                cells = ["–" if m is None else f"{m['tonal_db']:+.2f} ({m['tonal_won']})" for m in own]
                table.append([name, over, *(cell.replace("-", "−") for cell in cells)])
    return markdown_table(["dB of", "over", *(f"{100 * d:g} %" for d in densities)], table)


def _two_digits(seconds: Iterable[float]) -> str:
    """A mean with two significant digits, without an exponent."""
    mean = statistics.fmean(seconds)
    return f"{float(f'{mean:.2g}'):f}".rstrip("0").rstrip(".")


def earlier(
    path: Path, settings: dict, again: Collection[tuple[str, float]] = ()
) -> tuple[list[dict], list[dict], list[dict]]:
    """Rows, extrapolated times and runs of a file of results; without the rows (method, density) of `again`.

    Raises
    ------
    DinpError
        The file exists, and is no file of results, or has other settings: it is not to be overwritten.
    """
    try:
        found = json.loads(path.read_text())
        other = [key for key, value in settings.items() if found[key] != value]
        rows = [row for row in found["results"] if (row["method"], row["density"]) not in again]
        kept = rows, found.get("extrapolated", []), found["runs"]
    except FileNotFoundError:
        return [], [], []
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise DinpError(f"{path} is not a file of this benchmark: give another --out") from error
    if other:
        raise DinpError(f"{path} has results of another {' and '.join(other)}: give another --out, or remove it")
    return kept


def _write(path: Path, result: dict) -> None:
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        part.write_text(json.dumps(result, indent=1) + "\n")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def measured(
    paths: Sequence[Path],
    out: Path,
    settings: dict,
    *,
    densities: Sequence[float] = DENSITIES,
    names: Collection[str] | None = None,
    again: Collection[str] = (),
    slow_pictures: int | None = None,
    swaps: int | None = None,
    tell: Callable[[str], object] = lambda _: None,
) -> dict:
    """What the file of results holds in the end; it is written after each row, which `tell` is given as JSON.

    Parameters
    ----------
    paths : sequence of Path
        The pictures.
    out : Path
        The file, continued if it exists.
    settings : dict
        What must be the same in all that a file holds, with "size" among it.
    densities, names, slow_pictures
        As for `run`; `names` are those of the methods.
    again : collection of str
        Methods to be measured anew.
    swaps : int, optional
        Times pixel exchange with a solve for each of so many swaps, too.
    """
    names = list(METHODS) if names is None else names
    anew = {(name, density) for name in again if name in names for density in densities}
    rows, extra, runs = earlier(out, settings, anew)
    here = environment(PACKAGES) | {"threads": 1}
    runs = [*runs, here]
    order = {name: place for place, name in enumerate(METHODS)}

    def result() -> dict:
        rows.sort(key=lambda row: (row["density"], order.get(row["method"], len(order))))
        used = {"results": rows, "extrapolated": extra} if extra else {"results": rows}
        return {"benchmark": "masks", **here, "runs": runs, **settings, "margins": margins(rows), **used}

    methods = {name: METHODS[name] for name in names}
    for row in run(paths, densities, methods, settings["size"], slow_pictures, list(rows)):
        shown = {key: value for key, value in row.items() if key not in ("plain", "tonal")}
        tell(json.dumps(shown))
        rows[:] = [r for r in rows if (r["method"], r["density"]) != (row["method"], row["density"])]
        rows.append(row | {"run": len(runs) - 1})
        _write(out, result())
    if swaps:
        missing = [d for d in densities if all((e["density"], e["swaps"]) != (d, swaps) for e in extra)]
        for entry in extrapolated(central_crop(paths[0], settings["size"]), missing, swaps):
            tell(json.dumps(entry))
            extra = [*extra, entry | {"run": len(runs) - 1}]
            _write(out, result())
    final = result()
    if len(runs) > 1 and not any(entry["run"] == len(runs) - 1 for entry in (*rows, *extra)):
        return json.loads(out.read_text())  # all was there already
    _write(out, final)
    return final
