"""Depth maps and flow fields of 16 bits: bytes for a largest error, against PNG, RVL, JPEG XL and JPEG 2000.

    python -m dinp.benchmarks.rd.samples FOLDER --output results.json

FOLDER holds disparity maps and flow fields of 8 bits, NAME.png. They become 16 bits so: a disparity d gives 500 + 12 d
+ 0.37 row + 0.21 column, rounded, in "millimetres", and 0, a hole, where it is 0; a component of a flow field 20000 +
40 d + 0.37 row + 0.21 column. So surfaces are slanted and have as many values as a camera's, and edges are those of
the scene.

Codecs without loss are handed multiples of 2 E + 1 where an error E is allowed (the holes stay 0), which is what makes
them smaller; RVL's bytes are those of the package rvl. JPEG 2000 is the irreversible one at the highest compression
that keeps the error, holes apart, which are then wrong; and the reversible one for error 0.
"""

import json
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import click
import numpy as np
from PIL import Image

import dinp
from dinp.benchmarks.environment import environment, library

DEPTHS = ("aloe_disparity", "cones_disparity", "teddy_disparity")
FLOWS = ("flow_u", "flow_v")
ERRORS = (0, 1, 8)
JPEG2000_STEPS = 14


def sixteen_bits(picture: np.ndarray, *, depth: bool) -> np.ndarray:
    """A disparity map or flow component of 8 bits as 16 bits, (H, W) uint16, as told above."""
    row, column = np.indices(picture.shape)
    base, scale = (500, 12) if depth else (20000, 40)
    values = np.rint(base + scale * picture.astype(float) + 0.37 * row + 0.21 * column).astype(np.uint16)
    return np.where((picture == 0) & depth, 0, values).astype(np.uint16)


def coarser(values: np.ndarray, most: int) -> np.ndarray:
    """Values with an error of at most `most` that codecs without loss find easier."""
    step = 2 * most + 1
    return (np.minimum((values.astype(int) + most) // step, 65535 // step) * step).astype(np.uint16)


def _png(values: np.ndarray) -> bytes:
    buffer = BytesIO()
    Image.fromarray(values).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _rvl(values: np.ndarray) -> bytes:
    return library("rvl").compress(np.ascontiguousarray(values).tobytes())


def _jpegxl(values: np.ndarray) -> bytes:
    return library("imagecodecs").jpegxl_encode(values, lossless=True, effort=9)


def _jpeg2000(values: np.ndarray, most: int) -> bytes:
    codecs = library("imagecodecs")
    if most == 0:
        return codecs.jpeg2k_encode(values, reversible=True)
    known = values > 0
    low, high = 20.0, 140.0  # PSNR in dB
    best = codecs.jpeg2k_encode(values, reversible=True)
    for _ in range(JPEG2000_STEPS):
        level = (low + high) / 2
        data = codecs.jpeg2k_encode(values, level=level, reversible=False)
        error = np.abs(codecs.jpeg2k_decode(data).astype(int) - values)[known].max()
        if error <= most:
            best, high = min(best, data, key=len), level
        else:
            low = level
    return best


OTHERS: dict[str, Callable[[np.ndarray, int], bytes]] = {
    "png": lambda values, most: _png(coarser(values, most)),
    "rvl": lambda values, most: _rvl(coarser(values, most)),
    "jpegxl": lambda values, most: _jpegxl(coarser(values, most)),
    "jpeg2000": _jpeg2000,
}


def measured(values: np.ndarray, most: int) -> dict[str, int]:
    """Bytes of each codec for a largest error; dinp's is checked, holes too."""
    data = dinp.encode(values, max_error=most)
    shown = dinp.decode_array(data)
    assert np.abs(shown.astype(int) - values).max() <= most
    assert np.array_equal(shown == 0, values == 0)
    return {"dinp": len(data)} | {name: len(code(values, most)) for name, code in OTHERS.items()}


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Where the results go, as JSON.")
def main(folder: Path, output: Path) -> None:
    """Compare bytes at the same largest error."""
    rows = []
    for name in (*DEPTHS, *FLOWS):
        with Image.open(folder / f"{name}.png") as image:
            values = sixteen_bits(np.asarray(image.convert("L")), depth=name in DEPTHS)
        for most in ERRORS:
            start = time.perf_counter()
            row = {"picture": name, "pixels": values.size, "max_error": most, "bytes": measured(values, most)}
            rows.append(row | {"seconds": round(time.perf_counter() - start, 1)})
            click.echo(json.dumps(rows[-1]))
    report = {"environment": environment(["dinp", "numpy", "pillow", "imagecodecs", "rvl"]), "rows": rows}
    output.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
