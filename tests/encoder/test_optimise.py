"""Pyramid, tonal optimisation, growth and pruning: what each of them guarantees."""

import numpy as np
import pytest
from conftest import random_tree, smooth_plane

from dinp.bitstream.structure import known_data_of_tree
from dinp.diffusion.inpaint import Inpainter
from dinp.diffusion.tonal import tonal_optimisation
from dinp.encoder.placement import EFFORTS
from dinp.encoder.planes import encode_planes
from dinp.encoder.pyramid import detail_gains, leaf_count, pruned_tree, pruned_tree_of_size
from dinp.encoder.refinement import grow, prune
from dinp.entropy.tree import Tree


def test_a_linear_ramp_has_no_detail_inside():
    y, x = np.mgrid[:128, :128]
    gains = detail_gains(2.0 * x + y, 4)
    assert max(np.abs(g[1:-1, 1:-1]).max() for g in gains) == pytest.approx(0, abs=1e-18)


def test_dearer_points_give_fewer(shape):
    gains = detail_gains(smooth_plane(shape) + np.random.default_rng(0).normal(size=shape), 5)
    counts = [leaf_count(pruned_tree(gains, shape, cost)) for cost in (0.0, 1.0, 10.0, 100.0, 1e9)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] == shape[0] * shape[1]
    assert counts[-1] == gains[0].size


def test_leaf_count_is_the_number_of_leaves(shape):
    tree = random_tree(shape, 99, 0)
    assert leaf_count(tree) == len(tree.leaves())


@pytest.mark.parametrize("points", [20, 200, 2000])
def test_pruned_tree_of_size(points):
    plane = smooth_plane((96, 128)) + np.random.default_rng(0).normal(size=(96, 128))
    count = leaf_count(pruned_tree_of_size(detail_gains(plane, 5), plane.shape, points))
    assert 0.8 * points <= count <= points


def test_tonal_optimisation_reaches_the_least_squares_solution():
    """Against the dense normal equations."""
    plane = smooth_plane((24, 28)) + np.random.default_rng(0).normal(size=(24, 28)) * 10
    known = known_data_of_tree(random_tree((24, 28), 40, 0))
    inpainter = Inpainter(known.mask)
    basis = np.stack([inpainter.solve(known.spread(e)).ravel() for e in np.eye(known.y.size)], axis=1)
    best = basis @ np.linalg.lstsq(basis, plane.ravel(), rcond=None)[0]
    values, _ = tonal_optimisation(inpainter, known, plane, known.mean(plane), steps=30, cycles=4)
    ours = inpainter.solve(known.spread(values)).ravel()
    least = np.sum((best - plane.ravel()) ** 2)
    assert np.sum((ours - plane.ravel()) ** 2) <= 1.001 * least


def test_tonal_optimisation_holds_what_is_not_free():
    plane = smooth_plane((40, 48))
    known = known_data_of_tree(random_tree((40, 48), 60, 0))
    start = np.full(known.y.size, 90.0)
    free = np.arange(known.y.size) % 3 > 0
    inpainter = Inpainter(known.mask)
    values, _ = tonal_optimisation(inpainter, known, plane, start, free=free)
    assert np.array_equal(values[~free], start[~free])
    errors = [np.sum((inpainter.solve(known.spread(v)) - plane) ** 2) for v in (values, start)]
    assert errors[0] < 0.5 * errors[1]


def test_few_cheap_steps_get_most_of_the_gain():
    from skimage.data import camera

    plane = camera()[100:356, 100:356].astype(float)
    tree = pruned_tree_of_size(detail_gains(plane, 5), plane.shape, 2600)
    known = known_data_of_tree(tree)
    inpainter = Inpainter(known.mask)

    def error(values):
        return np.mean((inpainter.solve(known.spread(values)) - plane) ** 2)

    start = known.mean(plane)
    few, _ = tonal_optimisation(inpainter, known, plane, start, steps=3, cycles=1)
    many, _ = tonal_optimisation(inpainter, known, plane, start, steps=40, cycles=3)
    assert error(start) - error(few) > 0.97 * (error(start) - error(many))


def test_growth_puts_points_where_the_error_is():
    tree = random_tree((128, 128), 300, 0)
    error = np.zeros((128, 128))
    error[64:96, 64:96] = 50.0 * np.sign(np.random.default_rng(0).normal(size=(32, 32)))
    new = grow(tree, error, 320)
    added = [(b & ~a) for a, b in zip(tree.splits, new.splits, strict=True)]
    assert leaf_count(tree) < leaf_count(new) <= 320
    for split, side in zip(added, tree.sides, strict=True):
        y, x = np.nonzero(split)
        assert ((y * side // 32 == 2) & (x * side // 32 == 2)).all()


def test_growth_splits_as_often_as_an_edge_needs():
    """From one cell down to the pixels in one go, where the error is a step, and not where it is the same all over."""
    tree = Tree((32, 32), [np.zeros((32 >> k, 32 >> k), dtype=bool) for k in range(5, 0, -1)])
    error = np.where(np.add.outer(np.arange(32), np.arange(32)) < 31, 100.0, -100.0)
    error[24:, 24:] = 50.0
    grown = grow(tree, error, 200)  # more than are of use
    leaves = grown.leaves()
    assert 90 <= len(leaves) < 120
    assert (leaves.side == 1).sum() >= 60
    beside = np.abs(leaves.y + leaves.x - 31) <= 1
    assert beside[leaves.side == 1].all()
    flat = (leaves.y >= 24) & (leaves.x >= 24)
    assert (leaves.side[flat] >= 4).all()


def test_pruning_removes_what_the_reconstruction_does_not_use():
    tree = random_tree((128, 128), 600, 0)
    reconstruction = np.zeros((128, 128))
    reconstruction[:64] = np.random.default_rng(0).normal(size=(64, 128)) * 30
    new = prune(tree, reconstruction, 560)
    assert 557 <= leaf_count(new) <= 560
    for old, split, side in zip(tree.splits, new.splits, tree.sides, strict=True):
        assert (np.nonzero(old & ~split)[0] * side >= 64 - 32).all()


def test_growth_keeps_a_tree_on_any_shape(shape):
    """No split below a cell that is not split, no more leaves than asked for, no split lost."""
    tree = random_tree(shape, 60, 0)
    start = leaf_count(tree)
    rng = np.random.default_rng(0)
    for error in (rng.normal(size=shape), rng.integers(-1, 2, size=shape), np.ones(shape)):
        grown = grow(tree, error, start + 100)
        assert len(grown.leaves()) == leaf_count(grown) <= start + 100
        assert all((old <= new).all() for old, new in zip(tree.splits, grown.splits, strict=True))


def test_growth_and_pruning_work_on_any_shape(shape):
    tree = random_tree(shape, 60, 0)
    start = leaf_count(tree)
    larger = grow(tree, np.random.default_rng(0).normal(size=shape), start + 9)
    assert start <= leaf_count(larger) <= start + 9
    smaller = prune(larger, smooth_plane(shape), start)
    assert max(start - 3, tree.splits[0].size) <= leaf_count(smaller) <= max(start, tree.splits[0].size)
    assert len(smaller.leaves()) == leaf_count(smaller)  # still a tree: no split below a leaf


@pytest.mark.parametrize(("effort", "masks"), [(1, 1), (2, 5)])
def test_each_mask_has_one_inpainter(effort, masks, monkeypatch):
    """From the first tonal optimisation to the last choice of levels."""
    made = []
    original = Inpainter.__init__

    def counting(self, mask, *args, **options):
        made.append(np.array(mask))
        original(self, mask, *args, **options)

    monkeypatch.setattr(Inpainter, "__init__", counting)
    y, x = np.mgrid[:96, :128]
    plane = 128 + 60 * np.sin(x / 9) * np.cos(y / 7)
    encode_planes([plane], quality=40, effort=EFFORTS[effort])
    assert len(made) <= masks + 1  # of a trial that was kept aside, it may be made again
    assert len({mask.tobytes() for mask in made}) in (masks, masks - 1)
