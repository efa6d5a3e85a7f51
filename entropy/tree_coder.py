"""Coding of trees: split flags, coarse to fine."""

import numpy as np

from dinp.entropy.coder import RangeDecoder, RangeEncoder
from dinp.entropy.flag_coder import code_flags, load_network, probability
from dinp.entropy.tree import Tree

KIND = "mask"


def encode_tree(encoder: RangeEncoder, tree: Tree) -> None:
    """Code the split flags of `tree`; its shape and root side are known to the decoder."""

    def code(level: int, cells: np.ndarray, log_odds: np.ndarray) -> np.ndarray:
        flags = tree.splits[level][cells[:, 0], cells[:, 1]]
        encoder.encode_bits(flags, probability(log_odds, "tree"), KIND)
        return flags

    code_flags(tree.shape, tree.sides, load_network("tree"), code)


def decode_tree(decoder: RangeDecoder, shape: tuple[int, int], root_log2: int) -> Tree:
    """Mirror of `encode_tree`."""

    def code(_level: int, _cells: np.ndarray, log_odds: np.ndarray) -> np.ndarray:
        return decoder.decode_bits(probability(log_odds, "tree"), KIND)

    sides = [1 << k for k in range(root_log2, 0, -1)]
    return Tree(shape, code_flags(shape, sides, load_network("tree"), code))
