"""Arrays as zarr stores them: bytes and seconds of dinp, blosc-zstd, JPEG XL and LERC, exactly and with bounded error.

    dinp bench arrays [PICTURES...] --out arrays.json

Three arrays are made: fractal terrain in metres (float32, and rounded to decimetres, uint16), and a room as a depth
camera sees it, in millimetres (uint16). Pictures of 8 or 16 bits may be given besides. Each is one chunk.

codec        how
dinp         `dinp.chunks.chunk.encode_chunk`
blosc-zstd   numcodecs' Blosc, zstd at level 9, shuffled by bits; with an error: of the samples divided and rounded
jpegxl       libjxl, effort 9, of integers; with an error likewise; exactly of floats as they are
lerc         Esri's LERC with zstd, by imagecodecs
"""

import json
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
from PIL import Image

from dinp.benchmarks.environment import environment, library
from dinp.benchmarks.speed.decoding import timed
from dinp.chunks.chunk import decode_chunk, encode_chunk
from dinp.cli.options import PATH
from dinp.cli.progress import counted
from dinp.pictures.files import check_output, write_output

ERRORS = {"terrain": 0.5, "terrain_uint16": 5, "depth": 5}
PICTURE_ERROR = 1


def terrain(height: int, width: int, seed: int = 1) -> np.ndarray:
    """Fractal terrain in metres, (H, W) float32: spectral synthesis, power falling as the 4.4th power of frequency."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.normal(size=(height, width))) * frequency**-2.2
    field = np.fft.irfft2(spectrum, s=(height, width))
    return (800 + 400 * field / np.abs(field).max()).astype(np.float32)


def depth(height: int, width: int, seed: int = 1) -> np.ndarray:
    """A room with things in it, millimetres, (H, W) uint16; 0 where a depth camera has no measurement: at edges."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / max(height, width)
    room = np.minimum(4000 - 500 * x, 1500 / np.maximum(y - 0.2, 0.05))
    for _ in range(12):
        cy, cx, radius = rng.uniform(0, height / max(height, width)), rng.uniform(), rng.uniform(0.03, 0.15)
        near = rng.uniform(900, 2500)
        square = (y - cy) ** 2 + (x - cx) ** 2
        ball = near + 300 * square / radius**2 if rng.uniform() < 0.5 else near + 400 * (x - cx)
        room = np.where((square < radius**2) & (ball < room), ball, room)
    millimetres = np.round(room).astype(np.uint16)
    rough = np.maximum(
        np.abs(np.diff(room, axis=1, prepend=room[:, :1])), np.abs(np.diff(room, axis=0, prepend=room[:1]))
    )
    return np.where(rough > 60, 0, millimetres).astype(np.uint16)


def _blosc(plane: np.ndarray) -> tuple[bytes, Callable[[], np.ndarray]]:
    codec = library("numcodecs").Blosc(cname="zstd", clevel=9, shuffle=library("numcodecs").Blosc.BITSHUFFLE)
    data = codec.encode(np.ascontiguousarray(plane))
    return data, lambda: np.frombuffer(codec.decode(data), plane.dtype).reshape(plane.shape)


def _jpegxl(plane: np.ndarray) -> tuple[bytes, Callable[[], np.ndarray]]:
    codecs = library("imagecodecs")
    data = codecs.jpegxl_encode(plane, lossless=True, effort=9)
    return data, lambda: codecs.jpegxl_decode(data)


def _divided(
    code: Callable[[np.ndarray], tuple[bytes, Callable]], plane: np.ndarray, error: float | None
) -> tuple[bytes, Callable[[], np.ndarray]]:
    """A codec without loss, of samples divided by as much as the error allows and rounded."""
    if error is None:
        return code(plane)
    step = 2 * error if plane.dtype.kind == "f" else 2 * int(error) + 1
    low = float(plane.min())
    steps = np.round((plane.astype(np.float64) - low) / step)
    data, decoded = code(steps.astype(np.uint8 if steps.max() < 256 else np.uint16))
    return data, lambda: np.clip(low + step * decoded().astype(np.float64), plane.min(), plane.max()).astype(
        plane.dtype
    )


def _lerc(plane: np.ndarray, error: float | None) -> tuple[bytes, Callable[[], np.ndarray]]:
    codecs = library("imagecodecs")
    data = codecs.lerc_encode(plane, level=error or 0, compression="zstd")
    return data, lambda: codecs.lerc_decode(data)


def _dinp(plane: np.ndarray, error: float | None) -> tuple[bytes, Callable[[], np.ndarray]]:
    data = encode_chunk(plane, max_error=error)
    return data, lambda: decode_chunk(data)


CODECS: dict[str, Callable] = {
    "dinp": _dinp,
    "blosc-zstd": lambda plane, error: _divided(_blosc, plane, error),
    "jpegxl": lambda plane, error: _divided(_jpegxl, plane, error),
    "lerc": _lerc,
}


def measure(name: str, plane: np.ndarray, error: float | None, codec: str) -> dict:
    """Bytes, seconds and the largest error of one codec; without them where it does not take such samples."""
    row = {"array": name, "type": plane.dtype.name, "shape": list(plane.shape), "max_error": error, "codec": codec}
    try:
        (data, decoded), encoding = timed(CODECS[codec], plane, error)
        found, decoding = timed(decoded)
    except (RuntimeError, ValueError, TypeError) as reason:  # imagecodecs' errors are RuntimeErrors
        return row | {"bytes": None, "largest_error": None, "reason": f"{type(reason).__name__}: {reason}"[:200]}
    largest = float(np.abs(plane.astype(np.float64) - found.reshape(plane.shape)).max())
    return row | {
        "bytes": len(data),
        "largest_error": largest,
        "encode_seconds": round(encoding, 4),
        "decode_seconds": round(decoding, 4),
    }


@click.command()
@click.argument("pictures", type=PATH, nargs=-1)
@click.option("--out", type=PATH, required=True, metavar="FILE", help="JSON file for the results; replaced.")
@click.option("--side", type=click.IntRange(min=16), default=512, show_default=True, help="Of the arrays, in samples.")
def arrays(pictures: tuple[Path, ...], out: Path, side: int) -> None:
    """Measure chunks of depth and elevation arrays."""
    check_output(str(out), *map(str, pictures), force=True)
    ground = terrain(side, side)
    planes = {
        "terrain": ground,
        "terrain_uint16": np.round(10 * ground).astype(np.uint16),
        "depth": depth(side, side * 4 // 3),
    }
    for path in pictures:
        with Image.open(path) as image:
            planes[path.stem] = np.asarray(image if image.mode.startswith("I;16") else image.convert("L"))
    rows = []
    with counted("arrays", 2 * len(planes) * len(CODECS)) as one:
        for name, plane in planes.items():
            for error in (None, ERRORS.get(name, PICTURE_ERROR)):
                for codec in CODECS:
                    rows.append(measure(name, plane, error, codec))
                    one()
    head = {"benchmark": "arrays", **environment(["dinp", "numpy", "numcodecs", "imagecodecs", "zarr"])}
    write_output(str(out), (json.dumps(head | {"results": rows}, indent=1) + "\n").encode(), force=True)
