"""Samples of any kind, holes, largest errors and alpha, through the public API."""

import math
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

import dinp
from dinp.bitstream.sidecars import CONTOURS, FLAGS, mask_stream, read_mask_stream
from dinp.encoder.picture import error_of
from dinp.entropy.crack_coder import cracks_of, encode_cracks
from dinp.errors import DinpError

Y, X = np.mgrid[:60, :80]
WAVES = np.sin(X / 9) * np.cos(Y / 7)
RGB = np.stack([X * 3, Y * 4, 255 - X], axis=-1).astype(np.uint8)


def depth_in_millimetres():
    """0 to 3955 mm with a hole, as in a depth camera."""
    mm = (500 + 40 * np.arange(80) + 5 * np.arange(60)[:, None]).astype(np.uint16)
    mm[10:20, 10:20] = 0
    return mm


@pytest.mark.parametrize("as_image", [True, False])
def test_depth_keeps_its_unit_and_its_holes(as_image):
    mm = depth_in_millimetres()
    encoding = dinp.encode_with_report(Image.fromarray(mm) if as_image else mm, quality=75, effort=1)
    back = dinp.decode_array(encoding.data)
    assert back.dtype == np.uint16
    assert np.array_equal(back == 0, mm == 0)
    assert np.abs(back.astype(int) - mm).max() <= 8
    assert encoding.largest_error == np.abs(back.astype(int) - mm).max()
    assert encoding.notices == ()
    assert dinp.decode(encoding.data).mode == "I;16"
    assert len(encoding.data) < mm.nbytes / 8


@pytest.mark.parametrize("kind", ["flat", "noisy"])
def test_depth_has_barriers_at_the_edges_of_objects(kind):
    y, x = np.mgrid[:96, :128]
    mm = np.where(x < 50, 900 + 2 * y * (kind == "noisy"), 2600)
    mm = np.where((y - 50) ** 2 + (x - 80) ** 2 < 500, 1500, mm)
    mm += np.random.default_rng(1).integers(-3, 4, mm.shape) * (kind == "noisy")
    mm = np.where((y > 70) & (x < 30), 0, mm).astype(np.uint16)
    encoding = dinp.encode_with_report(mm, quality=50, effort=1)
    assert dinp.info(encoding.data)["planes"][0]["structure"] == "barriers"
    back = dinp.decode_array(encoding.data)
    assert np.array_equal(back == 0, mm == 0)
    assert np.abs(back.astype(int) - mm).max() <= (0 if kind == "flat" else 1700 * error_of(50))
    assert len(encoding.data) < 250


def test_a_slope_is_coded_by_its_samples():
    encoding = dinp.encode_with_report(depth_in_millimetres(), quality=75, effort=1)
    assert dinp.info(encoding.data)["lossless"]["units"][0] > 1
    assert len(encoding.data) < 150
    assert encoding.psnr > 55


@pytest.mark.parametrize("most", [0, 1, 30])
@pytest.mark.parametrize("quality", [None, 30])
def test_largest_error_holds_everywhere(most, quality):
    mm = depth_in_millimetres()
    encoding = dinp.encode_with_report(mm, max_error=most, quality=quality, effort=1)
    assert np.abs(dinp.decode_array(encoding.data).astype(int) - mm).max() <= most
    assert encoding.largest_error <= most


def test_largest_error_holds_for_colours_and_floats():
    data = dinp.encode(RGB, max_error=3, quality=20, effort=1)
    assert np.abs(dinp.decode_array(data).astype(int) - RGB).max() <= 3
    values = (1e-3 * WAVES).astype(np.float32)
    back = dinp.decode_array(dinp.encode(values, max_error=1e-6, effort=1))
    assert np.abs(back.astype(float) - values).max() <= 1e-6


@pytest.mark.parametrize(
    ("kind", "scale"),
    [
        (np.uint16, 3e4),
        (np.int8, 90),
        (np.int16, 2e4),
        (np.int32, 1e6),
        (np.uint32, 2e9),
        (np.float16, 2),
        (np.float32, 1e-3),
        (np.float64, 3e10),
    ],
)
def test_types_come_back(kind, scale):
    values = (scale * (WAVES + (np.dtype(kind).kind == "u"))).astype(kind)
    encoding = dinp.encode_with_report(values, quality=70, effort=1)
    back = dinp.decode_array(encoding.data)
    assert back.dtype == kind
    assert np.array_equal(back, encoding.decoded)
    spread = float(values.max()) - float(values.min())
    assert np.abs(back.astype(float) - values.astype(float)).max() < 0.08 * spread
    error = np.mean((back.astype(float) - values.astype(float)) ** 2)
    assert encoding.psnr == pytest.approx(10 * math.log10(spread**2 / error))


@pytest.mark.parametrize("value", [7, -3])
def test_a_constant_is_exact(value):
    values = np.full((9, 11), value, dtype=np.int16)
    assert np.array_equal(dinp.decode_array(dinp.encode(values, effort=1)), values)


def test_nothing_but_holes():
    values = np.full((9, 11), np.nan, dtype=np.float32)
    assert np.isnan(dinp.decode_array(dinp.encode(values, effort=1))).all()


def test_what_is_not_finite_comes_back():
    values = WAVES.astype(np.float32)
    values[3:9, 4:30] = np.nan
    values[30:40, 10] = np.inf
    values[50, 50:60] = -np.inf
    back = dinp.decode_array(dinp.encode(values, effort=1))
    for test in (np.isnan, np.isposinf, np.isneginf):
        assert np.array_equal(test(back), test(values))


def test_holes_do_not_pull_their_neighbours():
    values = np.full((64, 64), 1000, dtype=np.uint16) + np.arange(64, dtype=np.uint16)
    values[20:40, 20:40] = 0
    back = dinp.decode_array(dinp.encode(values, quality=40, effort=1))
    assert np.abs(back[values > 0].astype(int) - values[values > 0]).max() <= 5
    assert (back[values == 0] == 0).all()


def test_small_values_next_to_zero_are_no_holes():
    values = (np.arange(80) * 30).astype(np.uint16)[None].repeat(20, axis=0)
    assert "HOLES" not in {chunk["name"] for chunk in dinp.info(dinp.encode(values, effort=1))["chunks"]}


def test_holes_can_be_named():
    values = np.full((20, 30), 50, dtype=np.uint8)
    values[3:7, 3:9] = 255
    assert np.array_equal(dinp.decode_array(dinp.encode(values, holes=255, quality=0, effort=1)), values)
    with pytest.raises(dinp.DinpError, match="as large as"):
        dinp.encode(values, holes=np.zeros((2, 2), bool))


def test_holes_of_colours_have_one_mark_for_all_channels():
    where = np.zeros((24, 24), dtype=bool)
    where[4:9, 4:9] = True
    colours = np.dstack([np.tile(np.arange(24, dtype=np.uint8) * 9, (24, 1))] * 3)
    colours[where] = (5, 6, 7)
    colours[4, 4:7] = (1, 2, 3)  # twice as many marks as a plane can have
    assert (dinp.decode_array(dinp.encode(colours, holes=where, effort=1))[where] == 0).all()
    floats = np.full((16, 16, 3), 0.5, dtype=np.float32)
    floats[..., 1] = np.linspace(0, 1, 16)
    floats[3:5, 3:5, 0] = np.nan  # the others have been measured there
    back = dinp.decode_array(dinp.encode(floats, effort=1))
    assert np.isnan(back[3:5, 3:5]).all()
    assert np.isnan(back).sum() == 12


def test_planes_have_ranges_of_their_own():
    planes = np.dstack([1e3 * WAVES, WAVES, WAVES * 0 + 4]).astype(np.float32)
    data = dinp.encode(planes, planes=True, quality=80, effort=1)
    back = dinp.decode_array(data)
    assert np.abs(back[..., 0] - planes[..., 0]).max() < 8
    assert np.abs(back[..., 1] - planes[..., 1]).max() < 8e-3
    assert (back[..., 2] == 4).all()
    assert dinp.info(data)["mode"] == "3 planes"
    with pytest.raises(dinp.DinpError, match="decode_array"):
        dinp.decode(data)


@pytest.mark.parametrize("grey", [True, False])
@pytest.mark.parametrize("kind", ["opaque", "matte", "soft", "clear"])
def test_alpha_comes_back(kind, grey):
    distance = np.hypot(Y - 30, X - 40)
    alpha = {
        "opaque": distance * 0 + 255,
        "clear": distance * 0,
        "matte": np.where(distance < 20, 255, 0),
        "soft": np.clip(255 * (20 - distance), 0, 255),
    }[kind].astype(np.uint8)
    picture = np.dstack([RGB[..., 0] if grey else RGB, alpha])
    data = dinp.encode(picture, effort=1)
    image = dinp.decode(data)
    assert image.mode == ("LA" if grey else "RGBA")
    error = np.abs(np.asarray(image)[..., -1].astype(int) - alpha)
    assert error.max() <= (10 if kind == "soft" else 0)
    assert dinp.info(data)["mode"] == image.mode


def test_opaque_alpha_costs_nothing_and_hidden_colours_little():
    assert len(dinp.encode(np.dstack([RGB, RGB[..., 0] * 0 + 255]), effort=1)) == len(dinp.encode(RGB, effort=1))
    noise = np.random.default_rng(0).integers(0, 256, RGB.shape).astype(np.uint8)
    hidden = np.where(X[..., None] < 40, RGB, noise)
    shown = dinp.encode(np.dstack([hidden, np.where(X < 40, 255, 0).astype(np.uint8)]), effort=1)
    assert len(shown) < len(dinp.encode(hidden, effort=1)) / 3


def test_red_on_blue_keeps_its_chroma():
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[..., 2] = 255
    picture[10:50, 10:50:4] = (255, 0, 0)
    encoding = dinp.encode_with_report(picture, quality=90, effort=1)
    assert encoding.psnr > 40
    assert dinp.info(encoding.data)["chroma"] == "444"
    assert dinp.info(dinp.encode(picture, quality=90, effort=1, chroma="420"))["chroma"] == "420"


@pytest.mark.parametrize("side", [8, 64])
@pytest.mark.parametrize("quality", [0, 30, 50, 80])
def test_flat_greys_stay(side, quality):
    for value in range(2, 256, 46):
        flat = np.full((side, side), value, np.uint8)
        assert np.abs(dinp.decode_array(dinp.encode(flat, quality=quality, effort=1)).astype(int) - value).max() <= 1


@pytest.mark.parametrize("name", ["max_error", "target_bytes", "target_psnr"])
def test_numbers_must_be_numbers(name):
    with pytest.raises(dinp.DinpError, match=name):
        dinp.encode(RGB, **{name: "500"})


@pytest.mark.parametrize("width", [1, 4])
def test_more_quality_is_not_worse_on_a_checkerboard(width):
    board = ((X[:32, :32] // width + Y[:32, :32] // width) % 2 * 255).astype(np.uint8)
    found = [dinp.encode_with_report(board, quality=quality, effort=1) for quality in (20, 45, 60, 95)]
    assert all(better.psnr >= worse.psnr for worse, better in pairwise(found))
    assert np.array_equal(dinp.decode_array(found[-1].data), board)
    assert len(found[-1].data) < 60


def test_thin_lines_of_many_small_regions_are_exact_at_any_quality():
    lines = np.where((np.abs(X - Y) % 17 == 0) | ((X + Y) % 23 == 0), 0, 255).astype(np.uint8)  # steps of single pixels
    for quality in (15, 35, 60):
        data = dinp.encode(lines, quality=quality, effort=1)
        assert dinp.info(data)["planes"][0]["regions"] > 100
        assert np.array_equal(dinp.decode_array(data), lines)


@pytest.mark.parametrize("corner", [False, True])
def test_masks_of_shapes_are_contours_and_those_of_noise_flags(corner):
    y, x = np.mgrid[:60, :80]
    shape = (np.hypot(y - 30, x - 40) < 20) ^ corner
    assert read_mask_stream(mask_stream(shape), shape.shape).tolist() == shape.tolist()
    assert mask_stream(shape)[0] == CONTOURS + corner
    noise = np.random.default_rng(0).random((60, 80)) < 0.03
    assert mask_stream(noise)[0] == FLAGS
    assert np.array_equal(read_mask_stream(mask_stream(noise), noise.shape), noise)


def test_contours_of_a_mask_are_followed_a_part_at_a_time(monkeypatch):
    monkeypatch.setattr("dinp.bitstream.sidecars._AT_ONCE", 100)
    for height, width in ((300, 1), (1, 300), (41, 7), (30, 101)):
        y, x = np.mgrid[:height, :width]
        mask = (np.hypot(y - 9, x - 4) < 8) | (x + y > 70)
        stream = bytes([CONTOURS + mask[0, 0]]) + encode_cracks(*cracks_of(mask))
        assert np.array_equal(read_mask_stream(stream, mask.shape), mask)


def test_contours_of_no_mask_are_refused():
    labels = np.zeros((12, 14), dtype=int)
    labels[:, 5:], labels[6:, 5:] = 1, 2  # three regions meet
    with pytest.raises(DinpError, match="not closed"):
        read_mask_stream(bytes([CONTOURS]) + encode_cracks(*cracks_of(labels)), labels.shape)
    with pytest.raises(DinpError, match="unknown kind"):
        read_mask_stream(b"\x03", labels.shape)
    with pytest.raises(DinpError, match="unknown kind"):
        read_mask_stream(b"", labels.shape)
