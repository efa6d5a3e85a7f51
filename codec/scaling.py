"""Other sizes of a decoded plane: halves, quarters and eighths, each pixel the mean of those that it stands for, or 2
and 4 times as large.

What a plane with barriers costs is its solver. Smaller, each part of a cell of pixels that lies within one region is
one unknown, and the cell is the mean of its parts (`reduced`). Trees and free masks, whose solver takes the smaller
part of the time, are solved as they are and averaged (`dinp.pictures.sizes`): on a coarse grid their known pixels, of
which a cell has few, would stand for the whole cell, which costs 0.7 to 9 dB at 1/2.

Larger, planes are interpolated by Lanczos's kernel. Where there are barriers, its values are kept within those of the
pixels around, and edges are made twice as steep between the values of their two sides (`enlarged`). Where an edge lies
within a pixel of the small picture, only that pixel's value tells: so it is the interpolation that places the edge, and
pixels which are mixtures of both sides, regions of their own, do not count as a side. On drawn pictures this is 0.3 to
0.5 dB better than Lanczos's kernel alone; edges along the contours of the small picture are 0.4 to 0.5 dB worse than
it. Diffusion on the finer grid, with known pixels as blocks, is 0.6 to 1.9 dB worse.
"""

import numpy as np
import scipy.sparse as sp
from PIL import Image

from dinp.bitstream.regions import Pieces
from dinp.bitstream.section import PlaneCode
from dinp.bitstream.structure import KnownData
from dinp.diffusion.algebraic import AlgebraicSolver
from dinp.diffusion.inpaint import TOLERANCE
from dinp.pictures.sizes import averaged

PULL = (0.7, 0.1)  # conductance of an unknown part and a known pixel beside it: so much, less so much per halving
_STEEPNESS = 2.0  # of edges, in times that of the interpolation; 1.5 and 3 are up to 0.1 dB worse
_DONE = 5.0  # times the solver's tolerance: a mean of pixels needs less


def reduced(code: PlaneCode, known: KnownData, halvings: int) -> np.ndarray:
    """A plane with barriers (H, W), solved on cells of 2^halvings pixels' side: about `averaged` of its inpainting.

    The unknowns are the unknown pixels that a cell and a region share. Two of them are coupled by the pixels along
    which they touch, over the side of a cell; one and the known pixels beside it by `PULL`.
    """
    structure = code.structure
    assert isinstance(structure, Pieces)
    factor = 1 << halvings
    height, width = known.mask.shape
    columns = -(-width // factor)
    plane = known.spread(code.values(known))
    unknown = ~known.mask
    y, x = np.nonzero(unknown)
    cell = (y // factor) * columns + x // factor
    parts, inverse = np.unique(cell * structure.regions + structure.labels[unknown], return_inverse=True)
    if parts.size:
        node = np.full((height, width), -1, dtype=np.int64)
        node[unknown] = inverse
        conductance = PULL[0] - PULL[1] * halvings
        plane[unknown] = _solved(plane, node, structure.cracks, parts.size, factor, conductance, code.depth)[inverse]
    return averaged(plane, factor)


def _solved(
    plane: np.ndarray,
    node: np.ndarray,
    cracks: tuple[np.ndarray, np.ndarray],
    count: int,
    factor: int,
    conductance: float,
    depth: int,
) -> np.ndarray:
    """Values of the unknowns, whose numbers are at their pixels in `node`, -1 at known ones."""
    flat, values = node.ravel(), plane.ravel()
    index = np.arange(flat.size).reshape(node.shape)
    right, down = cracks
    i = np.concatenate([index[:, :-1][~right], index[:-1][~down]])
    j = np.concatenate([index[:, 1:][~right], index[1:][~down]])
    a, b = flat[i], flat[j]
    inner = (a >= 0) & (b >= 0) & (a != b)
    links = sp.coo_array((np.full(np.count_nonzero(inner), 1 / factor), (a[inner], b[inner])), (count, count)).tocsr()
    links = links + links.T
    first, second = (a >= 0) & (b < 0), (b >= 0) & (a < 0)
    at = np.concatenate([a[first], b[second]])
    beside = np.concatenate([values[j[first]], values[i[second]]])
    pull = conductance * np.bincount(at, minlength=count)
    wanted = conductance * np.bincount(at, weights=beside, minlength=count)
    matrix = sp.csr_array(sp.diags_array(np.asarray(links.sum(axis=1)) + pull) - links)
    mean = float(beside.mean()) if beside.size else 0.0
    solver = AlgebraicSolver(matrix)
    return mean + solver.solve(wanted - matrix @ np.full(count, mean), _DONE * TOLERANCE * 2.0**-depth)


def enlarged(plane: np.ndarray, doublings: int, labels: np.ndarray | None = None) -> np.ndarray:
    """A plane 2^doublings times as large, float64; `labels` (H, W) are its regions, where it has barriers."""
    height, width = plane.shape
    factor = 1 << doublings
    image = Image.fromarray(plane.astype(np.float32)).resize(
        (width * factor, height * factor), Image.Resampling.LANCZOS
    )
    if labels is None:
        return np.asarray(image).astype(float)
    smooth = np.asarray(image).reshape(height, factor, width, factor).swapaxes(1, 2).astype(float)
    values, regions = _around(plane), _around(labels)
    out = np.clip(smooth, *(limit(axis=0)[..., None, None] for limit in (values.min, values.max)))
    edge = (regions != labels).any(axis=0)
    sides = _around(_is_side(plane, labels))[:, edge]
    out[edge] = _steepened(smooth[edge], values[:, edge], regions[:, edge], sides)
    return out.swapaxes(1, 2).reshape(height * factor, width * factor)


def _around(pixels: np.ndarray) -> np.ndarray:
    """Of each pixel itself and the eight around it, (9, H, W); beyond the border the nearest."""
    (height, width), padded = pixels.shape, np.pad(pixels, 1, mode="edge")
    places = sorted(np.ndindex(3, 3), key=lambda place: place != (1, 1))
    return np.stack([padded[y : y + height, x : x + width] for y, x in places])


def _is_side(plane: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Whether a pixel belongs to a side of a contour, or is a mixture: (H, W) bool.

    A mixture is in a region that has no square of 2 x 2 pixels, and its value is between those of such regions beside.
    """
    same = (
        (labels[:-1, :-1] == labels[1:, 1:]) & (labels[:-1, 1:] == labels[1:, 1:]) & (labels[1:, :-1] == labels[1:, 1:])
    )
    broad = np.zeros(int(labels.max()) + 1, dtype=bool)
    broad[labels[1:, 1:][same]] = True
    seen, values = _around(broad[labels]), _around(plane)
    least, most = np.where(seen, values, np.inf).min(axis=0), np.where(seen, values, -np.inf).max(axis=0)
    return broad[labels] | (plane <= least) | (plane >= most)


def _steepened(smooth: np.ndarray, values: np.ndarray, regions: np.ndarray, sides: np.ndarray) -> np.ndarray:
    """Smooth pixels (n, k, k), steeper between the next values below and above where these are of two regions.

    Of (n,) pixels: values, regions and whether they are a side, (9, n) each, for them and those around.
    """
    low, high = np.full(smooth.shape, -np.inf), np.full(smooth.shape, np.inf)
    below, above = np.full(smooth.shape, -1), np.full(smooth.shape, -1)
    for value, region, side in ((v[:, None, None] for v in part) for part in zip(values, regions, sides, strict=True)):
        nearer = side & (value <= smooth) & (value > low)
        low, below = np.where(nearer, value, low), np.where(nearer, region, below)
        nearer = side & (value >= smooth) & (value < high)
        high, above = np.where(nearer, value, high), np.where(nearer, region, above)
    beyond = np.isinf(low) | np.isinf(high)
    low, high = np.where(np.isinf(low), high, low), np.where(np.isinf(high), low, high)
    middle, half = (low + high) / 2, (high - low) / 2
    steep = middle + np.clip(_STEEPNESS * (smooth - middle), -half, half)
    return np.where((below == above) & ~beyond, smooth, steep)
