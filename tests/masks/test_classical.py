"""Classical masks: exact density, repeatable, and denser where the picture curves."""

import numpy as np
import pytest
from skimage import data

from dinp.diffusion.inpaint import Inpainter
from dinp.errors import DinpError
from dinp.models.masks.analytic import analytic_mask, random_mask


@pytest.mark.parametrize("method", [random_mask, analytic_mask])
@pytest.mark.parametrize("density", [1e-6, 0.02, 0.5, 1.0])
def test_the_density_is_exact_at_any_size(method, density, shape):
    image = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    mask = method(image, density, 1)
    assert (mask.shape, mask.dtype) == (shape, np.bool_)
    assert np.count_nonzero(mask) == max(1, round(density * image.size))
    np.testing.assert_array_equal(mask, method(image, density, 1))


def test_seeds_give_different_random_masks():
    image = np.zeros((30, 30))
    assert (random_mask(image, 0.1, 1) != random_mask(image, 0.1, 2)).any()


def test_analytic_points_sit_at_the_edge():
    image = np.zeros((64, 64))
    image[:, 32:] = 200
    columns = np.argwhere(analytic_mask(image, 0.02))[:, 1]
    assert ((columns > 20) & (columns < 44)).all()


def test_a_flat_image_gets_evenly_spread_points():
    mask = analytic_mask(np.full((64, 64), 7.0), 0.05)
    counts = mask.reshape(2, 32, 2, 32).sum(axis=(1, 3))
    assert counts.min() > 0.7 * counts.mean()


@pytest.mark.parametrize("density", [0.02, 0.10])
def test_analytic_masks_beat_random_ones(density):
    image = data.camera()[100:356, 120:376].astype(np.float64)
    error = [
        np.mean((Inpainter(method(image, density, 0)).solve(image) - image) ** 2)
        for method in (analytic_mask, random_mask)
    ]
    assert error[0] < 0.8 * error[1]


@pytest.mark.parametrize("method", [random_mask, analytic_mask])
@pytest.mark.parametrize(
    ("image", "density"),
    [(np.zeros((4, 4)), 0.0), (np.zeros((4, 4)), 2.0), (np.zeros((4, 4, 3)), 0.1), (np.zeros((0, 4)), 0.1)],
)
def test_bad_input_is_refused(method, image, density):
    with pytest.raises(DinpError):
        method(image, density, 0)
