"""How large a picture may be."""

from dinp.errors import DinpError

MAX_PIXELS = 89_478_485  # as Pillow's own limit


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Raise DinpError if a picture of `width` x `height` pixels is above the limit."""
    if width * height > max_pixels:
        raise DinpError(
            f"the picture has {width} x {height} = {width * height:,} pixels, more than the limit of {max_pixels:,}: "
            "raise the limit (max_pixels, --max-pixels) if you trust its source"
        )
