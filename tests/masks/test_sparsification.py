"""Probabilistic sparsification: exact, repeatable, interruptible, and far better than random masks."""

import numpy as np
import pytest
from skimage import data

from dinp.diffusion.inpaint import Inpainter
from dinp.errors import DinpError
from dinp.models.masks.analytic import random_mask
from dinp.models.masks.sparsification import probabilistic_sparsification

IMAGE = data.camera()[100:196, 180:276].astype(np.float64)


def _error(mask):
    return np.mean((Inpainter(mask).solve(IMAGE) - IMAGE) ** 2)


@pytest.mark.parametrize("density", [1e-6, 0.2, 1.0])
def test_the_density_is_exact_and_the_seed_decides(density, shape):
    image = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    mask = probabilistic_sparsification(image, density, 1, removed=0.3)
    assert (mask.shape, mask.dtype) == (shape, np.bool_)
    assert np.count_nonzero(mask) == max(1, round(density * image.size))
    np.testing.assert_array_equal(mask, probabilistic_sparsification(image, density, 1, removed=0.3))


def test_it_beats_random_masks_and_haste_costs():
    careful, hasty = (_error(probabilistic_sparsification(IMAGE, 0.05, 0, removed=q)) for q in (0.03, 0.5))
    assert careful < 0.9 * hasty
    assert careful < 0.7 * _error(random_mask(IMAGE, 0.05, 0))


def test_an_interrupted_search_keeps_the_points_left():
    def interrupt(fraction):
        if fraction > 0.9:
            raise KeyboardInterrupt

    arguments = {"progress": interrupt, "removed": 0.3}
    mask = probabilistic_sparsification(IMAGE, 0.05, 0, keep_on_interrupt=True, **arguments)
    assert np.count_nonzero(mask) == round(0.05 * IMAGE.size)
    assert _error(mask) < _error(random_mask(IMAGE, 0.05, 0))
    with pytest.raises(KeyboardInterrupt):
        probabilistic_sparsification(IMAGE, 0.05, 0, **arguments)


def test_progress_rises_from_0_to_1():
    told = []
    probabilistic_sparsification(IMAGE[:30, :30], 0.1, 0, removed=0.3, progress=told.append)
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0, 1)


@pytest.mark.parametrize(
    ("image", "arguments"),
    [
        (np.zeros((4, 4)), {"density": 0.0}),
        (np.zeros((4, 4, 3)), {"density": 0.1}),
        (np.full((4, 4), np.nan), {"density": 0.1}),
        (np.zeros((4, 4)), {"density": 0.1, "candidates": 1.0}),
        (np.zeros((4, 4)), {"density": 0.1, "removed": 0.0}),
    ],
)
def test_bad_input_is_refused(image, arguments):
    with pytest.raises(DinpError):
        probabilistic_sparsification(image, **arguments)
