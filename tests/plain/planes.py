"""Sections: structure, values and steps of a plane (sections 5 and 10.3)."""

from dataclasses import dataclass, field

from .barriers import divide, pieces_in_order, region_nodes, value_of
from .common import clip, floor_log2, require, varint
from .container import STEPS, File, own_steps
from .contours import decode_contours, regions
from .first_values import decode_first_values
from .flags import Value, decode_free_mask, decode_tree, values_of_mask
from .networks import STEP
from .ranges import RangeDecoder
from .values import decode_values


@dataclass
class Plane:
    """What a section holds. Units are of values, 2^-depth / 16 levels of the axis."""

    shape: tuple[int, int]
    structure: int
    side_log2: int
    restoration: int
    step_index: int
    values: list[Value]
    levels: list[int]
    units: list[int]
    first: list[int] = field(default_factory=list)
    labels: list[list[int]] | None = None


def decode_plane(data: bytes, shape: tuple[int, int], depth: int, own: dict[int, int], shared: Plane | None) -> Plane:
    """A section. `shared` is plane 0, where it has been decoded."""
    require(len(data) >= 2 and data[0] < 128 and data[1] <= 175, "the header of a section")
    restoration, k, structure, q = data[0] >> 5 & 3, data[0] >> 2 & 7, data[0] & 3, data[1]
    at = 2
    if restoration == 3:
        require(len(data) > 2 and data[2] >= 3, "the version of a restoration")
        restoration, at = data[2], 3

    def step_of(side: int) -> int:
        return own.get(side) or STEP[clip(q + 8 * (3 - floor_log2(side)), 0, 255)]

    plane = Plane(shape, structure, k, restoration, q, [], [], [])
    if structure >= 2:
        require(k < 4 and restoration not in (1, 2) and not own, "barriers with what they cannot have")
        _with_barriers(plane, data[at:], depth, step_of, shared)
        return plane
    decoder = RangeDecoder(data[at:])
    if structure == 0:
        require(k > 0, "roots of one pixel")
        plane.values = decode_tree(decoder, shape, k)
    else:
        plane.values = values_of_mask(decode_free_mask(decoder, shape), 1 << k)
        require(len(plane.values) > 0, "a mask without a set pixel")
    plane.levels, plane.units = decode_values(decoder, plane.values, step_of)
    decoder.end()
    return plane


def _with_barriers(plane: Plane, data: bytes, depth: int, step_of: object, shared: Plane | None) -> None:
    if plane.structure == 2:
        size, at = varint(data, 0, len(data))
        require(at + size <= len(data), "contours are cut off")
        plane.labels = regions(decode_contours(data[at : at + size], plane.shape))
        data = data[at + size :]
    else:
        require(shared is not None and shared.structure == 2 and shared.shape == plane.shape, "whose regions?")
        plane.labels = shared.labels
    decoder = RangeDecoder(data)
    nodes = region_nodes(plane.labels)
    areas = [len(node.pixels) for node in nodes]
    if plane.side_log2 & 1:
        nodes = divide(decoder, nodes)
    pieces = pieces_in_order(nodes, len(areas))
    plane.values = [value_of(piece) for piece in pieces]
    fine = plane.side_log2 & 2 > 0
    plane.first, base = decode_first_values(decoder, plane.labels, pieces, plane.step_index, depth, fine, areas)
    known = [base * v for v in plane.first]
    groups = [piece.region for piece in pieces]
    plane.levels, plane.units = known, known
    if len(pieces) > len(areas):
        plane.levels, plane.units = decode_values(decoder, plane.values, step_of, groups, known)
    plane.levels = plane.levels[len(areas) :]
    decoder.end()


def decode_planes(file: File) -> list[Plane]:
    """All planes of a file that is not lossless."""
    planes: list[Plane] = []
    for number, section in enumerate(file.sections):
        own: dict[int, int] = {}
        for named, content in file.chunks_of(STEPS):
            if named >> number & 1:
                own = own_steps(content)
        depth = file.format_of(number).depth
        planes.append(decode_plane(section, file.shape(number), depth, own, planes[0] if planes else None))
    return planes
