"""Files of numbers rather than pictures: NumPy's .npy, portable float maps (.pfm), Middlebury optic flow (.flo).

ending  content                                                       holes
.npy    an array as `dinp.pictures.intake` takes it                    what is not finite
.pfm    "PF" RGB or "Pf" grey, 32-bit floats, rows from the bottom    what is not finite
.flo    two planes of 32-bit floats, u and v                          where one is above 10^9, or not finite
"""

import io
import math
import struct
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from dinp.errors import DinpError
from dinp.limits import check_size

ENDINGS = (".npy", ".pfm", ".flo")
_FLO = b"PIEH"  # the float 202021.25
_UNKNOWN_FLOW = 1e9
_MOST_HEADER = 1 << 16


@dataclass(frozen=True)
class ArrayFile:
    """An array from a file, whether its channels are planes as they are, and where it has no measurement."""

    array: np.ndarray
    planes: bool = False
    holes: np.ndarray | None = None


def read_array(stream: BinaryIO, *, max_pixels: int) -> ArrayFile | None:
    """The array in a seekable stream, whose type its first bytes tell; None, and nothing read, if it is none of these.

    Raises
    ------
    DinpError
        It is damaged, or has more pixels than `max_pixels`: found before memory is taken for them.
    """
    start = stream.tell()
    head = stream.read(6)
    stream.seek(start)
    try:
        if head == b"\x93NUMPY":
            return ArrayFile(_read_npy(stream, max_pixels))
        if head[:3] in (b"PF\n", b"Pf\n"):
            return ArrayFile(_read_pfm(stream, max_pixels))
        if head[:4] == _FLO:
            flow = _read_flo(stream, max_pixels)
            with np.errstate(invalid="ignore"):
                unknown = ~(np.abs(flow) < _UNKNOWN_FLOW).all(axis=2)
            return ArrayFile(flow, planes=True, holes=unknown if unknown.any() else None)
    except (ValueError, struct.error, EOFError) as error:
        raise DinpError(f"the array cannot be read: {str(error).splitlines()[0]}") from error
    return None


def array_bytes(array: np.ndarray, ending: str) -> bytes:
    """An array (H, W) or (H, W, n) as a file of one of ENDINGS; DinpError where the format does not hold it."""
    if ending == ".npy":
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=False)
        return buffer.getvalue()
    height, width = array.shape[:2]
    channels = array.shape[2] if array.ndim == 3 else 1
    exact = array.astype(np.float32)
    if not np.array_equal(exact.astype(np.float64), array.astype(np.float64), equal_nan=True):
        raise DinpError(f"{ending} does not keep values of type {array.dtype} exactly: name the output like values.npy")
    data = np.ascontiguousarray(exact, dtype="<f4")
    if ending == ".flo":
        if channels != 2:
            raise DinpError(f".flo holds two planes, the picture has {channels}: name the output like values.npy")
        return _FLO + struct.pack("<ii", width, height) + data.tobytes()
    if channels not in (1, 3):
        raise DinpError(f".pfm holds one or three planes, the picture has {channels}: name the output like values.npy")
    return b"P%s\n%d %d\n-1.0\n" % (b"F" if channels == 3 else b"f", width, height) + data[::-1].tobytes()


def _read_npy(stream: BinaryIO, max_pixels: int) -> np.ndarray:
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"its version {version} is not supported")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(stream, max_header_size=_MOST_HEADER)
    if dtype.hasobject or len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] > 4):
        raise DinpError(f"an array of type {dtype} and shape {shape} is not a picture")
    check_size(shape[1], shape[0], max_pixels)
    data = _exactly(stream, math.prod(shape) * dtype.itemsize)
    return np.frombuffer(data, dtype=dtype).reshape(shape, order="F" if fortran else "C")


def _read_pfm(stream: BinaryIO, max_pixels: int) -> np.ndarray:
    channels = 3 if stream.readline(8) == b"PF\n" else 1
    size = stream.readline(64).split()
    width, height = (int(part) for part in size)
    order = "<" if float(stream.readline(64)) < 0 else ">"
    _check(width, height, max_pixels)
    data = _exactly(stream, 4 * width * height * channels)
    array = np.frombuffer(data, dtype=order + "f4").reshape(height, width, channels)[::-1]
    return array if channels == 3 else array[..., 0]


def _read_flo(stream: BinaryIO, max_pixels: int) -> np.ndarray:
    width, height = struct.unpack("<4xii", stream.read(12))
    _check(width, height, max_pixels)
    return np.frombuffer(_exactly(stream, 8 * width * height), dtype="<f4").reshape(height, width, 2)


def _check(width: int, height: int, max_pixels: int) -> None:
    if width < 1 or height < 1:
        raise DinpError("the picture has no pixels")
    check_size(width, height, max_pixels)


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError("it is truncated")
    return data
