r"""Restoration: what diffusion leaves behind, spikes at the known pixels and smoothness elsewhere, is put right.

A small convolutional network (trained by `dinp.models.training.train_restoration`) predicts the correction from the
reconstruction, the mask, the sides of the cells and the quantisation step. It comes after the solver and cannot
influence what is parsed. This docstring and the files of weights specify the versions of the restoration; the tests
have them in numpy. What runs the network is handed in (`Network`).

The plane is continued below and to the right by its last row and column to sides that are multiples of 16. Input
channels, at half resolution: the grey values (u - 128) / 64 and the mask (0 or 1) of the four pixels of each 2x2 block
(upper left, upper right, lower left, lower right), (log2 of the side of the cell that holds the upper left pixel - 2) /
2, and (log2 step - 3) / 3. Then a U-Net with strides 2, 4, 8 and 16:

    x_0 = stem(input), x_i = down_i(y_(i-1)) for i = 1, 2, 3, where y_i = block(encode_i, x_i)
    z_3 = y_3, z_i = block(decode_i, y_i + doubled(up_i(z_(i+1)))) for i = 2, 1, 0
    correction = head(relu(z_0)) * 0.5 step^0.75, four pixels of each 2x2 block

block(x) = x + second(relu(first(relu(x)))). stem, first, second and head are convolutions over a border of zeros, of
kernels 3x3 (the head from version 2 on: 1x1), down_i takes disjoint 2x2 blocks, up_i is 1x1, and doubled repeats each
sample in a 2x2 block.

Version 1 restores to u + (correction + transposed correction of the transposed plane) / 2: what chance left in the
weights is not the same in both, so that their mean is better than either.

Version 2 is lighter: the blocks have fewer channels inside than outside, and the plane is restored in one orientation,
to u + correction. Tiles of 128x128 pixels, from the upper left on, are left as they are where all of a tile's pixels
are in cells of side 16 or more, unless that is so of more than three quarters of the plane's tiles.

Version 3 is version 2 with fewer channels inside the blocks from stride 4 on. Planes with barriers have no restoration.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from dinp.entropy.tree import Tree
from dinp.threads import is_large
from dinp.tiles import Window, all_tiles, rough_tiles, windows

MULTIPLE = 16
INPUTS = 10


@dataclass(frozen=True)
class Version:
    """What versions differ in.

    Attributes
    ----------
    both : bool
        Whether the mean over both orientations is taken.
    selective : bool
        Whether smooth tiles are left alone.
    margin : int
        Pixels, a multiple of 16: no fewer than the network sees around a tile.
    """

    both: bool
    selective: bool
    margin: int


VERSIONS = {
    1: Version(both=True, selective=False, margin=112),
    2: Version(both=False, selective=True, margin=96),
    3: Version(both=False, selective=True, margin=96),
}


class Network(Protocol):
    """What runs a restoration network; fields are (channels, h, w) float32, at half resolution.

    Where `more` runs of about the same size follow at once, memory may be kept for them.
    """

    def correction(self, x: np.ndarray, *, more: bool = False) -> np.ndarray:
        """Inputs (10, h, w) to corrections (4, h, w) in units of `correction_scale`; h and w multiples of 8."""

    def gradient(
        self, x: np.ndarray, wanted: np.ndarray, covered: np.ndarray, *, more: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """The corrections (4, h, w), and the transpose of their derivative by the grey inputs (4, h, w).

        The latter is applied to wanted - covered * correction, all (4, h, w).
        """


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
    grey, mask, side = plane.reconstruction.astype(np.float32), plane.mask, plane.side_log2
    grey -= 128
    grey /= 64
    if any(end for _, end in padding):
        grey, mask, side = (np.pad(a, padding, mode="edge") for a in (grey, mask, side))
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
    """A version of the restoration.

    Parameters
    ----------
    network : Network
    version : int
        One of VERSIONS.

    Notes
    -----
    Large planes are done in windows, which overlap by more than the network sees: up to rounding, the result is that of
    the whole.
    """

    def __init__(self, network: Network, version: int) -> None:
        self.network = network
        self.version = version
        self._how = VERSIONS[version]

    def __call__(self, plane: DecodedPlane, *, draft: bool = False) -> np.ndarray:
        """The restored plane, (H, W) float64, grey values nominally 0-255.

        A `draft` is in one orientation, which takes half the time where the version takes both.
        """
        out = np.array(plane.reconstruction, dtype=np.float64)
        for window, more in self._windows(plane):
            part = plane.window(window.seen)
            mean = self._mean_correction(self._views(part, draft), more=more)
            _add(out[window.tile], mean[window.inside], window.wanted)
        return out

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
        for window, more in self._windows(plane):
            part = plane.window(window.seen)
            covered = np.zeros(part.mask.shape, dtype=np.float32)
            covered[window.inside] = 1 if window.wanted is None else window.wanted
            error = covered * (original[window.seen] - part.reconstruction)
            views = self._views(part, draft)
            if len(views) == 1:
                correction, change = self._gradient(part, error, covered, more=more)
            else:
                correction = self._mean_correction(views, more=more)
                error -= covered * correction
                first = self._gradient(part, error, 0 * error, more=True)[1]
                change = (first + self._gradient(views[1], error.T, 0 * error.T, more=more)[1].T) / 2
            _add(restored[window.tile], correction[window.inside], window.wanted)
            gradient[window.seen] += change
        return restored, gradient + (original - restored)

    def _windows(self, plane: DecodedPlane) -> Iterator[tuple[Window, bool]]:
        """The windows, and whether more of them follow each, for which memory may be kept."""
        tiles = rough_tiles(plane.side_log2) if self._how.selective else all_tiles(plane.mask.shape)
        short = is_large([plane.mask.shape])
        found = list(windows(tiles, plane.mask.shape, self._how.margin, short=short))
        return ((window, not short and window is not found[-1]) for window in found)

    def _views(self, plane: DecodedPlane, draft: bool) -> list[DecodedPlane]:
        return [plane, plane.transposed()] if self._how.both and not draft else [plane]

    def _mean_correction(self, views: list[DecodedPlane], *, more: bool) -> np.ndarray:
        """What the network adds to a window, (H, W) float32: the mean over its views, as the first is seen."""
        first, *turned = (
            _whole(
                self.network.correction(network_input(view), more=more or view is not views[-1]),
                view.mask.shape,
                correction_scale(view.step),
            )
            for view in views
        )
        return (first + turned[0].T) / 2 if turned else first

    def _gradient(
        self, plane: DecodedPlane, error: np.ndarray, covered: np.ndarray, *, more: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """What the network adds to a window, and the transpose of its derivative by the grey values, (H, W) float32.

        The latter is applied to error - covered * correction.
        """
        height, width = plane.mask.shape
        scale = correction_scale(plane.step)
        # of scale^2: the correction is in units of it, and so is its derivative
        parts = self.network.gradient(network_input(plane), _blocks(error / scale), _blocks(covered), more=more)
        correction = _whole(parts[0], plane.mask.shape, scale)
        full = tuple(2 * side for side in parts[1].shape[1:])
        grey = _whole(parts[1], full, scale * scale / 64)
        grey[:, width - 1] = grey[:, width - 1 :].sum(axis=1)  # what continues the plane is its last column and row
        grey[height - 1] = grey[height - 1 :].sum(axis=0)
        return correction, grey[:height, :width]


def _add(plane: np.ndarray, correction: np.ndarray, wanted: np.ndarray | None) -> None:
    """Add a correction in place, where it is wanted."""
    np.add(plane, correction, out=plane, where=True if wanted is None else wanted)


def _blocks(plane: np.ndarray) -> np.ndarray:
    """The four pixels (4, h, w) float32 of each 2x2 block of a plane, continued by zeros to multiples of 16."""
    padded = np.pad(plane.astype(np.float32), [(0, -side % MULTIPLE) for side in plane.shape])
    rows, columns = padded.shape
    return padded.reshape(rows // 2, 2, columns // 2, 2).transpose(1, 3, 0, 2).reshape(4, rows // 2, columns // 2)


def _whole(x: np.ndarray, shape: tuple[int, int], scale: float) -> np.ndarray:
    """A plane of the four pixels (4, h, w) of each 2x2 block, times a factor, cut to a shape."""
    _, rows, columns = x.shape
    full = (x * np.float32(scale)).reshape(2, 2, rows, columns).transpose(2, 0, 3, 1)
    return full.reshape(2 * rows, 2 * columns)[: shape[0], : shape[1]]
