"""Profiles, EXIF, XMP and orientation, through the public API."""

import io
import struct
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

import dinp
from dinp.bitstream.container import CICP, Chunk, pack, unpack
from dinp.cli.formats import kept_note, saved
from dinp.errors import DinpError
from dinp.pictures.metadata import deflated, inflated, is_srgb, upright_exif, upright_xmp

Y, X = np.mgrid[:40, :50]
RGB = np.stack([X * 5, Y * 6, 255 - X], axis=-1).astype(np.uint8)


@cache  # it has the date of its making
def srgb_profile():
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def wide_profile():
    """A profile that is named sRGB, but whose red and blue are exchanged."""
    profile = bytearray(srgb_profile())
    for entry in range(132, 132 + 12 * struct.unpack_from(">I", profile, 128)[0], 12):
        name = bytes(profile[entry : entry + 4])
        profile[entry : entry + 4] = {b"rXYZ": b"bXYZ", b"bXYZ": b"rXYZ"}.get(name, name)
    return bytes(profile)


def exif_of(orientation):
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = orientation, "a word"
    return exif.tobytes()


def jpeg(**options):
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, "JPEG", quality=95, **options)
    return Image.open(buffer)


def test_a_profile_is_srgb_if_it_does_what_srgb_does():
    assert is_srgb(srgb_profile())
    assert not is_srgb(wide_profile())
    assert not is_srgb(b"broken")


def test_profiles_are_kept_unless_they_are_srgb():
    image = Image.fromarray(RGB)
    image.info["icc_profile"] = wide_profile()
    encoding = dinp.encode_with_report(image, effort=1)
    assert encoding.notices == ()
    assert dinp.decode(encoding.data).info["icc_profile"] == wide_profile()
    assert np.array_equal(encoding.original, RGB)
    image.info["icc_profile"] = srgb_profile()
    data = dinp.encode(image, effort=1)
    assert "icc_profile" not in dinp.decode(data).info
    assert data == dinp.encode(RGB, effort=1)


def test_colours_are_converted_on_demand():
    image = Image.fromarray(RGB)
    image.info["icc_profile"] = wide_profile()
    encoding = dinp.encode_with_report(image, effort=1, srgb=True)
    assert encoding.notices == ("colours converted to sRGB",)
    assert np.abs(encoding.original.astype(int) - RGB[..., ::-1]).mean() < 3
    assert "icc_profile" not in dinp.decode(encoding.data).info


def test_alpha_survives_a_conversion():
    picture = np.dstack([RGB, np.where(X < 20, 0, 255).astype(np.uint8)])
    image = Image.fromarray(picture)
    image.info["icc_profile"] = wide_profile()
    encoding = dinp.encode_with_report(image, effort=1, srgb=True)
    assert np.array_equal(dinp.decode_array(encoding.data)[..., 3], picture[..., 3])


def test_profiles_of_other_spaces_are_dropped_and_told():
    image = Image.fromarray(RGB[..., 0])
    image.info["icc_profile"] = wide_profile()
    (notice,) = dinp.encode_with_report(image, effort=1).notices
    assert "dropped" in notice


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_orientation_is_applied_once(orientation):
    image = jpeg(exif=exif_of(orientation), xmp=b'<x tiff:Orientation="%d"/>' % orientation)
    back = dinp.decode(dinp.encode(image, effort=1))
    assert back.size == ((40, 50) if orientation in (6, 8) else (50, 40))
    assert back.getexif()[0x0112] == 1
    assert back.getexif()[0x010E] == "a word"
    assert back.info["xmp"] == b'<x tiff:Orientation="1"/>'


def test_exif_and_xmp_can_be_stripped():
    image = jpeg(exif=exif_of(1), xmp=b"<x/>")
    assert {"exif", "xmp"} <= set(dinp.decode(dinp.encode(image, effort=1)).info)
    assert not {"exif", "xmp"} & set(dinp.decode(dinp.encode(image, effort=1, strip=True)).info)


@pytest.mark.parametrize(
    "exif", [b"", b"Exif\0\0", b"Exif\0\0MM\0*\xff\xff\xff\xff", b"II*\0\x08\0\0\0\xff\xff", b"junk"]
)
def test_odd_exif_stays_as_it_is(exif):
    assert upright_exif(exif) == exif


def test_orientation_of_xmp_elements():
    assert upright_xmp(b"<tiff:Orientation>6</tiff:Orientation>") == b"<tiff:Orientation>1</tiff:Orientation>"


def test_gamma_is_told():
    info = PngImagePlugin.PngInfo()
    info.add(b"gAMA", struct.pack(">I", 100000))
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, "PNG", pnginfo=info)
    (notice,) = dinp.encode_with_report(Image.open(buffer), effort=1).notices
    assert "gamma 1" in notice


def test_metadata_that_is_no_zlib_stream_is_refused():
    assert inflated(deflated(b"abc")) == b"abc"
    for content in (b"", b"abc", deflated(b"abc")[:-1], deflated(b"abc") + b"0", deflated(bytes((1 << 26) + 1))):
        with pytest.raises(DinpError, match="metadata"):
            inflated(content)


def png_with(description):
    chunks = PngImagePlugin.PngInfo()
    chunks.add(b"cICP", bytes(description))
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, "PNG", pnginfo=chunks)
    return Image.open(buffer)


@pytest.mark.parametrize("lossless", [False, True])
def test_colour_descriptions_are_kept_and_written_to_png(lossless):
    options = {"lossless": True} if lossless else {"effort": 1}
    encoding = dinp.encode_with_report(png_with([9, 16, 0, 1]), **options)
    assert any("PQ" in notice for notice in encoding.notices)
    decoded = dinp.decode(encoding.data)
    assert decoded.info["cicp"] == bytes([9, 16, 0, 1])
    again = dinp.encode_with_report(Image.open(io.BytesIO(saved(decoded, "PNG"))), **options)
    assert dinp.decode(again.data).info["cicp"] == bytes([9, 16, 0, 1])
    assert any("CICP" in told for told in kept_note(decoded, saved(decoded, "TIFF"), "TIFF"))


def test_the_description_of_srgb_is_left_out():
    assert "cicp" not in dinp.decode(dinp.encode(png_with([1, 13, 0, 1]), effort=1)).info


def test_descriptions_of_avif_are_kept():
    pytest.importorskip("PIL._avif")
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, "AVIF")
    data = buffer.getvalue()
    at = data.index(b"colrnclx")
    data = data[: at + 8] + bytes([0, 12, 0, 8]) + data[at + 12 :]
    decoded = dinp.decode(dinp.encode(Image.open(io.BytesIO(data)), effort=1))
    assert decoded.info["cicp"] == bytes([12, 8, 0, 1])


def test_a_description_of_another_length_is_refused():
    container = unpack(dinp.encode(RGB, effort=1))
    data = pack(replace(container, chunks=(*container.chunks, Chunk(CICP, b"\x09\x10\x00"))))
    with pytest.raises(DinpError, match="colour description"):
        dinp.decode(data)


def test_what_tiff_tells_of_a_picture_is_kept_as_exif():
    exif = Image.Exif()
    exif[0x010F], exif[0x0112], exif[0x8769] = "a maker", 6, {0x9003: "2026:01:02 03:04:05"}
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, "TIFF", exif=exif.tobytes())
    decoded = dinp.decode(dinp.encode(Image.open(buffer), effort=1))
    assert decoded.size == (40, 50)
    back = decoded.getexif()
    assert (back[0x010F], back.get(0x0112, 1)) == ("a maker", 1)
    assert back.get_ifd(0x8769)[0x9003] == "2026:01:02 03:04:05"
    assert not {256, 257, 273, 279} & set(back)
