"""Fixed-point arithmetic of the context models: exact on every machine.

Numbers with a fraction are integers in units of 2^-10 (`FRACTION` bits). Nothing here rounds in floating point: where
float64 appears it holds integers below 2^53, on which sums and products are exact in any order. All divisions, shifts
to the right and // are floors, of negative numbers, too.
"""

from functools import cached_property

import numpy as np

from dinp.kernels import kernels

FRACTION = 10
UNIT = 1 << FRACTION


def log2_fixed(x: np.ndarray) -> np.ndarray:
    """Piecewise linear log2 of integers x >= 1, in units of 2^-10: exact at powers of two, linear between them.

    With e = floor(log2 x): 1024 e + floor(x 2^(10 - e)) - 1024.
    """
    exponent = np.frexp(x.astype(np.float64))[1].astype(np.int64) - 1
    high = np.maximum(exponent - FRACTION, 0)
    mantissa = np.where(exponent > FRACTION, x >> high, x << np.maximum(FRACTION - exponent, 0))
    return (exponent << FRACTION) + mantissa - UNIT


def signed_log(x: np.ndarray) -> np.ndarray:
    """sign(x) log2(1 + |x|) for x in units of 2^-10, result likewise: log2_fixed(|x| + 1024) - 10240 with the sign."""
    return np.sign(x) * (log2_fixed(np.abs(x) + UNIT) - (FRACTION << FRACTION))


class IntegerNetwork:
    """A small fully connected network with integer weights, evaluated exactly.

    Layer l maps integers x (n, d) to (x W_l + b_l) >> 12, clipped to 0..2^15 - 1 in hidden layers (a ReLU) and to
    -2^20..2^20 in the last. Weights are in units of 2^-12, inputs and results in units of 2^-10.

    Parameters
    ----------
    weights : list of (d_in, d_out) integer arrays, |w| < 2^17 (the kernels do those with |w| < 2^15)
    biases : list of (d_out,) integer arrays, in units of 2^-22, |b| < 2^40
    """

    SHIFT = 12
    HIDDEN_MAX = (1 << 15) - 1
    INPUT_MAX = (1 << 15) - 1
    OUTPUT_MAX = 1 << 20
    _WIDEST = 254  # inputs or outputs of a layer that the kernels have room for
    _MOST = (1 << 16) - 1  # weights of a segment, added up: their sums with inputs stay below 2^31

    def __init__(self, weights: list[np.ndarray], biases: list[np.ndarray]) -> None:
        self._weights = [np.asarray(w, dtype=np.int64) for w in weights]
        self._biases = [np.asarray(b, dtype=np.int64) for b in biases]

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Outputs (n, d_out) int64 for inputs (n, d_in) integers, which are clipped to +-(2^15 - 1)."""
        x = np.clip(x, -self.INPUT_MAX, self.INPUT_MAX)
        if kernels and self.packed is not None:
            out = np.empty((x.shape[0], self._biases[-1].size), dtype=np.int32)
            inputs = np.ascontiguousarray(x, dtype=np.int16)
            kernels.run_network(self.packed, inputs, out, x.shape[1], out.shape[1], False)
            return out.astype(np.int64)
        h = x.astype(np.float64)
        last = len(self._weights) - 1
        for layer, (w, b) in enumerate(zip(*self._floats, strict=True)):
            # all terms are integers: |sum| < 2^17 * 2^15 * d + 2^40 < 2^53
            h = h @ w
            h += b
            h *= 2.0**-self.SHIFT
            np.floor(h, out=h)
            np.clip(h, *((0, self.HIDDEN_MAX) if layer < last else (-self.OUTPUT_MAX, self.OUTPUT_MAX)), out=h)
        return h.astype(np.int64)

    @cached_property
    def _floats(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        return [w.astype(np.float64) for w in self._weights], [b.astype(np.float64) for b in self._biases]

    @cached_property
    def packed(self) -> np.ndarray | None:
        """What the kernels read, 64-bit integers, see `codec/kernels/network.h`; None where they have no room."""
        if any(max(w.shape) > self._WIDEST or np.abs(w).max() > self.INPUT_MAX for w in self._weights):
            return None
        parts = [np.array([len(self._weights)])]
        for layer, (w, b) in enumerate(zip(self._weights, self._biases, strict=True)):
            padded = np.zeros((w.shape[0] + w.shape[0] % 2, -(-w.shape[1] // 8) * 8), dtype=np.int64)
            padded[: w.shape[0], : w.shape[1]] = w
            pairs = padded.reshape(-1, 2, padded.shape[1])
            ends = self._segments(pairs, signed=layer == 0)
            bias = np.zeros(padded.shape[1], dtype=np.int64)
            bias[: b.size] = b
            blocks = pairs.reshape(pairs.shape[0], 2, -1, 8).transpose(2, 0, 3, 1)
            weights = np.ascontiguousarray(blocks, dtype=np.int16).ravel().view(np.int64)
            parts += [np.array([pairs.shape[0], bias.size, len(ends), *ends]), bias, weights]
        return np.concatenate(parts, dtype=np.int64)

    def _segments(self, pairs: np.ndarray, *, signed: bool) -> list[int]:
        """Where segments of pairs (pairs, 2, outputs) of weights end, whose sums with any inputs fit 32 bits.

        Inputs of hidden layers are not negative: then weights of one sign do not add to those of the other.
        """
        ends = []
        above, below = np.zeros(pairs.shape[2]), np.zeros(pairs.shape[2])
        for number, pair in enumerate(pairs):
            up, down = np.maximum(pair, 0).sum(axis=0), np.maximum(-pair, 0).sum(axis=0)
            above, below = above + up, below + down
            if max((above + below).max() if signed else above.max(), below.max()) > self._MOST:
                ends.append(number)
                above, below = up, down
        return [*ends, pairs.shape[0]]

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "IntegerNetwork":
        """From arrays named w0, b0, w1, b1, ..."""
        count = sum(name.startswith("w") for name in arrays)
        return cls([arrays[f"w{k}"] for k in range(count)], [arrays[f"b{k}"] for k in range(count)])
