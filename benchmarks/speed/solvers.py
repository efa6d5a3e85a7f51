"""The inpainting solver side by side with those of pyamg, to the same measured accuracy.

Contenders: our solver (`dinp.diffusion.inpaint`) at its default tolerance; `stock`, pyamg's `ruge_stuben_solver`;
`geometric`, a geometric hierarchy in pyamg's `MultilevelSolver` (`dinp.benchmarks.speed.pyamg_solvers`). Those of pyamg
run as many CG-accelerated V-cycles as they need to be as accurate as ours, found before anything is timed, and start
from the mean of the known values; assembling the sparse matrix is not in their times (reported apart).

Masks: random ones, structured ones (the pixels with the largest |Laplacian| of the picture), and those of the picture's
files at some qualities, for which the solver's part in decoding is told too. The error of a reconstruction is its
largest deviation, in grey levels, from a direct sparse solve (above two million pixels: from the stock solver run until
it stands still). Repeats are interleaved; times are medians, and ratios are medians of those within a repeat.
"""

import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.ndimage as ndi
from numpy.typing import NDArray
from PIL import Image
from scipy.sparse.linalg import splu

from dinp.benchmarks.environment import library
from dinp.benchmarks.rd.runs import load_picture
from dinp.benchmarks.readme import markdown_table
from dinp.benchmarks.speed.decoding import coded_picture, decoding_times, timed
from dinp.benchmarks.speed.pyamg_solvers import assemble, geometric_solver, ruge_stuben_solver
from dinp.diffusion.inpaint import Inpainter
from dinp.errors import DinpError

HEAD = ["mask", "density", "ours, ms", "stock, ms", "geometric, ms", "stock / ours", "geometric / ours", "error"]
MAX_CYCLES = 60
DIRECT_PIXELS = 2_000_000


class _AccurateError(Exception):
    """Ends a solver of pyamg that is accurate enough."""


def cycles_needed(solver: Any, b: NDArray, x0: NDArray, exact: NDArray, wanted: float) -> tuple[int, list[float]]:  # noqa: ANN401
    """Fewest CG-accelerated V-cycles of a pyamg solver that are as accurate as wanted, and the error after each."""
    errors: list[float] = []

    def measure(x: NDArray) -> None:
        errors.append(float(np.abs(x - exact).max()))
        if errors[-1] <= wanted:
            raise _AccurateError

    try:
        solver.solve(b, x0=x0, tol=1e-14, maxiter=MAX_CYCLES, accel="cg", callback=measure)
    except _AccurateError:
        return len(errors), errors
    raise DinpError(f"A solver of pyamg did not reach an error of {wanted:g} in {MAX_CYCLES} cycles.")


def compare(mask: NDArray[np.bool_], values: NDArray[np.float64], repeats: int) -> dict:
    """Time the solvers on one mask.

    Parameters
    ----------
    mask : (H, W) bool
    values : (H, W) float64
        Grey values 0-255.
    repeats : int

    Returns
    -------
    dict
        Errors in grey levels, median seconds of each part, and ratios of each of pyamg's solvers to ours.
    """
    (A, b), assembly = timed(assemble, mask, values)
    x0 = np.full(b.size, values[mask].mean())
    builders = {"stock": lambda: ruge_stuben_solver(A), "geometric": lambda: geometric_solver(mask, A)}
    solvers = {name: build() for name, build in builders.items()}
    if mask.size <= DIRECT_PIXELS:
        exact = splu(A.tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}).solve(b)
    else:
        exact = solvers["stock"].solve(b, x0=x0, tol=1e-13, maxiter=MAX_CYCLES, accel="cg")
    inpainter = Inpainter(mask)

    def error(reconstruction: NDArray) -> float:
        return float(np.abs(reconstruction[~mask] - exact).max())

    ours_error = error(inpainter.solve(values))
    cycles, errors = {}, {}
    for name, solver in solvers.items():
        cycles[name], errors[name] = cycles_needed(solver, b, x0, exact, ours_error)

    seconds: dict[str, list[float]] = {}
    for _ in range(repeats):
        inpainter, setup = timed(Inpainter, mask)
        _, solve = timed(inpainter.solve, values)
        _, two = timed(inpainter.solve, values, cycles=2)
        _, adjoint = timed(inpainter.solve_adjoint, values, cycles=2)
        measured = {"setup": setup, "solve": solve, "total": setup + solve}
        measured |= {"two_cycles": two, "two_cycles_adjoint": adjoint}
        for name, build in builders.items():
            solver, setup = timed(build)
            _, solve = timed(solver.solve, b, x0=x0, tol=1e-14, maxiter=cycles[name], accel="cg")
            measured |= {f"{name}_setup": setup, f"{name}_solve": solve, f"{name}_total": setup + solve}
        for part, s in measured.items():
            seconds.setdefault(part, []).append(s)
    result: dict[str, Any] = {
        "density": float(mask.mean()),
        "reference": "a direct solve" if mask.size <= DIRECT_PIXELS else "stock run until it stands still",
        "error": ours_error,
        "error_two_cycles": error(inpainter.solve(values, cycles=2)),
    }
    for name in builders:
        result[name] = {
            "cycles": cycles[name],
            "error": errors[name][-1],
            "error_one_cycle_before": errors[name][-2] if cycles[name] > 1 else None,
            "ratio": {
                part: round(
                    statistics.median(s / o for s, o in zip(seconds[f"{name}_{part}"], seconds[part], strict=True)), 2
                )
                for part in ("setup", "solve", "total")
            },
        }
    return result | {
        "seconds": {name: round(statistics.median(s), 5) for name, s in seconds.items()},
        "assembly_seconds": round(assembly, 5),
    }


def structured_mask(picture: NDArray[np.float64], density: float) -> NDArray[np.bool_]:
    """The pixels with the largest |Laplacian| of the smoothed picture (sigma 1): chains along edges, wide gaps."""
    strength = np.abs(ndi.gaussian_laplace(picture, 1.0)).ravel()
    mask = np.zeros(strength.size, bool)
    mask[np.argsort(-strength, kind="stable")[: max(1, round(density * strength.size))]] = True
    return mask.reshape(picture.shape)


def masks(picture: NDArray[np.float64], density: float, seed: int = 0) -> dict[str, NDArray[np.bool_]]:
    """A random and a structured mask of a density."""
    random = np.random.default_rng(seed).random(picture.shape) < density
    random[0, 0] |= not random.any()
    return {"random": random, "structured": structured_mask(picture, density)}


def load(path: Path | None, width: int, height: int) -> NDArray[np.uint8]:
    """A grey picture (height, width); without a path, the cameraman of scikit-image."""
    image = Image.fromarray(library("skimage.data").camera() if path is None else load_picture(path, "grey"))
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))


def measure(
    picture: NDArray[np.uint8], kinds: Sequence[str], densities: Sequence[float], qualities: Sequence[float], n: int
) -> Iterator[dict]:
    """The results of `compare` for each mask, with n repeats; those of files hold `decoding` too."""
    values = picture.astype(np.float64)
    for density in densities:
        for kind, mask in masks(values, density).items():
            if kind in kinds:
                yield {"mask": kind, **compare(mask, values, n)}
    for quality in qualities:
        coded = coded_picture(picture, quality)
        row = {"mask": f"file, q {quality:g}", "decoding": decoding_times(coded, n)}
        yield row | compare(coded.mask, coded.values, n)


def line(row: dict) -> list[str]:
    """Cells for a mask: name, density, set-up + solve in ms of each contender, ratios of the sums to ours, error."""
    cells = [row["mask"], f"{100 * row['density']:.3g} %"]
    for prefix in ("", "stock_", "geometric_"):
        setup, solve = (1000 * row["seconds"][f"{prefix}{part}"] for part in ("setup", "solve"))
        cells.append(f"{setup:.0f} + {solve:.0f}")
    cells += [f"{row[name]['ratio']['total']:.1f}" for name in ("stock", "geometric")]
    return [*cells, f"{row['error']:.4f}"]


def readme_text(results: Sequence[dict]) -> str:
    """Markdown: a table for each result, and the solver's part in decoding."""
    cycles = {
        name: sorted({row[name]["cycles"] for result in results for row in result["results"]})
        for name in ("stock", "geometric")
    }
    told = ", ".join(f"{name} {found[0]}-{found[-1]}" for name, found in cycles.items())
    parts = [
        "Set-up + solve to the same largest error, next to pyamg's `ruge_stuben_solver` (stock) and a geometric "
        "hierarchy in pyamg's `MultilevelSolver` (geometric), which run as many cycles as they need for it; assembling "
        f"their matrix is not in their times. Cycles: {told}. pyamg takes any sparse matrix, ours is for this operator "
        "only."
    ]
    for result in results:
        rows = result["results"]
        reference = ", ".join(dict.fromkeys(row["reference"] for row in rows))
        parts.append(f"{result['size']}, errors in grey levels against {reference}:")
        parts.append(markdown_table(HEAD, [line(row) for row in rows]))
        files = [(row["mask"], row["decoding"]) for row in rows if "decoding" in row]
        if files:
            told = "; ".join(
                f"{name.removeprefix('file, ')}: {1000 * times['decode_seconds']:.0f} ms"
                + (f" ({1000 * times['plain_seconds']:.0f} ms)" if "plain_seconds" in times else "")
                + f", {100 * times['solver_share']:.0f} %, {times['encode_seconds']:.1f} s"
                for name, times in files
            )
            parts.append(f"Decoding the files (without restoration), the solver's share of it, and encoding: {told}.")
    return "\n\n".join(parts)
