"""Values: their order, neighbours and distributions (sections 9 and 10.5)."""

from collections.abc import Callable

from .common import clip, floor_log2, log2_fixed, require, signed_log
from .flags import Value
from .networks import network
from .ranges import RangeDecoder

DIRECTIONS = [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]


def _representatives(values: list[Value], groups: list[int], largest: int, known: int) -> list[dict]:
    """For each spacing 1, 2, .. largest, by group and block: the number of the value that represents it."""

    def distance(i: int, spacing: int) -> tuple[bool, int, int]:
        y, x = values[i].y % spacing, values[i].x % spacing
        return i >= known, (2 * y + 1 - spacing) ** 2 + (2 * x + 1 - spacing) ** 2, i

    levels = [{(group, v.y, v.x): i for i, (v, group) in enumerate(zip(values, groups, strict=True))}]
    while 1 << len(levels) <= largest:
        spacing, blocks = 1 << len(levels), {}
        for (group, y, x), i in levels[-1].items():
            place = group, y >> 1, x >> 1
            if place not in blocks or distance(i, spacing) < distance(blocks[place], spacing):
                blocks[place] = i
        levels.append(blocks)
    return levels


def decode_values(
    decoder: RangeDecoder,
    values: list[Value],
    step_of: Callable[[int], int],
    groups: list[int] | None = None,
    first: list[int] | None = None,
) -> tuple[list[int], list[int]]:
    """Levels and values in units. `first` are values known beforehand, of the lowest numbers; their level is 0."""
    largest = 256 if groups is None else 2**12
    groups = groups or [0] * len(values)
    first = first or []
    blocks = _representatives(values, groups, largest, len(first))
    level, units = [0] * len(values), first + [0] * (len(values) - len(first))
    surprise = [256] * len(values)
    coded = [i < len(first) for i in range(len(values))]
    for k in range(len(blocks) - 1, -1, -1):
        mine = sorted((i, (y + x) % 2) for (_, y, x), i in blocks[k].items() if not coded[i])
        for half in (0, 1):
            numbers = [i for i, parity in mine if parity == half]
            models = []
            for i in numbers:
                neighbours = _neighbours(i, k, values, groups, blocks, coded)
                models.append(_Model(i, k, half, values, neighbours, units, surprise, step_of(values[i].side)))
            outputs = network("values").outputs([m.inputs for m in models]) if models else []
            symbols = [decoder.symbol(m.distribution(output)) for m, output in zip(models, outputs, strict=True)]
            excess = iter(decoder.excesses(sum(s in (0, 42) for s in symbols)))
            for i, m, symbol in zip(numbers, models, symbols, strict=True):
                over = next(excess) if symbol in (0, 42) else 0
                level[i] = m.centre + symbol - 21 + (over if symbol == 42 else -over)
                require(abs(level[i]) <= 2**18, "a level is too large")
                units[i] = level[i] * m.step
                surprise[i] = abs(units[i] - m.base) if m.count else 256
                coded[i] = True
    return level, units


def _neighbours(
    i: int, k: int, values: list[Value], groups: list[int], blocks: list[dict], coded: list[bool]
) -> list[int | None]:
    found: list[int | None] = []
    for dy, dx in DIRECTIONS:
        found.append(None)
        for log2 in range(k, min(k + 3, len(blocks))):
            j = blocks[log2].get((groups[i], (values[i].y >> log2) + dy, (values[i].x >> log2) + dx))
            if j is not None and coded[j]:
                found[-1] = j
                break
    return found


class _Model:
    """From decoded neighbours to the distribution of one value's level."""

    def __init__(
        self,
        i: int,
        k: int,
        half: int,
        values: list[Value],
        neighbours: list[int | None],
        units: list[int],
        surprises: list[int],
        step: int,
    ) -> None:
        me, s = values[i], step
        self.step = step
        there = [j for j in neighbours if j is not None]
        self.count = len(there)
        d2 = {j: (values[j].y - me.y) ** 2 + (values[j].x - me.x) ** 2 for j in there}
        w = [0 if j is None else max(2**20 // d2[j], 1) for j in neighbours]
        pairs = [(weight, j) for weight, j in zip(w, neighbours, strict=True) if j is not None]
        total = max(sum(w), 1)
        self.base = base = sum(weight * units[j] for weight, j in pairs) // total if there else 2048
        spread = sum(weight * abs(units[j] - base) for weight, j in pairs) // total
        surprise = sum(weight * surprises[j] for weight, j in pairs) // total
        self.scale = max((spread + surprise) // 2 + s // 4, 1) if there else 768
        side = floor_log2(me.side)

        def each(of: Callable[[int], int]) -> list[int]:
            return [0 if j is None else of(j) for j in neighbours]

        self.inputs = each(lambda j: signed_log(1024 * (units[j] - base) // s))
        self.inputs += [1024 * weight // total for weight in w]
        self.inputs += each(lambda j: signed_log(1024 * surprises[j] // s))
        self.inputs += each(lambda j: 1024 * (floor_log2(values[j].side) - side))
        self.inputs += each(lambda j: log2_fixed(max(d2[j], 1)) - 2048 * k)
        self.inputs += [signed_log(1024 * spread // s), signed_log(1024 * surprise // s)]
        self.inputs += [log2_fixed(min(d2.values(), default=2**18)) - 2048 * k]
        self.inputs += [1024 * side, 1024 * k, 1024 * half, log2_fixed(s) - 4096, 256 * len(there)]

    def distribution(self, o: list[int]) -> list[int]:
        """Sums of frequencies of the 43 symbols, from the network's outputs; sets the centre."""
        net, s = network("values"), self.step
        weights = [net.exp2(max(o[i] - max(o[:3]), -10240)) for i in range(3)]
        weights = [2**14 * weight // sum(weights) for weight in weights]
        weights[0] += 2**14 - sum(weights)
        m = [16 * self.base + clip(o[3 + i], -8192, 8192) * self.scale // 64 for i in range(3)]
        r = [max(net.exp2(clip(o[6 + i], -6144, 4096)) * self.scale // 4096, 4) for i in range(3)]
        mean = sum(weights[i] * m[i] for i in range(3)) // 2**14
        self.centre = clip((mean + 8 * s) // (16 * s), -(2**18), 2**18)
        sums = [0]
        for t in range(42):
            edge = (2 * (self.centre - 20 + t) - 1) * 8 * s
            parts = [net.logistic[clip(128 * (edge - m[i]) // r[i], -2048, 2047) + 2048] for i in range(3)]
            below = sum(weights[i] * parts[i] for i in range(3)) // 2**14
            sums.append(below * (2**16 - 43) // 2**16 + t + 1)
        return [*sums, 2**16]
