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
