"""Trees: leaves tile the picture, sizes are met, coding mirrors."""

import numpy as np
import pytest
from conftest import random_tree

from dinp.bitstream.structure import known_data_of_mask, known_data_of_tree
from dinp.entropy.coder import RangeDecoder, RangeEncoder
from dinp.entropy.mask_coder import decode_mask, encode_mask
from dinp.entropy.tree import Leaves, tree_from_leaves
from dinp.entropy.tree_coder import decode_tree, encode_tree
from dinp.errors import DinpError


def test_leaves_tile_the_picture(shape):
    leaves = random_tree(shape, 200, 0).leaves()
    count = np.zeros(shape, dtype=int)
    for y, x, side in zip(leaves.y, leaves.x, leaves.side, strict=True):
        count[y : y + side, x : x + side] += 1
    assert (count == 1).all()


def test_tree_from_leaves_inverts_leaves(shape):
    tree = random_tree(shape, 150, 1)
    again = tree_from_leaves(shape, tree.leaves(), 32)
    assert all(np.array_equal(a, b) for a, b in zip(tree.splits, again.splits, strict=True))


def test_tree_from_leaves_refuses_gaps():
    leaves = random_tree((64, 64), 50, 0).leaves()
    with pytest.raises(DinpError):
        tree_from_leaves((64, 64), Leaves(leaves.y[1:], leaves.x[1:], leaves.side[1:]), 32)


@pytest.mark.parametrize("points", [6, 7, 50, 500, 2145])
def test_number_of_points_is_met(points):
    count = len(random_tree((33, 65), points, 3).leaves())
    assert points - 3 <= count <= points


def test_every_value_has_its_own_pixels(shape):
    known = known_data_of_tree(random_tree(shape, 120, 2))
    assert np.array_equal(np.unique(known.label[known.mask]), np.arange(known.y.size))
    assert (known.label[known.y, known.x] == np.arange(known.y.size)).all()


def test_gather_is_the_adjoint_of_spread():
    rng = np.random.default_rng(0)
    known = known_data_of_tree(random_tree((40, 50), 60, 2))
    values, plane = rng.normal(size=known.y.size), rng.normal(size=(40, 50))
    assert np.vdot(known.spread(values), plane) == pytest.approx(values @ known.gather(plane))
    assert known.mean(known.spread(values)) == pytest.approx(values)


def test_free_mask_has_one_value_a_pixel():
    mask = np.random.default_rng(0).random((20, 30)) < 0.1
    known = known_data_of_mask(mask, 8)
    assert np.array_equal(known.mask, mask)
    assert np.array_equal(known.label[known.y, known.x], np.arange(mask.sum()))


@pytest.mark.parametrize("points", [1, 40, 400, 10_000])
def test_tree_coding_mirrors(shape, points):
    tree = random_tree(shape, points, points)
    encoder = RangeEncoder()
    encode_tree(encoder, tree)
    decoder = RangeDecoder(encoder.finish())
    again = decode_tree(decoder, shape, 5)
    decoder.check_exhausted()
    assert all(np.array_equal(a, b) for a, b in zip(tree.splits, again.splits, strict=True))


@pytest.mark.parametrize("root_log2", [1, 3, 7])
def test_other_root_sides(root_log2):
    tree = random_tree((50, 70), 300, 0, root_log2)
    encoder = RangeEncoder()
    encode_tree(encoder, tree)
    again = decode_tree(RangeDecoder(encoder.finish()), (50, 70), root_log2)
    assert all(np.array_equal(a, b) for a, b in zip(tree.splits, again.splits, strict=True))


@pytest.mark.parametrize("density", [0.0, 0.01, 0.2, 1.0])
def test_mask_coding_mirrors(shape, density):
    mask = np.random.default_rng(1).random(shape) < density
    encoder = RangeEncoder()
    encode_mask(encoder, mask)
    decoder = RangeDecoder(encoder.finish())
    assert np.array_equal(decode_mask(decoder, shape), mask)
    decoder.check_exhausted()


def test_a_natural_tree_costs_less_than_a_bit_a_point():
    """The contexts are worth something: uniform splits at the right rate would cost about 1.1 bits a point here."""
    from skimage.data import camera

    from dinp.encoder.pyramid import detail_gains, pruned_tree

    plane = camera().astype(float)
    tree = pruned_tree(detail_gains(plane, 5), plane.shape, 4 * 14**2)
    encoder = RangeEncoder()
    encode_tree(encoder, tree)
    assert 8 * len(encoder.finish()) < 0.9 * len(tree.leaves())
