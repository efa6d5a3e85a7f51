"""Previews: pictures of one to five hundred bytes, to be shown until the whole one is there.

The picture is reduced to a side that suits the bytes (`SIDES`), and coded without restoration, so that a small script
can paint it; who shows it enlarges it smoothly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dinp.checks import is_whole
from dinp.errors import DinpError

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

# (at most so many bytes, longer side). Of tuning pictures in 200 bytes, enlarged to 128 pixels, sides of 32 to 96
# differ by 0.1 to 0.2 dB; smaller ones are quicker to make and to paint.
SIDES = ((120, 32), (320, 48), (1 << 62, 64))
LEAST = 60  # bytes
QUICKEST, LARGEST = 16, 128


def preview(image: Image.Image | np.ndarray, bytes: int = 200, *, side: int | None = None) -> bytes:
    """A dinp file of at most so many bytes that shows a picture reduced.

    Parameters
    ----------
    image : Pillow image or (H, W), (H, W, 3) uint8 array
        Transparency is shown on white.
    bytes : int
        From 60 on.
    side : int, optional
        Of the preview, the longer, 1 to 128 pixels; by default as it suits the bytes.

    Raises
    ------
    DinpError
        The picture cannot be used, or has no preview of so few bytes.
    """
    import numpy as np
    from PIL import Image

    import dinp
    from dinp.pictures.modes import picture_from_array, picture_from_image

    if not is_whole(bytes) or bytes < LEAST:
        raise DinpError(f"a preview takes at least {LEAST} bytes, not {bytes!r}")
    if side is not None and (not is_whole(side) or not 1 <= side <= LARGEST):
        raise DinpError(f"the side of a preview is 1 to {LARGEST} pixels, not {side!r}")
    if isinstance(image, np.ndarray):
        picture = picture_from_array(image, max_pixels=dinp.MAX_PIXELS)
    elif isinstance(image, Image.Image):
        picture, _ = picture_from_image(image, max_pixels=dinp.MAX_PIXELS)
    else:
        raise DinpError(f"a picture must be a Pillow image or an array, not {type(image).__name__}")
    whole = Image.fromarray(picture)
    longer = int(side) if side is not None else next(pixels for most, pixels in SIDES if bytes <= most)
    while True:
        try:
            return dinp.encode_with_report(
                reduced_to(whole, longer), target_bytes=int(bytes), restore=False, chroma="420"
            ).data
        except DinpError:
            if side is not None or longer <= QUICKEST:
                raise
        longer = longer * 2 // 3


def reduced_to(image: Image.Image, longer: int) -> Image.Image:
    """The image with so many pixels on its longer side, or as it is if it has no more."""
    from PIL import Image

    factor = longer / max(image.size)
    if factor >= 1:
        return image
    size = tuple(max(1, round(side * factor)) for side in image.size)
    return image.resize(size, Image.Resampling.LANCZOS)
