"""The mask network and the tree network as plain functions of numpy arrays, run by onnxruntime.

Planes are standardised as a whole. Large ones are then done in tiles, which overlap by as much as the networks see, or
nearly so: memory stays bounded.
"""

import math
from collections.abc import Callable, Iterator
from functools import cache
from importlib.resources.abc import Traversable
from itertools import pairwise, product
from pathlib import Path

import numpy as np

from dinp.errors import DinpError
from dinp.models.networks.hints import ROOT, hints
from dinp.models.weights.files import read_weights, shipped
from dinp.models.weights.runtime import OnnxNetwork

MaskModel = Callable[[np.ndarray, float], np.ndarray]
TreeModel = Callable[[np.ndarray, float], list[np.ndarray]]

SIDES = (32, 16, 8, 4, 2)
NEWTON_STEPS = 60
TILE = 1920  # pixels, a multiple of 32
# pixels, multiples of 32; the networks see 188 and 186 pixels far, but in 1.6 million pixels of photographs a margin of
# 128 changed none of the tree's 15,216 splits, and saves up to a tenth of the work
MASK_MARGIN, TREE_MARGIN = 192, 128


def load_mask_model(path: Path | Traversable | None = None) -> MaskModel:
    """The mask network as a function of numpy arrays.

    Returns
    -------
    callable
        (plane, density) -> confidences. `plane`: (H, W), grey values 0-255, any size; `density`: wanted mean,
        in (0, 1]. Confidences: (H, W) float32 in [0, 1] with mean `density`. Raises DinpError for other input.
    """
    weights = read_weights("mask", shipped("mask.npz") if path is None else path)
    network = OnnxNetwork("mask", weights)

    def confidences(plane: np.ndarray, density: float) -> np.ndarray:
        plane = _checked(plane, density)
        if density == 1:
            return np.ones(plane.shape, dtype=np.float32)
        standard = standardised(plane)
        padded, level = _padded(standard), _level(density, weights.config)
        logits = np.empty(plane.shape, dtype=np.float32)
        for seen, tile, inside in _tiles(padded.shape, MASK_MARGIN):
            given = {"padded": padded[seen][None, None], "plane": standard[seen][None, None], "level": level}
            found = network(["logits"], **given)[0][0, 0]
            logits[tile] = found[inside][: logits[tile].shape[0], : logits[tile].shape[1]]
        return exact_mean(logits, density)

    return confidences


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
        plane = _checked(plane, density)
        padded, level = _padded(standardised(plane)), _level(density, weights.config)
        clues = hints(padded, density) if hinted else []
        logits = [np.empty(tuple(n // side for n in padded.shape), dtype=np.float32) for side in SIDES]
        for seen, tile, inside in _tiles(padded.shape, TREE_MARGIN):
            given = {"padded": padded[seen][None, None], "level": level}
            for side, clue in zip(reversed(SIDES), clues, strict=hinted):
                given[f"hint_{side}"] = clue[_divided(seen, side)][None, None]
            found = network([f"split_{side}" for side in SIDES], **given)
            for side, full, part in zip(SIDES, logits, found, strict=True):
                full[_divided(tile, side)] = part[0, 0][_divided(inside, side)]
        height, width = plane.shape
        return [full[: -(-height // side), : -(-width // side)] for side, full in zip(SIDES, logits, strict=True)]

    return splits


@cache
def shipped_tree_model() -> TreeModel:
    """The tree network with the weights that ship with the package, loaded once; raises as `load_tree_model`."""
    return load_tree_model()


def standardised(plane: np.ndarray) -> np.ndarray:
    """The plane (H, W) float32 with mean 0 and standard deviation 1; a flat plane stays flat."""
    mean = plane.mean(dtype=np.float64)
    centred = plane - mean
    return (centred / np.sqrt(np.mean(centred * centred) + 1)).astype(np.float32)


def exact_mean(logits: np.ndarray, density: float) -> np.ndarray:
    """sigmoid(z + b), float32, b solved so that the mean is the density: Newton steps that fall back to bisection."""
    z = logits.astype(np.float64)
    target = math.log(density / (1 - density))
    low, high = target - float(z.max()), target - float(z.min())
    bias = (low + high) / 2
    c = _sigmoid(z + bias)
    for _ in range(NEWTON_STEPS):
        excess = float(c.mean()) - density
        if abs(excess) <= 1e-10 * density:
            break
        low, high = (low, bias) if excess > 0 else (bias, high)
        newton = bias - excess / max(float((c * (1 - c)).mean()), 1e-30)
        bias = newton if low < newton < high else (low + high) / 2
        c = _sigmoid(z + bias)
    return c.astype(np.float32)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, small) / (1 + small)


def _checked(plane: np.ndarray, density: float) -> np.ndarray:
    plane = np.ascontiguousarray(plane, dtype=np.float32)
    if plane.ndim != 2 or plane.size == 0:
        raise DinpError(f"a plane must have two dimensions and at least one pixel, not the shape {plane.shape}")
    if not np.isfinite(plane).all():
        raise DinpError("a plane must hold finite grey values")
    if not 0 < density <= 1:
        raise DinpError(f"density must be above 0 and at most 1, not {density!r}")
    return plane


def _padded(plane: np.ndarray) -> np.ndarray:
    return np.pad(plane, [(0, -side % ROOT) for side in plane.shape], mode="edge")


def _level(density: float, config: dict) -> np.ndarray:
    """Where the logarithm of a density lies in the network's range, -1 to 1, and its square, (1, 2) float32."""
    low, high = (math.log(d) for d in config["densities"])
    level = (2 * min(max(math.log(density), low), high) - low - high) / (high - low)
    return np.array([[level, level * level]], dtype=np.float32)


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
