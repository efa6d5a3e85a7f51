"""Pictures to planes and back: luma and chroma, which is at half resolution or whole.

Full-range BT.601 as in JPEG files (JFIF), in floating point without rounding:

    Y  = 0.299 R + 0.587 G + 0.114 B
    Cb = 128 + (B - Y) / 1.772
    Cr = 128 + (R - Y) / 1.402

Cb and Cr are halved in each direction by the mean of 2 x 2 pixels, where an odd side's last row or column counts twice.
The decoder doubles them by linear interpolation between sample centres, first down the columns, then along the rows:
an output pixel is 3/4 of the sample that covers it and 1/4 of the next nearest one, samples being repeated beyond the
border. Then

    R = Y + 1.402 (Cr - 128)
    B = Y + 1.772 (Cb - 128)
    G = (Y - 0.299 R - 0.114 B) / 0.587     (R, B before rounding)

and R, G, B, or Y alone in a grey file, become samples as `dinp.bitstream.samples` says: of 8 bits, floor(v + 1/2 +
1/32) limited to 0 to 255. In 4:4:4 files (layout 2) Cb and Cr are neither halved nor doubled.
"""

from collections.abc import Callable

import numpy as np

from dinp.bitstream.samples import EIGHT_BITS, TIE, SampleFormat
from dinp.kernels import kernels
from dinp.threads import in_parallel

_RED, _GREEN, _BLUE = 0.299, 0.587, 0.114
_CB_SCALE, _CR_SCALE = 1.772, 1.402
_WEIGHTS = (_RED, _GREEN, _BLUE, _CB_SCALE, _CR_SCALE)
_ROWS = 256


def plane_shapes(height: int, width: int, *, colour: bool) -> list[tuple[int, int]]:
    """Shapes (rows, columns) of the planes of a picture: one if grey, three if colour."""
    half = (-(-height // 2), -(-width // 2))
    return [(height, width), half, half] if colour else [(height, width)]


def split_planes(picture: np.ndarray, *, halved: bool = True) -> list[np.ndarray]:
    """Planes of a picture: float64, nominally 0-255, chroma at half resolution if `halved`; mirror of `merge_planes`.

    The picture may be of any numbers on the grey axis.
    """
    if picture.ndim == 2:
        return [picture.astype(np.float64)]
    if kernels and halved and picture.dtype in (np.uint8, np.float64):
        picture = np.ascontiguousarray(picture)
        planes = [np.empty(shape) for shape in plane_shapes(*picture.shape[:2], colour=True)]
        _by_rows(lambda rows: kernels.split_planes(picture, _WEIGHTS, *planes, *picture.shape[:2], *rows), planes[1])
        return planes
    luma = _RED * picture[..., 0]
    luma += _GREEN * picture[..., 1]
    luma += _BLUE * picture[..., 2]
    if not halved:
        return [luma, 128 + (picture[..., 2] - luma) / _CB_SCALE, 128 + (picture[..., 0] - luma) / _CR_SCALE]
    cb = 128 + (_halve(picture[..., 2]) - _halve(luma)) / _CB_SCALE
    cr = 128 + (_halve(picture[..., 0]) - _halve(luma)) / _CR_SCALE
    return [luma, cb, cr]


def merge_planes(planes: list[np.ndarray], samples: SampleFormat = EIGHT_BITS) -> np.ndarray:
    """Picture of one (grey) or three (Y, Cb, Cr) float planes, samples of the format; mirror of `split_planes`."""
    luma = planes[0]
    if len(planes) == 1:
        return samples.from_axis(luma)
    picture = np.empty((*luma.shape, 3), dtype=samples.dtype)
    halved = [plane.shape for plane in planes] == plane_shapes(*luma.shape, colour=True)
    if kernels and halved and samples.dtype == np.uint8 and samples.ranges[0] == (0, 255):
        planes = [np.ascontiguousarray(plane, np.float64) for plane in planes]
        _by_rows(
            lambda rows: kernels.merge_planes(*planes, _WEIGHTS, 0.5 + TIE, picture, *luma.shape, *rows), planes[1]
        )
        return picture
    rest = luma
    for channel, weight, scale, plane in ((0, _RED, _CR_SCALE, planes[2]), (2, _BLUE, _CB_SCALE, planes[1])):
        values = plane - 128 if plane.shape == luma.shape else _double(plane - 128, luma.shape)
        values = values * scale + luma
        picture[..., channel] = samples.from_axis(values)
        rest = rest - weight * values
    picture[..., 1] = samples.from_axis(rest / _GREEN)
    return picture


def _by_rows(work: Callable[[tuple[int, int]], None], chroma: np.ndarray) -> None:
    """Do the work for all rows of a plane of chroma, some at a time."""
    count = len(chroma)
    in_parallel(work, [(first, min(first + _ROWS, count)) for first in range(0, count, _ROWS)])


def _halve(plane: np.ndarray) -> np.ndarray:
    """Mean of 2 x 2 pixels, the last row and column counted twice where a side is odd."""
    padded = np.pad(plane, [(0, side % 2) for side in plane.shape], mode="edge").astype(np.float64)
    rows = padded[0::2] + padded[1::2]
    return (rows[:, 0::2] + rows[:, 1::2]) / 4


def _double(plane: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Linear interpolation to twice the size between sample centres, cropped to `shape`."""
    for axis, size in enumerate(shape):
        source = np.moveaxis(plane, axis, 0)
        before = np.concatenate([source[:1], source[:-1]])
        after = np.concatenate([source[1:], source[-1:]])
        target = np.empty((2 * len(source), source.shape[1]))
        target[0::2] = 0.75 * source + 0.25 * before
        target[1::2] = 0.75 * source + 0.25 * after
        plane = np.moveaxis(target[:size], 0, axis)
    return plane
