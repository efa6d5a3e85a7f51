"""The inpainting solver: against a direct solve, and the properties of the operator."""

import gc
import threading
import warnings
import weakref

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from dinp.diffusion.inpaint import Inpainter, inpaint
from dinp.errors import DinpError


def direct(mask, values):
    """Assemble the 5-point Laplacian with reflecting boundary and solve for the unknown pixels."""
    index = np.arange(mask.size).reshape(mask.shape)
    i = np.concatenate([index[:, 1:].ravel(), index[1:].ravel()])
    j = np.concatenate([index[:, :-1].ravel(), index[:-1].ravel()])
    W = sp.coo_array((np.ones(i.size), (i, j)), shape=(mask.size, mask.size)).tocsr()
    W = W + W.T
    A = (sp.diags_array(W.sum(axis=1)) - W).tocsr()
    x = np.array(values, float).ravel()
    u, k = np.flatnonzero(~mask), np.flatnonzero(mask)
    if u.size:
        x[u] = splu(A[u][:, u].tocsc()).solve(-A[u][:, k] @ x[k])
    return x.reshape(mask.shape)


def random_mask(shape, density, seed=0):
    mask = np.random.default_rng(seed).random(shape) < density
    mask[shape[0] // 2, shape[1] // 3] = True
    return mask


def scene(shape, seed=0):
    """Grey values 0-255: smooth parts, an edge and noise."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    picture = 120 + 60 * np.sin(x / 17) * np.cos(y / 11) + 50 * (x + 2 * y > shape[1])
    return np.clip(picture + np.random.default_rng(seed).normal(0, 5, shape), 0, 255)


def masks():
    shape = (97, 130)
    for density in (0.001, 0.005, 0.03, 0.1, 0.5):
        yield f"random {density}", random_mask(shape, density)
    clustered = np.zeros(shape, bool)
    for cy, cx in np.random.default_rng(1).integers(0, 90, (6, 2)):
        clustered[cy : cy + 5, cx : cx + 7] = np.random.default_rng(2).random((5, 7)) < 0.6
    yield "clustered", clustered
    corner = np.zeros(shape, bool)
    corner[:30, :30] = np.random.default_rng(3).random((30, 30)) < 0.5
    yield "dense corner", corner
    for name, where in {
        "left edge": np.s_[:, 0],
        "top edge": np.s_[0],
        "corner": np.s_[-1, -1],
        "wall": np.s_[:, 64],
    }.items():
        mask = np.zeros(shape, bool)
        mask[where] = True
        yield name, mask
    picture = scene(shape)
    gradient = np.hypot(*np.gradient(picture))
    yield "contours", gradient > np.quantile(gradient, 0.95)
    loops = np.zeros(shape, bool)
    loops[20:60, 20] = loops[20:60, 60] = loops[20, 20:61] = loops[60, 20:61] = True
    yield "closed contour", loops
    frame = np.ones(shape, bool)
    frame[1:-1, 1:-1] = False
    yield "frame", frame


CASES = dict(masks())


@pytest.mark.parametrize("name", CASES)
def test_agrees_with_a_direct_solve(name):
    mask = CASES[name]
    values = scene(mask.shape)
    reconstruction = Inpainter(mask).solve(values)
    assert np.abs(reconstruction - direct(mask, values)).max() < 0.01
    np.testing.assert_array_equal(reconstruction[mask], values[mask])


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 2), (2, 1), (2, 2), (3, 3), (1, 300), (300, 1), (2, 150), (31, 1), (5, 3)]
)
@pytest.mark.parametrize("density", [0.0, 0.02, 0.4, 1.0])
def test_degenerate_shapes(shape, density):
    mask = random_mask(shape, density)
    values = scene(shape)
    np.testing.assert_allclose(inpaint(mask, values), direct(mask, values), atol=0.01)


def test_one_known_pixel_fills_the_picture():
    mask = random_mask((50, 71), 0)
    values = scene(mask.shape)
    np.testing.assert_allclose(inpaint(mask, values), values[mask][0], atol=1e-9)


def test_all_known():
    values = scene((12, 9))
    np.testing.assert_array_equal(inpaint(np.ones((12, 9), bool), values), values)


def test_constant_is_preserved():
    mask = random_mask((60, 40), 0.02)
    inpainter = Inpainter(mask)
    constant = np.full(mask.shape, 93.25)
    np.testing.assert_allclose(inpainter.solve(constant), constant, rtol=1e-12)
    for cycles in (0, 1, 3):
        np.testing.assert_allclose(inpainter.solve(constant, cycles=cycles), constant, atol=1e-3)


def test_linear_ramp_in_one_dimension():
    mask = np.zeros((1, 241), bool)
    mask[0, [0, 240]] = True
    ramp = np.linspace(10, 250, 241)[None]
    np.testing.assert_allclose(inpaint(mask, ramp), ramp, atol=0.01)
    np.testing.assert_allclose(inpaint(mask.T, ramp.T), ramp.T, atol=0.01)


def test_maximum_principle():
    mask = random_mask((80, 80), 0.01)
    values = np.random.default_rng(3).uniform(40, 200, mask.shape)
    reconstruction = inpaint(mask, values)
    assert reconstruction.min() > values[mask].min() - 0.01
    assert reconstruction.max() < values[mask].max() + 0.01


@pytest.mark.parametrize("cycles", [0, 1, 2, 5])
@pytest.mark.parametrize("name", ["random 0.03", "random 0.5", "contours", "left edge"])
def test_fixed_cycles_have_an_exact_adjoint(name, cycles):
    mask = CASES[name]
    rng = np.random.default_rng(4)
    g, r = rng.normal(size=(2, *mask.shape))
    inpainter = Inpainter(mask)
    forward = np.vdot(inpainter.solve(g, cycles=cycles), r)
    adjoint = inpainter.solve_adjoint(r, cycles=cycles)
    assert abs(forward - np.vdot(g, adjoint)) < 1e-5 * np.linalg.norm(g[mask]) * np.linalg.norm(adjoint)
    assert not adjoint[~mask].any()


def test_fixed_cycles_are_linear():
    mask = CASES["random 0.03"]
    inpainter = Inpainter(mask)
    f, g = scene(mask.shape, 1), scene(mask.shape, 2)
    one = inpainter.solve(2 * f - 3 * g, cycles=2)
    two = 2 * inpainter.solve(f, cycles=2) - 3 * inpainter.solve(g, cycles=2)
    np.testing.assert_allclose(one, two, atol=0.01)


@pytest.mark.parametrize("name", CASES)
def test_fixed_cycles_converge_on_every_mask(name):
    mask = CASES[name]
    values = scene(mask.shape)
    exact = direct(mask, values)
    inpainter = Inpainter(mask)
    errors = [np.abs(inpainter.solve(values, cycles=n) - exact).max() for n in (0, 3, 6, 12)]
    assert errors[1] <= 0.15 * errors[0] + 1e-3
    assert errors[2] <= 0.15 * errors[1] + 1e-3
    assert errors[3] <= 0.05 * errors[2] + 1e-3


def test_no_cycles_give_a_guess():
    mask = CASES["random 0.03"]
    values = scene(mask.shape)
    exact = direct(mask, values)
    guess = Inpainter(mask).solve(values, cycles=0)
    assert np.abs(guess - exact).mean() < 0.2 * np.abs(values[mask].mean() - exact).mean()


@pytest.mark.parametrize("name", CASES)
def test_converged_adjoint(name):
    mask = CASES[name]
    g, r = scene(mask.shape, 1), scene(mask.shape, 2) - 128
    adjoint = Inpainter(mask).solve_adjoint(r, tol=0.01)
    assert abs(np.vdot(direct(mask, g), r) - np.vdot(g, adjoint)) < 0.01 * np.abs(r).sum()
    assert not adjoint[~mask].any()
    assert adjoint.sum() == pytest.approx(r.sum(), abs=0.01 * np.abs(r).sum() / 255)


def test_long_unknown_parts():
    # single precision alone cannot resolve these: the residual of a smooth error drowns in rounding
    for shape, known in (((3, 6000), ((0, 0), (2, 5999))), ((1, 20000), ((0, 0), (0, 7000), (0, 19999)))):
        mask = np.zeros(shape, bool)
        mask[tuple(np.transpose(known))] = True
        values = np.random.default_rng(0).uniform(0, 255, shape)
        exact = direct(mask, values)
        inpainter = Inpainter(mask)
        assert np.abs(inpainter.solve(values) - exact).max() < 0.01
        adjoint = inpainter.solve_adjoint(exact - 128)
        assert abs(np.vdot(exact, exact - 128) - np.vdot(values, adjoint)) < 0.01 * np.abs(exact - 128).sum()


def test_deterministic_and_independent_of_the_global_random_state():
    mask = CASES["random 0.03"]
    values = scene(mask.shape)
    np.random.seed(1)  # noqa: NPY002
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first = Inpainter(mask).solve(values)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    np.random.seed(2)  # noqa: NPY002
    inpainter = Inpainter(mask)
    inpainter.solve(255 - values)
    inpainter.solve_adjoint(values, cycles=1)
    np.testing.assert_array_equal(inpainter.solve(values), first)


def test_channels_are_solved_one_by_one():
    mask = CASES["random 0.1"]
    stack = np.stack([scene(mask.shape, seed) for seed in range(3)])
    inpainter = Inpainter(mask)
    np.testing.assert_array_equal(inpainter.solve(stack), [inpainter.solve(channel) for channel in stack])
    np.testing.assert_array_equal(
        inpainter.solve_adjoint(stack, cycles=2), [inpainter.solve_adjoint(channel, cycles=2) for channel in stack]
    )


def test_values_off_the_mask_are_not_read():
    mask = CASES["random 0.1"]
    values = scene(mask.shape)
    np.testing.assert_array_equal(inpaint(mask, np.where(mask, values, np.nan)), inpaint(mask, values))


def test_warm_start():
    mask = CASES["random 0.03"]
    values = scene(mask.shape)
    exact = direct(mask, values)
    inpainter = Inpainter(mask)
    start = exact + np.random.default_rng(0).normal(0, 1, mask.shape)
    kept = start.copy()
    assert np.abs(inpainter.solve(values, start=start) - exact).max() < 0.01
    warm = np.abs(inpainter.solve(values, start=start, cycles=1) - exact).max()
    assert warm < 0.5 * np.abs(start - exact).max()
    np.testing.assert_array_equal(start, kept)


def test_threads_share_an_inpainter():
    mask = CASES["random 0.1"]
    inpainter = Inpainter(mask)
    pictures = [scene(mask.shape, seed) for seed in range(4)]
    expected = [inpainter.solve(picture) for picture in pictures]
    results = [None] * 4

    def work(i):
        results[i] = inpainter.solve(pictures[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(results, expected)


@pytest.mark.parametrize(
    "mask",
    [np.zeros((4, 5), bool), np.ones(5, bool), np.ones((2, 3, 3), bool), np.ones((4, 5)), np.zeros((0, 5), bool)],
)
def test_bad_masks(mask):
    with pytest.raises(DinpError):
        Inpainter(mask)


def test_bad_values():
    inpainter = Inpainter(np.ones((4, 5), bool))
    with pytest.raises(DinpError, match="shape"):
        inpainter.solve(np.zeros((5, 4)))
    with pytest.raises(DinpError, match="finite"):
        inpainter.solve(np.full((4, 5), np.nan))
    with pytest.raises(DinpError, match="shape"):
        inpainter.solve_adjoint(np.zeros(4))
    with pytest.raises(DinpError, match="start"):
        inpainter.solve(np.zeros((4, 5)), start=np.zeros((2, 4, 5)))


def test_huge_and_tiny_values_raise_no_warning():
    mask = CASES["random 0.03"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for scale in (1e-30, 1e6):
            inpaint(mask, scale * scene(mask.shape))


@pytest.mark.parametrize("with_barriers", [False, True])
def test_memory_is_given_back_without_looking_for_garbage(with_barriers):
    mask = np.zeros((64, 64), dtype=bool)
    mask[::9, ::7] = True
    cracks = {"right": np.zeros((64, 63), dtype=bool), "down": np.zeros((63, 64), dtype=bool)}
    if with_barriers:
        cracks["right"][:, 30] = True
    gc.collect()
    gc.disable()
    try:
        inpainter = Inpainter(mask, **cracks)
        inpainter.solve(np.ones(mask.shape), cycles=2)
        barriers = inpainter._barriers
        if barriers is None:
            kept = [inpainter._hierarchy, inpainter._hierarchy.levels[0], inpainter._hierarchy.levels[-1].grid]
        else:
            kept = [barriers, barriers.solver, barriers.solver.reduced.multilevel]
        kept = [weakref.ref(one) for one in kept]
        del inpainter, barriers
        assert [one() for one in kept] == [None] * 3
    finally:
        gc.enable()
