"""Coding of the flags that say which pieces of regions are divided: adaptive counts, renewed every few flags.

docs/format.md, section 10.3, is the specification.

The context of a flag is the level of its piece and the size class of its area. In a context, a flag is set with
probability (set + PRIOR_SET) / (all + PRIOR_ALL), of the flags coded before the batch that it is in. Batches hold 16
flags, and the flags of a level end one.
"""

import numpy as np

from dinp.entropy.coder import ONE, RangeDecoder, RangeEncoder

KIND = "divisions"
BATCH = 16
LEVELS, SIZES = 9, 32
PRIOR_SET, PRIOR_ALL = 2, 8


class DivisionModel:
    """Counts of flags by context."""

    def __init__(self) -> None:
        self._set = np.full(LEVELS * SIZES, PRIOR_SET, dtype=np.int64)
        self._all = np.full(LEVELS * SIZES, PRIOR_ALL, dtype=np.int64)

    def contexts(self, side_log2: int, area: np.ndarray) -> np.ndarray:
        """Context of each piece of a level, (m,) int64."""
        return side_log2 * SIZES + np.frexp(area.astype(np.float64))[1].astype(np.int64) - 1

    def ones(self, context: np.ndarray) -> np.ndarray:
        """Probability of a set flag in 2^-16, (m,) int64."""
        return np.clip((self._set[context] << 16) // self._all[context], 64, ONE - 64)

    def learn(self, context: np.ndarray, flags: np.ndarray) -> None:
        """Take coded flags into account; counts of a context are halved where they reach 256."""
        np.add.at(self._set, context, flags)
        np.add.at(self._all, context, 1)
        full = self._all >= 256
        self._set[full] = (self._set[full] + 1) >> 1
        self._all[full] >>= 1


def encode_divisions(encoder: RangeEncoder, model: DivisionModel, context: np.ndarray, flags: np.ndarray) -> None:
    """Code the flags (m,) bool of a level."""
    for at in range(0, flags.size, BATCH):
        c, f = context[at : at + BATCH], flags[at : at + BATCH]
        encoder.encode_bits(f, model.ones(c), KIND)
        model.learn(c, f)


def decode_divisions(decoder: RangeDecoder, model: DivisionModel, context: np.ndarray) -> np.ndarray:
    """Mirror of `encode_divisions`: (m,) bool."""
    flags = np.zeros(context.size, dtype=bool)
    for at in range(0, flags.size, BATCH):
        c = context[at : at + BATCH]
        flags[at : at + BATCH] = decoder.decode_bits(model.ones(c), KIND)
        model.learn(c, flags[at : at + BATCH])
    return flags
