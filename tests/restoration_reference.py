"""The restoration networks in numpy, plainly as `dinp.restoration` specifies them: what the runtime is held against."""

from itertools import pairwise

import numpy as np


class NumpyNetwork:
    """See `dinp.restoration.Network`; weights by the names of `dinp.models.networks.restoration`, float32."""

    def __init__(self, weights):
        self.weights = weights

    def correction(self, x, more=False):
        return self._forward(x, [])

    def gradient(self, x, wanted, covered, more=False):
        tape = []
        correction = self._forward(x, tape)
        return correction, self._adjoint(wanted - covered * correction, tape)[:4]

    def _forward(self, x, tape):
        """The correction; where rectified features are positive goes on the tape."""
        encoded = []
        for i in range(4):
            x = self._down(x, f"down.{i - 1}") if i else self._convolution(x, "stem")
            x = self._block(x, f"encode.{i}", tape)
            encoded.append(x)
        for i in (2, 1, 0):
            x = self._block(encoded[i] + doubled(self._convolution(x, f"up.{i}")), f"decode.{i}", tape)
        tape.append(x > 0)
        return self._convolution(np.maximum(x, 0), "head")

    def _adjoint(self, x, tape):
        """The transpose of the derivative of the forward pass; empties the tape."""
        x = self._transposed(x, "head") * tape.pop()
        below = []
        for i in range(3):
            x = self._block_adjoint(x, f"decode.{i}", tape)
            below.append(x)
            x = self._transposed(summed(x), f"up.{i}")
        for i in (3, 2, 1):
            x = self._down_adjoint(self._block_adjoint(x, f"encode.{i}", tape), f"down.{i - 1}") + below[i - 1]
        return self._transposed(self._block_adjoint(x, "encode.0", tape), "stem")

    def _block(self, x, name, tape):
        if f"{name}.first.weight" not in self.weights:
            return x
        y = self._convolution(np.maximum(x, 0), f"{name}.first")
        tape += [x > 0, y > 0]
        return x + self._convolution(np.maximum(y, 0), f"{name}.second")

    def _block_adjoint(self, x, name, tape):
        if f"{name}.first.weight" not in self.weights:
            return x
        y = self._transposed(x, f"{name}.second") * tape.pop()
        return x + self._transposed(y, f"{name}.first") * tape.pop()

    def _convolution(self, x, name):
        return convolved(x, self.weights[f"{name}.weight"]) + self.weights[f"{name}.bias"][:, None, None]

    def _transposed(self, x, name):
        """The transpose of the linear part of a layer of stride 1."""
        return convolved(x, self.weights[f"{name}.weight"].transpose(1, 0, 2, 3)[:, :, ::-1, ::-1])

    def _down(self, x, name):
        """2x2 convolution of disjoint blocks."""
        channels, height, width = x.shape
        blocks = x.reshape(channels, height // 2, 2, width // 2, 2)
        y = np.einsum("oikl,ihkwl->ohw", self.weights[f"{name}.weight"], blocks, optimize=True)
        return y + self.weights[f"{name}.bias"][:, None, None]

    def _down_adjoint(self, x, name):
        blocks = np.einsum("oikl,ohw->ihkwl", self.weights[f"{name}.weight"], x, optimize=True)
        channels, height, _, width, _ = blocks.shape
        return blocks.reshape(channels, 2 * height, 2 * width)


def convolved(x, weight):
    """Convolution of odd kernel over a border of zeros."""
    _, _, rows, columns = weight.shape
    height, width = x.shape[1:]
    padded = np.pad(x, ((0, 0), (rows // 2, rows // 2), (columns // 2, columns // 2)))
    return sum(
        np.tensordot(weight[:, :, i, j], padded[:, i : i + height, j : j + width], 1)
        for i in range(rows)
        for j in range(columns)
    )


def doubled(x):
    """Every sample repeated in a 2x2 block."""
    return x.repeat(2, axis=1).repeat(2, axis=2)


def summed(x):
    """Sums of disjoint 2x2 blocks."""
    return x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]


def random_weights(seed, widths=(8, 12, 16, 16)):
    """Weights of a small network of the form of version 1."""
    rng = np.random.default_rng(seed)
    shapes = {"stem": (widths[0], 10, 3, 3), "head": (4, widths[0], 3, 3)}
    for i, (a, b) in enumerate(pairwise(widths)):
        shapes |= {f"down.{i}": (b, a, 2, 2), f"up.{i}": (a, b, 1, 1)}
    for i, width in enumerate(widths):
        for block in ("encode", "decode")[: 2 - (i == 3)]:
            shapes |= {f"{block}.{i}.{part}": (width, width, 3, 3) for part in ("first", "second")}
    weights = {}
    for name, shape in shapes.items():
        weights[f"{name}.weight"] = rng.normal(0, 0.1, shape).astype(np.float32)
        weights[f"{name}.bias"] = rng.normal(0, 0.1, shape[0]).astype(np.float32)
    return weights
