"""Range coding with integer probabilities: a thin layer over `constriction` that makes rule 1 of the format hold.

Every probability is an integer multiple of 2^-16, handed to constriction as a double, in which all that it computes
with them is exact: what follows is integer arithmetic, and encoder and decoder agree on every machine. (In single
precision it would round.) The encoder also adds up the information content of what it codes, by kind (`"mask"`,
`"values"`), so that the cost of positions and of values can be told apart.

The decoder
-----------
The stream is a sequence of 32-bit words, most significant byte first, without its tail of zero bytes: the decoder
appends as many zero bytes as it needs. The state is three integers of 64 bits, all operations being modulo 2^64: lower
= 0, range = 2^64 - 1, and point = the first two words. A symbol j out of K with frequencies f_0 .. f_(K-1), each at
least 1 and together 2^16, is decoded thus: with

    C_j = floor((f_0 + ... + f_(j-1)) (2^24 - K) / 2^16) + j,  C_K = 2^24
    scale = floor(range / 2^24),  q = floor((point - lower) / scale)

it is the j with C_j <= q < C_(j+1); q >= 2^24 must be rejected. Then lower += scale C_j and range = scale (C_(j+1) -
C_j); and if range < 2^32, lower and range are multiplied by 2^32, and point is multiplied by 2^32 and the next word
added. A bit is a symbol with K = 2 and the frequencies 2^16 - ones, ones.

The encoder drops as many bytes at the end as it can such that all symbols still decode.
"""

from collections.abc import Callable

import constriction
import numpy as np

from dinp.errors import DinpError

model = constriction.stream.model
queue = constriction.stream.queue

PRECISION = 16
ONE = 1 << PRECISION
MAX_ESCAPE_BITS = 20

_bernoulli = model.Bernoulli(perfect=False)
_categorical = model.Categorical(perfect=False)


class _Account:
    """Adds up the information content of coded symbols, by kind."""

    def __init__(self) -> None:
        self.information: dict[str, float] = {}  # bits, by kind

    def _add(self, kind: str, frequencies: np.ndarray) -> None:
        bits = PRECISION * frequencies.size - float(np.log2(frequencies).sum())
        self.information[kind] = self.information.get(kind, 0.0) + bits


class RangeEncoder(_Account):
    """Encodes bits and symbols; the mirror image of `RangeDecoder`."""

    def __init__(self) -> None:
        super().__init__()
        self._coder = queue.RangeEncoder()
        self._replay: list[Callable[[queue.RangeDecoder], bool]] = []

    def encode_bits(self, bits: np.ndarray, ones: np.ndarray, kind: str) -> None:
        """Code `bits` (n,) bool, each 1 with probability `ones` / 2^16; `ones` (n,) integers in 1..2^16 - 1."""
        symbols = np.asarray(bits, dtype=np.int32)
        if symbols.size == 0:
            return
        p = np.asarray(ones) / ONE
        self._coder.encode(symbols, _bernoulli, p)
        self._replay.append(lambda d: np.array_equal(d.decode(_bernoulli, p), symbols))
        self._add(kind, np.where(symbols == 1, ones, ONE - np.asarray(ones)))

    def encode_symbols(self, symbols: np.ndarray, frequencies: np.ndarray, kind: str) -> None:
        """Code `symbols` (n,) in 0..K-1 with `frequencies` (n, K) integers >= 1 whose rows add up to 2^16."""
        symbols = np.asarray(symbols, dtype=np.int32)
        if symbols.size == 0:
            return
        p = np.asarray(frequencies) / ONE
        self._coder.encode(symbols, _categorical, p)
        self._replay.append(lambda d: np.array_equal(d.decode(_categorical, p), symbols))
        self._add(kind, np.take_along_axis(frequencies, symbols[:, None].astype(np.intp), axis=1))

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

    def finish(self) -> bytes:
        """The stream, with as few tail bytes as still decode to the same symbols."""
        words = self._coder.get_compressed()
        data = words.astype(">u4").tobytes()
        number = int.from_bytes(data, "big")
        shortest = data
        for drop in range(1, min(len(data), 8) + 1):
            size, unit = len(data) - drop, 1 << (8 * drop)
            # The numbers that decode to the symbols are an interval: where neither neighbour of so few bytes is in it,
            # none of fewer bytes is.
            candidates = (number // unit, number // unit + 1)
            short = (n.to_bytes(size, "big") for n in candidates if n < 1 << (8 * size))
            found = next((s for s in short if self._decodes(s)), None)
            if found is None:
                break
            shortest = found
        return shortest.rstrip(b"\0")

    def _decodes(self, data: bytes) -> bool:
        decoder = queue.RangeDecoder(_words(data))
        try:
            return all(step(decoder) for step in self._replay)
        except AssertionError:  # what constriction raises where no symbol fits the data
            return False


class RangeDecoder(_Account):
    """Decodes what `RangeEncoder` wrote, given the same probabilities in the same order."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self._size = len(data)
        self._coder = queue.RangeDecoder(_words(data))

    def _decode(self, family: object, p: np.ndarray) -> np.ndarray:
        try:
            return self._coder.decode(family, p)
        except AssertionError:  # what constriction raises where no symbol fits the data
            raise DinpError("the coded data is damaged: it holds no valid symbol") from None

    def decode_bits(self, ones: np.ndarray, kind: str) -> np.ndarray:
        """Mirror of `encode_bits`: (n,) bool."""
        if np.size(ones) == 0:
            return np.zeros(0, dtype=bool)
        bits = self._decode(_bernoulli, np.asarray(ones) / ONE).astype(bool)
        self._add(kind, np.where(bits, ones, ONE - np.asarray(ones)))
        return bits

    def decode_symbols(self, frequencies: np.ndarray, kind: str) -> np.ndarray:
        """Mirror of `encode_symbols`: (n,) int64."""
        if np.shape(frequencies)[0] == 0:
            return np.zeros(0, dtype=np.int64)
        p = np.asarray(frequencies) / ONE
        symbols = self._decode(_categorical, p).astype(np.int64)
        self._add(kind, np.take_along_axis(frequencies, symbols[:, None], axis=1))
        return symbols

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

    def check_exhausted(self) -> None:
        """Raise `DinpError` where the stream is longer than its symbols can have made it.

        Encoders may leave any tail that decodes to the same symbols, so the bound is the information content decoded,
        plus 0.2 % for the coder's rounding and 16 bytes for its last words.
        """
        if self._size > sum(self.information.values()) / 8 * 1.002 + 16:
            raise DinpError("the coded data is damaged: it goes on after its last symbol")


def _words(data: bytes) -> np.ndarray:
    """The stream as 32-bit words, zero bytes appended up to a whole word."""
    return np.frombuffer(data + b"\0" * (-len(data) % 4), dtype=">u4").astype(np.uint32)
