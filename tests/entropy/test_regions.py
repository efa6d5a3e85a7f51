"""First values of regions and flags of divisions: what is coded comes back, and numpy gives the same bytes."""

import numpy as np
import pytest

from dinp.entropy import first_values
from dinp.entropy.coder import RangeDecoder, RangeEncoder
from dinp.entropy.division_coder import DivisionModel, decode_divisions, encode_divisions
from dinp.entropy.first_values import coding_order, decode_region_values, encode_region_values
from dinp.kernels import kernels


def regions(seed=0, size=40):
    """Blocks of 1 to 16 pixels, as regions of a picture."""
    rng = np.random.default_rng(seed)
    rows, columns = np.cumsum(rng.integers(1, 5, size)), np.cumsum(rng.integers(1, 5, size))
    y = np.searchsorted(rows, np.arange(size), side="right")
    x = np.searchsorted(columns, np.arange(size), side="right")
    return (y[:, None] * (x.max() + 1) + x).astype(np.int32)


def task(top, seed=0):
    labels = np.unique(regions(seed), return_inverse=True)[1].reshape(40, 40)
    area = np.bincount(labels.ravel())
    order = coding_order(labels, area)
    rng = np.random.default_rng(seed)
    shift = rng.integers(0, min(5, int(top).bit_length()), area.size)
    wanted = rng.choice([0.1, 0.5, 0.93], area.size) * top + rng.normal(size=area.size)
    return order, shift, top, wanted, area[order.region].astype(float)


@pytest.mark.parametrize("top", [1, 17, 255, 510, 1024])
def test_values_come_back_and_numpy_gives_the_same_bytes(monkeypatch, top):
    order, shift, top, wanted, weight = task(top)
    results = []
    for compiled in (kernels, None):
        monkeypatch.setattr(first_values, "kernels", compiled)
        encoder = RangeEncoder()
        values = encode_region_values(encoder, order, shift, top, wanted, weight, 3.0)
        data = encoder.finish()
        results.append((data, values.tolist()))
        assert np.array_equal(decode_region_values(RangeDecoder(data), order, shift, top), values)
    assert results[0] == results[1]
    assert np.abs(np.array(results[0][1]) - wanted).mean() < top / 4 + 20


@pytest.mark.parametrize("compiled", [kernels, None])
def test_each_symbol_has_a_place_where_only_weak_experts_speak(monkeypatch, compiled):
    monkeypatch.setattr(first_values, "kernels", compiled)
    rng, n, known, top = np.random.default_rng(0), 764, 760, 510
    pattern = rng.integers(0, 1 << 32, (n, 4), dtype=np.uint32)
    first = np.arange(-1, n - 1, dtype=np.int32)
    first[known::2] = -1
    values = np.arange(n) % 8 * 20  # each foretells the next: the expert that says so takes all the weight
    values[known:] = [153, 510, 165, 510]  # but says nothing beside a value that comes for the first time
    order = first_values.Order(np.arange(n), first, np.full(n, -1, dtype=np.int32), pattern)
    shift, weight = np.zeros(n, dtype=np.int64), np.ones(n)
    encoder = RangeEncoder()
    assert np.array_equal(encode_region_values(encoder, order, shift, top, values.astype(float), weight, 1e-9), values)
    decoder = RangeDecoder(encoder.finish())
    assert np.array_equal(decode_region_values(decoder, order, shift, top), values)


def test_values_that_come_again_in_the_same_surroundings_are_cheap():
    labels = np.kron(np.arange(64).reshape(8, 8), np.ones((5, 5), dtype=int))
    area = np.bincount(labels.ravel())
    order = coding_order(labels, area)
    shift = np.zeros(area.size, dtype=np.int64)
    bits = []
    rng = np.random.default_rng(1)
    for wanted in (np.tile([10.0, 200.0], 32), rng.uniform(0, 255, 64)):
        encoder = RangeEncoder()
        encode_region_values(encoder, order, shift, 255, wanted, np.full(64, 1e6), 0.0)
        bits.append(encoder.information["first"])
    assert bits[0] < 0.5 * bits[1]


def test_neighbours_are_those_with_the_longest_common_boundary_before():
    labels = np.array([[0, 0, 0, 1], [0, 0, 0, 1], [2, 2, 0, 1], [2, 2, 3, 3]])
    order = coding_order(labels, np.bincount(labels.ravel()))
    assert order.region.tolist() == [0, 2, 1, 3]
    assert order.first.tolist() == [-1, 0, 0, 0]
    assert order.second.tolist() == [-1, -1, -1, 1]


def test_divisions_come_back_and_adapt():
    rng = np.random.default_rng(5)
    area = rng.integers(48, 5000, 600)
    flags = area > 700
    encoder, model = RangeEncoder(), DivisionModel()
    encode_divisions(encoder, model, model.contexts(6, area), flags)
    data = encoder.finish()
    assert 8 * len(data) < 300
    model = DivisionModel()
    assert np.array_equal(decode_divisions(RangeDecoder(data), model, model.contexts(6, area)), flags)
