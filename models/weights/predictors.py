"""The tree network as a plain function of numpy arrays, run by onnxruntime; the mask network is in `mask_model`.

Planes are standardised as a whole. Large ones are then done in tiles, which overlap by as much as the network sees, or
nearly so: memory stays bounded. The planes of large pictures are seen at half their resolution where few leaves are
wanted, and by a lighter network elsewhere.
"""

from collections.abc import Callable
from functools import cache
from importlib.resources.abc import Traversable
from pathlib import Path

import numpy as np

from dinp.models.networks.hints import hints
from dinp.models.weights.files import read_weights, shipped
from dinp.models.weights.planes import checked, level, padded, standardised, tiles
from dinp.models.weights.runtime import OnnxNetwork

TreeModel = Callable[[np.ndarray, float], list[np.ndarray]]

SIDES = (32, 16, 8, 4, 2)
SPARSE = 0.015  # leaves per pixel up to which planes of large pictures are seen at half their resolution
LATE = 1.0  # octaves of cost that cells of side 2 are then split later than optimal pruning would
TILE = 1920  # pixels, a multiple of 32

# By version, the file and the margin of a tile in pixels, a multiple of 32. Networks see 186 far, but with a margin of
# 128 none of 15,216 splits in 1.6 million pixels of photographs changed, nor of 78,720 in 13 million of enlarged ones;
# of these 48 did with 64, which saves a twelfth of the work at 3840x2160.
VERSIONS = {1: ("tree", 128), 2: ("tree2", 64)}


def load_tree_model(path: Path | Traversable | None = None, version: int = 1) -> TreeModel:
    """The tree network as a function of numpy arrays.

    Parameters
    ----------
    path : Path, optional
        Weights; without it those that ship with the package, of a version.
    version : int
        1, or 2 for the lighter network.

    Returns
    -------
    callable
        (plane, density) -> split logits. `plane`: (H, W), grey values 0-255, any size; `density`: wanted leaves per
        pixel, in (0, 1]. Logits: for the cell sides 32, 16, 8, 4, 2 one (ceil(H / side), ceil(W / side)) float32 array,
        the logit that a cell, given that it exists, is split into four. Raises DinpError for other input.
    """
    name, margin = VERSIONS[version]
    weights = read_weights("tree", shipped(f"{name}.npz") if path is None else path)
    network = OnnxNetwork(name, weights)
    hinted = "trust" in weights.arrays

    def splits(plane: np.ndarray, density: float) -> list[np.ndarray]:
        plane = checked(plane, density)
        window, known = padded(standardised(plane)), level(density, weights.config)
        clues = hints(window, density) if hinted else []
        logits = [np.empty(tuple(n // side for n in window.shape), dtype=np.float32) for side in SIDES]
        windows = list(tiles(window.shape, (TILE, TILE), margin))
        for number, (seen, tile, inside) in enumerate(windows, 1):
            given = {"padded": window[seen][None, None], "level": known}
            for side, clue in zip(reversed(SIDES), clues, strict=hinted):
                given[f"hint_{side}"] = clue[_divided(seen, side)][None, None]
            found = network([f"split_{side}" for side in SIDES], more=number < len(windows), **given)
            for side, full, part in zip(SIDES, logits, found, strict=True):
                full[_divided(tile, side)] = part[0, 0][_divided(inside, side)]
        height, width = plane.shape
        return [full[: -(-height // side), : -(-width // side)] for side, full in zip(SIDES, logits, strict=True)]

    splits.prepare = network.prepare
    return splits


def halved(model: TreeModel) -> TreeModel:
    """A tree model that sees planes at half their resolution, with four times the leaves per pixel.

    That is a fourth of the work, and what a network that was trained on small pictures knows. Cells of side 2, of which
    hardly any are split where leaves are few, have the hints of optimal pruning for scores. At the same error a tuning
    photograph enlarged to 1024x1024 took 0.3-0.4 % fewer bytes with 0.8-2.5 % of leaves, 2 % more with 6 %; sharp ones
    of 512x512 take as many with 1.5 %, 3 % more with 2.3 %.
    """

    def splits(plane: np.ndarray, density: float) -> list[np.ndarray]:
        plane = checked(plane, density)
        coarser = padded(plane, 2)
        rows = coarser[::2] + coarser[1::2]
        scores = model((rows[:, ::2] + rows[:, 1::2]) / 4, min(4 * density, 1.0))[1:]  # those of side 64 are not needed
        finest = hints(padded(standardised(plane)), density)[0] - LATE
        height, width = plane.shape
        return [s[: -(-height // side), : -(-width // side)] for side, s in zip(SIDES, [*scores, finest], strict=True)]

    splits.prepare = model.prepare
    return splits


def for_large_pictures(model: TreeModel, lighter: TreeModel) -> TreeModel:
    """A tree model for planes of large pictures, from one and a lighter one of the same cells."""
    sparse = halved(model)

    def splits(plane: np.ndarray, density: float) -> list[np.ndarray]:
        return (sparse if density <= SPARSE else lighter)(plane, density)

    splits.prepare = sparse.prepare  # photographs have fewer leaves per pixel, the larger they are
    return splits


def shipped_tree_model(*, large: bool = False) -> TreeModel:
    """The shipped networks for a picture, which may be large: loaded once; raises as `load_tree_model`."""
    return for_large_pictures(_shipped(1), _shipped(2)) if large else _shipped(1)


@cache
def _shipped(version: int) -> TreeModel:
    return load_tree_model(version=version)


def _divided(part: tuple[slice, slice], side: int) -> tuple[slice, slice]:
    """Rows and columns of cells, from those of pixels."""
    return tuple(slice(p.start // side, p.stop // side) for p in part)
