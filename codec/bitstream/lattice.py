"""Lattices: the few samples that a picture with a largest error is made of (docs/format.md, section 11.4).

A *lattice* has a base, a unit, and up to 4 marks, samples that stand apart: holes. Its number i stands for mark i where
i is below the number m of marks, else for base + unit (i - m): of integers exactly, of floats in double precision, the
product rounded first, then the sum, then to the type. What does not fit the type must be rejected. In a file:

    byte 0   m, 0 to 4; or 255: the channel's samples are exact and nothing more follows
    then     base, unit, and the marks, each as the type holds it, least significant byte first
"""

import math
from dataclasses import dataclass

import numpy as np

from dinp.errors import DinpError

MAX_MARKS = 4
PHASES = 12
_EXACT = 255
_MOST = 1 << 52  # of numbers
_SHORTER = 1 - 2.0**-10  # of a unit of floats: what rounding it to their type may do


@dataclass(frozen=True)
class Lattice:
    """Samples that occur, see above.

    Attributes
    ----------
    base, unit : int or float
    marks : tuple of int or float
    dtype : numpy.dtype
    """

    base: float
    unit: float
    marks: tuple[float, ...]
    dtype: np.dtype

    def nearest(self, samples: np.ndarray, marked: list[np.ndarray]) -> np.ndarray:
        """Numbers (H, W) int64 of the nearest samples, or of marks where their masks are."""
        distance = samples.astype(np.float64) - self.base
        steps = np.rint(np.where(np.isfinite(distance), distance, 0) / self.unit)
        numbers = np.clip(steps, -_MOST, _MOST).astype(np.int64) + len(self.marks)
        for number, mask in enumerate(marked):
            numbers[mask] = number
        return numbers

    def samples(self, numbers: list[int]) -> np.ndarray:
        """Samples of numbers, (n,) of `dtype`; DinpError where one does not fit it."""
        count = len(self.marks)
        limits = None if self.dtype.kind == "f" else np.iinfo(self.dtype)
        found = np.empty(len(numbers), dtype=self.dtype)
        for k, number in enumerate(numbers):
            if 0 <= number < count:
                found[k] = self.marks[number]
                continue
            if not -_MOST <= number <= _MOST:
                raise DinpError("the file is damaged: its samples do not fit their type")
            value = self.base + self.unit * (number - count)
            largest = float(np.finfo(self.dtype).max) if limits is None else limits.max
            if not (-largest if limits is None else limits.min) <= value <= largest:
                raise DinpError("the file is damaged: its samples do not fit their type")
            found[k] = value
        return found

    def pack(self) -> bytes:
        """The lattice as a file holds it."""
        values = np.array([self.base, self.unit, *self.marks], dtype=self.dtype.newbyteorder("<"))
        return bytes([len(self.marks)]) + values.tobytes()


def pack_lattice(lattice: Lattice | None) -> bytes:
    """A lattice, or that the channel is exact."""
    return bytes([_EXACT]) if lattice is None else lattice.pack()


def read_lattice(data: bytes, at: int, dtype: np.dtype) -> tuple[Lattice | None, int]:
    """Mirror of `pack_lattice` at an offset: the lattice and the offset behind it; DinpError if it is damaged."""
    count = data[at] if at < len(data) else MAX_MARKS + 1
    if count == _EXACT:
        return None, at + 1
    end = at + 1 + (2 + count) * dtype.itemsize
    if count > MAX_MARKS or end > len(data):
        raise DinpError("the file is damaged: the lattice of its samples is cut off")
    values = np.frombuffer(data[at + 1 : end], dtype=dtype.newbyteorder("<")).astype(dtype)
    base, unit, *marks = values.tolist()
    if not (math.isfinite(base) and math.isfinite(unit) and unit > 0):
        raise DinpError("the file is damaged: the lattice of its samples is none")
    return Lattice(base, unit, tuple(marks), dtype), end


def lattices_for(low: float, high: float, most: float, marks: tuple[float, ...], dtype: np.dtype) -> list[Lattice]:
    """Lattices of samples from low to high with errors of at most `most`; none where the type is too coarse for it.

    They differ in where their cells begin: of integers the first have as many samples before the least as after the
    largest. All numbers of samples from low to high are those of marks or above.
    """
    if dtype.kind == "f":
        rounding = float(np.spacing(dtype.type(max(abs(low), abs(high)))))
        unit = float(dtype.type(min((2 * most - rounding) * _SHORTER, float(np.finfo(dtype).max))))
        if not unit > 0 or not (high - low) / unit < _MOST:
            return []
        shifts = [unit * (k / PHASES if 2 * k < PHASES else k / PHASES - 1) for k in range(PHASES)]
        with np.errstate(over="ignore"):
            bases = [float(np.array(low + shift).astype(dtype)) for shift in shifts]
        return [Lattice(base, unit, marks, dtype) for base in bases if math.isfinite(base)]
    limits = np.iinfo(dtype)
    error = min(math.floor(most), (int(limits.max) - 1) // 2)
    unit = 2 * error + 1
    spare = -(int(high) - int(low) + 1) % unit  # that the cells of the lattice cover beyond low..high
    first = int(low) - spare // 2 + error
    found = []
    for k in range(PHASES):
        base = first - unit * k // PHASES
        base += unit if base < low - error else 0
        if limits.min <= base and base + unit * ((int(high) + error - base) // unit) <= limits.max:
            found.append(base)
    return [Lattice(base, unit, marks, dtype) for base in dict.fromkeys(found)]
