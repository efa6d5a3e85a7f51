"""How large a picture may be, and a file."""

import numbers

from dinp.errors import DinpError

MAX_PIXELS = 89_478_485  # as Pillow's own limit
_PIXEL_BYTES, _OTHER_BYTES = 16, 1 << 26


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Raise DinpError if a picture of `width` x `height` pixels is above the limit, or that is no number."""
    if not isinstance(max_pixels, numbers.Real) or max_pixels != max_pixels:
        raise DinpError(f"max_pixels must be a number, not {max_pixels!r}")
    if width * height > max_pixels:
        raise DinpError(
            f"the picture has {width} x {height} = {width * height:,} pixels, more than the limit of {max_pixels:,}: "
            "raise the limit (max_pixels, --max-pixels) if you trust its source"
        )


def larger_than_it_says() -> DinpError:
    """The error for a picture whose real size, found while it is read, is above the limit."""
    return DinpError("the picture is larger than its file says, and than the limit: it may be made to fill the memory")


def most_bytes(max_pixels: int) -> int:
    """Bytes that no file of a picture within the limit needs: to read no more of what has no end."""
    return _PIXEL_BYTES * max_pixels + _OTHER_BYTES
