"""Range coding: exact words, exact mirrors, damaged data."""

import numpy as np
import pytest

from dinp.entropy.coder import ONE, RangeDecoder, RangeEncoder
from dinp.errors import DinpError


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
    assert decoder.information == pytest.approx(encoder.information)


def test_overhead_over_information_content():
    rng = np.random.default_rng(1)
    ones = rng.integers(1, ONE, 50_000)
    bits = rng.random(ones.size) < ones / ONE
    encoder = RangeEncoder()
    encoder.encode_bits(bits, ones, "mask")
    information = encoder.information["mask"] / 8
    exact = -np.log2(np.where(bits, ones, ONE - ones) / ONE).sum() / 8
    assert information == pytest.approx(exact)
    assert information <= len(encoder.finish()) <= information * 1.001 + 4


def test_leftover_data_is_an_error():
    decoder = RangeDecoder(bytes(range(1, 100)))
    decoder.decode_bits(np.full(20, ONE // 2), "mask")
    with pytest.raises(DinpError):
        decoder.check_exhausted()


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
