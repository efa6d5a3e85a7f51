"""Speed of the inpainting solver, side by side with pyamg, to the same measured accuracy.

    python -m dinp.benchmarks.speed --out speed.json [--size 768x512] [--densities 0.01 0.03 0.1] [--picture FILE]
        [--readme README.md]

Contenders: our solver (`dinp.inpaint`) at its default tolerance; `stock`, pyamg's `ruge_stuben_solver`; `geometric`, a
geometric hierarchy in pyamg's `MultilevelSolver` (`dinp.benchmarks.pyamg_solvers`). Those of pyamg run as many
CG-accelerated V-cycles as they need to be as accurate as ours, found before anything is timed, and start from the mean
of the known values; assembling the sparse matrix is not in their times (reported apart).

Masks: random ones, and structured ones (the pixels with the largest |Laplacian| of the picture). The error of a
reconstruction is its largest deviation, in grey levels, from a direct sparse solve (above two million pixels: from the
stock solver run until it stands still). Repeats are interleaved; times are medians, and ratios are medians of those
within a repeat.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.ndimage as ndi
from numpy.typing import NDArray
from PIL import Image
from scipy.sparse.linalg import splu

from dinp.benchmarks.environment import environment
from dinp.benchmarks.pyamg_solvers import assemble, geometric_solver, ruge_stuben_solver
from dinp.benchmarks.readme import markdown_table, replace_section
from dinp.errors import DinpError
from dinp.inpaint import TOLERANCE, Inpainter

PACKAGES = ("dinp", "numpy", "scipy", "pyamg")
DENSITIES = (0.01, 0.03, 0.1)
MAX_CYCLES = 60
DIRECT_PIXELS = 2_000_000


def cycles_needed(solver: Any, b: NDArray, x0: NDArray, exact: NDArray, wanted: float) -> tuple[int, list[float]]:  # noqa: ANN401
    """Fewest CG-accelerated V-cycles of a pyamg solver that are as accurate as wanted, and the error after each."""
    errors: list[float] = []

    def measure(x: NDArray) -> None:
        errors.append(float(np.abs(x - exact).max()))

    solver.solve(b, x0=x0, tol=1e-14, maxiter=MAX_CYCLES, accel="cg", callback=measure)
    for n, error in enumerate(errors, 1):
        if error <= wanted:
            return n, errors[:n]
    raise DinpError(f"A solver of pyamg did not reach an error of {wanted:g} in {MAX_CYCLES} cycles.")


def timed(work: Callable[..., Any], *args: object, **options: object) -> tuple[Any, float]:
    """Result of a call and its wall-clock seconds."""
    start = time.perf_counter()
    result = work(*args, **options)
    return result, time.perf_counter() - start


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
        "reference": "direct" if mask.size <= DIRECT_PIXELS else "stock, until it stands still",
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


def load(path: Path | None, width: int, height: int) -> NDArray[np.float64]:
    """A picture as grey values (height, width) float64; without a path, the cameraman of scikit-image."""
    if path is None:
        from skimage import data

        image = Image.fromarray(data.camera())
    else:
        image = Image.open(path).convert("L")
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC), dtype=np.float64)


def readme_table(result: dict) -> str:
    """Markdown: milliseconds of set-up and solve of each contender, and the ratios."""
    head = ["mask", "density", "ours, ms", "stock, ms", "geometric, ms", "stock / ours", "geometric / ours", "error"]
    rows = []
    for row in result["results"]:
        cells = [row["mask"], f"{100 * row['density']:.3g} %"]
        for prefix in ("", "stock_", "geometric_"):
            setup, solve = (1000 * row["seconds"][f"{prefix}{part}"] for part in ("setup", "solve"))
            cells.append(f"{setup:.0f} + {solve:.0f}")
        cells += [f"{row[name]['ratio']['total']:.1f}" for name in ("stock", "geometric")]
        rows.append([*cells, f"{row['error']:.4f}"])
    return (
        f"{result['size']}, set-up + solve to the same largest error (last column, in grey levels), against pyamg's "
        "`ruge_stuben_solver` (stock) and a geometric hierarchy in pyamg's `MultilevelSolver` (geometric), whose times "
        f"do not include assembling the matrix.\n\n{markdown_table(head, rows)}"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dinp.benchmarks.speed", description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="768x512", help="width x height (default 768x512)")
    parser.add_argument("--densities", type=float, nargs="+", default=list(DENSITIES))
    parser.add_argument("--picture", type=Path, help="picture for values and structured masks (default: cameraman)")
    parser.add_argument("--masks", nargs="+", choices=("random", "structured"), default=["random", "structured"])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--out", type=Path, required=True, help="JSON file for the results")
    parser.add_argument("--readme", type=Path, help="write the table into this file, between its markers")
    args = parser.parse_args(argv)
    try:
        width, height = (int(side) for side in args.size.split("x"))
    except ValueError:
        parser.error(f"--size takes a width and a height such as 768x512, not {args.size}")
    picture = load(args.picture, width, height)
    rows = []
    print(f"{'mask':11}{'density':>8}{'error':>9} | set-up + solve in ms: ours, stock, geometric | ratios to ours")
    for density in args.densities:
        for kind, mask in ((kind, masks(picture, density)[kind]) for kind in args.masks):
            row = {"mask": kind, **compare(mask, picture, args.repeats)}
            rows.append(row)
            line = f"{kind:11}{density:8g}{row['error']:9.5f} |"
            for whose in ("", "stock_", "geometric_"):
                setup, solve = (1000 * row["seconds"][f"{whose}{part}"] for part in ("setup", "solve"))
                line += f"{setup:8.1f} +{solve:7.1f}"
            print(f"{line} |{row['stock']['ratio']['total']:6.1f}{row['geometric']['ratio']['total']:6.1f}", flush=True)
    settings = {
        "size": args.size,
        "picture": args.picture.name if args.picture else "skimage.data.camera",
        "repeats": args.repeats,
        "tolerance": TOLERANCE,
        "units": "largest errors in grey levels, seconds wall-clock (medians), ratios to ours",
    }
    result = {"benchmark": "speed", **environment(PACKAGES), **settings, "results": rows}
    args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if args.readme:
        replace_section(args.readme, "<!-- speed -->", readme_table(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
