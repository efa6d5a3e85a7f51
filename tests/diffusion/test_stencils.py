"""The solver's frame and kernels: pyamg cycles, kernels and numpy agree to the last bit, whoever shares the work."""

import numpy as np
import pytest
from pyamg.multilevel import MultilevelSolver
from test_inpaint import random_mask, scene

import dinp.kernels
from dinp.diffusion import stencils
from dinp.diffusion.inpaint import Inpainter
from dinp.diffusion.multigrid import Hierarchy

SHAPES = [(1, 1), (1, 7), (5, 3), (64, 64), (67, 131), (300, 211)]


def results(shape):
    mask = random_mask(shape, 0.04)
    values = scene(shape)
    inpainter = Inpainter(mask)
    yield inpainter.solve(values)
    yield inpainter.solve_adjoint(values)
    for cycles in range(3):
        yield inpainter.solve(values, cycles=cycles)
        yield inpainter.solve_adjoint(values, cycles=cycles)


@pytest.mark.skipif(dinp.kernels.kernels is None, reason="no kernels were built, or they are turned off")
@pytest.mark.parametrize("shape", SHAPES)
def test_kernels_and_numpy_give_the_same(shape, monkeypatch):
    compiled = list(results(shape))
    monkeypatch.setattr(stencils, "kernels", None)
    for one, other in zip(compiled, results(shape), strict=True):
        np.testing.assert_array_equal(one, other)


def test_results_do_not_depend_on_who_shares_the_work(monkeypatch):
    alone = list(results((300, 211)))
    monkeypatch.setattr(stencils, "SHARED", 1)
    for threads in ("1", "2", "5"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        assert len(stencils.Grid(150, 106).parts) > 1
        for one, other in zip(alone, results((300, 211)), strict=True):
            np.testing.assert_array_equal(one, other)


def test_pyamg_cycles_and_drives(monkeypatch):
    calls = []
    original = MultilevelSolver.solve

    def counting(self, *args, **options):
        calls.append(options.get("accel"))
        return original(self, *args, **options)

    monkeypatch.setattr(MultilevelSolver, "solve", counting)
    mask = random_mask((90, 120), 0.05)
    Inpainter(mask).solve(scene((90, 120)))
    driven, cycles = sum(accel is not None for accel in calls), sum(accel is None for accel in calls)
    assert driven == 2  # a solution, and one more on what rounding left of it
    assert cycles >= 4


def test_a_cycle_is_symmetric_and_positive():
    hierarchy = Hierarchy(random_mask((90, 121), 0.05))
    M = hierarchy.solver.aspreconditioner()
    grid = hierarchy.finest
    rng = np.random.default_rng(0)
    x, y = grid.field(2), grid.field(2)
    for field in (x, y):
        for c in stencils.BLACK:
            grid.inner(field, c)[...] = rng.normal(size=(grid.h, grid.w)) * (grid.count[c] > 0)
    x, y = x.ravel(), y.ravel()
    assert np.vdot(M @ x, y) == pytest.approx(np.vdot(x, M @ y), rel=1e-4)
    assert np.vdot(M @ x, x) > 0
    assert len(hierarchy.solver.levels) == 4
    assert "MultilevelSolver" in repr(hierarchy.solver)
