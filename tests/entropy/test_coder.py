"""Range coding: exact words, exact mirrors, damaged data; by the kernels as by constriction."""

import numpy as np
import pytest

from dinp.entropy import coder
from dinp.entropy.coder import ONE, SURPLUS, RangeDecoder, RangeEncoder
from dinp.errors import DinpError
from dinp.kernels import kernels

WAYS = ["compiled", "constriction"] if kernels else ["constriction"]
both_ways = pytest.mark.skipif(kernels is None, reason="the kernels are not built")


@pytest.fixture(params=WAYS, autouse=True)
def way(request, monkeypatch):
    if request.param == "constriction":
        monkeypatch.setattr(coder, "kernels", None)
    return request.param


def random_frequencies(rng, n, symbols):
    return rng.multinomial(ONE - symbols, np.ones(symbols) / symbols, n) + 1


def test_stream_is_fixed():
    """Any change of the coder's output is a breaking change of the format."""
    encoder = RangeEncoder()
    encoder.encode_bits(np.array([1, 0, 1, 1, 0, 0, 0, 1], dtype=bool), np.arange(8) * 8000 + 100, "mask")
    frequencies = np.array([[1, 2, ONE - 7, 4], [1, 1, 1, ONE - 3], [ONE // 4] * 4])
    encoder.encode_symbols(np.array([0, 3, 1]), frequencies, "values")
    encoder.encode_excess(np.array([0, 1, 5, 1000]), "values")
    assert encoder.finish().hex() == "ffebc83b5700060d"


class SpecifiedDecoder:
    """A decoder written from the specification in `dinp.entropy.coder`, in Python's integers."""

    def __init__(self, data):
        self.rest = data
        self.lower, self.range = 0, 2**64 - 1
        self.point = (self.word() << 32) + self.word()

    def word(self):
        word, self.rest = self.rest[:4], self.rest[4:]
        return int.from_bytes(word + b"\0" * (4 - len(word)), "big")

    def symbol(self, frequencies):
        k = len(frequencies)
        c = [sum(frequencies[:j]) * (2**24 - k) // 2**16 + j for j in range(k)] + [2**24]
        scale = self.range // 2**24
        q = (self.point - self.lower) % 2**64 // scale
        j = max(j for j in range(k) if c[j] <= q)
        self.lower = (self.lower + scale * c[j]) % 2**64
        self.range = scale * (c[j + 1] - c[j])
        if self.range < 2**32:
            self.lower = self.lower * 2**32 % 2**64
            self.range = self.range * 2**32
            self.point = (self.point * 2**32 + self.word()) % 2**64
        return j


@pytest.mark.parametrize("seed", range(5))
def test_the_specification_decodes_what_the_coder_wrote(seed):
    rng = np.random.default_rng(seed)
    ones = rng.integers(1, ONE, 500)
    bits = rng.random(ones.size) < ones / ONE
    share = rng.dirichlet(np.full(43, 0.2), 200)
    frequencies = np.array([rng.multinomial(ONE - 43, row) + 1 for row in share])
    symbols = np.array([rng.choice(43, p=row / ONE) for row in frequencies])
    encoder = RangeEncoder()
    encoder.encode_bits(bits, ones, "mask")
    encoder.encode_symbols(symbols, frequencies, "values")
    decoder = SpecifiedDecoder(encoder.finish())
    assert [decoder.symbol([ONE - int(n), int(n)]) for n in ones] == bits.astype(int).tolist()
    assert [decoder.symbol([int(f) for f in row]) for row in frequencies] == symbols.tolist()


@pytest.mark.parametrize("seed", range(40))
def test_round_trip(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(0, 60))
    ones = rng.integers(1, ONE, n)
    bits = rng.random(n) < ones / ONE
    frequencies = random_frequencies(rng, n, 9)
    symbols = rng.integers(0, 9, n)
    excess = rng.integers(0, 1 << int(rng.integers(1, 20)), n // 3)
    encoder = RangeEncoder()
    encoder.encode_bits(bits, ones, "mask")
    encoder.encode_symbols(symbols, frequencies, "values")
    encoder.encode_excess(excess, "values")
    decoder = RangeDecoder(encoder.finish())
    assert np.array_equal(decoder.decode_bits(ones, "mask"), bits)
    assert np.array_equal(decoder.decode_symbols(frequencies, "values"), symbols)
    assert np.array_equal(decoder.decode_excess(excess.size, "values"), excess)
    decoder.check_exhausted()
    assert decoder.information == encoder.information


def test_overhead_over_information_content():
    rng = np.random.default_rng(1)
    ones = rng.integers(1, ONE, 50_000)
    bits = rng.random(ones.size) < ones / ONE
    encoder = RangeEncoder()
    encoder.encode_bits(bits, ones, "mask")
    information = encoder.information["mask"] / 8
    exact = -np.log2(np.where(bits, ones, ONE - ones) / ONE).sum() / 8
    assert information == pytest.approx(exact, rel=1e-3)  # the coder's own rounding is in it
    assert information <= len(encoder.finish()) <= information * 1.001 + 4


@pytest.mark.parametrize(("size", "refused"), [(0, False), (8, False), (9, True), (99, True)])
def test_leftover_data_is_an_error(size, refused):
    """The state holds the first two words when no symbol has moved it on."""
    decoder = RangeDecoder(bytes(range(1, size + 1)))
    decoder.decode_bits(np.full(20, ONE // 2), "mask")
    if not refused:
        return decoder.check_exhausted()
    with pytest.raises(DinpError, match="goes on after its last symbol"):
        decoder.check_exhausted()
    return None


@pytest.mark.parametrize("size", [0, 1, 17])
def test_a_stream_that_yields_more_than_its_bytes_hold_is_refused(size):
    """Every 32 even bits move the state on by a word."""
    data = bytes([7] * size)
    last = 32 * (
        1 + (size + SURPLUS) // 4
    )  # what it does not survive; it may come a little sooner, as ranges are rounded
    RangeDecoder(data).decode_bits(np.full(last - 8, ONE // 2), "mask")
    with pytest.raises(DinpError, match="do not fit its bytes"):
        RangeDecoder(data).decode_bits(np.full(last, ONE // 2), "mask")
    decoder = RangeDecoder(data)
    for _ in range(last - 8):
        decoder.decode_bits(np.full(1, ONE // 2), "mask")
    with pytest.raises(DinpError, match="do not fit its bytes"):
        decoder.decode_bits(np.full(8, ONE // 2), "mask")


def test_far_too_many_symbols_are_refused_before_they_are_decoded():
    decoder = RangeDecoder(bytes(10))
    decoder.expect(1000, 2900)
    with pytest.raises(DinpError):
        decoder.expect(10**6, 2900)


def test_zero_bytes_that_the_rules_ask_for_are_written():
    """Symbols at the lower end of the interval make a stream of zeros, which must not be dropped altogether."""
    encoder = RangeEncoder()
    n = 3000
    encoder.encode_bits(np.zeros(n, dtype=bool), np.full(n, ONE // 2), "mask")
    data = encoder.finish()
    assert not any(data)
    assert n / 8 - SURPLUS - 8 < len(data) <= n / 8 - SURPLUS
    decoder = RangeDecoder(data)
    assert not decoder.decode_bits(np.full(n, ONE // 2), "mask").any()
    decoder.check_exhausted()


def adversarial(rng, n):
    """Bits and probabilities that drive the coder to its limits: carries, long runs held back, rare and sure bits."""
    kind = rng.integers(5)
    ones = rng.integers(1, ONE, n)
    if kind == 0:  # the upper end of the interval again and again
        return np.ones(n, dtype=bool), np.where(rng.random(n) < 0.9, 1, ones)
    if kind == 1:
        return rng.random(n) < 0.5, np.where(rng.random(n) < 0.5, 1, ONE - 1)
    if kind == 2:  # the middle of the interval, where a carry stays open for long
        bits = np.zeros(n, dtype=bool)
        bits[0] = n > 1
        bits[-1] = rng.random() < 0.5
        ones = np.full(n, ONE // 2)
        return (bits if rng.random() < 0.5 else ~bits), ones
    if kind == 3:
        return np.zeros(n, dtype=bool), np.full(n, 1 + 65534 * int(rng.integers(2)))
    return rng.random(n) < ones / ONE, ones


@both_ways
@pytest.mark.parametrize("seed", range(60))
def test_kernels_and_constriction_write_and_read_the_same(seed, monkeypatch):
    rng = np.random.default_rng(seed)
    parts = [adversarial(rng, int(rng.integers(1, 400))) for _ in range(4)]
    frequencies = random_frequencies(rng, 50, int(rng.integers(2, 60)))
    symbols = rng.integers(0, frequencies.shape[1], 50)
    streams, states = [], []
    for module in (kernels, None):
        monkeypatch.setattr(coder, "kernels", module)
        encoder = RangeEncoder()
        for bits, ones in parts:
            encoder.encode_bits(bits, ones, "mask")
            states.append((encoder._position(), encoder._lowest()))
        encoder.encode_symbols(symbols, frequencies, "values")
        streams.append((encoder.finish(), encoder.information))
    assert streams[0] == streams[1]
    assert states[:4] == states[4:]
    for module in (kernels, None):
        monkeypatch.setattr(coder, "kernels", module)
        decoder = RangeDecoder(streams[0][0])
        for bits, ones in parts:
            assert np.array_equal(decoder.decode_bits(ones, "mask"), bits)
        assert np.array_equal(decoder.decode_symbols(frequencies, "values"), symbols)
        decoder.check_exhausted()


def read(data, steps):
    """What a decoder makes of foreign data, step by step, until it refuses."""
    decoder, found = RangeDecoder(data), []
    try:
        for frequencies in steps:
            found.append(decoder.decode_symbols(frequencies, "values").tolist())
            found.append((decoder._position(), decoder.information["values"]))
        decoder.check_exhausted()
    except DinpError as error:
        found.append(str(error))
    return found


@both_ways
@pytest.mark.parametrize("seed", range(40))
def test_kernels_and_constriction_read_foreign_data_alike(seed, monkeypatch):
    rng = np.random.default_rng(seed)
    data = rng.bytes(int(rng.integers(0, 60)))
    if seed % 3 == 0:
        data = b"\xff" * len(data)  # where no symbol fits
    steps = [random_frequencies(rng, int(rng.integers(1, 30)), int(rng.integers(2, 50))) for _ in range(6)]
    monkeypatch.setattr(coder, "kernels", kernels)
    compiled = read(data, steps)
    monkeypatch.setattr(coder, "kernels", None)
    assert read(data, steps) == compiled


@pytest.mark.parametrize("seed", range(20))
def test_foreign_data_never_raises_anything_else(seed):
    rng = np.random.default_rng(seed)
    decoder = RangeDecoder(rng.bytes(20))
    frequencies = random_frequencies(rng, 100, 5)
    try:
        assert decoder.decode_bits(rng.integers(1, ONE, 100), "mask").size == 100
        assert decoder.decode_symbols(frequencies, "values").max() < 5
        assert decoder.decode_excess(10, "values").max() < 1 << 20
    except DinpError:
        pass
