"""Planes with barriers: divisions and where values stand (section 10.3)."""

from collections import defaultdict
from dataclasses import dataclass

from .common import clip, floor_log2
from .flags import Value
from .ranges import RangeDecoder

LEAST = {1: 2, 2: 8, **dict.fromkeys(range(3, 8), 24)}


@dataclass
class Node:
    """A set of pixels, in raster order; level 8 is a region."""

    region: int
    level: int
    pixels: list[tuple[int, int]]
    wanted: bool = False
    divided: bool = False


def region_nodes(labels: list[list[int]]) -> list[Node]:
    """The regions as nodes."""
    pixels: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for y, row in enumerate(labels):
        for x, label in enumerate(row):
            pixels[label].append((y, x))
    return [Node(region, 8, pixels[region]) for region in range(len(pixels))]


def divide(decoder: RangeDecoder, nodes: list[Node]) -> list[Node]:
    """All nodes, regions first."""
    counts = defaultdict(lambda: [2, 8])
    new = list(nodes)
    for k in range(8, 0, -1):
        if k < 8:
            cut = [node for node in nodes if node.wanted and not node.divided]
            if not cut:
                break
            new = []
            for node in cut:
                parts: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
                for y, x in node.pixels:
                    parts[y >> k, x >> k].append((y, x))
                large = [parts[cell] for cell in sorted(parts) if len(parts[cell]) >= LEAST[k]]
                if len(large) >= 2:
                    node.divided = True
                    new += [Node(node.region, k, pixels) for pixels in large]
            nodes = nodes + new
        if k > 1:
            _flags(decoder, [node for node in new if len(node.pixels) >= 2 * LEAST[k - 1]], k, counts)
    return nodes


def _flags(decoder: RangeDecoder, nodes: list[Node], k: int, counts: dict) -> None:
    for at in range(0, len(nodes), 16):
        batch = nodes[at : at + 16]
        contexts = [(k, floor_log2(len(node.pixels))) for node in batch]
        for node, context in zip(batch, contexts, strict=True):
            ones, flags = counts[context]
            node.wanted = bool(decoder.bit(clip(2**16 * ones // flags, 64, 2**16 - 64)))
        for node, context in zip(batch, contexts, strict=True):
            counts[context][0] += node.wanted
            counts[context][1] += 1
        for context in set(contexts):
            if counts[context][1] >= 256:
                counts[context] = [(counts[context][0] + 1) // 2, counts[context][1] // 2]


def pieces_in_order(nodes: list[Node], count: int) -> list[Node]:
    """The pieces, numbered as their values: first those of first values, region by region."""
    pieces = [node for node in nodes if not node.divided]
    largest: dict[int, Node] = {}
    for piece in pieces:
        if piece.region not in largest or len(piece.pixels) > len(largest[piece.region].pixels):
            largest[piece.region] = piece
    first = [largest[region] for region in range(count)]
    chosen = {id(piece) for piece in first}
    return first + [piece for piece in pieces if id(piece) not in chosen]


def value_of(piece: Node) -> Value:
    """Where the value of a piece stands."""
    count = len(piece.pixels)
    y, x = sum(p[0] for p in piece.pixels) // count, sum(p[1] for p in piece.pixels) // count
    c, d = min(piece.pixels, key=lambda p: ((p[0] - y) ** 2 + (p[1] - x) ** 2, p))
    pixels = piece.pixels
    if piece.level < 8:
        r = max(1, 2**piece.level // 8)
        pixels = [p for p in pixels if c - r <= p[0] < c + r and d - r <= p[1] < d + r]
    return Value(c, d, 2 ** min(floor_log2(count) // 2, 7), pixels)
