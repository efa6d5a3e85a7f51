"""Binarisation: the exact number of points, at the wanted local density, evenly spread, at any size."""

import numpy as np
import pytest

from dinp.errors import DinpError
from dinp.models.masks import mass_eating as eating
from dinp.models.masks.binarise import METHODS, binarise, error_diffusion, lloyd_step, point_count, repaired, scaled
from dinp.models.masks.mass_eating import mass_eating


def _floyd_steinberg(confidence):
    """The textbook loop, pixel by pixel."""
    c = confidence.copy()
    mask = np.zeros(c.shape, dtype=bool)
    for y, x in np.ndindex(c.shape):
        mask[y, x] = c[y, x] >= 0.5
        for dy, dx, share in ((0, 1, 7), (1, -1, 3), (1, 0, 5), (1, 1, 1)):
            if y + dy < c.shape[0] and 0 <= x + dx < c.shape[1]:
                c[y + dy, x + dx] += (c[y, x] - mask[y, x]) * share / 16
    return mask


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (30, 1), (17, 40), (40, 17), (2, 2)])
def test_error_diffusion_by_diagonals_is_floyd_steinberg(shape):
    # multiples of 1/64: all sums are exact for a few steps and far from the threshold
    confidence = np.random.default_rng(5).integers(0, 40, shape) / 64
    np.testing.assert_array_equal(error_diffusion(confidence), _floyd_steinberg(confidence))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["random", "zero", "sparse", "one bright pixel", "tiny", "huge"])
def test_the_number_of_points_is_exact(shape, kind, method):
    rng = np.random.default_rng(6)
    confidence = rng.random(shape)
    confidence = {
        "random": confidence,
        "zero": confidence * 0,
        "sparse": confidence * (confidence > 0.95),
        "one bright pixel": np.where(np.arange(confidence.size).reshape(shape) == confidence.size // 2, 1e6, 0.0),
        "tiny": confidence * 1e-12,
        "huge": confidence * 1e12,
    }[kind]
    for points in {1, max(1, confidence.size // 20), max(1, confidence.size // 2), confidence.size}:
        mask = binarise(confidence, points=points, method=method)
        assert (mask.shape, mask.dtype) == (shape, np.bool_)
        assert np.count_nonzero(mask) == points


def test_a_density_is_rounded_to_points_and_gives_at_least_one():
    confidence = np.random.default_rng(7).random((31, 45))
    assert np.count_nonzero(binarise(confidence, density=0.05)) == round(0.05 * 31 * 45)
    assert np.count_nonzero(binarise(confidence, density=1e-9)) == 1
    assert binarise(confidence, density=1.0).all()
    assert point_count(0.5, (1, 5)) == 2


@pytest.mark.parametrize("method", METHODS)
def test_local_density_follows_the_confidence(method):
    confidence = np.full((96, 96), 0.02)
    confidence[:, 48:] = 0.10
    mask = binarise(confidence, points=round(confidence.sum()), method=method)
    share = np.count_nonzero(mask[:, 48:]) / np.count_nonzero(mask)
    assert share == pytest.approx(0.10 / 0.12, abs=0.03)


def test_mass_eating_begins_at_the_peak_and_consumes_around_it():
    confidence = np.zeros((5, 7))
    confidence[2, 1:6] = [0.2, 0.6, 0.2, 0.7, 0.3]
    assert np.argwhere(mass_eating(confidence, 2, first=1)).tolist() == [[2, 4]]
    assert np.argwhere(mass_eating(confidence, 2)).tolist() == [[2, 2], [2, 4]]
    confidence[2, 1:6] = [0.0, 0.9, 0.5, 0.0, 0.6]  # beside the first point little is left
    assert np.argwhere(mass_eating(confidence, 2)).tolist() == [[2, 2], [2, 5]]


@pytest.mark.parametrize("peak", [(10, 10), (0, 3)])
def test_a_point_consumes_one_unit_and_less_of_what_is_farther(peak):
    confidence = np.random.default_rng(10).uniform(0.01, 0.05, (21, 21))
    confidence[peak] = 0.3
    mass, mask = confidence.copy(), np.zeros(confidence.shape, dtype=np.uint8)
    assert eating._eat_mass(mass, *eating._places(40), mask, 21, 21, 1) == 1
    assert np.argwhere(mask).tolist() == [list(peak)]
    assert (confidence - mass).sum() == pytest.approx(1)
    y, x = np.indices(confidence.shape)
    d2 = (y - peak[0]) ** 2 + (x - peak[1]) ** 2
    within = mass < confidence
    s2 = d2[within & (d2 > 0)] / (mass / confidence)[within & (d2 > 0)]
    np.testing.assert_allclose(s2, s2[0])  # the same share at the same distance, in all directions
    np.testing.assert_array_equal(within, d2 < s2[0])


@pytest.mark.skipif(eating.kernels is None, reason="no kernels")
@pytest.mark.parametrize("points", [1, 40, 300])
def test_the_kernel_eats_as_python_does(points, monkeypatch):
    for scale in (64, 2**40):  # many equal ones, and none
        confidence = scaled(np.random.default_rng(9).integers(0, scale, (37, 50)) ** 3 / scale, points)
        compiled = mass_eating(confidence, points)
        with monkeypatch.context() as patch:
            patch.setattr(eating, "kernels", None)
            np.testing.assert_array_equal(mass_eating(confidence, points), compiled)
        assert np.count_nonzero(compiled) > 0.9 * points


@pytest.mark.skipif(eating.kernels is None, reason="no kernels")
@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (23, 1), (9, 14)])
@pytest.mark.parametrize("mass", [0.0, 0.4, 3.0])
@pytest.mark.parametrize("first", [None, 0, 2, 99])
def test_the_kernel_eats_as_python_does_where_there_is_little(shape, mass, first, monkeypatch):
    confidence = np.random.default_rng(1).random(shape)
    confidence *= mass / confidence.sum()
    compiled = mass_eating(confidence, 3, first)
    monkeypatch.setattr(eating, "kernels", None)
    np.testing.assert_array_equal(mass_eating(confidence, 3, first), compiled)
    assert np.count_nonzero(compiled) <= (3 if first is None else min(first, 3))
    assert compiled.any() == (mass > 0 and first != 0)


def test_lloyd_steps_spread_points_more_evenly():
    from scipy.ndimage import distance_transform_edt

    confidence = np.full((80, 80), 0.03)
    farthest = [
        distance_transform_edt(~binarise(confidence, density=0.03, method="error diffusion", lloyd=n)).mean()
        for n in (0, 4)
    ]
    assert farthest[1] < farthest[0]


def test_a_lloyd_step_moves_a_point_to_the_weighted_centroid():
    mask = np.zeros((9, 9), dtype=bool)
    mask[0, 0] = True
    assert np.argwhere(lloyd_step(mask, np.ones((9, 9)))).tolist() == [[4, 4]]
    weight = np.zeros((9, 9))
    weight[2, 7] = 1
    assert np.argwhere(lloyd_step(mask, weight)).tolist() == [[2, 7]]


def test_scaling_fills_bright_pixels_and_keeps_the_sum():
    c = scaled(np.array([[100.0, 1.0, 1.0, 2.0]]), 2)
    np.testing.assert_allclose(c, [[1, 0.25, 0.25, 0.5]])


def test_repair_adds_where_points_are_missing_and_drops_the_least_confident():
    confidence = np.ones((9, 30))
    mask = np.zeros((9, 30), dtype=bool)
    mask[4, 3] = True
    added = repaired(mask, confidence, 2, np.random.default_rng(0)) & ~mask
    assert np.argwhere(added)[0][1] > 20
    confidence[4, 3] = 0.1
    mask[4, 20] = True
    assert np.argwhere(repaired(mask, confidence, 1, np.random.default_rng(0))).tolist() == [[4, 20]]


def test_the_same_seed_gives_the_same_mask():
    confidence = np.random.default_rng(8).random((40, 40))
    first = binarise(confidence, density=0.1, seed=3)
    np.testing.assert_array_equal(first, binarise(confidence, density=0.1, seed=3))


@pytest.mark.parametrize(
    ("confidence", "arguments"),
    [
        (np.ones((4, 4)), {}),
        (np.ones((4, 4)), {"density": 0.1, "points": 2}),
        (np.ones((4, 4)), {"density": 0.0}),
        (np.ones((4, 4)), {"density": 1.5}),
        (np.ones((4, 4)), {"points": 0}),
        (np.ones((4, 4)), {"points": 17}),
        (-np.ones((4, 4)), {"points": 2}),
        (np.full((4, 4), np.inf), {"points": 2}),
        (np.ones((4, 4)), {"points": 2, "method": "none"}),
        (np.ones(4), {"points": 2}),
        (np.ones((0, 4)), {"points": 1}),
    ],
)
def test_impossible_wishes_are_refused(confidence, arguments):
    with pytest.raises(DinpError):
        binarise(confidence, **arguments)
