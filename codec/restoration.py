r"""Restoration: what diffusion leaves behind, spikes at the known pixels and smoothness elsewhere, is put right.

A small convolutional network (trained by `dinp.models.training.train_restoration`) predicts the correction from the
reconstruction, the mask, the sides of the cells and the quantisation step. It comes after the solver and cannot
influence what is parsed. This module runs it in numpy, so that decoding needs no torch; its docstring and the file of
weights specify version 1 of the restoration.

The plane is continued below and to the right by its last row and column to sides that are multiples of 16. Input
channels, at half resolution: the grey values (u - 128) / 64 and the mask (0 or 1) of the four pixels of each 2x2 block
(upper left, upper right, lower left, lower right), (log2 of the side of the cell that holds the upper left pixel - 2) /
2, and (log2 step - 3) / 3. Then a U-Net with strides 2, 4, 8 and 16:

    x_0 = stem(input), x_i = down_i(y_(i-1)) for i = 1, 2, 3, where y_i = block(encode_i, x_i)
    z_3 = y_3, z_i = block(decode_i, y_i + doubled(up_i(z_(i+1)))) for i = 2, 1, 0
    correction = head(relu(z_0)) * 0.5 step^0.75, four pixels of each 2x2 block

block(x) = x + second(relu(first(relu(x)))). stem, first, second and head are 3x3 convolutions over a border of zeros,
down_i takes disjoint 2x2 blocks, up_i is 1x1, and doubled repeats each sample in a 2x2 block. The restored plane is
u + (correction + transposed correction of the transposed plane) / 2: what chance left in the weights is not the same in
both, so that their mean is better than either.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from dinp.entropy.tree import Tree
from dinp.threads import in_parallel, single_blas, thread_count

VERSION = 1
MULTIPLE = 16
INPUTS = 10
TILE = 1536  # pixels, a multiple of MULTIPLE
MARGIN = 112  # pixels, a multiple of MULTIPLE; the network sees 107 pixels far
TOGETHER = 1 << 20  # pixels of a tile at most for both orientations to be done at the same time
_BLOCK = 1 << 12  # columns of a product at a time: the patches stay in the cache


@dataclass(frozen=True)
class DecodedPlane:
    """What the decoder knows of a plane.

    Attributes
    ----------
    reconstruction : (H, W) float64
        The inpainting, grey values nominally 0-255.
    mask : (H, W) bool
        The inpainting mask.
    side_log2 : (H, W) uint8
        log2 of the side of the cell that holds each pixel.
    step : float
        Quantisation step of cells of side 8, grey levels.
    """

    reconstruction: np.ndarray
    mask: np.ndarray
    side_log2: np.ndarray
    step: float

    def window(self, part: tuple[slice, slice]) -> "DecodedPlane":
        """Some rows and columns of the plane."""
        return DecodedPlane(self.reconstruction[part], self.mask[part], self.side_log2[part], self.step)

    def transposed(self) -> "DecodedPlane":
        """The plane with its rows as columns."""
        return DecodedPlane(self.reconstruction.T, self.mask.T, self.side_log2.T, self.step)


def side_map(structure: Tree | np.ndarray, side_log2: int) -> np.ndarray:
    """log2 of the side of the cell that holds each pixel, (H, W) uint8; of a free mask, `side_log2` everywhere."""
    if not isinstance(structure, Tree):
        return np.full(structure.shape, side_log2, dtype=np.uint8)
    height, width = structure.shape
    sides = np.full((1, 1), len(structure.splits), dtype=np.uint8)
    for level, split in enumerate(structure.splits):
        if level == 0:
            sides = np.full(split.shape, len(structure.splits), dtype=np.uint8)
        rows, columns = split.shape
        sides = sides[:rows, :columns] - split
        sides = sides.repeat(2, axis=0).repeat(2, axis=1)
    return sides[:height, :width]


def network_input(plane: DecodedPlane) -> np.ndarray:
    """Input channels (10, H' / 2, W' / 2) float32, H' and W' being H and W rounded up to multiples of 16."""
    height, width = plane.mask.shape
    padding = ((0, -height % MULTIPLE), (0, -width % MULTIPLE))
    grey = np.pad((plane.reconstruction.astype(np.float32) - 128) / 64, padding, mode="edge")
    mask = np.pad(plane.mask, padding, mode="edge")
    side = np.pad(plane.side_log2, padding, mode="edge")
    out = np.empty((INPUTS, grey.shape[0] // 2, grey.shape[1] // 2), dtype=np.float32)
    for k, (y, x) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
        out[k] = grey[y::2, x::2]
        out[4 + k] = mask[y::2, x::2]
    out[8] = (side[::2, ::2].astype(np.float32) - 2) / 2
    out[9] = (np.log2(plane.step) - 3) / 3
    return out


def correction_scale(step: float) -> float:
    """Grey levels per unit of the network's output, for a step of cells of side 8 in grey levels."""
    return 0.5 * step**0.75


class Restoration:
    """The restoration network.

    Parameters
    ----------
    weights : dict of str to float32 array
        Kernels and biases by the names of `dinp.models.networks.restoration`.
    """

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        self.weights = {name: np.ascontiguousarray(w, dtype=np.float32) for name, w in weights.items()}

    @single_blas()
    def __call__(self, plane: DecodedPlane, *, draft: bool = False) -> np.ndarray:
        """The restored plane, (H, W) float64, grey values nominally 0-255.

        A `draft` is without the transposed plane, in half the time.

        Large planes are done in tiles, which overlap by more than the network sees: up to rounding, the result is that
        of the whole, in at most about 1 GiB.
        """
        out = np.array(plane.reconstruction, dtype=np.float64)
        for window, tile, inside in _tiles(plane.mask.shape):
            part = plane.window(window)
            views = [part] if draft else [part, part.transposed()]
            out[tile] += _mean(partial(self._correction, tape=None), part.mask.size, views)[inside]
        return out

    @single_blas()
    def with_gradient(
        self, plane: DecodedPlane, original: np.ndarray, *, draft: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """The restored plane, and how the reconstruction should change for it to come nearer to the original.

        Parameters
        ----------
        plane : DecodedPlane
        original : (H, W) float
        draft : bool
            As above.

        Returns
        -------
        restored : (H, W) float64
        gradient : (H, W) float64
            Half of the negative gradient of the sum of squared errors of `restored`, with respect to the
            reconstruction: the error itself, if nothing were restored.
        """
        restored = np.array(plane.reconstruction, dtype=np.float64)
        gradient = np.zeros(restored.shape)
        for window, tile, inside in _tiles(plane.mask.shape):
            part = plane.window(window)
            views = [part] if draft else [part, part.transposed()]
            tapes: list[list[np.ndarray]] = [[] for _ in views]
            restored[tile] += _mean(self._correction, part.mask.size, views, tapes)[inside]
            error = np.zeros(part.mask.shape)
            error[inside] = original[tile] - restored[tile]
            gradient[tile] += error[inside]
            errors = [error, error.T][: len(views)]
            gradient[window] += _mean(partial(self._adjoint, step=plane.step), error.size, errors, tapes)
        return restored, gradient

    def _correction(self, plane: DecodedPlane, tape: list[np.ndarray] | None) -> np.ndarray:
        """What the network adds to a tile, (H, W) float32; where rectified features are positive goes on the tape."""
        x = _bordered(network_input(plane))
        encoded = []
        for i in range(4):
            x = self._convolution(x, "stem") if i == 0 else self._down(x, f"down.{i - 1}")
            x = self._block(x, f"encode.{i}", tape)
            encoded.append(x)
        for i in (2, 1, 0):
            x = self._block(encoded[i] + self._up(x, f"up.{i}"), f"decode.{i}", tape)
        if tape is not None:
            tape.append(x > 0)
        out = _inside(self._convolution(x, "head", rectified=True)) * np.float32(correction_scale(plane.step))
        _, rows, columns = out.shape
        full = out.reshape(2, 2, rows, columns).transpose(2, 0, 3, 1).reshape(2 * rows, 2 * columns)
        height, width = plane.mask.shape
        return full[:height, :width]

    def _adjoint(self, change: np.ndarray, tape: list[np.ndarray], step: float) -> np.ndarray:
        """The transpose of the correction's derivative by the grey values, of a tile (H, W); empties the tape."""
        height, width = change.shape
        rows, columns = (-(-side // MULTIPLE) * MULTIPLE for side in change.shape)
        full = np.zeros((rows, columns), dtype=np.float32)
        full[:height, :width] = change * correction_scale(step)
        parts = full.reshape(rows // 2, 2, columns // 2, 2).transpose(1, 3, 0, 2)
        x = self._transposed(_bordered(parts.reshape(4, rows // 2, columns // 2)), "head")
        x *= tape.pop()
        below = []
        for i in range(3):
            x = self._block_adjoint(x, f"decode.{i}", tape)
            below.append(x)
            x = self._up_adjoint(x, f"up.{i}")
        for i in (3, 2, 1):
            x = self._down_adjoint(self._block_adjoint(x, f"encode.{i}", tape), f"down.{i - 1}") + below[i - 1]
        x = self._transposed(self._block_adjoint(x, "encode.0", tape), "stem")
        grey = _inside(x)[:4].reshape(2, 2, rows // 2, columns // 2).transpose(2, 0, 3, 1).reshape(rows, columns) / 64
        grey[:, width - 1] = grey[:, width - 1 :].sum(axis=1)  # what continues the plane is its last column and row
        grey[height - 1] = grey[height - 1 :].sum(axis=0)
        return grey[:height, :width]

    def _block(self, x: np.ndarray, name: str, tape: list[np.ndarray] | None) -> np.ndarray:
        y = self._convolution(x, f"{name}.first", rectified=True)
        if tape is not None:
            tape += [x > 0, y > 0]
        return self._convolution(y, f"{name}.second", rectified=True, plus=x)

    def _block_adjoint(self, x: np.ndarray, name: str, tape: list[np.ndarray]) -> np.ndarray:
        y = self._transposed(x, f"{name}.second")
        y *= tape.pop()
        y = self._transposed(y, f"{name}.first")
        y *= tape.pop()
        y += x
        return y

    def _convolution(
        self, x: np.ndarray, name: str, *, rectified: bool = False, plus: np.ndarray | None = None
    ) -> np.ndarray:
        """3x3 convolution of a bordered field (C, h + 2, w + 2), rectified before or not, to another, plus a field."""
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        return _convolved(x, weight, bias, rectified, plus)

    def _transposed(self, x: np.ndarray, name: str) -> np.ndarray:
        """The transpose of the linear part of `_convolution`."""
        weight = self.weights[f"{name}.weight"].transpose(1, 0, 2, 3)[:, :, ::-1, ::-1]
        return _convolved(x, weight, np.zeros(len(weight), dtype=np.float32))

    def _down(self, x: np.ndarray, name: str) -> np.ndarray:
        """2x2 convolution of disjoint blocks."""
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        x = _inside(x)
        channels, height, width = x.shape
        blocks = x.reshape(channels, height // 2, 2, width // 2, 2).transpose(0, 2, 4, 1, 3)
        product = weight.reshape(len(weight), -1) @ blocks.reshape(4 * channels, -1)
        return _bordered((product + bias[:, None]).reshape(-1, height // 2, width // 2))

    def _down_adjoint(self, x: np.ndarray, name: str) -> np.ndarray:
        weight = self.weights[f"{name}.weight"]
        channels, height, width = _inside(x).shape
        blocks = weight.reshape(channels, -1).T @ _inside(x).reshape(channels, -1)
        blocks = blocks.reshape(-1, 2, 2, height, width).transpose(0, 3, 1, 4, 2)
        return _bordered(blocks.reshape(-1, 2 * height, 2 * width))

    def _up(self, x: np.ndarray, name: str) -> np.ndarray:
        """1x1 convolution, and every sample repeated in a 2x2 block."""
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        x = _inside(x)
        channels, height, width = x.shape
        product = weight.reshape(len(weight), channels) @ x.reshape(channels, -1) + bias[:, None]
        return _bordered(product.reshape(-1, height, width).repeat(2, axis=1).repeat(2, axis=2))

    def _up_adjoint(self, x: np.ndarray, name: str) -> np.ndarray:
        weight = self.weights[f"{name}.weight"]
        channels, height, width = _inside(x).shape
        rows = x[:, 1:-1:2] + x[:, 2:-1:2]
        sums = rows[:, :, 1:-1:2] + rows[:, :, 2:-1:2]
        product = weight.reshape(channels, -1).T @ sums.reshape(channels, -1)
        return _bordered(product.reshape(-1, height // 2, width // 2))


def _mean(work: Callable[..., np.ndarray], pixels: int, *arguments: Sequence) -> np.ndarray:
    """The work on a plane; or the mean of that and of the work on the transposed plane, which is transposed back.

    Both are done at the same time where there are but two threads, and memory for both; else each is shared out.
    """
    parts = list(zip(*arguments, strict=True))
    if thread_count() > 2 or pixels > TOGETHER:
        results = [work(*part) for part in parts]
    else:
        results = in_parallel(lambda part: work(*part), parts)
    first, *turned = results
    return (first + turned[0].T) / 2 if turned else first


def _tiles(shape: tuple[int, int]) -> Iterator[tuple[tuple[slice, slice], ...]]:
    """Windows that cover a plane, the tile in the middle of each, and where in the window it is."""
    for y in range(0, shape[0], TILE):
        for x in range(0, shape[1], TILE):
            ends = min(y + TILE, shape[0]), min(x + TILE, shape[1])
            top, left = max(0, y - MARGIN), max(0, x - MARGIN)
            yield (
                (slice(top, y + TILE + MARGIN), slice(left, x + TILE + MARGIN)),
                (slice(y, ends[0]), slice(x, ends[1])),
                (slice(y - top, ends[0] - top), slice(x - left, ends[1] - left)),
            )


def _convolved(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, rectified: bool = False, plus: np.ndarray | None = None
) -> np.ndarray:
    """3x3 convolution by three products a block, one for each row of the kernel, with what they share in the cache."""
    channels, height, width = x.shape
    kernels = np.ascontiguousarray(weight.transpose(2, 0, 3, 1).reshape(3, len(weight), -1))
    flat, added = x.reshape(channels, -1), None if plus is None else plus.reshape(len(weight), -1)
    first, last = width + 1, flat.shape[1] - width - 1
    out = np.empty((len(weight), flat.shape[1]), dtype=np.float32)
    out[:, :first], out[:, last:] = 0, 0

    def convolve(start: int) -> None:
        n = min(_BLOCK, last - start)
        shifted = np.empty((3 * channels, n + 2 * width), dtype=np.float32)
        for k in range(3):  # the block and a row before and after, moved by -1, 0 and 1
            at = start - width + k - 1
            around = flat[:, at : at + n + 2 * width]
            part = shifted[k * channels : (k + 1) * channels]
            if rectified:
                np.maximum(around, 0, out=part)
            else:
                part[...] = around
        block = out[:, start : start + n]
        np.matmul(kernels[0], shifted[:, :n], out=block)
        block += bias[:, None]
        for k in (1, 2):
            block += kernels[k] @ shifted[:, k * width : k * width + n]
        if added is not None:
            block += added[:, start : start + n]

    in_parallel(convolve, range(first, last, _BLOCK))
    return _cleared(out.reshape(-1, height, width))


def _bordered(x: np.ndarray) -> np.ndarray:
    """A field (C, h, w) with a border of zeros."""
    return np.pad(x, ((0, 0), (1, 1), (1, 1)))


def _inside(x: np.ndarray) -> np.ndarray:
    return x[:, 1:-1, 1:-1]


def _cleared(x: np.ndarray) -> np.ndarray:
    """The field with its border set to zero, in place."""
    x[:, 0], x[:, -1], x[:, :, 0], x[:, :, -1] = 0, 0, 0, 0
    return x
