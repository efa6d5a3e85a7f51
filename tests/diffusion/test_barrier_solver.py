"""Barriers: nothing diffuses across cracks; solution, adjoint and fixed cycles as without them."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from dinp.diffusion.inpaint import Inpainter
from dinp.errors import DinpError

SHAPE = (61, 83)


def regions(name):
    """Labels of regions, (H, W)."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return {
        "halves": (x >= 41).astype(int),
        "disc": (np.hypot(y - 30.3, x - 37.1) < 21).astype(int),
        "stripes": x // 3 + 100 * ((y + x // 5) // 19),
        "lines": 2 * ((x % 7 == 3) | (y % 11 == 5)) + 10 * (x // 7) + 1000 * (y // 11),
        "waves": ((x + 9 * np.sin(y / 6)) // 13).astype(int) + 50 * ((y + 7 * np.cos(x / 9)) // 17).astype(int),
        "single pixels": np.where((x % 9 == 4) & (y % 8 == 3), x + 100 * y, 0),
    }[name]


NAMES = ["halves", "disc", "stripes", "lines", "waves", "single pixels"]


def cracks(labels):
    return labels[:, 1:] != labels[:, :-1], labels[1:] != labels[:-1]


def links(right, down):
    """Matrix of couplings (n, n): 1 where no crack is."""
    index = np.arange((right.shape[0]) * (down.shape[1])).reshape(right.shape[0], down.shape[1])
    i = np.concatenate([index[:, :-1][~right], index[:-1][~down]])
    j = np.concatenate([index[:, 1:][~right], index[1:][~down]])
    W = sp.coo_array((np.ones(i.size), (i, j)), shape=(index.size, index.size)).tocsr()
    return W + W.T


def parts_of(right, down):
    return sp.csgraph.connected_components(links(right, down), directed=False)


def mask_for(right, down, density, seed=0):
    """Known pixels at random, one at least in every part."""
    rng = np.random.default_rng(seed)
    count, part = parts_of(right, down)
    mask = rng.random(part.size) < density
    order = rng.permutation(part.size)
    _, first = np.unique(part[order], return_index=True)
    lacking = np.bincount(part[mask], minlength=count) == 0
    mask[order[first][lacking]] = True
    return mask.reshape(right.shape[0], down.shape[1])


def direct(mask, right, down, values):
    W = links(right, down)
    A = (sp.diags_array(W.sum(axis=1)) - W).tocsr()
    x = np.array(values, float).ravel()
    u, k = np.flatnonzero(~mask), np.flatnonzero(mask)
    x[u] = splu(A[u][:, u].tocsc()).solve(-A[u][:, k] @ x[k])
    return x.reshape(mask.shape)


def scene(seed=0):
    return np.random.default_rng(seed).uniform(0, 255, SHAPE)


@pytest.mark.parametrize("density", [0.0, 0.01, 0.1, 0.5])
@pytest.mark.parametrize("name", NAMES)
def test_agrees_with_a_direct_solve(name, density):
    right, down = cracks(regions(name))
    mask = mask_for(right, down, density)
    found = Inpainter(mask, right, down).solve(scene())
    assert np.abs(found - direct(mask, right, down, scene())).max() < 0.01
    np.testing.assert_array_equal(found[mask], scene()[mask])


def test_open_cracks_lead_around():
    """Cracks need not close: a slit."""
    right = np.zeros((SHAPE[0], SHAPE[1] - 1), bool)
    down = np.zeros((SHAPE[0] - 1, SHAPE[1]), bool)
    right[:55, 40] = True
    mask = np.zeros(SHAPE, bool)
    mask[[4, 30, 9], [5, 20, 70]] = True
    found = Inpainter(mask, right, down).solve(scene())
    assert np.abs(found - direct(mask, right, down, scene())).max() < 0.01
    assert np.abs(found - Inpainter(mask).solve(scene())).max() > 1


def test_each_part_keeps_to_its_own_values():
    labels = regions("waves")
    right, down = cracks(labels)
    mask = mask_for(right, down, 0.02)
    _, part = parts_of(right, down)
    part = part.reshape(SHAPE)
    values = 3.0 * part
    np.testing.assert_allclose(Inpainter(mask, right, down).solve(values), values, atol=0.01)


@pytest.mark.parametrize("cycles", [0, 1, 2, 4])
@pytest.mark.parametrize("name", NAMES)
def test_fixed_cycles_have_an_exact_adjoint(name, cycles):
    right, down = cracks(regions(name))
    mask = mask_for(right, down, 0.03)
    g, r = np.random.default_rng(4).normal(size=(2, *SHAPE))
    inpainter = Inpainter(mask, right, down)
    forward = np.vdot(inpainter.solve(g, cycles=cycles), r)
    adjoint = inpainter.solve_adjoint(r, cycles=cycles)
    assert abs(forward - np.vdot(g, adjoint)) < 1e-5 * np.linalg.norm(g[mask]) * np.linalg.norm(adjoint)
    assert not adjoint[~mask].any()
    constant = np.full(SHAPE, 93.25)
    np.testing.assert_allclose(inpainter.solve(constant, cycles=cycles), constant, atol=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_fixed_cycles_converge(name):
    right, down = cracks(regions(name))
    mask = mask_for(right, down, 0.02)
    exact = direct(mask, right, down, scene())
    inpainter = Inpainter(mask, right, down)
    errors = [np.abs(inpainter.solve(scene(), cycles=n) - exact).max() for n in (0, 3, 8)]
    assert errors[0] < 100
    assert errors[1] <= 0.3 * errors[0] + 1e-3
    assert errors[2] <= 0.1 * errors[1] + 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_converged_adjoint(name):
    right, down = cracks(regions(name))
    mask = mask_for(right, down, 0.03)
    g, r = scene(1), scene(2) - 128
    adjoint = Inpainter(mask, right, down).solve_adjoint(r, tol=0.01)
    assert abs(np.vdot(direct(mask, right, down, g), r) - np.vdot(g, adjoint)) < 0.01 * np.abs(r).sum()


def test_warm_start():
    right, down = cracks(regions("waves"))
    mask = mask_for(right, down, 0.03)
    exact = direct(mask, right, down, scene())
    inpainter = Inpainter(mask, right, down)
    start = exact + np.random.default_rng(0).normal(0, 1, SHAPE)
    assert np.abs(inpainter.solve(scene(), start=start) - exact).max() < 0.01
    warm = np.abs(inpainter.solve(scene(), start=start, cycles=1) - exact).max()
    assert warm < 0.5 * np.abs(start - exact).max()


def test_no_cracks_are_no_barriers():
    mask = np.random.default_rng(0).random(SHAPE) < 0.1
    open_ = np.zeros((SHAPE[0], SHAPE[1] - 1), bool), np.zeros((SHAPE[0] - 1, SHAPE[1]), bool)
    np.testing.assert_array_equal(Inpainter(mask, *open_).solve(scene()), Inpainter(mask).solve(scene()))


def test_a_part_without_known_pixel_is_refused():
    right, down = cracks(regions("disc"))
    mask = np.zeros(SHAPE, bool)
    mask[0, 0] = True
    with pytest.raises(DinpError, match="known pixel"):
        Inpainter(mask, right, down)
    mask[30, 37] = True
    Inpainter(mask, right, down)


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (1, 40), (33, 1), (2, 2)])
def test_degenerate_shapes(shape):
    rng = np.random.default_rng(1)
    right, down = rng.random((shape[0], shape[1] - 1)) < 0.4, rng.random((shape[0] - 1, shape[1])) < 0.4
    mask = mask_for(right, down, 0.1)
    values = rng.uniform(0, 255, shape)
    inpainter = Inpainter(mask, right, down)
    np.testing.assert_allclose(inpainter.solve(values), direct(mask, right, down, values), atol=0.01)
    np.testing.assert_allclose(inpainter.solve_adjoint(values).sum(), values.sum(), rtol=1e-4)


def test_cracks_of_a_wrong_shape_or_type():
    mask = np.ones((4, 5), bool)
    with pytest.raises(DinpError, match="4, 4"):
        Inpainter(mask, right=np.zeros((4, 5), bool))
    with pytest.raises(DinpError, match="bool"):
        Inpainter(mask, down=np.zeros((3, 5)))
