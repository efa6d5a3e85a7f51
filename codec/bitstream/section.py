r"""A plane's section: mask structure and values to bytes and back (docs/format.md, section 5).

A section is the coded form of one plane (grey, Y, Cb or Cr), whose height and width the container gives.

    byte 0   bit 7     reserved, must be 0
             bits 6-5  restoration: 0 none; 1, 2 these versions (`dinp.restoration`); 3 the version that byte 2 names.
                       A decoder that does not have the version shows the plane without, and says so
             bits 4-2  k: log2 of the root side (structure 0: 1..7) or of each value's cell side (structure 1: 0..7)
             bits 1-0  structure: 0 tree of cells, 1 free mask, 2 barriers, 3 barriers of plane 0
    byte 1   step index q, 0..175; 176..255 must be rejected
    byte 2   only if bits 6-5 of byte 0 are 3: version of the restoration, 3..255; 0..2 must be rejected
    then     range-coded stream: first the structure, then the values

Structure 0 (`dinp.entropy.tree`, coded by `dinp.entropy.tree_coder`): split flags of a quadtree with roots of side
2^k. Each leaf holds one value; it stands at the leaf's central pixel or central 2x2 block (`dinp.bitstream.structure`).
Values are ordered by falling side of their leaf, then by row, then by column.

Structure 1 (`dinp.entropy.mask_coder`): occupancy flags of cells of side 32 down to 1 pixel. Each mask pixel holds one
value, in raster order, and counts as a cell of side 2^k. A mask without pixels must be rejected.

Structures 2 and 3 (`dinp.bitstream.barriers`, which says what the stream holds): values within regions. Bit 0 of k
says that regions may be divided, bit 1 that large regions take fine steps; its bit 2 must be 0. Restorations 1 and 2
and a chunk STEPS are none for them. Structure 3 takes the regions of plane 0, which must be as large and of structure
2.

Values of structures 0 and 1 are coded as levels (`dinp.entropy.value_coder`); value = level * step * 2^-depth / 16 grey
levels (the depth is that of the sample format, 0 without), where the step of a cell of side s is STEP_TABLE[q + 8 (3 -
log2 s)], of which the index is limited to 0..255 (`dinp.bitstream.steps`), unless the chunk STEPS gives it.

The plane is the homogeneous diffusion inpainting of the values: f_p = value at known pixels p; elsewhere f_p is the
mean of its neighbours above, below, left and right within the picture (`dinp.diffusion.inpaint`), to an accuracy of
0.01 grey levels; then the restoration, if one is named, adds its correction, to the same accuracy.
"""

from dataclasses import dataclass

import numpy as np
from bitarray import bitarray
from bitarray.util import ba2int, int2ba

from dinp.bitstream.regions import Pieces, known_data_of_pieces
from dinp.bitstream.steps import MAX_STEP_INDEX, STEP_TABLE, dequantise, grey_levels, steps_of
from dinp.bitstream.structure import KnownData, known_data_of_mask, known_data_of_tree
from dinp.entropy.coder import RangeDecoder, RangeEncoder
from dinp.entropy.mask_coder import decode_mask, encode_mask
from dinp.entropy.tree import Tree
from dinp.entropy.tree_coder import decode_tree, encode_tree
from dinp.entropy.value_coder import LevelsOf, decode_values, encode_values
from dinp.entropy.value_model import MAX_LEVEL
from dinp.errors import DinpError

TREE, FREE_MASK, BARRIERS, SHARED_BARRIERS = range(4)
DIVIDED, FINE = 1, 2  # of k of planes with barriers
LATER = 3  # versions of the restoration from here on take a byte of their own
Structure = Tree | np.ndarray | Pieces


@dataclass(frozen=True)
class PlaneCode:
    """What a section says.

    Attributes
    ----------
    structure : Tree, (H, W) bool array or Pieces
        A tree of cells, a free mask, or pieces of regions between barriers.
    side_log2 : int
        log2 of the root side, or of the side that stands in for a cell's; with barriers DIVIDED + FINE.
    step_index : int
        0..175.
    levels : (n,) int64
        One level a value, |level| <= 2^18.
    restoration : int
        Version of the restoration that comes after the inpainting, 0..255, 0 for none.
    depth : int
        Of the sample format: the unit of steps and values is 2^-depth / 16 grey level.
    own_steps : tuple of int
        Steps of the chunk STEPS, see `dinp.bitstream.steps.steps_of`.
    first : (r,) int64, optional
        With barriers, the first values of the regions in units, in place of the first r levels.
    shared : bool
        With barriers, whether they are those of plane 0.
    """

    structure: Structure
    side_log2: int
    step_index: int
    levels: np.ndarray
    restoration: int = 0
    depth: int = 0
    own_steps: tuple[int, ...] = ()
    first: np.ndarray | None = None
    shared: bool = False

    def known(self) -> KnownData:
        """Where the values stand."""
        return known_data_of(self.structure, self.side_log2)

    def values(self, known: KnownData) -> np.ndarray:
        """Grey values (n,) float64."""
        if self.first is not None:
            from dinp.bitstream.barriers import barrier_values

            return grey_levels(barrier_values(self.first, self.levels, known, self.step_index), self.depth)
        return dequantise(self.levels, steps_of(known.side, self.step_index, self.own_steps), self.depth)

    @property
    def kind(self) -> int:
        """The number of the structure in the file."""
        if isinstance(self.structure, Pieces):
            return SHARED_BARRIERS if self.shared else BARRIERS
        return TREE if isinstance(self.structure, Tree) else FREE_MASK

    @property
    def step(self) -> float:
        """Step of cells of side 8 in grey levels, by the table."""
        return float(grey_levels(STEP_TABLE[self.step_index], self.depth))


def known_data_of(structure: Structure, side_log2: int) -> KnownData:
    """Known data of any structure."""
    if isinstance(structure, Pieces):
        return known_data_of_pieces(structure)
    if isinstance(structure, Tree):
        return known_data_of_tree(structure)
    return known_data_of_mask(structure, 1 << side_log2)


def encode_stream(
    structure: Tree | np.ndarray,
    known: KnownData,
    step_index: int,
    levels_of: LevelsOf,
    own_steps: tuple[int, ...] = (),
) -> tuple[bytes, np.ndarray, dict[str, float]]:
    """A section without its header, for levels that are chosen on the way.

    Parameters
    ----------
    structure : Tree or (H, W) bool array
    known : KnownData
        Of this structure.
    step_index : int
        0..175.
    levels_of : callable
        See `dinp.entropy.value_coder.walk_values`; |level| <= 2^18.
    own_steps : tuple of int
        See `PlaneCode`.

    Returns
    -------
    bytes, levels (n,) int64, and the information content in bits by kind (`mask`, `values`).
    """
    encoder = RangeEncoder()
    if isinstance(structure, Tree):
        encode_tree(encoder, structure)
    else:
        encode_mask(encoder, structure)
    steps = steps_of(known.side, step_index, own_steps)
    levels = encode_values(encoder, levels_of, known.y, known.x, known.side, steps, structure.shape)
    return encoder.finish(), levels, encoder.information


def section_header(code: PlaneCode) -> bytes:
    """The bytes of a section before its stream."""
    fields = int2ba(min(code.restoration, LATER), 3) + int2ba(code.side_log2, 3) + int2ba(code.kind, 2)
    later = [code.restoration] if code.restoration >= LATER else []
    return fields.tobytes() + bytes([code.step_index, *later])


def restoration_of(data: bytes) -> int:
    """The version of the restoration that a section asks for, 0 for none; of a damaged one maybe another."""
    version = data[0] >> 5 & 3 if data else 0
    return data[2] if version == LATER and len(data) > 2 else version


def encode_section(code: PlaneCode, known: KnownData | None = None) -> tuple[bytes, dict[str, float]]:
    """The section's bytes and the information content of its parts in bits, by kind (`mask`, `values`).

    Levels are clipped to +-2^18. `known` saves its computation where the caller has it.
    """
    levels = np.clip(code.levels, -MAX_LEVEL, MAX_LEVEL)
    known = known or code.known()
    stream, _, information = encode_stream(
        code.structure, known, code.step_index, lambda p, *_: levels[p.index], code.own_steps
    )
    return section_header(code) + stream, information


def decode_section(
    data: bytes,
    shape: tuple[int, int],
    depth: int = 0,
    own_steps: tuple[int, ...] = (),
    labels: np.ndarray | None = None,
) -> tuple[PlaneCode, KnownData, dict[str, float]]:
    """Mirror of `encode_section`: the code, its known data, and the information content by kind.

    `depth` and `own_steps` stand beside the section in a file, see `PlaneCode`. `labels` (H, W) are the regions of
    plane 0, where this is another one and plane 0 has barriers.

    Raises
    ------
    DinpError
        If the section is damaged.
    """
    if len(data) < 2:
        raise DinpError("the file is damaged: a plane's section is too short")
    fields = bitarray(buffer=data[:1])
    restoration, side_log2, kind, step_index = ba2int(fields[1:3]), ba2int(fields[3:6]), ba2int(fields[6:8]), data[1]
    barriers = kind in (BARRIERS, SHARED_BARRIERS)
    wrong = side_log2 > 3 or 0 < restoration < LATER or any(own_steps) if barriers else kind == TREE and side_log2 == 0
    if fields[0] or wrong or step_index > MAX_STEP_INDEX:
        raise DinpError("the file is damaged: a plane's section has an invalid header")
    start = 2
    if restoration == LATER:
        if len(data) < 3:
            raise DinpError("the file is damaged: a plane's section is too short")
        restoration, start = data[2], 3
        if restoration < LATER:
            raise DinpError("the file is damaged: a plane's section has an invalid header")
    if barriers:
        from dinp.bitstream.barriers import decode_barrier_stream

        shared = kind == SHARED_BARRIERS
        if shared and (labels is None or labels.shape != shape):
            raise DinpError("the file is damaged: a plane's section asks for the barriers of a plane that has none")
        pieces, known, first, levels, information = decode_barrier_stream(
            data[start:],
            shape,
            step_index,
            depth,
            divided=bool(side_log2 & DIVIDED),
            fine=bool(side_log2 & FINE),
            labels=labels if shared else None,
        )
        code = PlaneCode(pieces, side_log2, step_index, levels, restoration, depth, (), first, shared)
        return code, known, information
    decoder = RangeDecoder(data[start:])
    structure: Tree | np.ndarray
    if kind == TREE:
        structure = decode_tree(decoder, shape, side_log2)
    else:
        structure = decode_mask(decoder, shape)
        if not structure.any():
            raise DinpError("the file is damaged: its inpainting mask is empty")
    known = known_data_of(structure, side_log2)
    steps = steps_of(known.side, step_index, own_steps)
    levels = decode_values(decoder, known.y, known.x, known.side, steps, shape)
    decoder.check_exhausted()
    code = PlaneCode(structure, side_log2, step_index, levels, restoration, depth, own_steps)
    return code, known, decoder.information
