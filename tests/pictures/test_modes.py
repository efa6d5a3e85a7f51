"""Pictures of all modes and arrays: what is taken, converted or refused."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from dinp.errors import DinpError
from dinp.pictures.modes import picture_from_array, picture_from_image

LIMIT = 10_000


def take(image):
    return picture_from_image(image, max_pixels=LIMIT)


def saved(image, file_format, **options):
    """The image as Pillow reads it from a file."""
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return Image.open(buffer)


def ramp(mode="L"):
    return Image.fromarray(np.arange(35, dtype=np.uint8).reshape(5, 7)).convert(mode)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_grey_and_rgb_are_taken_as_they_are(mode):
    picture, notices = take(ramp(mode))
    assert notices == ()
    assert picture.dtype == np.uint8
    np.testing.assert_array_equal(picture, np.asarray(ramp(mode)))


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "HSV", "LAB", "RGBX"])
def test_other_colour_modes_become_rgb_with_a_notice(mode):
    picture, notices = take(Image.new("RGB", (7, 5), (250, 9, 80)).convert(mode))
    assert picture.shape == (5, 7, 3)
    assert notices[-1] == f"picture of mode {mode} coded as RGB"
    np.testing.assert_allclose(picture[0, 0], [250, 9, 80], atol=5)


def test_black_and_white_becomes_grey():
    picture, notices = take(Image.fromarray(np.eye(5, dtype=bool)))
    np.testing.assert_array_equal(picture, 255 * np.eye(5))
    assert notices == ("picture of mode 1 coded as grey",)


@pytest.mark.parametrize(("palette", "shape"), [([9, 9, 9, 200, 200, 200], (5, 7)), ([9, 9, 9, 9, 8, 9], (5, 7, 3))])
def test_palette_becomes_grey_only_if_all_its_colours_are(palette, shape):
    image = Image.new("P", (7, 5))
    image.putpalette(palette)
    image.putpixel((3, 2), 1)
    picture, notices = take(image)
    assert picture.shape == shape
    np.testing.assert_array_equal(picture[2, 3], palette[3 : 3 + picture[2, 3].size])
    assert len(notices) == 1


@pytest.mark.parametrize(("mode", "shape"), [("LA", (5, 7)), ("RGBA", (5, 7, 3)), ("RGBa", (5, 7, 3)), ("La", (5, 7))])
def test_alpha_is_dropped_if_opaque_else_composited_on_white(mode, shape):
    straight = {"La": "LA", "RGBa": "RGBA"}.get(mode, mode)
    image = ramp("L").convert(straight)
    picture, notices = take(image.convert(mode))
    assert picture.shape == shape
    np.testing.assert_array_equal(picture.reshape(5, 7, -1)[..., 0], np.asarray(ramp()))
    assert "opaque" in notices[0]

    image.putpixel((2, 1), (0,) * (len(straight) - 1) + (51,))  # a fifth of black on white
    picture, notices = take(image.convert(mode))
    assert np.all(picture[1, 2] == 204)
    assert "white" in notices[0]


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "1"])
def test_a_transparent_colour_counts_as_alpha(mode):
    image = saved(Image.new(mode, (7, 5)), "PNG", transparency=(0, 0, 0) if mode == "RGB" else 0)
    picture, notices = take(image)
    assert np.all(picture == 255)
    assert picture.ndim == (3 if mode == "RGB" else 2)
    assert "white" in notices[0]


@pytest.mark.parametrize("dtype", ["<u2", ">u2"])
def test_sixteen_bit_grey_is_divided_by_257(dtype):
    values = np.array([[0, 128, 129, 257], [32767, 65406, 65407, 65535]], dtype=dtype)
    picture, notices = take(saved(Image.fromarray(values), "TIFF"))
    np.testing.assert_array_equal(picture, [[0, 0, 1, 1], [127, 254, 255, 255]])
    assert notices == ("16-bit grey values 0 to 65535 coded as 8-bit values 0 to 255",)


def test_integer_pictures_within_16_bits_are_taken_others_refused():
    values = np.full((5, 7), 65535, dtype=np.int32)
    assert np.all(take(Image.fromarray(values))[0] == 255)
    for wrong in (-1, 65536):
        values[2, 2] = wrong
        with pytest.raises(DinpError, match="16 bits"):
            take(Image.fromarray(values))


def test_sixteen_bits_a_sample_are_told():
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"\0" + struct.pack(">6H", 0, 65535, 4660, 1, 2, 3)))
    data = b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b"")
    picture, notices = take(Image.open(io.BytesIO(data)))
    np.testing.assert_array_equal(picture[0, 0], [0, 255, 0x12])
    assert notices == ("picture of 16 bits per sample coded with 8",)


def test_float_pictures_are_refused():
    with pytest.raises(DinpError, match="mode F"):
        take(Image.new("F", (7, 5)))


def test_only_the_first_frame_is_coded():
    frames = [Image.new("L", (7, 5), value) for value in (50, 100)]
    picture, notices = take(saved(frames[0], "TIFF", save_all=True, append_images=frames[1:]))
    assert np.all(picture == 50)
    assert notices == ("only frame 1 of several is coded",)


def test_exif_orientation_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees clockwise
    picture, notices = take(saved(ramp(), "PNG", exif=exif))
    np.testing.assert_array_equal(picture, np.rot90(np.asarray(ramp()), -1))
    assert notices == ()


def test_broken_exif_data_is_ignored():
    assert take(saved(ramp(), "PNG", exif=b"Exif\0\0garbage"))[0].shape == (5, 7)


def test_dropping_a_colour_profile_is_told_unless_it_is_srgb():
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert take(saved(ramp("RGB"), "PNG", icc_profile=srgb))[1] == ()
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    assert "profile" in take(saved(ramp("RGB"), "PNG", icc_profile=lab))[1][0]
    assert "profile" in take(saved(ramp("RGB"), "PNG", icc_profile=b"garbage"))[1][0]


def test_truncated_pictures_are_refused_in_one_sentence():
    buffer = io.BytesIO()
    Image.effect_noise((50, 50), 50).save(buffer, "PNG")
    with pytest.raises(DinpError, match="cannot be read") as caught:
        take(Image.open(io.BytesIO(buffer.getvalue()[:900])))
    assert "\n" not in str(caught.value)


def test_size_limit_is_exact():
    assert take(Image.new("L", (100, 100)))[0].size == LIMIT
    with pytest.raises(DinpError, match="limit of 10,000"):
        take(Image.new("L", (10_001, 1)))
    with pytest.raises(DinpError, match="limit of 4"):
        picture_from_array(np.zeros((1, 5), np.uint8), max_pixels=4)


def test_pictures_without_pixels_are_refused():
    with pytest.raises(DinpError, match="no pixels"):
        take(Image.new("L", (0, 5)))
    with pytest.raises(DinpError, match="no pixels"):
        picture_from_array(np.zeros((5, 0, 3), np.uint8), max_pixels=LIMIT)


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
def test_arrays_that_are_pictures_are_taken(shape):
    array = np.zeros(shape, np.uint8)
    assert picture_from_array(array, max_pixels=LIMIT) is array


@pytest.mark.parametrize(
    "array",
    [np.zeros((5, 7)), np.zeros((5, 7), bool), np.zeros((5, 7), np.uint16), np.ma.zeros((5, 7), np.uint8)]
    + [np.zeros(shape, np.uint8) for shape in [(5,), (5, 7, 1), (5, 7, 4), (1, 5, 7, 3), ()]],
)
def test_other_arrays_are_refused(array):
    with pytest.raises(DinpError, match="not a picture"):
        picture_from_array(array, max_pixels=LIMIT)
