"""Error-driven densification: exact, repeatable, interruptible, and far better than random masks."""

import numpy as np
import pytest
from skimage import data

from dinp.diffusion.inpaint import Inpainter
from dinp.errors import DinpError
from dinp.models.masks.analytic import analytic_mask, random_mask
from dinp.models.masks.densification import densification, densified

IMAGE = data.camera()[100:196, 180:276].astype(np.float64)


def _error(mask):
    return np.mean((Inpainter(mask).solve(IMAGE) - IMAGE) ** 2)


@pytest.mark.parametrize("density", [1e-6, 0.05, 0.6, 1.0])
def test_the_density_is_exact_and_the_seed_decides(density, shape):
    image = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    mask = densification(image, density, 1)
    assert (mask.shape, mask.dtype) == (shape, np.bool_)
    assert np.count_nonzero(mask) == max(1, round(density * image.size))
    np.testing.assert_array_equal(mask, densification(image, density, 1))


def test_it_beats_random_and_analytic_masks():
    error = _error(densification(IMAGE, 0.05))
    assert error < 0.5 * _error(random_mask(IMAGE, 0.05, 0))
    assert error < 0.8 * _error(analytic_mask(IMAGE, 0.05))


def test_more_stages_are_better():
    few, many = (_error(densification(IMAGE, 0.05, stages=stages)) for stages in (2, 20))
    assert many < few


def test_a_flat_image_gets_all_its_points():
    assert np.count_nonzero(densification(np.full((40, 40), 9.0), 0.1)) == 160


def test_new_points_go_one_to_a_cell_to_the_largest_error():
    mask = np.zeros((9, 30), dtype=bool)
    mask[4, [4, 14, 24]] = True
    error = np.zeros((9, 30))
    error[2, 3], error[3, 3], error[7, 25], error[1, 13] = 5, 4, 3, 2
    added = densified(mask, error, 5) & ~mask
    assert sorted(map(tuple, np.argwhere(added))) == [(2, 3), (7, 25)]


def test_an_interrupted_search_is_filled_up():
    def interrupt(fraction):
        if fraction > 0.5:
            raise KeyboardInterrupt

    mask = densification(IMAGE, 0.05, 0, progress=interrupt, keep_on_interrupt=True)
    assert np.count_nonzero(mask) == round(0.05 * IMAGE.size)
    assert _error(mask) < _error(random_mask(IMAGE, 0.05, 0))
    with pytest.raises(KeyboardInterrupt):
        densification(IMAGE, 0.05, 0, progress=interrupt)


@pytest.mark.parametrize(
    ("image", "arguments"),
    [
        (np.zeros((4, 4)), {"density": 2.0}),
        (np.zeros((0, 4)), {"density": 0.1}),
        (np.full((4, 4), np.inf), {"density": 0.1}),
        (np.zeros((4, 4)), {"density": 0.1, "stages": 0}),
    ],
)
def test_bad_input_is_refused(image, arguments):
    with pytest.raises(DinpError):
        densification(image, **arguments)
