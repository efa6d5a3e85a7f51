"""Quality of inpainting masks at equal density: random, analytic and learned ones.

    python -m dinp.benchmarks.masks --data DATA --out masks.json [--pictures N] [--densities 0.02 0.05 0.1]
        [--readme README.md]

For each picture of `DATA/report/bsds_test` (or another folder, `--set`), grey and cut to its central 256 x 256 pixels:
the PSNR of the inpainted picture, with the original values at the mask (plain) and after tonal optimisation. Known
values and reconstructions are not quantised; reconstructions are clipped to 0-255.
"""

import argparse
import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from dinp.benchmarks.environment import environment
from dinp.benchmarks.readme import markdown_table, replace_section
from dinp.errors import DinpError
from dinp.inpaint import Inpainter
from dinp.models.classical import analytic_mask, random_mask
from dinp.models.hub import learned_mask
from dinp.structure import known_data_of_mask
from dinp.tonal import tonal_optimisation

SIZE = 256
DENSITIES = (0.02, 0.05, 0.10)
PACKAGES = ("dinp", "numpy", "scipy", "torch")
TONAL_STEPS = 20
TONAL_CYCLES = 3

MaskMethod = Callable[[np.ndarray, float, int], np.ndarray]

METHODS: dict[str, MaskMethod] = {
    "random": random_mask,
    "analytic, sigma 1": partial(analytic_mask, sigma=1.0),
    "analytic": analytic_mask,
    "learned": learned_mask,
}


def psnr(plane: np.ndarray, reconstruction: np.ndarray) -> float:
    """PSNR in dB of a reconstruction, clipped to 0-255 but not rounded; infinite without error."""
    error = float(np.mean((plane - np.clip(reconstruction, 0, 255)) ** 2))
    return 10 * math.log10(255**2 / error) if error else math.inf


def measure(plane: np.ndarray, mask: np.ndarray) -> tuple[float, float]:
    """PSNR in dB with the original values at the mask, and with tonally optimised values.

    Parameters
    ----------
    plane : (H, W) float64
        Grey values 0-255.
    mask : (H, W) bool
    """
    inpainter = Inpainter(mask)
    known = known_data_of_mask(mask, side=1)
    plain = inpainter.solve(plane)
    values, _ = tonal_optimisation(
        inpainter, known, plane, plane[mask], steps=TONAL_STEPS, cycles=TONAL_CYCLES, reconstruction=plain
    )
    return psnr(plane, plain), psnr(plane, inpainter.solve(known.spread(values)))


def central_crop(path: Path, size: int = SIZE) -> np.ndarray:
    """Grey values (size, size) float64 of the centre of a picture; less where it is smaller."""
    with Image.open(path) as image:
        grey = np.asarray(image.convert("L"), dtype=np.float64)
    y, x = (max(0, (side - size) // 2) for side in grey.shape)
    return grey[y : y + size, x : x + size]


def run(
    paths: Sequence[Path],
    densities: Sequence[float] = DENSITIES,
    methods: dict[str, MaskMethod] = METHODS,
    size: int = SIZE,
    progress: Callable[[str], object] = sys.stderr.write,
) -> list[dict]:
    """One row per method and density: means over the pictures of PSNR and seconds, and the PSNR of each picture."""
    planes = [central_crop(path, size) for path in paths]
    for method in methods.values():
        method(planes[0], densities[0], 0)  # loads what the method needs, which is not what is timed
    rows = []
    for density in densities:
        for name, method in methods.items():
            plain, tonal, seconds = [], [], []
            for seed, plane in enumerate(planes):
                start = time.perf_counter()
                mask = method(plane, density, seed)
                seconds.append(time.perf_counter() - start)
                if np.count_nonzero(mask) != max(1, round(density * plane.size)):
                    raise DinpError(f"the method {name} missed the density {density:g}")
                for figures, figure in zip((plain, tonal), measure(plane, mask), strict=True):
                    figures.append(round(figure, 4))
            row = {"method": name, "density": density, "plain_psnr": round(statistics.fmean(plain), 3)}
            row |= {"tonal_psnr": round(statistics.fmean(tonal), 3), "seconds": round(statistics.fmean(seconds), 5)}
            progress(f"{json.dumps(row)}\n")
            rows.append(row | {"plain": plain, "tonal": tonal})
    return rows


def margins(rows: list[dict], method: str = "learned") -> list[dict]:
    """By how many dB a method's masks beat the others' at each density: mean over pictures, and pictures won."""
    out = []
    for row in rows:
        best = next(r for r in rows if r["method"] == method and r["density"] == row["density"])
        if row is best:
            continue
        margin = {"density": row["density"], "over": row["method"]}
        for kind in ("plain", "tonal"):
            differences = np.subtract(best[kind], row[kind])
            margin[f"{kind}_db"] = round(float(differences.mean()), 3)
            margin[f"{kind}_won"] = int((differences > 0).sum())
        out.append(margin)
    return out


def readme_table(result: dict) -> str:
    """Markdown: mean PSNR of each method and density, and the learned masks' margins."""
    densities = sorted({row["density"] for row in result["results"]})
    head = ["PSNR in dB, plain / tonally optimised", *(f"{100 * d:g} %" for d in densities), "ms per mask"]
    rows = []
    for name in dict.fromkeys(row["method"] for row in result["results"]):
        own = {row["density"]: row for row in result["results"] if row["method"] == name}
        cells = [f"{own[d]['plain_psnr']:.2f} / {own[d]['tonal_psnr']:.2f}" for d in densities]
        rows.append([name, *cells, f"{1000 * statistics.fmean(row['seconds'] for row in own.values()):.1f}"])
    for name in dict.fromkeys(margin["over"] for margin in result["margins"]):
        own = {margin["density"]: margin for margin in result["margins"] if margin["over"] == name}
        cells = [f"+{own[d]['plain_db']:.2f} / +{own[d]['tonal_db']:.2f}".replace("+-", "-") for d in densities]
        rows.append([f"learned over {name}", *cells, ""])
    count = len(result["pictures"])
    least = min(margin["tonal_won"] for margin in result["margins"])
    return (
        f"{count} pictures of `{result['set']}`, the central {result['size']} x {result['size']} pixels. "
        f"After tonal optimisation the learned mask wins every comparison on at least {least} of them.\n\n"
        f"{markdown_table(head, rows)}"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dinp.benchmarks.masks", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with report/bsds_test")
    parser.add_argument("--set", default="report/bsds_test", help="folder of the pictures below --data")
    parser.add_argument("--pictures", type=int, help="use the first pictures only")
    parser.add_argument("--size", type=int, default=SIZE, help=f"side of the central crop (default {SIZE})")
    parser.add_argument("--densities", type=float, nargs="+", default=list(DENSITIES))
    parser.add_argument("--out", type=Path, required=True, help="JSON file for the results")
    parser.add_argument("--readme", type=Path, help="write the table into this file, between its markers")
    args = parser.parse_args(argv)
    folder = args.data / args.set
    paths = sorted(p for p in folder.glob("*") if p.suffix.lower() in {".jpg", ".png", ".pgm", ".tif"})[: args.pictures]
    if not paths:
        sys.stderr.write(f"there are no pictures in {folder}\n")
        return 1
    torch.set_num_threads(1)
    try:
        rows = run(paths, args.densities, size=args.size)
    except DinpError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    settings = {"set": args.set, "pictures": [p.name for p in paths], "size": args.size}
    settings |= {"tonal_steps": TONAL_STEPS, "tonal_cycles": TONAL_CYCLES, "psnr": "clipped to 0-255, not rounded"}
    result = {"benchmark": "masks", **environment(PACKAGES), "threads": 1, **settings}
    result |= {"margins": margins(rows), "results": rows}
    args.out.write_text(json.dumps(result, indent=1) + "\n")
    if args.readme:
        replace_section(args.readme, "<!-- masks -->", readme_table(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
