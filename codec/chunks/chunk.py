"""One chunk of an array to bytes and back: exactly, or with a bound on the error of each sample.

A chunk is one of these, the shortest:

first byte   what it is
8D           a dinp file of the samples
01           a head, then a dinp file without loss of the numbers k of steps: samples are low + step k; numbers from
             `first` on where there are marks: k below it stands for the mark of that number, in place of a sample
00           a head, then the samples, deflated (zlib): bytes of each significance together, in little endian and C
             order; for what is nothing but NaN, or of more different floats than can be kept exactly

A head is JSON and a byte 0: "type" as numpy names it, and of 01 "low", "step", "marks" (numbers, "nan", "inf", "-inf"),
of 00 "shape".
"""

import json
import math
import zlib
from collections.abc import Callable, Iterator

import numpy as np

import dinp
from dinp.bitstream.container import MAGIC
from dinp.errors import DinpError

TYPES = ("uint8", "uint16", "uint32", "int8", "int16", "int32", "float16", "float32", "float64")
_LEVEL = 9
_MOST_VALUES = 1 << 15  # of floats that are tried to be kept exactly: more take long, and gain less than a tenth
_LESS = 1 - 2.0**-20  # of the step of floats, which are rounded once more


def check(shape: tuple[int, ...], dtype: np.dtype) -> tuple[int, int]:
    """Height and width of chunks of a shape; DinpError where chunks of a shape or type cannot be coded."""
    plane = [side for side in shape if side != 1]
    if np.dtype(dtype).newbyteorder("=").name not in TYPES:
        raise DinpError(f"chunks of type {dtype} cannot be coded: use one of {', '.join(TYPES)}")
    if len(plane) > 2 or 0 in shape:
        raise DinpError(f"chunks of shape {shape} are no planes: give them two sides above 1, like (1, 512, 512)")
    return (*[1] * (2 - len(plane)), *plane)


def check_error(max_error: float | None) -> float | None:
    """The largest error, None or 0 for none; DinpError for what is no such number."""
    if max_error is None:
        return None
    if isinstance(max_error, bool) or not isinstance(max_error, (int, float)) or not 0 <= max_error < math.inf:
        raise DinpError(f"max_error must be a number from 0 on, or None, not {max_error!r}")
    return float(max_error) or None


def encode_chunk(
    chunk: np.ndarray, *, max_error: float | None = None, hole: float | None = None, effort: int = 1
) -> bytes:
    """The bytes of a chunk.

    Parameters
    ----------
    chunk : ndarray
        Of one of TYPES, in any byte order; all but two of its sides are 1.
    max_error : float, optional
        No sample is farther off; exact without. What is not finite is always kept.
    hole : float, optional
        A value that is kept, and that no other sample gets: "no measurement".
    effort : int
        Of bounded errors. 1: the samples are rounded to steps, which are kept exactly; 2 and 3: planes are also coded
        by diffusion, as `dinp.encode` does at that effort, which takes many times longer, and the shorter is taken.

    Raises
    ------
    DinpError
        It has another shape or type.
    """
    plane = np.ascontiguousarray(chunk).reshape(check(chunk.shape, chunk.dtype))
    plane = plane.astype(plane.dtype.newbyteorder("="), copy=False)
    found = [data for data in _candidates(plane, max_error, hole, effort) if data is not None]
    return min(found, key=len)


def _candidates(plane: np.ndarray, max_error: float | None, hole: float | None, effort: int) -> Iterator[bytes | None]:
    exact = plane.dtype.kind != "f" or (max_error is None and np.unique(plane).size <= _MOST_VALUES)
    if exact:
        yield _checked(lambda: dinp.encode_with_report(plane, lossless=True, planes=True).data, plane, None, None)
    if max_error is not None:
        yield _checked(lambda: _stepped(plane, max_error, hole), plane, max_error, hole)
    if max_error is not None and effort > 1:
        how = {"max_error": max_error, "effort": effort, "restore": False, "planes": True}
        # without a hole of its own, zeros would be taken for some
        marked = math.nan if hole is None else hole
        yield _checked(lambda: dinp.encode_with_report(plane, holes=marked, **how).data, plane, max_error, hole)
    yield _deflated(plane)


def _checked(code: Callable[[], bytes], plane: np.ndarray, max_error: float | None, hole: float | None) -> bytes | None:
    """What a way to code makes of a chunk, if it can, and keeps what it must."""
    try:
        data = code()
        found = decode_chunk(data)
    except DinpError:
        return None
    if found.dtype != plane.dtype:
        return None
    if max_error is None:
        return data if found.tobytes() == plane.tobytes() else None
    kept = ~np.isfinite(plane) | (False if hole is None else plane == hole)
    if not np.array_equal(plane[kept], found[kept], equal_nan=True) or (
        hole is not None and (found[~kept] == hole).any()
    ):
        return None
    # a NaN that stands for a sample is no smaller than the error
    return data if np.all(np.abs(plane[~kept].astype(np.float64) - found[~kept]) <= max_error) else None


def _stepped(plane: np.ndarray, max_error: float, hole: float | None) -> bytes:
    """Samples rounded to steps; DinpError where they are too many."""
    marks = [value for value in (math.nan, math.inf, -math.inf) if plane.dtype.kind == "f"]
    marks = [value for value in [*marks, *([] if hole is None else [hole])] if _is(plane, value).any()]
    plain = np.ones(plane.shape, dtype=bool)
    for value in marks:
        plain &= ~_is(plane, value)
    if not plain.any():
        raise DinpError("there are no samples")
    samples = plane[plain].astype(np.float64)
    step = 2 * max_error * _LESS if plane.dtype.kind == "f" else 2 * math.floor(max_error) + 1
    low = float(samples.min())
    most = (float(samples.max()) - low) / step + len(marks) + 1
    if not most < 1 << 16:
        raise DinpError("the steps are too many")
    numbers = np.zeros(plane.shape, np.uint16)
    numbers[plain] = np.floor((samples - low) / step + 0.5) + len(marks)
    for number, value in enumerate(marks):
        numbers[_is(plane, value)] = number
    head = {"type": plane.dtype.name, "low": low, "step": step, "marks": [_name(value) for value in marks]}
    kind = np.uint8 if numbers.max() < 256 else np.uint16
    return _headed(1, head, dinp.encode_with_report(numbers.astype(kind), lossless=True, planes=True).data)


def _unstepped(head: dict, data: bytes) -> np.ndarray:
    numbers = dinp.decode_array(data)
    numbers = numbers[..., 0] if numbers.ndim == 3 else numbers
    marks = [float(value) for value in head["marks"]]
    dtype = _type(head)
    low, step = float(head["low"]), float(head["step"])
    if not (math.isfinite(low) and math.isfinite(step)):
        raise ValueError("its steps are none")
    if dtype.kind != "f" and not all(map(math.isfinite, marks)):
        raise ValueError("its marks do not fit its type")
    values = low + step * (numbers.astype(np.float64) - len(marks))
    for number, value in enumerate(marks):
        values[numbers == number] = value
    if dtype.kind != "f":
        limits = np.iinfo(dtype)
        values = np.clip(np.rint(values), limits.min, limits.max)
    with np.errstate(over="ignore"):
        return values.astype(dtype)


def _is(plane: np.ndarray, value: float) -> np.ndarray:
    return np.isnan(plane) if value != value else plane == value


def _name(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


def _headed(kind: int, head: dict, content: bytes) -> bytes:
    return bytes([kind]) + json.dumps(head, separators=(",", ":")).encode("ascii") + b"\0" + content


def _type(head: dict) -> np.dtype:
    if head["type"] not in TYPES:
        raise ValueError(f"its type is {head['type']}")
    return np.dtype(head["type"])


def decode_chunk(data: bytes, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """The chunk (H, W), or of the shape; DinpError where the bytes are not those of one."""
    data = bytes(data)
    if data.startswith(MAGIC):
        plane = dinp.decode_array(data)
        plane = plane[..., 0] if plane.ndim == 3 else plane
    else:
        try:
            head, _, content = data[1:].partition(b"\0")
            if data[:1] not in (b"\0", b"\1"):
                raise ValueError("it begins like no chunk")
            plane = (_unstepped if data[0] else _inflated)(json.loads(head), content)
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError, zlib.error) as error:
            raise DinpError(f"the chunk is damaged: {error}") from error
    try:
        return plane if shape is None else plane.reshape(shape)
    except ValueError as error:
        raise DinpError(f"the chunk has {plane.size} samples, not those of the shape {shape}") from error


def _deflated(plane: np.ndarray) -> bytes:
    little = np.ascontiguousarray(plane, plane.dtype.newbyteorder("<"))
    sorted_bytes = little.view(np.uint8).reshape(-1, little.itemsize).T.tobytes()
    return _headed(0, {"type": plane.dtype.name, "shape": plane.shape}, zlib.compress(sorted_bytes, _LEVEL))


def _inflated(head: dict, packed: bytes) -> np.ndarray:
    dtype = _type(head).newbyteorder("<")
    height, width = (int(side) for side in head["shape"])
    size = height * width * dtype.itemsize
    unpacker = zlib.decompressobj()
    content = unpacker.decompress(packed, size + 1)
    if len(content) != size or not unpacker.eof:
        raise ValueError("its size is not what it says")
    samples = np.frombuffer(content, np.uint8).reshape(dtype.itemsize, -1).T.copy().view(dtype)
    return samples.reshape(height, width).astype(dtype.newbyteorder("="))
