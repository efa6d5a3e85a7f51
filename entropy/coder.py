"""Range coding with integer probabilities, by compiled kernels or by `constriction`, with the same bytes.

Every probability is an integer multiple of 2^-16. The kernels (`codec/kernels/rangecoder.h`) compute in integers;
constriction is handed doubles, in which all that it computes with such probabilities is exact. So encoder and decoder
agree on every machine. Coders also tell how many bits of the stream each kind of data takes (`"mask"`, `"values"`), so
that the cost of positions and of values can be told apart.

The decoder
-----------
The stream is a sequence of 32-bit words, most significant byte first, which zero bytes continue without end. The state
is three integers of 64 bits, all operations being modulo 2^64: lower = 0, range = 2^64 - 1, and point = the first two
words. A symbol j out of K with frequencies f_0 .. f_(K-1), each at least 1 and together 2^16, is decoded thus: with

    C_j = floor((f_0 + ... + f_(j-1)) (2^24 - K) / 2^16) + j,  C_K = 2^24
    scale = floor(range / 2^24),  q = floor((point - lower) / scale)

it is the j with C_j <= q < C_(j+1); q >= 2^24 must be rejected. Then lower += scale C_j and range = scale (C_(j+1) -
C_j); and if range < 2^32, lower and range are multiplied by 2^32, and point is multiplied by 2^32 and the next word
added: the state moves on. A bit is a symbol with K = 2 and the frequencies 2^16 - ones, ones.

The excess of n escapes: x = excess + 1 has a class, the number of its bits after the leading one. Bits have the
frequencies 2^15, 2^15. First the classes, in rounds: in each round one bit for every escape that is still alive, 1 =
its class is one higher, 0 = its class is known; at most 20 rounds, after which all classes are known. Then the raw
bits, least significant first: for k = 0, 1, ... one bit for every escape of a class above k.

What must be rejected
---------------------
Let M be how often the state has moved on, and N the bytes of the stream. A decoder must reject a stream

    as soon as 4 M > N + 16     it yields more information than its bytes can hold
    at the end, if N > 4 M + 8  it goes on after the words that are in the state then

So a stream's bytes bound the work that it asks for: a flag takes at least 1/2900 bit and a value at least 1/1100.

The encoder may end the stream with any bytes that decode to the same symbols. This one takes the fewest, drops zero
bytes at the end, and adds such as the first of these rules asks for.
"""

from collections.abc import Callable
from functools import cache
from math import log2
from types import ModuleType

import numpy as np

from dinp.errors import DinpError
from dinp.kernels import kernels

PRECISION = 16
ONE = 1 << PRECISION
MAX_ESCAPE_BITS = 20
SURPLUS = 16  # bytes of information that a stream may yield beyond its own
_STATE = 64
_WORD = 32
_FULL = (1 << _STATE) - 1
_UNIT = 1 << 24  # of which symbols take their shares
_DAMAGED = "the coded data is damaged: its symbols do not fit its bytes"


class _Account:
    """Knows how many bits of the stream each kind of data took: what the state moved on, and how its range shrank."""

    def __init__(self) -> None:
        self.information: dict[str, float] = {}  # bits, by kind
        self._counted = 0.0

    def _position(self) -> tuple[int, int]:
        """Moves of the state, and its range."""
        raise NotImplementedError

    def _count(self, kind: str) -> None:
        moves, span = self._position()
        bits = _WORD * moves + _STATE - log2(span)
        self.information[kind] = self.information.get(kind, 0.0) + bits - self._counted
        self._counted = bits


class RangeEncoder(_Account):
    """Encodes bits and symbols; the mirror image of `RangeDecoder`. Kernels elsewhere may use it through `run`."""

    def __init__(self) -> None:
        super().__init__()
        self._words: list[bytes] = []
        self._state = np.array([0, _FULL, 0, 0, 0], dtype=np.uint64)  # lower, range, held, first, moves
        self._coder = None if kernels else _constriction().stream.queue.RangeEncoder()

    def run(self, kernel: Callable[..., int], symbols: int, kind: str, *arguments: object) -> None:
        """Let `kernel(state, words, *arguments)` code at most so many symbols; it returns the number of words."""
        words = np.empty(symbols + int(self._state[2]), dtype=np.uint32)
        count = kernel(self._state, words, *arguments)
        self._words.append(words[:count].astype(">u4").tobytes())
        self._count(kind)

    def encode_bits(self, bits: np.ndarray, ones: np.ndarray, kind: str) -> None:
        """Code `bits` (n,) bool, each 1 with probability `ones` / 2^16; `ones` (n,) integers in 1..2^16 - 1."""
        if np.size(bits) == 0:
            return
        if kernels:
            bits, ones = np.ascontiguousarray(bits, dtype=bool), np.ascontiguousarray(ones, dtype=np.int64)
            self.run(kernels.encode_bits, bits.size, kind, bits, ones)
        else:
            family = _constriction().stream.model.Bernoulli(perfect=False)
            self._coder.encode(np.asarray(bits, dtype=np.int32), family, np.asarray(ones) / ONE)
            self._count(kind)

    def encode_symbols(self, symbols: np.ndarray, frequencies: np.ndarray, kind: str) -> None:
        """Code `symbols` (n,) in 0..K-1 with `frequencies` (n, K) integers >= 1 whose rows add up to 2^16."""
        if np.size(symbols) == 0:
            return
        if kernels:
            symbols = np.ascontiguousarray(symbols, dtype=np.int64)
            frequencies = np.ascontiguousarray(frequencies, dtype=np.int64)
            self.run(kernels.encode_symbols, symbols.size, kind, symbols, frequencies)
        else:
            family = _constriction().stream.model.Categorical(perfect=False)
            self._coder.encode(np.asarray(symbols, dtype=np.int32), family, np.asarray(frequencies) / ONE)
            self._count(kind)

    def encode_excess(self, excess: np.ndarray, kind: str) -> None:
        """Code `excess` (n,) integers in 0..2^20 - 2 by Exp-Golomb codes: the class in unary, then its raw bits."""
        excess = np.asarray(excess, dtype=np.int64) + 1
        size = np.frexp(excess.astype(np.float64))[1] - 1  # position of the leading one: exact below 2^53
        width = int(size.max(initial=0))
        for k in range(width + 1):
            alive = size >= k
            half = np.full(int(alive.sum()), ONE // 2)
            self.encode_bits(size[alive] > k, half, kind)
        for k in range(width):
            alive = size > k
            half = np.full(int(alive.sum()), ONE // 2)
            self.encode_bits((excess[alive] >> k) & 1, half, kind)

    @property
    def moves(self) -> int:
        """How often the state moved on."""
        return self._position()[0]

    def finish(self) -> bytes:
        """The stream, with as few tail bytes as still decode to the same symbols."""
        moves, span = self._position()
        if span == _FULL:  # nothing was coded
            return b""
        # Of the numbers that decode to the symbols, lowest .. lowest + span - 1, the roundest: found from the one that
        # constriction would end with, whose last 32 bits are zero.
        lowest = self._lowest()
        best = (lowest + (1 << _WORD) - 1) >> _WORD << _WORD
        for drop in range(_WORD // 8 + 1, _STATE // 8 + 1):
            unit = 1 << 8 * drop
            down = best // unit * unit
            found = [number for number in (down, down + unit) if lowest <= number < lowest + span]
            if not found:
                break
            best = found[0]
        data = best.to_bytes((_WORD * moves + _STATE) // 8, "big").rstrip(b"\0")
        return data.ljust(_WORD // 8 * moves - SURPLUS, b"\0")

    def _lowest(self) -> int:
        """The least number of moves + 2 words that decodes to the symbols."""
        if self._coder is None:
            lower, _, held, first, _ = self._state.tolist()
            words = b"".join(self._words)
            if held:
                words += first.to_bytes(4, "big") + b"\xff" * (4 * (held - 1))
            return int.from_bytes(words, "big") << _STATE | lower
        lower = self._coder.pos()[1][0]
        words = self._coder.get_compressed()[: self._position()[0] + 1].astype(">u4").tobytes()
        # its last word is that of lower + 2^32 - 1
        return (int.from_bytes(words, "big") << _WORD) - (-lower) % (1 << _WORD)

    def _position(self) -> tuple[int, int]:
        if self._coder is None:
            return int(self._state[4]), int(self._state[1])
        lower, span = self._coder.pos()[1]
        if span == _FULL:
            return 0, span
        last, beyond = (lower + (1 << _WORD) - 1) % (1 << _STATE), (lower + span) % (1 << _STATE)
        # constriction adds a word of zeros where the last one alone could be read as more than it may be
        return self._coder.num_words() - 1 - (last >> _WORD == beyond >> _WORD), span


class RangeDecoder(_Account):
    """Decodes what `RangeEncoder` wrote, given the same probabilities in the same order."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self._data = bytes(data)
        # lower, range, point, moves
        point = int.from_bytes(self._data[: _STATE // 8].ljust(_STATE // 8, b"\0"), "big")
        self._state = np.array([0, _FULL, point, 0], dtype=np.uint64)
        self._coder = None if kernels else _constriction().stream.queue.RangeDecoder(_words(self._data))

    def run(self, kernel: Callable[..., bool], kind: str, *arguments: object) -> None:
        """Let `kernel(state, data, *arguments)` decode; it returns whether it could. DinpError where it could not."""
        if not kernel(self._state, self._data, *arguments):
            raise DinpError(_DAMAGED)
        self._count(kind)

    def decode_bits(self, ones: np.ndarray, kind: str) -> np.ndarray:
        """Mirror of `encode_bits`: (n,) bool."""
        bits = np.zeros(np.size(ones), dtype=bool)
        if bits.size == 0:
            return bits
        if kernels:
            self.run(kernels.decode_bits, kind, np.ascontiguousarray(ones, dtype=np.int64), bits)
            return bits
        ones = np.asarray(ones, dtype=np.int64)
        bits = self._decode(_constriction().stream.model.Bernoulli(perfect=False), ones / ONE).astype(bool)
        bound = ((ONE - ones) * (_UNIT - 2) >> PRECISION) + 1
        self._follow(np.where(bits, _UNIT - bound, bound), kind)
        return bits

    def decode_symbols(self, frequencies: np.ndarray, kind: str) -> np.ndarray:
        """Mirror of `encode_symbols`: (n,) int64."""
        n, k = np.shape(frequencies)
        symbols = np.zeros(n, dtype=np.int64)
        if n == 0:
            return symbols
        if kernels:
            self.run(kernels.decode_symbols, kind, np.ascontiguousarray(frequencies, dtype=np.int64), symbols)
            return symbols
        family = _constriction().stream.model.Categorical(perfect=False)
        symbols = self._decode(family, np.asarray(frequencies) / ONE).astype(np.int64)
        bounds = np.empty((n, k + 1), dtype=np.int64)
        bounds[:, 0], bounds[:, k] = 0, _UNIT
        before = np.cumsum(frequencies[:, :-1], axis=1, dtype=np.int64)
        bounds[:, 1:k] = (before * (_UNIT - k) >> PRECISION) + np.arange(1, k)
        row = np.arange(n)
        self._follow(bounds[row, symbols + 1] - bounds[row, symbols], kind)
        return symbols

    def _decode(self, family: object, p: np.ndarray) -> np.ndarray:
        """What constriction decodes."""
        try:
            return self._coder.decode(family, p)
        except AssertionError:  # what it raises where no symbol fits the data
            raise DinpError(_DAMAGED) from None

    def _follow(self, shares: np.ndarray, kind: str) -> None:
        """Keep up with constriction, which does not tell its state: range and moves after symbols of these shares."""
        moves, span = self._position()
        for share in shares.tolist():
            span = (span >> 24) * share
            if span >> _WORD == 0:
                span <<= _WORD
                moves += 1
        self._state[1], self._state[3] = span, moves
        if 4 * moves > len(self._data) + SURPLUS:
            raise DinpError(_DAMAGED)
        self._count(kind)

    def decode_excess(self, n: int, kind: str) -> np.ndarray:
        """Mirror of `encode_excess`: (n,) int64. A class above 2^20 ends there (only damaged data has one)."""
        size = np.zeros(n, dtype=np.int64)
        alive = np.ones(n, dtype=bool)
        for _ in range(MAX_ESCAPE_BITS):
            if not alive.any():
                break
            alive[alive] = self.decode_bits(np.full(int(alive.sum()), ONE // 2), kind)
            size += alive
        excess = np.int64(1) << size
        for k in range(int(size.max(initial=0))):
            alive = size > k
            bits = self.decode_bits(np.full(int(alive.sum()), ONE // 2), kind).astype(np.int64)
            excess[alive] |= bits << k
        return excess - 1

    def expect(self, count: int, per_bit: int) -> None:
        """Raise `DinpError` where so many symbols, of at least 1 / per_bit bits each, are more than can come."""
        moves = (len(self._data) + SURPLUS) // 4 + 1 - int(self._state[3])
        if count > per_bit * _WORD * moves:
            raise DinpError(_DAMAGED)

    def check_exhausted(self) -> None:
        """Raise `DinpError` where the stream goes on after its symbols."""
        if len(self._data) > 4 * self._position()[0] + 8:
            raise DinpError("the coded data is damaged: it goes on after its last symbol")

    def _position(self) -> tuple[int, int]:
        return int(self._state[3]), int(self._state[1])


@cache
def _constriction() -> ModuleType:
    """The package, which need not be loaded where the kernels are."""
    import constriction

    return constriction


def _words(data: bytes) -> np.ndarray:
    """The stream as 32-bit words, zero bytes appended up to a whole word."""
    return np.frombuffer(data + b"\0" * (-len(data) % 4), dtype=">u4").astype(np.uint32)
