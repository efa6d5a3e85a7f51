"""Makes the golden files of the current format version; existing files are kept, as they decode for ever.

python tests/bitstream/make_golden.py [--anew]

With --anew those that the encoder of today writes otherwise are kept under a name that ends in `_earlier`, as long as
they decode. Files that no encoder writes, made by hand from such, are those of functions called `with_...`,
`without_...` and `of_...` below.
"""

import argparse
import dataclasses
import warnings
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms
from skimage import data

import dinp
from dinp.bitstream.container import GREY, Chunk, Container, pack, plane_chunk, unpack
from dinp.bitstream.lossless import _wide
from dinp.bitstream.samples import SampleFormat
from dinp.bitstream.section import decode_section, encode_section
from dinp.bitstream.sidecars import read_steps, steps_body

FOLDER = Path(__file__).parent
LOSSLESS, HOLES, RESIDUAL, STEPS = 0x82, 0xC1, 0xC2, 0xC3


def sealed(content: bytes) -> bytes:
    """The content with its checksum: damage that only the parser can see."""
    return content + zlib.crc32(content).to_bytes(4, "little")


def write(path: Path, content: bytes) -> bool:
    """Write a file that does not exist yet."""
    if path.exists():
        return False
    path.write_bytes(content)
    return True


def with_own_steps(coded: bytes) -> bytes:
    """A grey file whose values at single pixels, and in cells of side 4, have steps of a chunk."""
    parsed = unpack(coded)
    code, _, _ = decode_section(parsed.sections[0], (parsed.height, parsed.width))
    body = b"\x05" + b"\x60" + b"\xd0\x01"  # 96 units at side 1, 208 at side 4
    own_steps = read_steps(body)
    assert steps_body(own_steps) == body
    section, _ = encode_section(dataclasses.replace(code, own_steps=own_steps, restoration=0))
    return pack(dataclasses.replace(parsed, sections=(section,), chunks=(plane_chunk(STEPS, (0,), body),)))


def with_restoration(coded: bytes, version: int) -> bytes:
    """The file as if every plane asked for a version of the restoration."""
    parsed = unpack(coded)
    head, own = min(version, 3) << 5, bytes([version] if version >= 3 else [])
    assert all(section[0] >> 5 & 3 < 3 for section in parsed.sections)
    changed = (bytes([part[0] & 0x9F | head, part[1]]) + own + part[2:] for part in parsed.sections)
    return pack(dataclasses.replace(parsed, sections=tuple(changed)))


def without_residual(coded: bytes) -> bytes:
    """The file as if it had not to be as exact."""
    parsed = unpack(coded)
    assert any(chunk.type == RESIDUAL for chunk in parsed.chunks)
    chunks = tuple(chunk for chunk in parsed.chunks if chunk.type != RESIDUAL)
    return pack(dataclasses.replace(parsed, chunks=chunks))


def of_wide_samples(samples: np.ndarray) -> bytes:
    """A lossless file that stores the lower bits, as otherwise only those of more than 2^17 values are."""
    chunk = Chunk(LOSSLESS, b"\x03" + _wide(samples.astype(np.int64)))
    form = SampleFormat(0, 32, 0, ((0, 2**32 - 1),))
    return pack(Container(samples.shape[1], samples.shape[0], GREY, (b"",), samples=form, chunks=(chunk,)))


def with_colour_chunks(coded: bytes) -> bytes:
    """The file with a profile and code points that both say sRGB, as encoders leave out."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = bytes.fromhex("07ea000100010000 00000000")  # the date
    parsed = unpack(coded)
    chunks = (Chunk(1, zlib.compress(bytes(profile), 9)), *parsed.chunks, Chunk(4, b"\x01\x0d\x00\x01"))
    return pack(dataclasses.replace(parsed, chunks=chunks))


def squares() -> np.ndarray:
    """Squares of several sizes and few greys: values that are foretold by matches but for a finer step."""
    random = np.random.default_rng(2)
    drawing = np.full((60, 80), 30, dtype=np.uint8)
    for _ in range(14):
        side = int(random.choice([3, 4, 6, 9, 14]))
        y, x = random.integers(1, 60 - side), random.integers(1, 80 - side)
        drawing[y : y + side, x : x + side] = int(random.choice([90, 93, 96, 99, 200, 203]))
    return drawing


def pictures() -> dict[str, bytes]:
    """The files that must be decoded, by name. Small, as the decoder in tests/plain/ is slow; few sides are even."""
    photograph = np.ascontiguousarray(data.astronaut()[0:123:3, 140:296:4])  # 41 x 39
    grey = np.ascontiguousarray(photograph[:, :, 1])
    y, x = np.mgrid[:41, :39]
    disc = (y - 20) ** 2 + (x - 18) ** 2 < 170
    drawing = np.where(disc, 180, 40).astype(np.uint8)
    drawing[5:12, 25:37] = 90
    drawing_in_colour = np.dstack([drawing, 255 - drawing, drawing // 2])
    ramp = np.where(disc, 120 + 2.5 * x, 60 + y).astype(np.uint8)
    random = np.random.default_rng(0)
    mask = random.random(grey.shape) < 0.1
    dots = np.where(random.random(grey.shape) < 0.05, 255, 0).astype(np.uint8)
    alpha = (255 * np.clip((x - 10) / 20, 0, 1)).astype(np.uint8)
    deep = (400 + grey.astype(int) * 37).astype(np.uint16)[:24, :26]
    real = (photograph[:24, :26, 0] / 100 - 1).astype(np.float32)
    holed = real.copy()
    holed[3:9, 4:12] = np.nan
    rows, columns = np.mgrid[:140, :150]
    tiles = np.clip(60 + 0.25 * columns + 0.1 * rows, 0, 255).astype(np.uint8)  # three of four are flat
    tiles[:124, :124] = data.camera()[100:224, 200:324]
    rows, columns = np.mgrid[:62, :70]
    smooth = (100 + 60 * np.sin(columns / 23) * np.cos(rows / 17) + 0.5 * columns).astype(np.uint8)
    rows, columns = np.mgrid[:41, :50]
    deep_waves = 3000 + 40 * columns + 900 * np.sin(rows / 9 + columns / 14) + 25 * np.cos(columns * rows / 40)
    few = np.array([[10, 20, 30], [200, 20, 90], [10, 220, 30], [0, 0, 255], [90, 90, 5]], dtype=np.uint8)

    tagged = Image.fromarray(photograph[:20, :21])
    exif = Image.Exif()
    exif[0x010E] = "golden"
    tagged.info["exif"] = exif.tobytes()
    tagged.info["xmp"] = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dinp.DinpNotice)
        return {
            # trees and free masks
            "grey_quality_30": dinp.encode(grey, quality=30),
            "grey_quality_30_plain": dinp.encode(grey, quality=30, restore=False),
            "grey_quality_95": dinp.encode(grey[:20, :23], quality=95),
            "grey_effort_3": dinp.encode(grey, quality=50, effort=3),
            "grey_free_mask": dinp.encode(grey, quality=50, mask=mask),
            "grey_own_steps": with_own_steps(dinp.encode(grey, quality=50)),
            "colour_quality_10": dinp.encode(photograph, quality=10),
            "colour_quality_60": dinp.encode(photograph, quality=60, chroma="420"),
            "colour_444": dinp.encode(photograph, quality=40, chroma="444"),
            "colour_free_mask": dinp.encode(photograph, quality=50, mask=mask),
            "restored_tiles": dinp.encode(tiles, quality=15),
            "restored_flat": dinp.encode(smooth, quality=5),
            "restored_tiles_3": with_restoration(dinp.encode(tiles, quality=15), 3),
            "restored_flat_3": with_restoration(dinp.encode(smooth, quality=5), 3),
            "restored_colour_3": with_restoration(dinp.encode(photograph, quality=40), 3),
            "restored_barriers_3": with_restoration(dinp.encode(drawing, quality=50), 3),
            "one_row": dinp.encode(grey[:1], quality=70),
            "one_column_colour": dinp.encode(photograph[:, :1], quality=70),
            "one_pixel": dinp.encode(grey[:1, :1], quality=70),
            "flat": dinp.encode(np.full((40, 56), 77, dtype=np.uint8)),
            # alpha, and what describes a picture
            "alpha": dinp.encode(np.dstack([photograph, alpha]), quality=40),
            "alpha_of_contours": dinp.encode(
                np.dstack([photograph, np.where(disc, 255, 0)]).astype(np.uint8), quality=10
            ),
            "alpha_of_flags": dinp.encode(np.dstack([photograph, dots]), quality=10),
            "alpha_opaque": dinp.encode(np.dstack([photograph, np.full_like(dots, 255)]), quality=10),
            "metadata": with_colour_chunks(dinp.encode(tagged, quality=30)),
            # barriers
            "barriers": dinp.encode(drawing, quality=50),
            "barriers_shared": dinp.encode(drawing_in_colour, quality=50),
            "barriers_divided": dinp.encode(np.dstack([ramp, 255 - ramp, ramp // 2]), quality=60, chroma="444"),
            "barriers_matches": dinp.encode(squares(), quality=35),
            "barriers_planes": dinp.encode(np.dstack([drawing, drawing + 30]), planes=True, quality=50),
            # other samples than those of 8 bits, holes, largest errors
            "deep": dinp.encode(deep // 16 * 16, quality=5),
            "deep_signed_lattice": dinp.encode(deep[:16, :17].astype(np.int16) - 5000, quality=50),
            "deep_residual": dinp.encode(deep, quality=50, max_error=50),
            "deep_unbounded": without_residual(dinp.encode(deep_waves.astype(np.uint16), quality=30)),
            "float_holes_residual": dinp.encode(holed, quality=50, max_error=0.05),
            "float_holes_lattice": dinp.encode(holed[:16, :17], max_error=0.02),
            "colour_residual": dinp.encode(photograph[:20, :21], quality=40, max_error=9),
            "planes_deep": dinp.encode(np.dstack([deep, deep // 7])[:12, :13], planes=True, quality=40),
            # without loss
            "lossless_grey": dinp.encode(grey[:15, :14], lossless=True),
            "lossless_colour": dinp.encode(photograph[:12, :13], lossless=True),
            "lossless_few_colours": dinp.encode(few[random.integers(0, 5, (20, 21))], lossless=True),
            "lossless_alpha": dinp.encode(np.dstack([photograph, alpha])[:10, 5:16], lossless=True),
            "lossless_regions": dinp.encode(drawing, lossless=True),
            "lossless_labels": dinp.encode(
                ((disc + 2 * (x > 25) + 4 * (y > 30)) * 1000).astype(np.uint16), lossless=True
            ),
            "lossless_palette": dinp.encode(Image.fromarray(drawing_in_colour).quantize(6), lossless=True),
            "lossless_deep": dinp.encode(deep[:14, :13], lossless=True),
            "lossless_float": dinp.encode(holed[:12, :13], lossless=True),
            "lossless_signed_32": dinp.encode(random.integers(-(2**31), 2**31, (6, 7), dtype=np.int32), lossless=True),
            "lossless_wide": of_wide_samples(random.integers(10**6, 2**31, (6, 7))),
        }


def errors(good: bytes, barriers: bytes, lossless: bytes, colour: bytes) -> dict[str, bytes]:
    """Files that must be refused, by name."""
    body, parsed = good[:-4], unpack(good)
    section = parsed.sections[0]

    def with_section(changed: bytes) -> bytes:
        return pack(Container(parsed.width, parsed.height, parsed.layout, (changed,)))

    def with_first_byte(coded: bytes, bits: int) -> bytes:
        whole = unpack(coded)
        first, *others = whole.sections
        return pack(dataclasses.replace(whole, sections=(bytes([first[0] | bits]) + first[1:], *others)))

    def with_chunk(kind: int, content: bytes) -> bytes:
        return sealed(body[:7] + b"\x20" + body[8:10] + bytes([kind, len(content)]) + content + b"\0" + body[10:])

    assert with_chunk(5, b"unknown, may be skipped")[8:10] == body[8:10]
    assert dinp.info(with_chunk(5, b"unknown, may be skipped"))["width"] == parsed.width
    return {
        "empty": b"",
        "truncated": good[:-1],
        "foreign": (b"\x89PNG\r\n\x1a\n" + good)[: len(good)],
        "text_mode_line_ends": good.replace(b"\r\n", b"\n"),
        "bit_flip": good[:40] + bytes([good[40] ^ 16]) + good[41:],
        "trailing_byte": good + b"\0",
        "version_2": sealed(body[:6] + b"\x20" + body[7:]),
        "reserved_flag": sealed(body[:7] + bytes([body[7] | 0x40]) + body[8:]),
        "too_large": pack(Container(1 << 20, 1 << 20, GREY, (section,))),
        "chunk_that_must_be_known": with_chunk(0x83, b"new"),
        "chunk_of_shared_barriers": with_chunk(0xC0, b"\x01"),
        "chunk_of_tiles": with_chunk(0xC5, b"\x01"),
        "chunk_of_no_plane": with_chunk(0xC3, b"\x00\x01\x05"),
        "holes_of_one_colour": pack(dataclasses.replace(unpack(colour), chunks=(Chunk(HOLES, b"\x02\0\x01"),))),
        "holes_five_times": sealed(body[:7] + b"\x20" + body[8:10] + b"\xc1\x03\x01\x00\x01" * 5 + b"\0" + body[10:]),
        "matte_without_alpha": with_chunk(0x81, b"\x00"),
        "section_reserved_bit": with_section(bytes([section[0] | 0x80]) + section[1:]),
        "section_shares_nothing": with_section(bytes([section[0] | 3]) + section[1:]),
        "section_step_index_176": with_section(section[:1] + b"\xb0" + section[2:]),
        "section_of_one_byte": with_section(section[:1]),
        "section_goes_on": with_section(section + bytes(range(1, 60))),
        "barriers_reserved_bit": with_first_byte(barriers, 0x10),
        "barriers_restored": with_first_byte(barriers, 0x20),
        "lossless_beside_a_section": pack(dataclasses.replace(unpack(lossless), sections=(section,))),
        "lossless_reserved_bits": pack(
            dataclasses.replace(
                unpack(lossless), chunks=(Chunk(LOSSLESS, b"\x04" + unpack(lossless).chunks[0].content[1:]),)
            )
        ),
    }


def main() -> None:
    """Write what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--anew", action="store_true", help="also what the encoder of today writes otherwise")
    anew = parser.parse_args().anew
    folder = FOLDER / "golden"
    folder.mkdir(exist_ok=True)
    coded = pictures()
    for name, content in coded.items():
        path = folder / f"v1.0_{name}.dinp"
        if anew and path.exists() and path.read_bytes() != content:
            for old in folder.glob(f"v1.0_{name}.*"):
                old.rename(old.with_stem(f"{old.stem}_earlier"))
        if write(path, content):
            decoded = dinp.decode_array(content)
            if decoded.dtype == np.uint8 and dinp.info(content)["mode"] in ("L", "RGB", "RGBA"):
                dinp.decode(content).save(path.with_suffix(".png"))
            else:
                np.save(path.with_suffix(".npy"), decoded)
    (FOLDER / "golden_errors").mkdir(exist_ok=True)
    refused = errors(coded["grey_quality_30_plain"], coded["barriers"], coded["lossless_grey"], coded["colour_444"])
    for name, content in refused.items():
        write(FOLDER / "golden_errors" / f"v1.0_{name}.dinp", content)


if __name__ == "__main__":
    main()
