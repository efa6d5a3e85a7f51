"""The plugin of Pillow, by the recipe of Pillow's own plugins."""

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageCms, UnidentifiedImageError

import dinp
import dinp.pillow

Y, X = np.mgrid[:40, :50]
RGB = np.stack([X * 5, Y * 6, 255 - X], axis=-1).astype(np.uint8)


def saved(image, **options):
    buffer = io.BytesIO()
    image.save(buffer, "DINP", effort=1, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16", "F"])
def test_modes_round_trip(mode):
    image = Image.fromarray(RGB).convert("L" if mode in ("I;16", "F") else mode)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image).astype(np.uint16) * 200 + 20000)
    elif mode == "F":
        image = Image.fromarray(np.asarray(image).astype(np.float32) / 7)
    data = saved(image, quality=80)
    with Image.open(io.BytesIO(data)) as back:
        assert (back.format, back.mode, back.size) == ("DINP", mode, (50, 40))
        assert back.get_format_mimetype() == "image/x-dinp"
        back.load()
        assert back.mode == mode
        wanted, found = (np.asarray(picture).astype(float) for picture in (image, back))
    assert np.abs(found - wanted).max() < 0.15 * np.ptp(wanted)
    assert np.array_equal(found, dinp.decode_array(data))


def test_only_the_header_is_looked_at_until_pixels_are_asked_for(monkeypatch):
    data = saved(Image.fromarray(RGB))
    monkeypatch.setattr(dinp, "decode", lambda *_, **__: pytest.fail("decoded"))
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == (50, 40)


def test_a_file_by_its_name(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "picture.dinp", quality=20, effort=1)
    with Image.open(tmp_path / "picture.dinp") as image:
        assert np.asarray(image).shape == RGB.shape


def test_draft_halves():
    with Image.open(io.BytesIO(saved(Image.fromarray(RGB)))) as image:
        image.draft(None, (20, 16))
        assert image.size == (25, 20)
        assert np.abs(np.asarray(image).astype(int) - RGB[::2, ::2]).mean() < 8


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5, 0.99])
def test_truncated_files_are_refused(share):
    data = saved(Image.fromarray(RGB))
    with pytest.raises(UnidentifiedImageError):
        Image.open(io.BytesIO(data[: int(share * len(data))]))


def test_damage_behind_the_header_is_an_os_error():
    from dinp.bitstream.container import Container, pack, unpack

    container = unpack(saved(Image.fromarray(RGB[..., 0])))
    data = pack(Container(50, 40, container.layout, (b"\xff\xff",)))
    with Image.open(io.BytesIO(data)) as image, pytest.raises(OSError, match="damaged"):
        image.load()


def test_what_cannot_be_saved_is_an_os_error():
    with pytest.raises(OSError, match="quality"):
        saved(Image.fromarray(RGB), quality=500)


def test_profile_exif_and_xmp_are_kept():
    from test_metadata import exif_of, wide_profile

    given = {"icc_profile": wide_profile(), "exif": exif_of(6), "xmp": b"<x/>"}
    data = saved(Image.fromarray(RGB), **given)
    with Image.open(io.BytesIO(data)) as image:
        assert image.info["icc_profile"] == given["icc_profile"]
        assert image.info["xmp"] == b"<x/>"
        assert image.getexif()[0x010E] == "a word"
        again = saved(image)
    assert dinp.decode(again).info["icc_profile"] == given["icc_profile"]
    assert ImageCms.ImageCmsProfile(io.BytesIO(given["icc_profile"]))


def test_importing_the_plugin_registers_it():
    code = "import dinp.pillow, PIL.Image as I; print('.dinp' in I.registered_extensions())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "True\n"
