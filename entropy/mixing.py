"""Context mixing of bits: many contexts foretell each bit, a mixer that learns on the way weighs them.

The specification is section 10.1 of docs/format.md; `codec/kernels/mixing.h` is the same in C, and what runs where it
was compiled. All of it is integer arithmetic; >> rounds down, also for negative numbers, and / rounds towards zero.

The coder
---------
Binary arithmetic coding with 32 bits: low = 0, high = 2^32 - 1, point = the first four bytes, most significant first. A
bit that is 1 with probability p / 2^16: middle = low + ((high - low) p >> 16); the bit is 1 where point <= middle, then
high = middle, else low = middle + 1. While low and high agree in their uppermost byte, all three lose it: low takes in
a byte 0, high FF, and point the next of the stream, 0 behind its end. A stream of n bytes must be rejected as soon as a
byte behind the first n + 8 is taken, and at its end where fewer than n + 3 were.

What is nearly certain costs nearly nothing, so that few bytes could ask for much work. Work is counted in units, 4 for
each bit of the mixer: a stream of more than 2^21 + 2^15 n must be rejected as soon as it is. An encoder appends zero
bytes where that is so; a stream that has as few bytes as its work allows may have taken fewer of them.

What foretells a bit
--------------------
Each of the contexts has a slot for the bit at hand: a probability (2^-16), a history, and a check that tells contexts
apart which share a place (a slot with another check begins anew: probability 1/2, history 0). A history is (11 n0 +
n1) 2 + the last bit: how many zeros and ones came, each at most 10; a bit adds one to its own count and halves the
other where it is above 2 (to (n + 2) / 2). A map tells for each context, kind of bit and history how probable a 1 is
(2^-22, above a count of 10 bits). Stretched (ln(p / (1 - p)) in units of 1/256, see `stretch`), both probabilities of
each context and the constant 256 are the inputs of the mixer: several sets of weights (2^-13), of each of which a small
context selects one row, give a weighted sum each; a second layer, its weights selected by the kind, mixes those; and
two refinement stages correct the result p by interpolating in a table of 91 probabilities that a context selects: (2 p
+ q_1 + q_2) >> 2. `Mixer` says how each learns.
"""

from functools import cache

import numpy as np

from dinp.errors import DinpError

STRETCH_MAX = 2815  # 11 nats in units of 1/256
HISTORIES = 242
KNOTS = 45
PARAMETERS = 16
OVERRUN = 8
MIXED_WORK, FREE_WORK_LOG2, BYTE_WORK_LOG2 = 4, 21, 15
MAP_LIMIT, SLOT_LIMIT, RATE, FINAL_RATE, STAGE_RATE = range(5)

# fmt: off
LOGISTIC = [  # 2^16 / (1 + exp(-k / 4))
    32768, 36843, 40793, 44511, 47911, 50941, 53581, 55834, 57724, 59287, 60565, 61598, 62428, 63090,
    63615, 64030, 64357, 64614, 64816, 64974, 65097, 65194, 65269, 65328, 65374, 65410, 65438, 65459,
    65476, 65489, 65500, 65508, 65514, 65519, 65523, 65526, 65528, 65530, 65531, 65532, 65533, 65534,
    65534, 65535, 65535, 65535,
]
# fmt: on


def squash(x: int) -> int:
    """2^16 / (1 + exp(-x / 256)), linear between multiples of 64; 1..2^16 - 1."""
    a = min(abs(x), STRETCH_MAX)
    k, f = a >> 6, a & 63
    p = (LOGISTIC[k] * (64 - f) + LOGISTIC[k + 1] * f) >> 6
    return 65536 - p if x < 0 else p


@cache
def stretch() -> list[int]:
    """For p in units of 2^-12 the least x with squash(x) >= 16 p + 8, at most `STRETCH_MAX`."""
    table, x = [], -STRETCH_MAX
    for p in range(4096):
        while x < STRETCH_MAX and squash(x) < 16 * p + 8:
            x += 1
        table.append(x)
    return table


def _after(history: int, bit: int) -> int:
    counts = list(divmod(history // 2, 11))
    counts[bit] = min(counts[bit] + 1, 10)
    if counts[1 - bit] > 2:
        counts[1 - bit] = (counts[1 - bit] + 2) // 2
    return (counts[0] * 11 + counts[1]) * 2 + bit


NEXT = [(_after(h, 0), _after(h, 1)) for h in range(HISTORIES)]
SEEN = [sum(divmod(h // 2, 11)) for h in range(HISTORIES)]
RECIPROCAL = [131072 // (2 * n + 3) for n in range(1024)]  # of n + 1.5


def scramble(x: int) -> int:
    """A hash of 32 bits."""
    x ^= x >> 15
    x = x * 0x2C1B3C6D & 0xFFFFFFFF
    x ^= x >> 12
    x = x * 0x297A2D39 & 0xFFFFFFFF
    return x ^ x >> 15


def least_bytes(work: int) -> int:
    """Bytes that a stream of so much work has at least."""
    return -(-max(work - (1 << FREE_WORK_LOG2), 0) >> BYTE_WORK_LOG2)


class BitEncoder:
    """The encoder of the coder above."""

    def __init__(self) -> None:
        self._low, self._high, self._out, self._work = 0, 0xFFFFFFFF, bytearray(), 0

    def spend(self, units: int) -> None:
        """Count work."""
        self._work += units

    def code(self, bit: int, p: int) -> int:
        """Code a bit that is 1 with probability p / 2^16; returns it."""
        middle = self._low + ((self._high - self._low) * p >> 16)
        if bit:
            self._high = middle
        else:
            self._low = middle + 1
        while not (self._low ^ self._high) >> 24:
            self._out.append(self._high >> 24)
            self._low = self._low << 8 & 0xFFFFFFFF
            self._high = (self._high << 8 & 0xFFFFFFFF) | 255
        return bit

    def finish(self) -> bytes:
        """The stream; up to four zero bytes at its end are left away, or as many appended as its work asks for."""
        if self._low:
            self._out.append((self._low >> 24) + 1)
        for _ in range(4):
            if self._out and not self._out[-1]:
                self._out.pop()
        return bytes(self._out).ljust(least_bytes(self._work), b"\0")


class BitDecoder:
    """Mirror of `BitEncoder`."""

    def __init__(self, data: bytes) -> None:
        self._low, self._high, self._data, self._at, self._point, self._work = 0, 0xFFFFFFFF, data, 0, 0, 0
        for _ in range(4):
            self._take()

    def _take(self) -> None:
        if self._at >= len(self._data) + OVERRUN:
            raise DinpError("the coded data is damaged: it ends before its last symbol")
        byte = self._data[self._at] if self._at < len(self._data) else 0
        self._point = (self._point << 8 & 0xFFFFFFFF) | byte
        self._at += 1

    def spend(self, units: int) -> None:
        """Count work; DinpError where it is more than the bytes allow."""
        self._work += units
        if least_bytes(self._work) > len(self._data):
            raise DinpError("the coded data is damaged: its bytes are too few for its symbols")

    def code(self, _: int, p: int) -> int:
        """The next bit, which is 1 with probability p / 2^16."""
        middle = self._low + ((self._high - self._low) * p >> 16)
        bit = int(self._point <= middle)
        if bit:
            self._high = middle
        else:
            self._low = middle + 1
        while not (self._low ^ self._high) >> 24:
            self._take()
            self._low = self._low << 8 & 0xFFFFFFFF
            self._high = (self._high << 8 & 0xFFFFFFFF) | 255
        return bit

    def check_exhausted(self) -> None:
        """Raise `DinpError` where the stream goes on."""
        if len(self._data) + 3 > self._at and len(self._data) != least_bytes(self._work):
            raise DinpError("the coded data is damaged: it goes on after its last symbol")


class MixShape:
    """How large the learned state is, an array of 32-bit integers: its parts in order.

    Attributes
    ----------
    contexts, kinds : int
        Numbers of contexts of a bit, and of kinds of bits.
    sizes, stages : tuple of int
        Rows of each set of weights, and of each refinement stage.
    """

    def __init__(self, contexts: int, kinds: int, sizes: tuple[int, ...], stages: tuple[int, int]) -> None:
        self.contexts, self.kinds, self.sizes, self.stages = contexts, kinds, sizes, stages
        self.inputs = 2 * contexts + 1
        self.rows = 2 * KNOTS + 1

    def initial(self, parameters: list[int], weight: int) -> np.ndarray:
        """The state at the beginning: int32.

        Maps say (n1 + 2/5) / (n0 + n1 + 4/5), the weights of the first layer are `weight`, those of the second average,
        and stages change nothing.
        """
        history = np.arange(HISTORIES, dtype=np.int64) // 2
        zeros, ones = history // 11, history % 11
        maps = (5 * ones + 2) * 4194303 // (5 * (zeros + ones) + 4) << 10
        knots = np.array([squash(64 * (k - KNOTS)) for k in range(self.rows)])
        parts = [
            np.array(parameters + [0] * (PARAMETERS - len(parameters))),
            np.tile(maps, self.contexts * self.kinds),
            np.full(sum(self.sizes) * self.inputs, weight),
            np.full(self.kinds * len(self.sizes), 65536 // len(self.sizes)),
            np.tile(knots, sum(self.stages)),
        ]
        return np.concatenate(parts).astype(np.uint32).view(np.int32)


class Mixer:
    """Foretells bits and learns from them; the state is copied."""

    def __init__(self, shape: MixShape, state: np.ndarray) -> None:
        self._shape = shape
        self._state = state.view(np.uint32).tolist()
        signed = state.tolist()
        at = PARAMETERS
        self._parameters = signed[:at]
        self._maps = at
        at += shape.contexts * shape.kinds * HISTORIES
        self._weights = []
        for size in shape.sizes:
            rows = signed[at : at + size * shape.inputs]
            self._weights.append([rows[k : k + shape.inputs] for k in range(0, len(rows), shape.inputs)])
            at += size * shape.inputs
        sets = len(shape.sizes)
        self._final = [signed[at + k * sets : at + (k + 1) * sets] for k in range(shape.kinds)]
        at += shape.kinds * sets
        self._stages = []
        for size in shape.stages:
            rows = signed[at : at + size * shape.rows]
            self._stages.append([rows[k : k + shape.rows] for k in range(0, len(rows), shape.rows)])
            at += size * shape.rows
        self._stretch = stretch()
        self._slots: dict[tuple[int, int], list[int]] = {}  # (context, place): probability, history, check

    def find(self, context: int, place: int, check: int) -> None:
        """Name the slot of a context for the next bit."""
        slot = self._slots.get((context, place))
        if slot is None or slot[2] != check:
            slot = self._slots[context, place] = [32768, 0, check]
        if context == 0:
            self._found = []
        self._found.append(slot)

    def predict(self, kind: int, select: list[int], stage_select: list[int]) -> int:
        """The probability of a 1 in 2^-16, 1..2^16 - 1."""
        shape = self._shape
        self._kind = kind
        self._map_at = [self._maps + (i * shape.kinds + kind) * HISTORIES + s[1] for i, s in enumerate(self._found)]
        self._inputs = []
        for slot, at in zip(self._found, self._map_at, strict=True):
            self._inputs += [self._stretch[self._state[at] >> 20], self._stretch[slot[0] >> 4]]
        self._inputs.append(256)
        self._rows = [weights[row] for weights, row in zip(self._weights, select, strict=True)]
        self._dots = [_clip(_signed(sum(map(int.__mul__, row, self._inputs))) >> 13) for row in self._rows]
        mixed = _clip(sum(map(int.__mul__, self._final[kind], self._dots)) >> 16)
        self._mixed_p = squash(mixed)
        p = 2 * self._mixed_p
        k, f = divmod(mixed + 64 * KNOTS, 64)
        self._corrected = []
        for stage, row in zip(self._stages, stage_select, strict=True):
            p += (stage[row][k] * (64 - f) + stage[row][k + 1] * f) >> 6
            self._corrected.append((stage[row], k + (f >> 5)))
        return min(max(p >> 2, 1), 65535)

    def update(self, bit: int) -> None:
        """Learn from the bit that was foretold."""
        map_limit, slot_limit, rate, final_rate, stage_rate = self._parameters[: STAGE_RATE + 1]
        target = bit << 16
        for row, dot in zip(self._rows, self._dots, strict=True):
            step = (target - squash(dot)) * rate >> 5
            for i, x in enumerate(self._inputs):
                row[i] = max(-32768, min(32767, row[i] + ((x * step + 32768) >> 16)))
        step = (target - self._mixed_p) * final_rate
        final = self._final[self._kind]
        for i, dot in enumerate(self._dots):
            final[i] += (dot * step + (1 << 17)) >> 18
        for row, k in self._corrected:
            row[k] += ((65535 if bit else 0) - row[k]) >> stage_rate
        for slot, at in zip(self._found, self._map_at, strict=True):
            entry = self._state[at]
            n, p = entry & 1023, entry >> 10
            p += ((4194303 if bit else 0) - p) * RECIPROCAL[n] >> 16
            self._state[at] = p << 10 | min(n + 1, map_limit)
            n = min(SEEN[slot[1]], slot_limit)
            slot[0] += ((65535 if bit else 0) - slot[0]) * RECIPROCAL[n] >> 16
            slot[1] = NEXT[slot[1]][bit]


def _clip(x: int) -> int:
    return max(-STRETCH_MAX, min(STRETCH_MAX, x))


def _signed(x: int) -> int:
    """x modulo 2^32, -2^31 to 2^31 - 1: as sums are that C makes of 32 bits."""
    return (x + (1 << 31) & 0xFFFFFFFF) - (1 << 31)
