"""Choice of levels by error and bits."""

import numpy as np
import pytest
from conftest import random_tree, smooth_plane

from dinp.bitstream.section import PlaneCode, encode_section
from dinp.bitstream.steps import GREY, STEP_TABLE, quantise, steps_of
from dinp.decoder import reconstruct
from dinp.diffusion.inpaint import Inpainter
from dinp.encoder.levels import choose_levels, weights_of
from dinp.encoder.placement import tune
from dinp.encoder.prices import BIT_COST
from dinp.encoder.pyramid import detail_gains, pruned_tree_of_size
from dinp.entropy.value_coder import MAX_LEVEL

SIDE_LOG2 = 5


def photograph(side=160):
    from skimage.data import camera

    return camera()[100 : 100 + side, 150 : 150 + side].astype(float)


def bit_cost_of(index):
    return BIT_COST * (STEP_TABLE[index] / GREY) ** 2


def good_tree(plane, points):
    return pruned_tree_of_size(detail_gains(plane, SIDE_LOG2), plane.shape, points)


def cost(plane, structure, known, chosen, index):
    """Squared error plus value bits at their cost, and the squared error alone."""
    code = PlaneCode(structure, SIDE_LOG2, index, chosen)
    bits = encode_section(code, known)[1]["values"]
    error = float(np.sum((reconstruct(code, known) - plane) ** 2))
    return error + bit_cost_of(index) * bits, error


@pytest.mark.parametrize("index", [48, 72])
@pytest.mark.parametrize("free", [False, True])
def test_costs_less_than_rounding(index, free):
    plane = photograph()
    tree = good_tree(plane, 2000)
    structure = tune(plane, tree, SIDE_LOG2, None, 0).known.mask if free else tree
    trial = tune(plane, structure, SIDE_LOG2, None, 4)
    known = trial.known
    least = np.sum((Inpainter(known.mask).solve(known.spread(trial.values)) - plane) ** 2)
    chosen, _ = cost(plane, structure, known, choose_levels(plane, trial, index, bit_cost_of(index)), index)
    rounded, _ = cost(plane, structure, known, quantise(trial.values, steps_of(known.side, index)), index)
    assert chosen - least < 0.98 * (rounded - least)


def test_renewed_optimisation_makes_up_for_errors(monkeypatch):
    """With bits for nothing, what is left is rounding, in an order that lets later values help."""
    plane, index = photograph(), 80
    trial = tune(plane, good_tree(plane, 1500), SIDE_LOG2, None, 6)
    steps = steps_of(trial.known.side, index)
    _, renewed = cost(plane, trial.structure, trial.known, choose_levels(plane, trial, index, 0.0), index)
    monkeypatch.setattr("dinp.encoder.levels.FIRST_RENEWAL", 2.0)
    plain = choose_levels(plane, trial, index, 0.0)
    assert np.array_equal(plain, quantise(trial.values, steps))
    least = np.sum((Inpainter(trial.known.mask).solve(trial.known.spread(trial.values)) - plane) ** 2)
    assert renewed - least < 0.95 * (cost(plane, trial.structure, trial.known, plain, index)[1] - least)


def test_any_shape(shape):
    plane = smooth_plane(shape)
    trial = tune(plane, random_tree(shape, 60, 0), SIDE_LOG2, None, 2)
    chosen = choose_levels(plane, trial, 40, bit_cost_of(40))
    assert chosen.shape == trial.values.shape
    rounded = quantise(trial.values, steps_of(trial.known.side, 40))
    ours, theirs = (cost(plane, trial.structure, trial.known, which, 40)[0] for which in (chosen, rounded))
    assert ours <= 1.02 * theirs


def test_levels_stay_in_range():
    plane = np.full((16, 16), 1e9)
    trial = tune(plane, random_tree((16, 16), 9, 0), SIDE_LOG2, None, 1)
    assert np.abs(choose_levels(plane, trial, 0, 0.0)).max() == MAX_LEVEL


@pytest.mark.parametrize("free", [False, True])
def test_weights_are_squared_norms(free):
    """Against the columns of the inpainting operator, as a mean over the values of a side."""
    tree = random_tree((96, 96), 260, 3)
    known = tune(np.zeros((96, 96)), tree, SIDE_LOG2, None, 0).known
    if free:
        known = tune(np.zeros((96, 96)), known.mask, SIDE_LOG2, None, 0).known
    inpainter = Inpainter(known.mask)
    unit = np.eye(known.y.size)
    norm = np.array([np.sum(inpainter.solve(known.spread(e), tol=0.001) ** 2) for e in unit])
    ratio = weights_of(known, tree=not free) / norm
    for side in np.unique(known.side):
        these = known.side == side
        if these.sum() >= 20:
            assert 0.5 < np.exp(np.log(ratio[these]).mean()) < 2
