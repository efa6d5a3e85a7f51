"""Checks of what is asked of the library: each raises `DinpError` with a sentence."""

from __future__ import annotations

import math
import numbers
from typing import TYPE_CHECKING

from dinp.errors import DinpError

if TYPE_CHECKING:
    import numpy as np


def check_quality(quality: float) -> None:
    """Raise DinpError unless `quality` is a number from 0 to 100."""
    if not is_number(quality) or not 0 <= quality <= 100:
        raise DinpError(f"quality must be a number from 0 to 100, not {quality!r}")


def check_targets(
    quality: float | None,
    target_bytes: int | None,
    target_psnr: float | None,
    max_error: float | None,
    mask: np.ndarray | None,
    *,
    lossless: bool,
) -> None:
    """Raise DinpError if wishes exclude one another, or are no numbers in their ranges; None is no wish."""
    if sum(given is not None for given in (quality, target_bytes, target_psnr)) > 1:
        raise DinpError("quality, target_bytes and target_psnr exclude one another: give one of them")
    if quality is not None:
        check_quality(quality)
    if lossless and any(given is not None for given in (quality, target_bytes, target_psnr, max_error, mask)):
        raise DinpError("lossless excludes a quality, targets, a largest error and a mask: give none of them")
    for name, value in (("max_error", max_error), ("target_bytes", target_bytes), ("target_psnr", target_psnr)):
        if value is not None and not is_number(value):
            raise DinpError(f"{name} must be a number, not {value!r}")
    if max_error is not None and not 0 <= max_error < math.inf:
        raise DinpError(f"a largest error of {max_error:g} cannot be kept: give a number from 0 on")


def is_whole(value: object) -> bool:
    """Whether a value is a whole number, of Python or numpy; truth values are none."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    """Whether a value is a real number; truth values are none."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def check_mask(mask: np.ndarray, shape: tuple[int, int]) -> None:
    """Raise DinpError unless `mask` is an inpainting mask for a picture of `shape`."""
    import numpy as np

    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
        raise DinpError("an inpainting mask must be a boolean array, True where values are known")
    if mask.shape != shape:
        raise DinpError(
            f"the inpainting mask has the shape {mask.shape}, the picture {shape}: give one of the same size"
        )
    if not mask.any():
        raise DinpError("the inpainting mask is empty: at least one pixel must be known")


def as_bytes(data: bytes) -> bytes:
    """The bytes of a file; DinpError where something else is given, like its name."""
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise DinpError(f"a dinp file must be given as bytes, not {type(data).__name__}: read the file first")
    return bytes(data)
