"""Restoration (section 13), versions 1 to 3, by numpy in double precision."""

import functools

import numpy as np

from .common import clip
from .networks import STEP, named_by_document
from .planes import Plane


@functools.cache
def _weights(version: int) -> dict[str, np.ndarray]:
    path = f"models/weights/restoration{'' if version == 1 else version}.npz"
    arrays = named_by_document(path)
    return {name: array.astype(float) for name, array in arrays.items() if name != "config"}


def _convolved(w: dict[str, np.ndarray], name: str, x: np.ndarray) -> np.ndarray:
    kernel, n = w[name + ".weight"], w[name + ".weight"].shape[2] // 2
    padded = np.pad(x, ((0, 0), (n, n), (n, n)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape[2:], axis=(1, 2))
    return np.einsum("ocab,cyxab->oyx", kernel, windows, optimize=True) + w[name + ".bias"][:, None, None]


def _down(w: dict[str, np.ndarray], name: str, x: np.ndarray) -> np.ndarray:
    kernel = w[name + ".weight"]
    blocks = x.reshape(x.shape[0], x.shape[1] // 2, 2, x.shape[2] // 2, 2)
    return np.einsum("ocab,cyaxb->oyx", kernel, blocks, optimize=True) + w[name + ".bias"][:, None, None]


def _block(w: dict[str, np.ndarray], name: str, x: np.ndarray) -> np.ndarray:
    inner = _convolved(w, name + ".first", np.maximum(x, 0))
    return x + _convolved(w, name + ".second", np.maximum(inner, 0))


def _correction(version: int, u: np.ndarray, mask: np.ndarray, side_log2: np.ndarray, step: float) -> np.ndarray:
    w = _weights(version)
    quarters = [(0, 0), (0, 1), (1, 0), (1, 1)]
    inputs = [(u[a::2, b::2] - 128) / 64 for a, b in quarters] + [mask[a::2, b::2] for a, b in quarters]
    inputs += [(side_log2[::2, ::2] - 2) / 2, np.full_like(inputs[0], (np.log2(step) - 3) / 3)]
    x = _convolved(w, "stem", np.stack(inputs))
    y = [_block(w, "encode.0", x)]
    for i in (1, 2, 3):
        y.append(_block(w, f"encode.{i}", _down(w, f"down.{i - 1}", y[-1])))
    z = y[3]
    for i in (2, 1, 0):
        doubled = _convolved(w, f"up.{i}", z).repeat(2, axis=1).repeat(2, axis=2)
        z = _block(w, f"decode.{i}", y[i] + doubled)
    four = _convolved(w, "head", np.maximum(z, 0)) * 0.5 * step**0.75
    correction = np.empty_like(u)
    for channel, (a, b) in zip(four, quarters, strict=True):
        correction[a::2, b::2] = channel
    return correction


def restored(plane: Plane, values: np.ndarray, depth: int) -> np.ndarray:
    """The plane with what its restoration adds, (H, W); `values` are those of the inpainting."""
    height, width = plane.shape
    mask, side_log2 = np.zeros(plane.shape), np.zeros(plane.shape)
    for value in plane.values:
        for pixel in value.pixels:
            mask[pixel] = 1
    if plane.structure == 0:
        for value in plane.values:
            k = value.side.bit_length() - 1
            top, left = value.y >> k << k, value.x >> k << k
            side_log2[top : top + value.side, left : left + value.side] = k
    else:
        side_log2[:] = plane.side_log2
    step = STEP[clip(plane.step_index, 0, 255)] * 2.0**-depth / 16
    margin = ((0, -height % 16), (0, -width % 16))
    u, mask, sides = (np.pad(array, margin, mode="edge") for array in (values, mask, side_log2))
    correction = _correction(plane.restoration, u, mask, sides, step)
    if plane.restoration == 1:
        turned = _correction(1, u.T, mask.T, sides.T, step).T
        return values + ((correction + turned) / 2)[:height, :width]
    correction = correction[:height, :width]
    tiles = [(y, x) for y in range(0, height, 128) for x in range(0, width, 128)]
    flat = [(y, x) for y, x in tiles if (side_log2[y : y + 128, x : x + 128] >= 4).all()]
    if 4 * len(flat) <= 3 * len(tiles):
        for y, x in flat:
            correction[y : y + 128, x : x + 128] = 0
    return values + correction
