"""The tree network as a plain function of numpy arrays, run by onnxruntime; the mask network is in `mask_model`.

Planes are standardised as a whole. Large ones are then done in tiles, which overlap by as much as the network sees, or
nearly so: memory stays bounded.
"""

from collections.abc import Callable, Iterator
from functools import cache
from importlib.resources.abc import Traversable
from itertools import pairwise, product
from pathlib import Path

import numpy as np

from dinp.models.networks.hints import ROOT, hints
from dinp.models.weights.files import read_weights, shipped
from dinp.models.weights.planes import checked, level, padded, standardised
from dinp.models.weights.runtime import OnnxNetwork

TreeModel = Callable[[np.ndarray, float], list[np.ndarray]]

SIDES = (32, 16, 8, 4, 2)
TILE = 1920  # pixels, a multiple of 32
# pixels, a multiple of 32; the network sees 186 far, but in 1.6 million pixels of photographs a margin of
# 128 changed none of the tree's 15,216 splits, and saves up to a tenth of the work
TREE_MARGIN = 128


def load_tree_model(path: Path | Traversable | None = None) -> TreeModel:
    """The tree network as a function of numpy arrays.

    Returns
    -------
    callable
        (plane, density) -> split logits. `plane`: (H, W), grey values 0-255, any size; `density`: wanted leaves per
        pixel, in (0, 1]. Logits: for the cell sides 32, 16, 8, 4, 2 one (ceil(H / side), ceil(W / side)) float32 array,
        the logit that a cell, given that it exists, is split into four. Raises DinpError for other input.
    """
    weights = read_weights("tree", shipped("tree.npz") if path is None else path)
    network = OnnxNetwork("tree", weights)
    hinted = "trust" in weights.arrays

    def splits(plane: np.ndarray, density: float) -> list[np.ndarray]:
        plane = checked(plane, density)
        window, known = padded(standardised(plane)), level(density, weights.config)
        clues = hints(window, density) if hinted else []
        logits = [np.empty(tuple(n // side for n in window.shape), dtype=np.float32) for side in SIDES]
        tiles = list(_tiles(window.shape, TREE_MARGIN))
        for number, (seen, tile, inside) in enumerate(tiles, 1):
            given = {"padded": window[seen][None, None], "level": known}
            for side, clue in zip(reversed(SIDES), clues, strict=hinted):
                given[f"hint_{side}"] = clue[_divided(seen, side)][None, None]
            found = network([f"split_{side}" for side in SIDES], more=number < len(tiles), **given)
            for side, full, part in zip(SIDES, logits, found, strict=True):
                full[_divided(tile, side)] = part[0, 0][_divided(inside, side)]
        height, width = plane.shape
        return [full[: -(-height // side), : -(-width // side)] for side, full in zip(SIDES, logits, strict=True)]

    splits.prepare = network.prepare
    return splits


@cache
def shipped_tree_model() -> TreeModel:
    """The tree network with the weights that ship with the package, loaded once; raises as `load_tree_model`."""
    return load_tree_model()


def _tiles(shape: tuple[int, int], margin: int) -> Iterator[tuple[tuple[slice, slice], ...]]:
    """Windows that cover a padded plane, the tile in the middle of each, and where in the window it is."""
    for tile in product(*map(_parts, shape)):
        starts = [max(0, part.start - margin) for part in tile]
        yield (
            tuple(slice(start, part.stop + margin) for start, part in zip(starts, tile, strict=True)),
            tile,
            tuple(slice(part.start - start, part.stop - start) for start, part in zip(starts, tile, strict=True)),
        )


def _parts(side: int) -> list[slice]:
    """A side of a plane, a multiple of 32, in about equal parts of at most TILE."""
    count = -(-side // TILE)
    return [slice(a, b) for a, b in pairwise([ROOT * (side // ROOT * k // count) for k in range(count + 1)])]


def _divided(part: tuple[slice, slice], side: int) -> tuple[slice, slice]:
    """Rows and columns of cells, from those of pixels."""
    return tuple(slice(p.start // side, p.stop // side) for p in part)
