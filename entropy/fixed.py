"""Fixed-point arithmetic of the context models: exact on every machine.

Numbers with a fraction are integers in units of 2^-10 (`FRACTION` bits). Nothing here rounds in floating point: where
float64 appears it holds integers below 2^53, on which sums and products are exact in any order.
"""

import numpy as np

FRACTION = 10
UNIT = 1 << FRACTION


def log2_fixed(x: np.ndarray) -> np.ndarray:
    """Piecewise linear log2 of integers x >= 1, in units of 2^-10: exact at powers of two, linear between them."""
    exponent = np.frexp(x.astype(np.float64))[1].astype(np.int64) - 1
    high = np.maximum(exponent - FRACTION, 0)
    mantissa = np.where(exponent > FRACTION, x >> high, x << np.maximum(FRACTION - exponent, 0))
    return (exponent << FRACTION) + mantissa - UNIT


def signed_log(x: np.ndarray) -> np.ndarray:
    """sign(x) log2(1 + |x|) for x in units of 2^-10, result likewise."""
    return np.sign(x) * (log2_fixed(np.abs(x) + UNIT) - (FRACTION << FRACTION))


class IntegerNetwork:
    """A small fully connected network with integer weights, evaluated exactly.

    Layer l maps integers x (n, d) to (x W_l + b_l) >> 12, clipped to 0..2^15 - 1 in hidden layers (a ReLU) and to
    -2^20..2^20 in the last. Weights are in units of 2^-12, inputs and results in units of 2^-10.

    Parameters
    ----------
    weights : list of (d_in, d_out) integer arrays, |w| < 2^17
    biases : list of (d_out,) integer arrays, in units of 2^-22, |b| < 2^40
    """

    SHIFT = 12
    HIDDEN_MAX = (1 << 15) - 1
    INPUT_MAX = 1 << 15
    OUTPUT_MAX = 1 << 20

    def __init__(self, weights: list[np.ndarray], biases: list[np.ndarray]) -> None:
        self._weights = [np.asarray(w, dtype=np.float64) for w in weights]
        self._biases = [np.asarray(b, dtype=np.float64) for b in biases]

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Outputs (n, d_out) int64 for inputs (n, d_in) integers, which are clipped to +-2^15."""
        h = np.clip(x, -self.INPUT_MAX, self.INPUT_MAX).astype(np.float64)
        last = len(self._weights) - 1
        for layer, (w, b) in enumerate(zip(self._weights, self._biases, strict=True)):
            # all terms are integers: |sum| < 2^17 * 2^15 * d + 2^40 < 2^53
            h = h @ w
            h += b
            h *= 2.0**-self.SHIFT
            np.floor(h, out=h)
            np.clip(h, *((0, self.HIDDEN_MAX) if layer < last else (-self.OUTPUT_MAX, self.OUTPUT_MAX)), out=h)
        return h.astype(np.int64)

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "IntegerNetwork":
        """From arrays named w0, b0, w1, b1, ..."""
        count = sum(name.startswith("w") for name in arrays)
        return cls([arrays[f"w{k}"] for k in range(count)], [arrays[f"b{k}"] for k in range(count)])
