"""Coding of trees: split flags, coarse to fine."""

import numpy as np

from dinp.entropy.coder import RangeDecoder, RangeEncoder
from dinp.entropy.flag_coder import PER_BIT, code_flags
from dinp.entropy.tree import Tree

KIND = "mask"


def encode_tree(encoder: RangeEncoder, tree: Tree) -> None:
    """Code the split flags of `tree`; its shape and root side are known to the decoder."""

    def code(level: int, cells: np.ndarray, ones: np.ndarray) -> np.ndarray:
        flags = tree.splits[level].ravel()[cells]
        encoder.encode_bits(flags, ones, KIND)
        return flags

    code_flags(tree.shape, tree.sides, "tree", code)


def decode_tree(decoder: RangeDecoder, shape: tuple[int, int], root_log2: int) -> Tree:
    """Mirror of `encode_tree`."""

    def code(_level: int, _cells: np.ndarray, ones: np.ndarray) -> np.ndarray:
        return decoder.decode_bits(ones, KIND)

    sides = [1 << k for k in range(root_log2, 0, -1)]
    return Tree(shape, code_flags(shape, sides, "tree", code, lambda count: decoder.expect(count, PER_BIT)))
