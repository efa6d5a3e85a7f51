"""Learned and refined masks: exact, repeatable, better than their start after few inpaintings."""

import numpy as np
import pytest
from skimage import data

from dinp.bitstream.structure import known_data_of_mask
from dinp.diffusion.inpaint import Inpainter
from dinp.diffusion.tonal import tonal_optimisation
from dinp.errors import DinpError
from dinp.models.masks import search
from dinp.models.masks.analytic import analytic_mask, random_mask
from dinp.models.masks.binarise import binarise
from dinp.models.masks.learned import learned_mask, learned_mask_of_one_pass, learned_plain_mask
from dinp.models.masks.refinement import default_moves, fast_refined_mask, learned_refined_mask, long_refined_mask
from dinp.models.masks.report import mask_worth
from dinp.models.weights.mask_model import load_mask_model

IMAGE = data.camera()[100:196, 180:276].astype(np.float64)
LARGER = data.camera()[128:384, 128:384].astype(np.float64)


def _error(mask, image=IMAGE):
    """Mean squared error after tonal optimisation."""
    inpainter, known = Inpainter(mask), known_data_of_mask(mask, side=1)
    values, _ = tonal_optimisation(inpainter, known, image, image[mask], steps=15, cycles=2)
    return np.mean((inpainter.solve(known.spread(values)) - image) ** 2)


@pytest.mark.parametrize("density", [1e-6, 0.05, 0.6, 1.0])
def test_the_density_is_exact_and_the_seed_decides(density, shape):
    image = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    mask = learned_refined_mask(image, density, 1)
    assert (mask.shape, mask.dtype) == (shape, np.bool_)
    assert np.count_nonzero(mask) == max(1, round(density * image.size))
    np.testing.assert_array_equal(mask, learned_refined_mask(image, density, 1))


def test_it_beats_the_network_alone_and_random_masks():
    learned, refined = (_error(method(LARGER, 0.05, 0), LARGER) for method in (learned_mask, learned_refined_mask))
    assert refined < 0.95 * learned
    assert refined < 0.4 * _error(random_mask(LARGER, 0.05, 0), LARGER)


def test_passes_are_worth_more_than_one():
    four, one = (_error(method(LARGER, 0.05), LARGER) for method in (learned_mask, learned_mask_of_one_pass))
    assert four < 0.97 * one


@pytest.mark.parametrize(
    ("passes", "even", "left"), [(1, 0.05, 0.05 / 2.1), (1, 0.3, 0.3 / 2.6), (4, 0.05, 0.0125 / 2.1), (1, 0.0, 0.0)]
)
def test_the_last_pass_spreads_a_few_of_its_points_evenly(passes, even, left):
    class Sure:
        """All confidence is in the right half, whatever is placed."""

        def of(self, plane, density):
            right = np.zeros(plane.shape, dtype=np.float32)
            right[:, plane.shape[1] // 2 :] = 2 * density

            def confidences(placed=None):
                return right if placed is None else right * ~placed

            return confidences

    mask = learned_mask(LARGER, 0.1, passes=passes, even=even, model=Sure())
    found = np.count_nonzero(mask[:, : LARGER.shape[1] // 2]) / np.count_nonzero(mask)
    assert found == pytest.approx(left, rel=0.15, abs=0.004)
    assert np.count_nonzero(mask) == round(0.1 * LARGER.size)


def test_each_pass_places_as_many_points():
    told = []
    model = load_mask_model()

    class Listening:
        def of(self, plane, density):
            confidences = model.of(plane, density)

            def listening(placed=None):
                told.append(0 if placed is None else np.count_nonzero(placed))
                return confidences(placed)

            return listening

    points = round(0.05 * IMAGE.size)
    mask = learned_mask(IMAGE, 0.05, passes=4, model=Listening())
    assert told == [round(points * k / 4) for k in range(4)]
    np.testing.assert_array_equal(mask, learned_mask(IMAGE, 0.05))
    with pytest.raises(DinpError, match="at least one pass"):
        learned_mask(IMAGE, 0.05, passes=0)
    for even in (-0.1, np.inf, np.nan):
        with pytest.raises(DinpError, match="added to confidences"):
            learned_mask(IMAGE, 0.05, even=even)


def test_masks_for_plain_values_are_better_there():
    plain, tonal = (
        np.mean((Inpainter(mask).solve(LARGER) - LARGER) ** 2)
        for mask in (learned_plain_mask(LARGER, 0.05), learned_mask(LARGER, 0.05))
    )
    assert plain < tonal


@pytest.mark.parametrize("start", [random_mask, analytic_mask])
def test_it_corrects_any_start(start):
    assert _error(learned_refined_mask(IMAGE, 0.05, 0, start=start)) < 0.9 * _error(start(IMAGE, 0.05, 0))


@pytest.mark.parametrize(("method", "count"), [(learned_mask, 0), (fast_refined_mask, 3), (learned_refined_mask, 5)])
def test_it_takes_few_inpaintings(method, count, monkeypatch):
    masks = []

    class Counting(Inpainter):
        def __init__(self, mask):
            masks.append(mask)
            super().__init__(mask)

    monkeypatch.setattr(search, "Inpainter", Counting)
    method(IMAGE, 0.05, 0)
    assert len(masks) == count


def test_lower_densities_move_more():
    shares = [sum(default_moves(density)) for density in (1e-4, 0.01, 0.1, 1.0)]
    assert shares == sorted(shares, reverse=True)
    assert all(0 < move < 0.5 for density in (1e-6, 1.0) for move in default_moves(density))
    default, given = (learned_refined_mask(IMAGE, 0.02, 0, moves=moves) for moves in (None, default_moves(0.02)))
    np.testing.assert_array_equal(default, given)


def test_a_start_without_moves_is_only_completed():
    mask = learned_refined_mask(IMAGE, 0.05, 3, share=0.8, moves=(0, 0), start=random_mask)
    start = random_mask(IMAGE, 0.04, 3)
    assert (mask & start).sum() == start.sum()
    assert np.count_nonzero(mask) == round(0.05 * IMAGE.size)


def test_an_interrupted_search_is_filled_up():
    def interrupt(fraction):
        if fraction > 0.5:
            raise KeyboardInterrupt

    mask = learned_refined_mask(IMAGE, 0.05, 0, progress=interrupt, keep_on_interrupt=True)
    assert np.count_nonzero(mask) == round(0.05 * IMAGE.size)
    assert _error(mask) < _error(learned_mask(IMAGE, 0.05, 0))
    with pytest.raises(KeyboardInterrupt):
        learned_refined_mask(IMAGE, 0.05, 0, progress=interrupt)


@pytest.mark.parametrize(
    ("image", "arguments"),
    [
        (np.zeros((4, 4)), {"density": 0.0}),
        (np.zeros((4, 4, 3)), {"density": 0.1}),
        (np.full((4, 4), np.nan), {"density": 0.1}),
        (np.zeros((4, 4)), {"density": 0.1, "share": 0.0}),
        (np.zeros((4, 4)), {"density": 0.1, "moves": (1.0,)}),
    ],
)
def test_bad_input_is_refused(image, arguments):
    with pytest.raises(DinpError):
        learned_refined_mask(image, **arguments)


@pytest.mark.parametrize(("shape", "density"), [((1, 1), 1.0), ((1, 9), 0.3), ((17, 23), 0.01), ((24, 20), 1.0)])
def test_long_refinement_has_the_wanted_points_at_any_size(shape, density):
    plane = np.random.default_rng(2).uniform(0, 255, shape)
    assert np.count_nonzero(long_refined_mask(plane, density, rounds=3)) == max(1, round(density * plane.size))


def test_a_long_refinement_has_rounds():
    with pytest.raises(DinpError, match="at least one round"):
        long_refined_mask(np.zeros((8, 8)), 0.1, rounds=0)


@pytest.mark.parametrize("side", [48, 64, 96, 128, 192])
def test_masks_of_small_pictures_are_as_good_as_those_that_see_more(side):
    model, gains = load_mask_model(), []
    for y, x in ((100, 180), (200, 60), (60, 60), (300, 300)):
        f = data.camera()[y : y + side, x : x + side].astype(np.float64)
        wide = model(np.pad(f, 64, mode="reflect"), 0.08)[64:-64, 64:-64]
        own, other = (mask_worth(f, binarise(c, density=0.08)) for c in (model(f, 0.08), wide))
        gains.append(own.tonal_psnr - other.tonal_psnr)
    assert np.mean(gains) > -0.3


def test_masks_of_large_pictures_are_as_good_as_those_of_their_windows():
    model, f = load_mask_model(), data.camera().astype(np.float64)
    whole, windows = model(f, 0.08), np.empty(f.shape)
    for y in range(0, 512, 128):
        for x in range(0, 512, 128):
            top, left = (min(max(0, k - 32), 512 - 192) for k in (y, x))
            seen = f[top : top + 192, left : left + 192]
            tile = np.s_[y - top : y - top + 128, x - left : x - left + 128]
            wanted = whole[y : y + 128, x : x + 128].mean()
            part = model(seen, float(whole[top : top + 192, left : left + 192].mean()))[tile]
            windows[y : y + 128, x : x + 128] = part * wanted / part.mean()
    own, other = (mask_worth(f, binarise(c, density=0.08)) for c in (whole, windows))
    assert own.tonal_psnr > other.tonal_psnr - 0.2
