"""Pictures that a command reads: those to be coded, and inpainting masks."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dinp.bitstream.container import MAGIC
from dinp.errors import DinpError
from dinp.limits import check_size, larger_than_it_says, most_bytes
from dinp.pictures import files
from dinp.pictures.arrays import ArrayFile, read_array

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image


@contextmanager
def open_picture(name: str, max_pixels: int) -> "Iterator[Image.Image]":
    """The picture in a file, not yet loaded; meanwhile Pillow's limit, which counts what it loads, is ours."""
    with open_samples(name, max_pixels) as picture:
        if isinstance(picture, ArrayFile):
            raise DinpError(f"{files.display(name)} is an array: name a picture")
        yield picture


@contextmanager
def open_samples(name: str, max_pixels: int) -> "Iterator[Image.Image | ArrayFile]":
    """The picture in a file, as `open_picture`, or the array of a file of numbers, see `dinp.pictures.arrays`."""
    from PIL import Image

    limit = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = max_pixels
    try:
        with files.open_input(name, most=most_bytes(max_pixels)) as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            if stream.read(len(MAGIC)) == MAGIC:
                raise DinpError(f"{files.display(name)} is a dinp file already: use dinp decode")
            stream.seek(0)
            numbers = read_array(stream, max_pixels=max_pixels)
            if numbers is not None:
                yield numbers
                return
            try:
                picture = Image.open(stream)
            except (MemoryError, DinpError):
                raise
            except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
                raise DinpError(
                    f"the picture has more pixels than the limit of {max_pixels:,}: "
                    "raise the limit (--max-pixels) if you trust its source"
                ) from error
            except Exception as error:  # Pillow's readers raise a dozen classes on damaged files
                raise DinpError(f"{files.display(name)} is not a picture that Pillow can open") from error
            check_size(picture.width, picture.height, max_pixels)
            yield picture
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def read_mask(name: str, max_pixels: int) -> "np.ndarray":
    """An inpainting mask from a picture: known is what is not black; transparency counts for nothing."""
    import numpy as np
    from PIL import Image, ImageOps

    with open_picture(name, max_pixels) as picture:
        try:
            upright = ImageOps.exif_transpose(picture)
            if upright.mode not in ("1", "L", "LA", "I", "I;16", "F", "RGB", "RGBA"):
                upright = upright.convert("RGB")
            pixels = np.asarray(upright)
            colours = pixels.reshape(*pixels.shape[:2], -1)[..., : 1 if upright.mode == "LA" else 3]
            return colours.any(axis=2)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise larger_than_it_says() from error
        except (OSError, ValueError, SyntaxError) as error:
            raise DinpError(f"{files.display(name)} cannot be read as a mask: {error}") from error
