"""Lossless files: samples, types and palettes come back exactly; damage is refused; what info and the command tell."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import dinp
from dinp.bitstream import lossless
from dinp.bitstream.container import LOSSLESS, PALETTE, Chunk, Container, pack, plane_chunk, unpack
from dinp.cli.root import command

RNG = np.random.default_rng(5)


def zones(height=40, width=50, values=(3, 90, 7, 200)):
    """A few flat zones."""
    y, x = np.mgrid[:height, :width]
    return np.array(values)[(y > height / 3).astype(int) + (((y - 20) ** 2 + (x - 25) ** 2) < 150) + (x > 44)]


def cells(height=90, width=100, regions=14):
    """Cells around points, each a class."""
    y, x = np.mgrid[:height, :width]
    points = RNG.random((regions, 2)) * [height, width]
    nearest = ((y[..., None] - points[:, 0]) ** 2 + (x[..., None] - points[:, 1]) ** 2).argmin(axis=-1)
    return nearest * 7 % 11


ARRAYS = {
    "labels": cells().astype(np.uint8),
    "labels of 16 bits": zones(values=(0, 65535, 300, 2)).astype(np.uint16),
    "labels of 32 bits, signed": zones(values=(-5, 2**31 - 1, -(2**31), 0)).astype(np.int32),
    "labels of 32 bits": zones(values=(2**32 - 1, 0, 7, 8)).astype(np.uint32),
    "grey": RNG.integers(0, 256, (12, 15), dtype=np.uint8),
    "colour": RNG.integers(0, 256, (11, 3), dtype=np.uint8)[cells(90, 120, 90)],
    "many colours": RNG.integers(0, 256, (9, 8, 3), dtype=np.uint8),
    "colour with alpha": np.dstack([zones()] * 3 + [zones() // 3 * 2]).astype(np.uint8),
    "grey with alpha": RNG.integers(0, 256, (5, 6, 2), dtype=np.uint8),
    "colour of 16 bits": RNG.integers(0, 4096, (7, 6, 3), dtype=np.uint16),
    "planes": RNG.integers(-50, 50, (7, 6, 2)).astype(np.int16),
    "floats": np.where(zones(9, 9) == 3, np.nan, RNG.normal(size=(9, 9))).astype(np.float32),
    "pixel": np.full((1, 1), 9, dtype=np.uint8),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_come_back(name):
    array = ARRAYS[name]
    decoded = dinp.decode_array(dinp.encode(array, lossless=True))
    assert decoded.dtype == array.dtype
    assert np.array_equal(decoded, array, equal_nan=array.dtype.kind == "f")


def test_methods_are_chosen_by_what_the_picture_is():
    methods = {name: dinp.info(dinp.encode(ARRAYS[name], lossless=True))["lossless"]["method"] for name in ARRAYS}
    assert methods["labels"] == "regions"
    assert methods["colour"] == "colours"
    assert methods["many colours"] == methods["grey"] == "samples"


def test_label_maps_take_few_bytes():
    assert len(dinp.encode(ARRAYS["labels"], lossless=True)) < 250


@pytest.mark.parametrize("transparent", [False, True])
def test_palettes_come_back(transparent):
    image = Image.fromarray((zones() % 5).astype(np.uint8))
    image.putpalette([10, 20, 30, 0, 0, 255, 1, 2, 3, 250, 251, 252, 9, 8, 7])
    if transparent:
        image.info["transparency"] = bytes([255, 0, 128, 255, 255])
    decoded = dinp.decode(dinp.encode(image, lossless=True))
    assert decoded.mode == "P"
    assert np.array_equal(np.asarray(decoded), np.asarray(image))
    assert decoded.convert("RGBA").tobytes() == image.convert("RGBA").tobytes()


def test_modes_of_pillow_come_back():
    for mode in ("L", "LA", "RGB", "RGBA", "I;16"):
        channels = len(Image.new(mode, (1, 1)).getbands())
        dtype = np.uint16 if mode == "I;16" else np.uint8
        array = RNG.integers(0, 200, (6, 7, channels)).astype(dtype).squeeze()
        decoded = dinp.decode(dinp.encode(Image.fromarray(array), lossless=True))
        assert decoded.mode == mode
        assert np.array_equal(np.asarray(decoded), array)


def test_lossless_excludes_what_loses():
    for option in ({"quality": 50}, {"target_bytes": 100}, {"max_error": 1}, {"mask": np.ones((12, 15), dtype=bool)}):
        with pytest.raises(dinp.DinpError, match="lossless"):
            dinp.encode(ARRAYS["grey"], lossless=True, **option)


@pytest.mark.parametrize("kind", [np.int32, np.uint32, np.float32, np.float64])
def test_samples_of_any_number_of_values_come_back(kind, monkeypatch):
    monkeypatch.setattr(lossless, "MAX_LEVELS", 1 << 5)
    monkeypatch.setattr("dinp.entropy.blocks.BLOCK", 37)
    values = RNG.normal(0, 3e8, (9, 40, 2))
    values = (np.abs(values) if kind == np.uint32 else values).astype(kind)
    data = dinp.encode(values, lossless=True)
    assert dinp.info(data)["lossless"]["method"] == "wide samples"
    assert np.array_equal(dinp.decode_array(data), values)
    for cut in (1, len(unpack(data).chunk(LOSSLESS)) // 2):
        with pytest.raises(dinp.DinpError, match=r"damaged|truncated"):
            dinp.decode_array(with_content(data, unpack(data).chunk(LOSSLESS)[:-cut]))


def test_photographs_are_warned_of():
    with pytest.warns(dinp.DinpNotice, match="bits a sample"):
        dinp.encode(RNG.integers(0, 256, (64, 64), dtype=np.uint8), lossless=True)


def with_content(data, content, sections=None):
    container = unpack(data)
    chunks = [chunk for chunk in container.chunks if chunk.type != LOSSLESS] + [Chunk(LOSSLESS, content)]
    sections = container.sections if sections is None else sections
    return pack(
        Container(
            container.width,
            container.height,
            container.layout,
            sections,
            container.alpha,
            container.samples,
            tuple(chunks),
        )
    )


@pytest.mark.parametrize("name", ["labels", "grey", "colour"])
def test_damage_is_refused_or_gives_some_picture(name):
    data = dinp.encode(ARRAYS[name], lossless=True)
    content = unpack(data).chunk(LOSSLESS)
    for cut in (0, 1, 2, len(content) // 2):
        with pytest.raises(dinp.DinpError, match=r"damaged|truncated"):
            dinp.decode_array(with_content(data, content[:cut]))
    with pytest.raises(dinp.DinpError, match="damaged"):
        dinp.decode_array(with_content(data, content + b"\xa5" * 9))
    with pytest.raises(dinp.DinpError, match="damaged"):
        dinp.decode_array(with_content(data, content, (b"x",) * len(unpack(data).sections)))
    refused = 0
    for at in range(0, len(content), 3):
        wrong = bytearray(content)
        wrong[at] ^= 0x55
        try:
            assert dinp.decode_array(with_content(data, bytes(wrong))).shape == ARRAYS[name].shape
        except dinp.DinpError:
            refused += 1
    assert refused


def test_a_palette_that_is_none_is_refused():
    data = dinp.encode(ARRAYS["labels"], lossless=True)
    container = unpack(data)
    for body in (b"", b"\x03", b"\x05" + bytes(10), b"\x03" + bytes(7)):
        chunks = (plane_chunk(PALETTE, (0,), body), *container.chunks)
        wrong = pack(Container(container.width, container.height, container.layout, container.sections, chunks=chunks))
        with pytest.raises(dinp.DinpError, match="palette"):
            dinp.decode(wrong)


def test_the_command_codes_losslessly_and_tells(tmp_path):
    source, coded, target = (str(tmp_path / name) for name in ("a.png", "a.dinp", "b.png"))
    Image.fromarray(ARRAYS["labels"]).save(source)
    runner = CliRunner()
    assert runner.invoke(command, ["encode", "--lossless", source, coded]).exit_code == 0
    assert runner.invoke(command, ["decode", coded, target]).exit_code == 0
    assert np.array_equal(np.asarray(Image.open(target)), ARRAYS["labels"])
    told = runner.invoke(command, ["info", "-v", coded])
    assert told.exit_code == 0
    assert "bits a crack" in told.output
    assert "contours" in told.output
    assert json.loads(runner.invoke(command, ["info", "--json", coded]).output)["lossless"]["regions"] > 10
    assert runner.invoke(command, ["encode", "--lossless", "-q", "3", source, coded]).exit_code != 0
