"""How masks of a network compare with searched ones in pictures of several sizes.

A network that was trained on crops of one size comes to rely on their borders: its masks are then worse in every other
size. Searched masks depend on no size, so what a network's are behind or ahead by should be nearly the same in all.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from dinp.benchmarks.masks.measuring import DENSITIES, METHODS, MaskMethod, central_crop, measure
from dinp.benchmarks.readme import markdown_table
from dinp.errors import DinpError
from dinp.models.masks.learned import PASSES, learned_mask
from dinp.models.masks.surrogate import surrogate_mask
from dinp.models.weights.mask_model import load_mask_model

OVER = "densification + exchange"
COMPARED = ("learned", "learned, one pass", "learned with a surrogate")


def compared(weights: Path | None = None) -> dict[str, MaskMethod]:
    """The learned methods by name; with a file of weights, the ways to binarise that network's confidences."""
    if weights is None:
        return {name: METHODS[name] for name in COMPARED}
    model, name = load_mask_model(weights), weights.name
    methods = {f"{name}, {PASSES} passes": partial(learned_mask, model=model)} if model.passes else {}
    methods[f"{name}, one pass"] = partial(learned_mask, model=model, passes=1)
    methods[f"{name}, error diffusion"] = partial(surrogate_mask, model=model)
    return methods


def evenly(paths: Sequence[Path], count: int) -> list[Path]:
    """So many of the paths, or all, evenly spaced."""
    return [paths[i] for i in np.unique(np.linspace(0, len(paths) - 1, count).round().astype(int))]


def measured(
    paths: Sequence[Path],
    methods: dict[str, MaskMethod],
    sizes: Sequence[int],
    densities: Sequence[float] = DENSITIES,
) -> Iterator[dict]:
    """A row for each size, density and method: mean PSNR in dB after tonal optimisation, and what it is over `OVER`.

    Parameters
    ----------
    paths : sequence of Path
        Pictures, of which the centres are taken.
    methods : dict
        By name, without `OVER`.
    sizes : sequence of int
        Sides of the centres, pixels.
    densities : sequence of float

    Raises
    ------
    DinpError
        A picture is smaller than the largest centre.
    """
    for path in paths:
        if min(central_crop(path, max(sizes)).shape) < max(sizes):
            raise DinpError(f"{path} is smaller than {max(sizes)} x {max(sizes)} pixels: give smaller --sizes")
    for size in sizes:
        planes = [central_crop(path, size) for path in paths]
        for density in densities:
            found = {
                name: [measure(plane, method(plane, density, seed))[1] for seed, plane in enumerate(planes)]
                for name, method in {OVER: METHODS[OVER], **methods}.items()
            }
            for name in methods:
                yield {
                    "pictures": len(planes),
                    "size": size,
                    "density": density,
                    "method": name,
                    "over": OVER,
                    "tonal_psnr": round(float(np.mean(found[name])), 3),
                    "tonal_db": round(float(np.mean(np.subtract(found[name], found[OVER]))), 3),
                }


def sizes_table(rows: Sequence[dict]) -> str:
    """Markdown: by how many dB each method is ahead of `OVER`, a line for each size and a column for each density."""
    densities, sizes, names = (list(dict.fromkeys(row[key] for row in rows)) for key in ("density", "size", "method"))
    ahead = {(row["size"], row["density"], row["method"]): f"{row['tonal_db']:+.2f}" for row in rows}
    lines = []
    for name in names:
        for size in sizes:
            cells = (ahead[size, density, name].replace("-", "−") for density in densities)
            lines.append([name, f"{size}x{size}", *cells])
    return markdown_table([f"dB over {OVER}", "pixels", *(f"{100 * density:g} %" for density in densities)], lines)
