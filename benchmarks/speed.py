"""Speed of the inpainting solver, side by side with stock `pyamg.ruge_stuben_solver`, to the same measured accuracy.

    python -m dinp.benchmarks.speed --out speed.json [--size 768x512] [--densities 0.01 0.03 0.1] [--picture FILE]

Masks: random ones, and structured ones (the pixels with the largest |Laplacian| of the picture). The error of a
reconstruction is its largest deviation, in grey levels, from a direct sparse solve (above two million pixels: from the
stock solver run until it stands still). Our solver runs at its default
tolerance; the stock solver runs as many CG-accelerated V-cycles as it needs to be as accurate, found before anything is
timed, and starts from the mean of the known values. Its time excludes assembling the sparse matrix (reported apart).
Repeats are interleaved; times are medians, and ratios are medians of the ratios within a repeat.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyamg
import scipy.ndimage as ndi
import scipy.sparse as sp
from numpy.typing import NDArray
from PIL import Image
from scipy.sparse.linalg import splu

from dinp.errors import DinpError
from dinp.inpaint import TOLERANCE, Inpainter

DENSITIES = (0.01, 0.03, 0.1)
MAX_CYCLES = 60
DIRECT_PIXELS = 2_000_000


def assemble(mask: NDArray[np.bool_], values: NDArray[np.float64]) -> tuple[sp.csr_array, NDArray[np.float64]]:
    """The sparse system ``A x = b`` of the unknown pixels, in raster order: 5-point stencil, reflecting boundary."""
    number = np.cumsum(~mask).reshape(mask.shape) - 1
    degree = np.zeros(mask.shape)
    b = np.zeros(mask.shape)
    rows, columns = [], []
    for here, there in (
        (np.s_[:, :-1], np.s_[:, 1:]),
        (np.s_[:, 1:], np.s_[:, :-1]),
        (np.s_[:-1], np.s_[1:]),
        (np.s_[1:], np.s_[:-1]),
    ):
        degree[here] += 1
        b[here] += np.where(mask[there], values[there], 0)
        both = ~mask[here] & ~mask[there]
        rows.append(number[here][both])
        columns.append(number[there][both])
    unknown = ~mask
    n = int(unknown.sum())
    i, j = np.concatenate(rows), np.concatenate(columns)
    W = sp.coo_array((np.ones(i.size), (i, j)), shape=(n, n))
    A = (sp.diags_array(degree[unknown]) - W).tocsr()
    A.indices, A.indptr = A.indices.astype(np.int32), A.indptr.astype(np.int32)  # what pyamg's kernels take
    return A, b[unknown]


def stock_cycles(solver: Any, b: NDArray, x0: NDArray, exact: NDArray, wanted: float) -> tuple[int, list[float]]:  # noqa: ANN401
    """Fewest CG-accelerated V-cycles that are as accurate as wanted, and the error after each."""
    errors: list[float] = []

    def measure(x: NDArray) -> None:
        errors.append(float(np.abs(x - exact).max()))

    solver.solve(b, x0=x0, tol=1e-14, maxiter=MAX_CYCLES, accel="cg", callback=measure)
    for n, error in enumerate(errors, 1):
        if error <= wanted:
            return n, errors[:n]
    raise DinpError(f"The stock solver did not reach an error of {wanted:g} in {MAX_CYCLES} cycles.")


def timed(work: Callable[..., Any], *args: object, **options: object) -> tuple[Any, float]:
    """Result of a call and its wall-clock seconds."""
    start = time.perf_counter()
    result = work(*args, **options)
    return result, time.perf_counter() - start


def compare(mask: NDArray[np.bool_], values: NDArray[np.float64], repeats: int) -> dict:
    """Time both solvers on one mask.

    Parameters
    ----------
    mask : (H, W) bool
    values : (H, W) float64
        Grey values 0-255.
    repeats : int

    Returns
    -------
    dict
        Errors in grey levels, median seconds of each part, and ratios stock / ours.
    """
    (A, b), assembly = timed(assemble, mask, values)
    x0 = np.full(b.size, values[mask].mean())
    stock_solver = pyamg.ruge_stuben_solver(A)
    if mask.size <= DIRECT_PIXELS:
        exact = splu(A.tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}).solve(b)
    else:
        exact = stock_solver.solve(b, x0=x0, tol=1e-13, maxiter=MAX_CYCLES, accel="cg")
    inpainter = Inpainter(mask)

    def error(reconstruction: NDArray) -> float:
        return float(np.abs(reconstruction[~mask] - exact).max())

    ours_error = error(inpainter.solve(values))
    cycles, errors = stock_cycles(stock_solver, b, x0, exact, ours_error)

    seconds: dict[str, list[float]] = {}
    for _ in range(repeats):
        inpainter, setup = timed(Inpainter, mask)
        _, solve = timed(inpainter.solve, values)
        _, two = timed(inpainter.solve, values, cycles=2)
        _, adjoint = timed(inpainter.solve_adjoint, values, cycles=2)
        solver, stock_setup = timed(pyamg.ruge_stuben_solver, A)
        _, stock = timed(solver.solve, b, x0=x0, tol=1e-14, maxiter=cycles, accel="cg")
        for name, s in {
            "setup": setup,
            "solve": solve,
            "total": setup + solve,
            "two_cycles": two,
            "two_cycles_adjoint": adjoint,
            "stock_setup": stock_setup,
            "stock_solve": stock,
            "stock_total": stock_setup + stock,
        }.items():
            seconds.setdefault(name, []).append(s)
    ratios = {
        part: statistics.median(s / o for s, o in zip(seconds[f"stock_{part}"], seconds[part], strict=True))
        for part in ("setup", "solve", "total")
    }
    return {
        "density": float(mask.mean()),
        "reference": "direct" if mask.size <= DIRECT_PIXELS else "stock, until it stands still",
        "error": ours_error,
        "error_two_cycles": error(inpainter.solve(values, cycles=2)),
        "stock_error": errors[-1],
        "stock_error_one_cycle_before": errors[-2] if cycles > 1 else None,
        "stock_cycles": cycles,
        "seconds": {name: round(statistics.median(s), 5) for name, s in seconds.items()},
        "stock_assembly_seconds": round(assembly, 5),
        "ratio": {part: round(ratio, 2) for part, ratio in ratios.items()},
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


def environment() -> dict:
    """Date, commit, processor and versions."""
    cpu = Path("/proc/cpuinfo")
    names = []
    if cpu.exists():
        names = [line.partition(":")[2].strip() for line in cpu.read_text().splitlines() if "model name" in line]
    here = Path(__file__).resolve().parent
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=False)
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip() or None,
        "cpu": names[0] if names else platform.processor(),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("dinp", "numpy", "scipy", "pyamg")},
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dinp.benchmarks.speed", description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="768x512", help="width x height (default 768x512)")
    parser.add_argument("--densities", type=float, nargs="+", default=list(DENSITIES))
    parser.add_argument("--picture", type=Path, help="picture for values and structured masks (default: cameraman)")
    parser.add_argument("--masks", nargs="+", choices=("random", "structured"), default=["random", "structured"])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--out", type=Path, required=True, help="JSON file for the results")
    args = parser.parse_args(argv)
    try:
        width, height = (int(side) for side in args.size.split("x"))
    except ValueError:
        parser.error(f"--size takes a width and a height such as 768x512, not {args.size}")
    picture = load(args.picture, width, height)
    rows = []
    print(f"{'':20}       largest errors    |{'ours, ms':^27}|{'stock, ms':^27}| ratio")
    print(f"{'mask':11}{'density':>9}{'ours':>13}{'stock':>11}  |{'set-up    solve    total':>27}|", end="")
    print(f"{'set-up    solve    total':>27}|")
    for density in args.densities:
        for kind, mask in ((kind, masks(picture, density)[kind]) for kind in args.masks):
            row = {"mask": kind, **compare(mask, picture, args.repeats)}
            rows.append(row)
            line = f"{kind:11}{density:9g}{row['error']:13.5f}{row['stock_error']:11.5f}  |"
            for whose in ("", "stock_"):
                line += (
                    "".join(f"{1e3 * row['seconds'][whose + part]:9.1f}" for part in ("setup", "solve", "total")) + "|"
                )
            print(f"{line}{row['ratio']['total']:6.1f}", flush=True)
    settings = {
        "size": args.size,
        "picture": args.picture.name if args.picture else "skimage.data.camera",
        "repeats": args.repeats,
        "tolerance": TOLERANCE,
        "units": "largest errors in grey levels, seconds wall-clock (medians), ratios stock / ours",
    }
    args.out.write_text(
        json.dumps({"benchmark": "speed", **environment(), **settings, "results": rows}, indent=1) + "\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
