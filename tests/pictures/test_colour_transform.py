"""Pictures to planes and back."""

import numpy as np
import pytest

import dinp.kernels
from dinp.pictures.colour_transform import merge_planes, plane_shapes, split_planes
from dinp.pictures.picture import psnr


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 6), (7, 1), (4, 6), (5, 7)])
def test_shapes_of_planes(height, width):
    rng = np.random.default_rng(3)
    for shape in [(height, width), (height, width, 3)]:
        picture = rng.integers(0, 256, shape, dtype=np.uint8)
        planes = split_planes(picture)
        assert [plane.shape for plane in planes] == plane_shapes(height, width, colour=len(shape) == 3)
        assert all(plane.dtype == np.float64 for plane in planes)
        assert merge_planes(planes).shape == shape


def test_grey_round_trip_rounds_a_little_below_halves_up_and_clips():
    plane = np.array([[-5.0, 0.46, 0.47, 1.5, 254.6, 300]])
    np.testing.assert_array_equal(merge_planes([plane]), [[0, 0, 1, 2, 255, 255]])
    picture = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(merge_planes(split_planes(picture)), picture)


def test_luma_and_chroma_of_primary_colours():
    picture = np.array([[[255, 0, 0]] * 2] * 2, np.uint8)
    luma, cb, cr = split_planes(picture)
    np.testing.assert_allclose(luma, 76.245)
    np.testing.assert_allclose(cb, 128 - 76.245 / 1.772)
    np.testing.assert_allclose(cr, 255.5)
    np.testing.assert_array_equal(merge_planes([luma, cb, cr]), picture)


def test_every_constant_colour_survives():
    rng = np.random.default_rng(4)
    for colour in rng.integers(0, 256, (200, 3), dtype=np.uint8):
        picture = np.broadcast_to(colour, (3, 5, 3))
        np.testing.assert_array_equal(merge_planes(split_planes(picture)), picture)


def test_chroma_is_averaged_with_the_edge_repeated_and_interpolated_between_centres():
    picture = np.zeros((1, 5, 3), np.uint8)
    picture[0, :, 2] = [0, 40, 80, 120, 160]
    _, cb, _ = split_planes(picture)
    means = np.array([20, 100, 160])
    np.testing.assert_allclose(cb[0], 128 + (1 - 0.114) * means / 1.772)

    planes = [np.full((1, 5), 128.0), 128 + np.array([[0.0, 40, 80]]) / 1.772, np.full((1, 3), 128.0)]
    np.testing.assert_array_equal(merge_planes(planes)[0, :, 2], [128, 138, 158, 178, 198])
    upright = merge_planes([plane.T for plane in planes])
    np.testing.assert_array_equal(upright[:, 0], merge_planes(planes)[0])


def test_smooth_colour_is_hardly_changed():
    y, x = np.mgrid[0:41, 0:60]
    picture = np.stack([60 + 2 * x, 200 - 3 * y, 40 + x + 2 * y], axis=2).astype(np.uint8)
    assert psnr(picture, merge_planes(split_planes(picture))) > 45


def test_psnr():
    black = np.zeros((4, 5, 3), np.uint8)
    assert psnr(black, black) == np.inf
    assert psnr(black, black + np.uint8(255)) == 0
    np.testing.assert_allclose(psnr(black + np.uint8(3), black), 20 * np.log10(255 / 3))


@pytest.mark.skipif(dinp.kernels.kernels is None, reason="no kernels were built, or they are turned off")
@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (7, 1), (2, 2), (33, 50), (64, 37), (600, 11)])
def test_kernels_and_numpy_give_the_same(shape, monkeypatch):
    """Exactly, of bytes and of numbers."""
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (*shape, 3), dtype=np.uint8), rng.uniform(-20, 280, (*shape, 3))]
    made = [split_planes(picture) for picture in pictures]
    shown = [merge_planes(planes) for planes in made]
    monkeypatch.setattr("dinp.pictures.colour_transform.kernels", None)
    for picture, planes, merged in zip(pictures, made, shown, strict=True):
        for one, other in zip(planes, split_planes(picture), strict=True):
            np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(merged, merge_planes(planes))
