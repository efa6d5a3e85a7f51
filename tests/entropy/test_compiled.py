"""The compiled kernels of the context models give the integers of their counterparts in numpy."""

import numpy as np
import pytest
from conftest import random_tree, smooth_plane, with_kernels, without_kernels

from dinp.bitstream.steps import STEP_TABLE, quantise, steps_of
from dinp.bitstream.structure import known_data_of_mask, known_data_of_tree
from dinp.entropy.coder import RangeDecoder, RangeEncoder
from dinp.entropy.fixed import IntegerNetwork
from dinp.entropy.flag_coder import code_flags, flag_samples, load_network, probability
from dinp.entropy.mask_coder import decode_mask, encode_mask
from dinp.entropy.order import Order
from dinp.entropy.tree import Tree
from dinp.entropy.tree_coder import decode_tree, encode_tree
from dinp.entropy.value_coder import _values, decode_values, encode_values
from dinp.entropy.value_model import MAX_LEVEL, RADIUS, network
from dinp.errors import DinpError
from dinp.kernels import kernels

pytestmark = with_kernels


def some_known(shape, seed):
    rng = np.random.default_rng(seed)
    if seed % 3 == 0:
        mask = rng.random(shape) < rng.choice([0.02, 0.3, 1.0])
        mask[rng.integers(shape[0]), rng.integers(shape[1])] = True
        return known_data_of_mask(mask, 8)
    return known_data_of_tree(random_tree(shape, int(rng.integers(1, 900)), seed, int(rng.integers(1, 8))))


@pytest.mark.parametrize("seed", range(6))
def test_order_and_neighbours(shape, seed):
    known = some_known(shape, seed)
    compiled = Order(known.y, known.x, shape)
    with without_kernels():
        order = Order(known.y, known.x, shape)
    for name in ("number", "by_pass", "bounds", "grids"):
        assert np.array_equal(getattr(order, name), getattr(compiled, name)), name


def coded_structure(structure):
    encoder = RangeEncoder()
    (encode_tree if isinstance(structure, Tree) else encode_mask)(encoder, structure)
    return encoder.finish(), encoder.information


def decoded_structure(data, structure, root_log2):
    decoder = RangeDecoder(data)
    try:
        if isinstance(structure, Tree):
            return [
                split.tolist() for split in decode_tree(decoder, structure.shape, root_log2).splits
            ], decoder._position()
        return decode_mask(decoder, structure.shape).tolist(), decoder._position()
    except DinpError as error:
        return str(error)


@pytest.mark.parametrize("seed", range(8))
def test_structures(shape, seed):
    """Streams of trees and free masks, sound and damaged; leaves and their places."""
    rng = np.random.default_rng(seed)
    root_log2 = int(rng.integers(1, 8))
    structure = random_tree(shape, int(rng.integers(1, 900)), seed, root_log2)
    if seed % 3 == 0:
        structure = rng.random(shape) < rng.choice([0, 0.02, 0.3, 1.0])
    data, information = coded_structure(structure)
    damaged = bytearray(data)
    if damaged:
        damaged[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
    streams = [data, bytes(damaged), data[: len(data) // 2], rng.bytes(len(data)), b""]
    compiled = [decoded_structure(stream, structure, root_log2) for stream in streams]
    whole = structure.splits if isinstance(structure, Tree) else structure
    assert compiled[0][0] == (whole.tolist() if isinstance(whole, np.ndarray) else [split.tolist() for split in whole])
    known = known_data_of_tree(structure) if isinstance(structure, Tree) else None
    with without_kernels():
        assert coded_structure(structure) == (data, information)
        assert [decoded_structure(stream, structure, root_log2) for stream in streams] == compiled
        if known:
            plain = known_data_of_tree(structure)
            for name in ("y", "x", "side", "label", "mask"):
                assert np.array_equal(getattr(known, name), getattr(plain, name)), name
                assert getattr(known, name).dtype == getattr(plain, name).dtype, name


@pytest.mark.parametrize("seed", range(3))
def test_features_that_training_sees_are_those_of_the_coder(shape, seed):
    """Its walk goes by the features in numpy, that of the coder by kernels."""
    if shape == (1, 1):
        pytest.skip("a picture of one pixel has no flags")
    tree = random_tree(shape, 200, seed)
    features, flags = flag_samples(tree.splits, shape, tree.sides)
    ones = []

    def code(level, cells, probabilities):
        ones.append(probabilities)
        return tree.splits[level].ravel()[cells]

    code_flags(shape, tree.sides, "tree", code)
    assert flags.size == sum(part.size for part in ones)
    odds = load_network("tree")(features.astype(np.int64))[:, 0]
    assert np.array_equal(probability(odds, "tree"), np.concatenate(ones))


@pytest.mark.parametrize("size", [1, 2, 300, 1000])
@pytest.mark.parametrize("wild", [False, True])
def test_networks(size, wild):
    """The shipped ones; and one of weights so large that its sums need many segments."""
    rng = np.random.default_rng(size)
    large = [rng.integers(1 - 2**15, 2**15, shape) for shape in ((95, 254), (254, 33), (33, 3))]
    biases = [rng.integers(-(2**40), 2**40, w.shape[1]) for w in large]
    for net, d in (
        (network(), 48),
        (load_network("tree"), 95),
        (load_network("mask"), 95),
        (IntegerNetwork(large, biases), 95),
    ):
        x = rng.integers(-50_000, 50_000, (size, d)) >> (0 if wild else rng.integers(0, 16, (size, 1)))
        if wild:
            x[rng.random(size) < 0.5] = np.sign(x[0]) * 2**15
        assert net.packed is not None
        compiled = net(x)
        with without_kernels():
            assert np.array_equal(net(x), compiled)
        inputs = np.clip(x, -net.INPUT_MAX, net.INPUT_MAX).astype(np.int16)
        plain = np.empty(compiled.shape, dtype=np.int32)
        kernels.run_network(net.packed, inputs, plain, d, plain.shape[1], True)  # as processors without AVX2 do
        assert np.array_equal(plain, compiled)


def walk_both(known, steps, shape, levels):
    """Distributions of all passes by both ways, while values become `levels`."""
    compiled = _values(known.y, known.x, known.side, steps, shape)
    with without_kernels():
        plain = _values(known.y, known.x, known.side, steps, shape)
        assert type(plain) is not type(compiled)
    for p in compiled.order.passes():
        described = compiled.describe(p)
        with without_kernels():
            table = plain.describe(p)
            plain.settle(p, table, levels[p.index])
        compiled.settle(p, described, levels[p.index])
        yield table, described


@pytest.mark.parametrize("wild", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_distributions(shape, seed, wild):
    """All frequencies of all symbols, for levels of a picture and for the wildest ones."""
    known = some_known(shape, seed)
    rng = np.random.default_rng(seed)
    index = int(rng.integers(0, 176))
    steps = steps_of(known.side, index)
    levels = quantise(known.mean(smooth_plane(shape, seed)), steps)
    if wild:
        levels = rng.integers(-MAX_LEVEL, MAX_LEVEL + 1, levels.size)
        steps = STEP_TABLE[rng.integers(0, 256, levels.size)]
    passes = 0
    for table, described in walk_both(known, steps, shape, levels):
        assert np.array_equal(table.centre, described.centre)
        assert np.array_equal(table.base, np.where(described.base == np.iinfo(np.int64).min, 2048, described.base))
        offsets = np.arange(-RADIUS - 5, RADIUS + 6)[:, None]
        assert np.array_equal(table.frequencies(table.centre + offsets), described.frequencies(table.centre + offsets))
        passes += 1
    assert passes


def coded(known, levels, steps, shape):
    encoder = RangeEncoder()
    encode_values(encoder, lambda p, _: levels[p.index], known.y, known.x, known.side, steps, shape)
    return encoder.finish(), encoder.information


def decoded(data, known, steps, shape):
    decoder = RangeDecoder(data)
    try:
        levels = decode_values(decoder, known.y, known.x, known.side, steps, shape)
        decoder.check_exhausted()
    except DinpError as error:
        return str(error)
    return levels.tolist(), decoder.information


@pytest.mark.parametrize("wild", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_streams(shape, seed, wild):
    known = some_known(shape, seed)
    rng = np.random.default_rng(seed)
    steps = steps_of(known.side, int(rng.integers(0, 176)))
    levels = quantise(known.mean(smooth_plane(shape, seed)), steps)
    if wild:
        levels = rng.integers(-MAX_LEVEL, MAX_LEVEL + 1, levels.size)
    compiled = coded(known, levels, steps, shape)
    assert decoded(compiled[0], known, steps, shape)[0] == levels.tolist()
    with without_kernels():
        assert coded(known, levels, steps, shape) == compiled
        plain = decoded(compiled[0], known, steps, shape)
    assert plain == decoded(compiled[0], known, steps, shape)


@pytest.mark.parametrize("seed", range(40))
def test_damaged_streams(seed):
    """The same levels, or the same error: bits flipped, ends cut off, bytes added, noise."""
    shape = (40, 50)
    known = some_known(shape, seed)
    rng = np.random.default_rng(seed)
    steps = steps_of(known.side, int(rng.integers(0, 176)))
    data = bytearray(coded(known, quantise(known.mean(smooth_plane(shape, seed)), steps), steps, shape)[0])
    kind = seed % 4
    if kind == 0 and data:
        data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
    elif kind == 1:
        data = data[: int(rng.integers(len(data) + 1))]
    elif kind == 2:
        data += rng.bytes(int(rng.integers(1, 40)))
    else:
        data = rng.bytes(len(data))
    compiled = decoded(bytes(data), known, steps, shape)
    with without_kernels():
        assert decoded(bytes(data), known, steps, shape) == compiled
