"""Makes the golden files of the current format version; existing files are kept.

python tests/bitstream/make_golden.py
"""

import zlib
from pathlib import Path

import numpy as np
from skimage import data

import dinp
from dinp.bitstream.container import GREY, Container, pack, unpack

FOLDER = Path(__file__).parent


def sealed(content: bytes) -> bytes:
    """The content with its checksum: damage that only the parser can see."""
    return content + zlib.crc32(content).to_bytes(4, "little")


def write(path: Path, content: bytes) -> bool:
    """Write a file that does not exist yet."""
    if path.exists():
        return False
    path.write_bytes(content)
    return True


def main() -> None:
    """Write what is missing."""
    photograph = np.ascontiguousarray(data.astronaut()[0:144:2, 140:308:2])  # 72 x 84
    grey = np.ascontiguousarray(photograph[:, :, 1])
    mask = np.random.default_rng(0).random(grey.shape) < 0.1
    flat = np.full((40, 56), 77, dtype=np.uint8)
    pictures = {
        "grey_quality_30": dinp.encode(grey, quality=30),
        "grey_quality_30_plain": dinp.encode(grey, quality=30, restore=False),
        "grey_quality_95": dinp.encode(grey, quality=95),
        "colour_quality_10": dinp.encode(photograph, quality=10),
        "colour_quality_60": dinp.encode(photograph, quality=60),
        "grey_free_mask": dinp.encode(grey, quality=50, mask=mask),
        "colour_free_mask": dinp.encode(photograph, quality=50, mask=mask),
        "one_row": dinp.encode(grey[:1], quality=70),
        "one_column_colour": dinp.encode(photograph[:, :1], quality=70),
        "one_pixel": dinp.encode(grey[:1, :1], quality=70),
        "flat": dinp.encode(flat),
    }
    (FOLDER / "golden").mkdir(exist_ok=True)
    for name, coded in pictures.items():
        if write(FOLDER / "golden" / f"v1.0_{name}.dinp", coded):
            dinp.decode(coded).save(FOLDER / "golden" / f"v1.0_{name}.png")

    good = pictures["grey_quality_30"]
    body, parsed = good[:-4], unpack(good)
    section = parsed.sections[0]

    def with_section(changed: bytes) -> bytes:
        return pack(Container(parsed.width, parsed.height, parsed.layout, (changed,)))

    errors = {
        "empty": b"",
        "truncated": good[:-1],
        "foreign": (b"\x89PNG\r\n\x1a\n" + good)[: len(good)],
        "text_mode_line_ends": good.replace(b"\r\n", b"\n"),
        "bit_flip": good[:40] + bytes([good[40] ^ 16]) + good[41:],
        "trailing_byte": good + b"\0",
        "version_2": sealed(body[:6] + b"\x20" + body[7:]),
        "reserved_flag": sealed(body[:7] + bytes([body[7] | 0x40]) + body[8:]),
        "too_large": pack(Container(1 << 20, 1 << 20, GREY, (section,))),
        "section_reserved_bit": with_section(bytes([section[0] | 0x80]) + section[1:]),
        "section_structure_3": with_section(bytes([section[0] | 3]) + section[1:]),
        "section_step_index_176": with_section(section[:1] + b"\xb0" + section[2:]),
        "section_of_one_byte": with_section(section[:1]),
        "section_goes_on": with_section(section + bytes(range(1, 60))),
    }
    (FOLDER / "golden_errors").mkdir(exist_ok=True)
    for name, content in errors.items():
        write(FOLDER / "golden_errors" / f"v1.0_{name}.dinp", content)


if __name__ == "__main__":
    main()
