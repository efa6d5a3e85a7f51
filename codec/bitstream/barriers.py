r"""The stream of a plane with barriers: cracks, divisions, first and other values (docs/format.md, section 10.3).

1. The number of bytes of the cracks, a varint of the container, and the cracks (`dinp.entropy.crack_coder`), a stream
   of their own. They divide the plane into regions, which are numbered in raster order of their first pixels. Both
   absent where the plane is served by the barriers of another plane. The rest is one range-coded stream.
2. Which pieces of regions are divided (`dinp.bitstream.regions`), level by level: the whole regions first, then the
   pieces of cells of side 128, 64, ... 4, in their order (`dinp.entropy.division_coder`). Absent where the header says
   that no region is divided.
3. The first value of each region, that of its largest piece (ties: the first piece), in bases (`region_steps`), in
   coding order (`dinp.entropy.first_values`). There must be at most 256 regions for each bit of the range-coded stream
   that can still come (`RangeDecoder.expect`).
4. The other values of divided regions: levels, predicted from values of the same region only
   (`dinp.entropy.region_order`, `dinp.entropy.value_coder`); the step of each is that of a cell whose side is that of
   `dinp.bitstream.regions.side_of_area`.

The plane is the homogeneous diffusion inpainting of the values, with reflecting boundaries at cracks as at the
picture's edge. So an undivided region is constant.
"""

from collections.abc import Callable

import numpy as np

from dinp.bitstream.regions import Level, Pieces, divide, known_data_of_pieces, undivided
from dinp.bitstream.steps import GREY, STEP_TABLE, steps_of
from dinp.bitstream.structure import KnownData
from dinp.bitstream.varint import decode_varint, encode_varint
from dinp.entropy.blocks import counted
from dinp.entropy.coder import SURPLUS, RangeDecoder, RangeEncoder
from dinp.entropy.crack_coder import cracks_of, decode_cells, encode_cracks, regions_of_cells
from dinp.entropy.division_coder import DivisionModel, decode_divisions, encode_divisions
from dinp.entropy.first_values import PER_BIT, coding_order, decode_region_values, encode_region_values
from dinp.entropy.region_order import Groups
from dinp.entropy.value_coder import LevelsOf, decode_values, encode_values
from dinp.errors import DinpError

REGION_STEP = 2  # steps of first values: index, for an area of 64, relative to that of a cell of side 8
FINEST_AREA_LOG2 = 10  # whose step is the unit of first values
MOST_SHIFT = 8
FINE_AREA, FINE_STEP = 256, 32  # pixels from which on a fine step is at most this one of the table: 2 grey levels


def barrier_values(first: np.ndarray, levels: np.ndarray, known: KnownData, step_index: int) -> np.ndarray:
    """Values (n,) int64 in units from the first values (r,) of the regions, in units, and all levels (n,)."""
    values = levels * steps_of(known.side, step_index)
    values[: first.size] = first
    return values


def region_steps(area: np.ndarray, step_index: int, depth: int, *, fine: bool = False) -> tuple[int, np.ndarray]:
    """The base of first values in units, and log2 (n,) of what each step is in bases.

    A constant over an area A adds A step^2 / 12 to the squared error: so steps go with the inverse square root of the
    area of the piece that the value stands for. The base is at least half a grey level. Fine steps are at most two grey
    levels for areas of FINE_AREA and more, so that flat parts of a drawing are at most one level off.
    """
    base = max(step_index + REGION_STEP - 8 * (FINEST_AREA_LOG2 - 6), 16 * depth)
    if fine:
        base = min(base, FINE_STEP + 16 * depth)
    area_log2 = np.frexp(area.astype(np.float64))[1].astype(np.int64) - 1
    wanted = step_index + REGION_STEP + 8 * (6 - area_log2)
    most = np.full(area.shape, MOST_SHIFT)
    if fine:
        most[area >= FINE_AREA] = (FINE_STEP + 16 * depth - base) // 16
    return int(STEP_TABLE[base]), np.clip((wanted - base + 8) // 16, 0, most)


def encode_barrier_stream(
    pieces: Pieces,
    known: KnownData,
    step_index: int,
    depth: int,
    wanted: np.ndarray,
    weight: np.ndarray,
    bit_cost: float,
    then: Callable[[np.ndarray], LevelsOf],
    *,
    own_cracks: bool = True,
    fine: bool = False,
) -> tuple[bytes | None, np.ndarray, np.ndarray, dict[str, float]]:
    """Code pieces, and values that are chosen on the way.

    Parameters
    ----------
    pieces : Pieces
    known : KnownData
        Of these pieces.
    step_index : int
    depth : int
        Of the sample format.
    wanted, weight : (n,) float64
        Grey values of the pieces, and the squared error in the picture per squared grey level.
    bit_cost : float
        Squared error that a bit must save.
    then : callable
        Called with the first values (r,) in grey levels: gives the choice of the other levels, see
        `dinp.entropy.value_coder.walk_values`.
    own_cracks : bool
        Whether the stream holds the cracks.
    fine : bool
        Whether large regions take fine steps, see `region_steps`.

    Returns
    -------
    bytes
        None where they are too few for so many regions (a rule that bounds a decoder's work).
    first : (r,) int64
        First values of the regions in units.
    levels : (n,) int64
        Levels of all values; 0 for first values.
    information : dict
        Bits by kind (`cracks`, `divisions`, `first`, `values`).
    """
    encoder = RangeEncoder()
    cracks = encode_cracks(*cracks_of(pieces.labels)) if own_cracks else b""
    if pieces.region.size > pieces.regions:
        model, told = DivisionModel(), iter(pieces.flags)

        def code(level: Level) -> np.ndarray:
            flags = next(told)
            encode_divisions(encoder, model, model.contexts(level.side_log2, level.area), flags)
            return flags

        divide(pieces.labels, code)
    # what `decode_region_values` expects
    least = 4 * (-(-pieces.regions // (32 * PER_BIT)) - 1 + encoder.moves) - SURPLUS
    order, base, shift, top = _first_values(pieces, step_index, depth, fine=fine)
    grey = GREY << depth
    at, r = order.region, pieces.regions
    bases = encode_region_values(
        encoder, order, shift[at], top, wanted[at] * (grey / base), weight[at] * (base / grey) ** 2, bit_cost
    )
    first = np.empty(r, dtype=np.int64)
    first[at] = bases * base
    levels = np.zeros(pieces.region.size, dtype=np.int64)
    if levels.size > r:
        levels = encode_values(encoder, then(first / grey), *_others(pieces, known, step_index, first))
    information = {"cracks": 8.0 * len(cracks)} | encoder.information
    if least > 4 * encoder.moves + 8:  # bytes that a stream may have
        return None, first, levels, information
    head = encode_varint(len(cracks)) + cracks if own_cracks else b""
    return head + encoder.finish().ljust(least, b"\0"), first, levels, information


def decode_barrier_stream(
    data: bytes,
    shape: tuple[int, int],
    step_index: int,
    depth: int,
    *,
    divided: bool,
    fine: bool = False,
    labels: np.ndarray | None = None,
) -> tuple[Pieces, KnownData, np.ndarray, np.ndarray, dict[str, float]]:
    """Mirror of `encode_barrier_stream`; `labels` (H, W) are the regions where they come from elsewhere.

    Raises
    ------
    DinpError
        If the data is damaged.
    """
    cracks = 0
    if labels is None:
        cracks, at = decode_varint(data, 0, len(data))
        if at + cracks > len(data):
            raise DinpError("the file is damaged: a plane's contours are longer than its section")
        labels = regions_of_cells(decode_cells(data[at : at + cracks], shape))[0]
        data = data[at + cracks :]
    decoder = RangeDecoder(data)
    if divided:
        model = DivisionModel()

        def told(level: Level) -> np.ndarray:
            return decode_divisions(decoder, model, model.contexts(level.side_log2, level.area))

        pieces = divide(labels, told)
    else:
        pieces = undivided(labels)
    known = known_data_of_pieces(pieces)
    order, base, shift, top = _first_values(pieces, step_index, depth, fine=fine)
    first = np.empty(pieces.regions, dtype=np.int64)
    first[order.region] = decode_region_values(decoder, order, shift[order.region], top) * base
    levels = np.zeros(pieces.region.size, dtype=np.int64)
    if levels.size > first.size:
        levels = decode_values(decoder, *_others(pieces, known, step_index, first))
    decoder.check_exhausted()
    return pieces, known, first, levels, {"cracks": 8.0 * cracks} | decoder.information


def _first_values(pieces: Pieces, step_index: int, depth: int, *, fine: bool) -> tuple:
    """Coding order, base in units, log2 of steps in bases, and the largest value in bases."""
    r = pieces.regions
    base, shift = region_steps(pieces.area[:r], step_index, depth, fine=fine)
    order = coding_order(pieces.labels, counted(pieces.labels, r))
    return order, base, shift, -(-(255 * GREY << depth) // base)


def _others(pieces: Pieces, known: KnownData, step_index: int, first: np.ndarray) -> tuple:
    """What the value coder is told of the values that are not first ones."""
    shape = pieces.labels.shape
    return known.y, known.x, known.side, steps_of(known.side, step_index), shape, Groups(pieces.region, first)
