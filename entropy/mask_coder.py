"""Coding of free masks, any set of pixels: occupancy flags of cells of side 32, 16, ..., 1, coarse to fine."""

import numpy as np

from dinp.entropy.coder import RangeDecoder, RangeEncoder
from dinp.entropy.flag_coder import PER_BIT, code_flags
from dinp.entropy.tree import grid_shape

KIND = "mask"
_SIDES = [32, 16, 8, 4, 2, 1]


def occupancy(mask: np.ndarray, sides: list[int] = _SIDES) -> list[np.ndarray]:
    """Whether each cell holds a mask pixel: list of (ceil(H/s), ceil(W/s)) bool arrays for `sides`."""
    flags = []
    for side in sides:
        rows, columns = grid_shape(mask.shape, side)
        padded = np.zeros((rows * side, columns * side), dtype=bool)
        padded[: mask.shape[0], : mask.shape[1]] = mask
        flags.append(padded.reshape(rows, side, columns, side).any(axis=(1, 3)))
    return flags


def encode_mask(encoder: RangeEncoder, mask: np.ndarray) -> None:
    """Code a mask (H, W) bool, whose shape the decoder knows."""
    flags = occupancy(mask)

    def code(level: int, cells: np.ndarray, ones: np.ndarray) -> np.ndarray:
        bits = flags[level].ravel()[cells]
        encoder.encode_bits(bits, ones, KIND)
        return bits

    code_flags(mask.shape, _SIDES, "mask", code)


def decode_mask(decoder: RangeDecoder, shape: tuple[int, int]) -> np.ndarray:
    """Mirror of `encode_mask`: (H, W) bool."""

    def code(_level: int, _cells: np.ndarray, ones: np.ndarray) -> np.ndarray:
        return decoder.decode_bits(ones, KIND)

    return code_flags(shape, _SIDES, "mask", code, lambda count: decoder.expect(count, PER_BIT))[-1]
