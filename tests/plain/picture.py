"""From a file to its samples: inpainting, restoration and what lies on top (sections 3, 4, 12 and 14)."""

import math

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.linalg import spsolve

from .common import require
from .container import HOLES, LOSSLESS, MATTE, PALETTE, RESIDUAL, File, Format, palette
from .contours import decode_contours
from .flags import decode_free_mask
from .lossless import decode_lossless, dtype_of
from .planes import Plane, decode_planes
from .ranges import RangeDecoder
from .residuals import decode_residual
from .restoration import restored


def read_mask(data: bytes, shape: tuple[int, int]) -> np.ndarray:
    """A mask stream, (H, W) bool."""
    require(len(data) > 0 and data[0] < 3, "a mask stream")
    if data[0] == 0:
        decoder = RangeDecoder(data[1:])
        mask = decode_free_mask(decoder, shape)
        decoder.end()
        return np.array(mask, dtype=bool)
    cells = decode_contours(data[1:], shape).cells
    mask = np.zeros(shape, dtype=bool)
    for y, row in enumerate(cells):
        for x, cell in enumerate(row):
            if x:
                mask[y, x] = mask[y, x - 1] ^ (cell >> 1)
                require(y == 0 or mask[y, x] == mask[y - 1, x] ^ (cell & 1), "cracks without a mask")
            else:
                mask[y, x] = mask[y - 1, x] ^ (cell & 1) if y else data[0] == 2
    return mask


def inpainted(plane: Plane, depth: int) -> np.ndarray:
    """The plane on the axis, (H, W) float64, by solving the whole system."""
    height, width = plane.shape
    known = {}
    for value, units in zip(plane.values, plane.units, strict=True):
        for pixel in value.pixels:
            known[pixel] = units * 2.0**-depth / 16
    rows, columns, entries, right = [], [], [], np.zeros(height * width)
    for y in range(height):
        for x in range(width):
            me, near = y * width + x, []
            if (y, x) in known:
                right[me] = known[y, x]
            else:
                near = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
                near = [(i, j) for i, j in near if 0 <= i < height and 0 <= j < width]
                if plane.labels is not None:
                    near = [(i, j) for i, j in near if plane.labels[i][j] == plane.labels[y][x]]
            rows += [me] * (len(near) + 1)
            columns += [me] + [i * width + j for i, j in near]
            entries += [1.0] + [-1.0 / max(len(near), 1)] * len(near)
    system = coo_array((entries, (rows, columns)), shape=(height * width,) * 2).tocsr()
    return np.atleast_1d(spsolve(system, right)).reshape(height, width)


def to_samples(values: np.ndarray, form: Format) -> np.ndarray:
    """Values of the axis as samples, float64, or exact integers as objects."""
    low, high = form.ranges[0]
    samples = float(low) + (float(high) - float(low)) * values / 255
    if form.type < 2:
        samples = np.floor(samples + 0.5 + 1 / 32)
    return np.clip(samples, low, high)


def _doubled(values: np.ndarray, size: int) -> np.ndarray:
    """Twice as many rows, cropped."""
    padded = np.concatenate([values[:1], values, values[-1:]])
    double = np.empty((2 * len(values), *values.shape[1:]))
    double[0::2] = 0.75 * values + 0.25 * padded[:-2]
    double[1::2] = 0.75 * values + 0.25 * padded[2:]
    return double[:size]


def _colours(y: np.ndarray, cb: np.ndarray, cr: np.ndarray, half: bool) -> list[np.ndarray]:
    cb, cr = cb - 128, cr - 128
    if half:
        cb, cr = (_doubled(_doubled(c, y.shape[0]).T, y.shape[1]).T for c in (cb, cr))
    red, blue = y + 1.402 * cr, y + 1.772 * cb
    return [red, (y - 0.299 * red - 0.114 * blue) / 0.587, blue]


def channels_of(file: File) -> list[np.ndarray]:
    """The samples of a file: each channel, then alpha where there is one."""
    shape = file.height, file.width
    forms = [file.format_of(p) for p in range(file.colours)]
    alpha_forms = [Format()] if file.alpha == 1 else []
    for _, content in file.chunks_of(LOSSLESS):
        channels = decode_lossless(content, shape, forms + alpha_forms)
        for _, colours in file.chunks_of(PALETTE):
            listed = palette(colours)
            black = bytes(3) + b"\xff" * (len(listed[0]) - 3)
            table = np.array([list(c) for c in listed + [black] * (256 - len(listed))], dtype=np.uint8)
            channels = list(np.moveaxis(table[channels[0]], 2, 0))
        if file.alpha == 2:
            channels.append(np.full(shape, 255, dtype=np.uint8))
        return channels
    planes = []
    for number, plane in enumerate(decode_planes(file)):
        values = inpainted(plane, file.format_of(number).depth)
        if plane.restoration and plane.structure < 2:
            values = restored(plane, values, file.format_of(number).depth)
        planes.append(values)
    colours, rest = planes[: file.colours], planes[file.colours :]
    if file.layout in (1, 2):
        colours = _colours(*colours, half=file.layout == 1)
    forms += alpha_forms
    channels = [to_samples(values, form) for values, form in zip(colours + rest, forms, strict=True)]
    for named, content in file.chunks_of(RESIDUAL):
        number = named.bit_length() - 1
        form = forms[number]
        unit = form.number(content[: form.size])
        require(math.isfinite(unit) and unit > 0, "the unit of a residual")
        residual = np.array(decode_residual(content[form.size :], shape))
        low, high = form.ranges[0]
        before = channels[number].astype(dtype_of(form)).astype(float)
        channels[number] = np.clip(before + unit * residual, low, high)
    channels = [c.astype(dtype_of(form)) for c, form in zip(channels, forms, strict=True)]
    for named, content in file.chunks_of(HOLES):
        form = forms[0]
        sample, mask = form.number(content[: form.size]), read_mask(content[form.size :], shape)
        for number in range(file.colours):
            if named >> number & 1:
                channels[number][mask] = sample
    for _, content in file.chunks_of(MATTE):
        channels.append(np.where(read_mask(content, shape), 255, 0).astype(np.uint8))
    if file.alpha == 2:
        channels.append(np.full(shape, 255, dtype=np.uint8))
    return channels
