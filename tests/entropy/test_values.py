"""Values: coding order, mirrors, probabilities, information content."""

from itertools import pairwise

import numpy as np
import pytest
from conftest import random_tree, smooth_plane

from dinp.bitstream.steps import STEP_TABLE, dequantise, quantise, steps_of
from dinp.bitstream.structure import known_data_of_mask, known_data_of_tree
from dinp.entropy.coder import ONE, RangeDecoder, RangeEncoder
from dinp.entropy.fixed import IntegerNetwork, log2_fixed, signed_log
from dinp.entropy.order import Order
from dinp.entropy.value_coder import decode_values, encode_values
from dinp.entropy.value_model import COMPONENTS, MAX_LEVEL, frequencies, tables
from dinp.errors import DinpError


def code(known, levels, steps, shape):
    encoder = RangeEncoder()
    encode_values(encoder, lambda p, *_: levels[p.index], known.y, known.x, known.side, steps, shape)
    return encoder.finish(), encoder


def test_every_value_is_coded_once_after_its_neighbours(shape):
    known = known_data_of_tree(random_tree(shape, 300, 0))
    done = np.zeros(known.y.size, dtype=bool)
    order = Order(known.y, known.x, shape)
    for p in order.passes():
        neighbour = order.neighbours(p)
        assert not done[p.index].any()
        assert done[neighbour[neighbour >= 0]].all()
        done[p.index] = True
    assert done.all()


def test_coarse_values_come_first():
    known = known_data_of_mask(np.ones((64, 64), dtype=bool), 1)
    sizes = [p.index.size for p in Order(known.y, known.x, (64, 64)).passes()]
    assert sizes[0] == 1
    assert sum(sizes) == 64 * 64
    assert all(a <= b for a, b in pairwise(sizes[1:]))


@pytest.mark.parametrize("index", [0, 40, 100, 175])
def test_value_coding_mirrors(shape, index):
    known = known_data_of_tree(random_tree(shape, 200, 1))
    steps = steps_of(known.side, index)
    levels = quantise(known.mean(smooth_plane(shape)), steps)
    data, _ = code(known, levels, steps, shape)
    decoder = RangeDecoder(data)
    assert np.array_equal(decode_values(decoder, known.y, known.x, known.side, steps, shape), levels)
    decoder.check_exhausted()


def test_wild_levels_are_coded_too():
    """Levels far from any prediction escape, up to the largest ones."""
    rng = np.random.default_rng(0)
    known = known_data_of_mask(rng.random((40, 40)) < 0.2, 4)
    steps = steps_of(known.side, 30)
    levels = rng.integers(-MAX_LEVEL, MAX_LEVEL + 1, known.y.size)
    data, _ = code(known, levels, steps, (40, 40))
    assert np.array_equal(decode_values(RangeDecoder(data), known.y, known.x, known.side, steps, (40, 40)), levels)


def test_frequencies_add_up_for_any_output():
    rng = np.random.default_rng(2)
    m = 500
    output = rng.integers(-(1 << 20), 1 << 20, (m, 3 * COMPONENTS)) >> rng.integers(0, 14, (m, 1))
    base, scale = rng.integers(-5000, 9000, m), rng.integers(1, 5000, m)
    step = STEP_TABLE[rng.integers(0, 256, m)]
    table, centre = frequencies(output, base, scale, step, tables())
    assert (table >= 1).all()
    assert (table.sum(axis=1) == ONE).all()
    assert np.abs(centre).max() <= MAX_LEVEL


def test_estimated_bits_are_actual_bytes():
    shape = (256, 256)
    known = known_data_of_tree(random_tree(shape, 4000, 1))
    steps = steps_of(known.side, 50)
    levels = quantise(known.mean(smooth_plane(shape)), steps)
    data, encoder = code(known, levels, steps, shape)
    assert len(data) == pytest.approx(sum(encoder.information.values()) / 8, rel=0.01)


def test_smooth_values_are_cheap():
    """Prediction is worth something: levels span dozens of steps, but cost less than two bits each."""
    shape = (256, 256)
    known = known_data_of_tree(random_tree(shape, 4000, 1))
    y, x = np.mgrid[:256, :256]
    steps = steps_of(known.side, 50)
    levels = quantise(known.mean(40.0 + 0.6 * x + 0.2 * y), steps)
    assert np.ptp(levels) > 24
    assert 8 * len(code(known, levels, steps, shape)[0]) < 2 * known.y.size


def test_damaged_values_raise_only_dinp_errors():
    rng = np.random.default_rng(3)
    known = known_data_of_tree(random_tree((64, 64), 200, 1))
    steps = steps_of(known.side, 60)
    for _ in range(50):
        decoder = RangeDecoder(rng.bytes(60))
        try:
            levels = decode_values(decoder, known.y, known.x, known.side, steps, (64, 64))
            assert np.abs(levels).max() <= MAX_LEVEL
        except DinpError:
            pass


def test_fixed_point_logarithm():
    x = np.array([1, 2, 3, 1023, 1024, 1025, 1 << 20, (1 << 40) + 7])
    assert np.abs(log2_fixed(x) / 1024 - np.log2(x)).max() < 0.09  # piecewise linear
    assert np.array_equal(log2_fixed(1 << np.arange(50)), np.arange(50) * 1024)
    negative, zero, positive = signed_log(np.array([-5000, 0, 5000]))
    assert (negative, zero) == (-positive, 0)


def test_integer_network_is_integer_arithmetic():
    rng = np.random.default_rng(0)
    w = [rng.integers(-9999, 9999, (7, 5)), rng.integers(-9999, 9999, (5, 2))]
    b = [rng.integers(-(10**8), 10**8, 5), rng.integers(-(10**8), 10**8, 2)]
    x = rng.integers(-40000, 40000, (30, 7))

    def layer(row, number):
        w_, b_ = w[number].tolist(), b[number].tolist()
        return [(sum(r * w_[i][j] for i, r in enumerate(row)) + b_[j]) >> 12 for j in range(len(b_))]

    rows = np.clip(x, 1 - (1 << 15), (1 << 15) - 1).tolist()
    expected = [layer([min(max(h, 0), 32767) for h in layer(row, 0)], 1) for row in rows]
    assert np.array_equal(IntegerNetwork(w, b)(x), np.clip(expected, -(1 << 20), 1 << 20))


def test_steps_grow_with_the_root_of_the_side():
    steps = steps_of(np.array([8, 32, 2, 1]), 48)
    assert steps.tolist() == [64, 32, 128, 181]
    assert np.abs(dequantise(quantise(np.array([100.3]), np.array([32])), np.array([32])) - 100.3).max() <= 1.0
