"""Tonal optimisation on fields: adjoint, residual, and the same with kernels and numpy."""

import numpy as np
import pytest
from conftest import random_tree, smooth_plane

import dinp.kernels
from dinp.bitstream.structure import known_data_of_tree
from dinp.diffusion import stencils, tonal
from dinp.diffusion.inpaint import Inpainter
from dinp.diffusion.tonal import FieldSteps, PlaneSteps, Tuning

SHAPE = (53, 70)


def problem(seed=0):
    known = known_data_of_tree(random_tree(SHAPE, 90, seed))
    plane = smooth_plane(SHAPE) + np.random.default_rng(seed).normal(size=SHAPE) * 10
    return known, plane, Inpainter(known.mask)


@pytest.mark.parametrize("cycles", [1, 2])
def test_fields_do_what_planes_do(cycles):
    known, plane, inpainter = problem()
    fields = FieldSteps(inpainter, known, plane - 100, cycles)
    planes = PlaneSteps(inpainter, known, plane - 100, cycles)
    np.testing.assert_allclose(fields.gathered(), planes.gathered(), rtol=1e-4, atol=1e-2)
    change = np.random.default_rng(1).normal(size=known.y.size)
    assert fields.spread(change) == pytest.approx(planes.spread(change), rel=1e-4)
    for steps in (fields, planes):
        steps.take(0.7)
    assert fields.squares == pytest.approx(planes.squares, rel=1e-5)
    np.testing.assert_allclose(fields.subtracted_from(plane), planes.subtracted_from(plane), atol=1e-3)


@pytest.mark.parametrize("cycles", [1, 2, 3])
def test_gathering_is_the_exact_adjoint_of_spreading(cycles):
    known, _, inpainter = problem()
    rng = np.random.default_rng(2)
    r, g = rng.normal(size=SHAPE), rng.normal(size=known.y.size)
    steps = FieldSteps(inpainter, known, r.copy(), cycles)
    adjoint = steps.gathered()
    steps.spread(g)
    steps.take(-1.0)
    forward = -steps.subtracted_from(np.zeros(SHAPE)) - r  # the residual is r + R S g now
    assert abs(np.vdot(forward, r) - np.vdot(g, adjoint)) < 1e-5 * np.linalg.norm(g) * np.linalg.norm(adjoint)


def test_the_residual_follows_moved_values():
    known, plane, inpainter = problem()
    values = known.mean(plane)
    tuning = Tuning(inpainter, known, plane, values, inpainter.solve(known.spread(values)), cycles=4)
    tuning.optimise(2)
    change = np.random.default_rng(3).normal(size=values.size)
    tuning.values += change
    tuning.moved(change)
    exact = inpainter.solve(known.spread(tuning.values))
    assert np.abs(tuning.reconstruction() - exact).max() < 0.1


@pytest.mark.skipif(dinp.kernels.kernels is None, reason="no kernels were built, or they are turned off")
def test_kernels_and_numpy_give_the_same(monkeypatch):
    def run():
        known, plane, inpainter = problem()
        tuning = Tuning(inpainter, known, plane, known.mean(plane), plane + 3, cycles=2)
        tuning.optimise(3)
        tuning.moved(tuning.values - np.rint(tuning.values))
        tuning.optimise(1, np.arange(known.y.size) % 2 > 0)
        return tuning.values, tuning.reconstruction()

    compiled = run()
    monkeypatch.setattr(stencils, "kernels", None)
    monkeypatch.setattr(tonal, "kernels", None)
    for one, other in zip(compiled, run(), strict=True):
        np.testing.assert_array_equal(one, other)
