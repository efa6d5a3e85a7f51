"""What of a file Pillow leaves out: other frames, bits of deep samples, sizes that only loading tells."""

import io
import struct
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import dinp_command
from PIL import Image, MpoImagePlugin, TiffImagePlugin, features

import dinp
from dinp.errors import DinpError
from dinp.pictures.opening import _bits_per_sample, opened

LIMIT = 100_000


def notices(image):
    return opened(image, max_pixels=LIMIT)[1]


def saved(image, file_format, **options):
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def ramp(mode="RGB"):
    return Image.fromarray((np.add.outer(np.arange(20), np.arange(30)) * 5).astype(np.uint8)).convert(mode)


def mpo(kind):
    """A JPEG file with a second picture of a type of the multi-picture format."""
    data = bytearray(saved(ramp(), "MPO", save_all=True, append_images=[ramp("L")]))
    at = data.index(b"MPF\0") + 4
    found = data.index(struct.pack("<L", 0x030000), at + 50)  # the entries: attribute, size, offset, dependents
    data[found + 16 : found + 20] = struct.pack("<L", kind)
    return bytes(data)


@pytest.mark.parametrize(
    ("kind", "told"), [(0x000000, False), (0x010001, False), (0x010002, False), (0x020001, True), (0x020002, True)]
)
def test_gain_maps_and_previews_of_a_phones_picture_are_no_frames(kind, told):
    image = Image.open(io.BytesIO(mpo(kind)))
    assert isinstance(image, MpoImagePlugin.MpoImageFile)
    assert image.n_frames == 2
    assert notices(image) == (["only frame 1 of several is coded"] if told else [])


@pytest.mark.parametrize(("kind", "told"), [(0, True), (1, False), (4, False)])
@pytest.mark.parametrize("big", [False, True])
def test_thumbnails_and_masks_of_tiff_are_no_frames(kind, told, big):
    second = ramp("L")
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    directory[254] = kind
    second.encoderinfo = {"tiffinfo": directory}
    data = saved(ramp(), "TIFF", save_all=True, append_images=[second], big_tiff=big)
    image = Image.open(io.BytesIO(data))
    assert image.n_frames == 2
    assert notices(image) == (["only frame 1 of several is coded"] if told else [])
    assert np.array_equal(np.asarray(image), np.asarray(ramp()))


def test_frames_of_animations_are_told():
    data = saved(ramp("P"), "GIF", save_all=True, append_images=[ramp("P").rotate(90)])
    assert notices(Image.open(io.BytesIO(data))) == ["only frame 1 of several is coded"]


def ppm(maxval, dtype):
    values = np.stack([np.add.outer(np.arange(20), np.arange(30))] * 3, -1) * (maxval // 50)
    return b"P6 30 20 %d\n" % maxval + values.astype(dtype).tobytes()


def test_deep_samples_are_told():
    for maxval, bits in ((65535, 16), (1023, 10)):
        found = notices(Image.open(io.BytesIO(ppm(maxval, ">u2"))))
        assert found == [f"picture of {bits} bits per sample coded with 8"]
    assert notices(Image.open(io.BytesIO(ppm(255, "u1")))) == []
    plain = b"P3 2 1 1000\n1 2 3 1000 0 7\n"
    assert notices(Image.open(io.BytesIO(plain))) == ["picture of 10 bits per sample coded with 8"]


def test_packed_colours_are_not_deep():
    head = struct.pack("<IHHI", 66 + 32, 0, 0, 66) + struct.pack("<IiiHHIIiiII", 40, 4, 4, 1, 16, 3, 32, 0, 0, 0, 0)
    bmp = b"BM" + head + struct.pack("<III", 0xF800, 0x7E0, 0x1F) + bytes(32)
    assert notices(Image.open(io.BytesIO(bmp))) == []


def test_deep_sgi_pictures_are_told():
    head = struct.pack(">HBBHHHH", 474, 0, 2, 3, 4, 3, 3) + bytes(500)
    data = head + np.arange(36, dtype=">u2").tobytes()
    assert notices(Image.open(io.BytesIO(data))) == ["picture of 16 bits per sample coded with 8"]


@pytest.mark.skipif(not features.check("jpg_2000"), reason="Pillow is without JPEG 2000")
def test_bits_of_jpeg_2000():
    data = saved(ramp(), "JPEG2000")
    assert notices(Image.open(io.BytesIO(data))) == []
    at = data.index(b"\xff\x4f\xff\x51") + 42
    assert data[at] == 7
    deep = Image.open(io.BytesIO(data[:at] + b"\x0b" + data[at + 1 :]))
    assert _bits_per_sample(deep) == 12


@pytest.mark.skipif(not features.check("avif"), reason="Pillow is without AVIF")
def test_bits_of_avif():
    data = bytearray(saved(ramp(), "AVIF"))
    assert notices(Image.open(io.BytesIO(data))) == []
    at = data.index(b"av1C") + 6
    for flags, bits in ((0, 8), (0x40, 10), (0x60, 12)):
        data[at] = data[at] & 0x9F | flags
        stub = SimpleNamespace(info={}, format="AVIF", tile=[("raw", None, 0, "RGB")], fp=io.BytesIO(data))
        assert _bits_per_sample(stub) == bits


def icon(side):
    """An ICO file whose directory says 16 x 16 and whose PNG is larger."""
    png = saved(Image.new("RGB", (side, side)), "PNG")
    return struct.pack("<HHH", 0, 1, 1) + struct.pack("<BBBBHHII", 16, 16, 0, 0, 1, 32, len(png), 22) + png


def test_the_real_size_of_an_icon_counts(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.warns(UserWarning, match="not the expected size"), pytest.raises(DinpError, match="limit of 100,000"):
        opened(Image.open(io.BytesIO(icon(400))), max_pixels=LIMIT)
    (tmp_path / "a.ico").write_bytes(icon(400))
    limit = Image.MAX_IMAGE_PIXELS
    Image.new("L", (16, 16)).save("b.png")
    with_mask = ["encode", "--mask", "a.ico", "b.png", "b.dinp"]
    for command in (["encode", "a.ico", "a.dinp"], ["mask", "a.ico", "a.png"], with_mask):
        assert dinp_command(*command, "--max-pixels", LIMIT) == 1
        assert "the limit" in capsys.readouterr().err
    assert limit == Image.MAX_IMAGE_PIXELS
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ico", "b.png"]
    assert dinp_command("encode", "-e", 1, "a.ico", "a.dinp") == 0


def test_pillows_own_limit_holds_for_what_is_loaded(monkeypatch):
    def load():
        raise Image.DecompressionBombError("too large")

    image = ramp()
    monkeypatch.setattr(image, "load", load)
    with pytest.raises(DinpError, match="larger than its file says"):
        opened(image, max_pixels=LIMIT)


def test_closed_pictures_are_refused_in_one_sentence(tmp_path):
    ramp().save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        pass
    with pytest.raises(DinpError, match="the picture is closed"):
        dinp.encode(image)
    made = ramp()
    made.close()
    with pytest.raises(DinpError, match="the picture is closed"):
        dinp.encode(made)
    with Image.open(tmp_path / "a.png") as image:
        image.load()
    assert dinp.encode(image, effort=1)
