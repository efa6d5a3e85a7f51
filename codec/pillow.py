"""Pillow plugin: after `import dinp.pillow`, Pillow opens and saves .dinp files.

>>> from PIL import Image
>>> import dinp.pillow
>>> with Image.open("picture.dinp") as image:  # reads the header only
...     image.draft(None, (320, 200))          # at least so large, halved as often as that allows
...     image.load()
>>> image.save("again.dinp", quality=60)

`save` takes the options of `dinp.encode`. Profile, EXIF and XMP data are in `info`, and saved from the options
icc_profile, exif and xmp, or else from `info`.
"""

import inspect
from typing import IO

from PIL import Image, ImageFile

import dinp
from dinp.bitstream.container import MAGIC, NO_ALPHA, Container, unpack
from dinp.errors import DinpError
from dinp.pictures.metadata import Metadata
from dinp.pictures.picture import mode_of_samples

FORMAT = "DINP"
MOST_HALVINGS = 3  # to an eighth
_OPTIONS = set(inspect.signature(dinp.encode).parameters) - {"image"}


def _accept(prefix: bytes) -> bool:
    return prefix.startswith(MAGIC)


class DinpImageFile(ImageFile.ImageFile):
    """A dinp file; pixels are decoded when they are first asked for."""

    format = FORMAT
    format_description = "dinp, coded by diffusion inpainting"

    def _open(self) -> None:
        self._data = self.fp.read()
        try:
            container = unpack(self._data, max_pixels=Image.MAX_IMAGE_PIXELS or 1 << 56)
            self.info.update(_metadata(container).info())
        except DinpError as error:
            raise SyntaxError(str(error)) from error
        self._size = (container.width, container.height)
        self._mode = mode_of_samples(container.samples, container.layout, alpha=container.alpha != NO_ALPHA)
        self._halvings = 0
        self.tile = []

    def draft(self, mode: str | None, size: tuple[int, int] | None) -> tuple[str, tuple[int, int, float, float]] | None:
        """Choose a size that is halved as often as it stays at least `size`; mode None or that of the file."""
        if size is None or self._decoded or self.mode not in ("L", "LA", "RGB", "RGBA"):
            return None
        width, height = self.size
        while -(-width // 2) >= size[0] and -(-height // 2) >= size[1] and self._halvings < MOST_HALVINGS:
            width, height, self._halvings = -(-width // 2), -(-height // 2), self._halvings + 1
        self._size = (width, height)
        return self.mode, (0, 0, width, height)

    _decoded = False

    def load(self) -> "Image.core.PixelAccess | None":
        """Decode, once."""
        if not self._decoded and getattr(self, "_data", None) is not None:
            try:
                image = dinp.decode(
                    self._data, scale=2.0**-self._halvings, max_pixels=Image.MAX_IMAGE_PIXELS or 1 << 56
                )
            except DinpError as error:
                raise OSError(str(error)) from error
            self.im, self._mode, self._size = image.im, image.mode, image.size
            self._decoded, self._data = True, None
        return super().load()

    def load_seek(self, pos: int) -> None:
        """Nothing: the file is read already."""


def _metadata(container: Container) -> Metadata:
    from dinp.assembly import metadata_of

    return metadata_of(container)


def _save(image: Image.Image, stream: IO[bytes], filename: str | bytes) -> None:
    given = image.encoderinfo
    image = image.copy()
    for name in ("icc_profile", "exif", "xmp"):
        if name in given:
            value = given[name]
            value = value.tobytes() if isinstance(value, Image.Exif) else value
            image.info[name] = value
    options = {name: given[name] for name in _OPTIONS if name in given}
    try:
        stream.write(dinp.encode(image, **options))
    except DinpError as error:
        raise OSError(str(error)) from error


Image.register_open(FORMAT, DinpImageFile, _accept)
Image.register_save(FORMAT, _save)
Image.register_extension(FORMAT, ".dinp")
Image.register_mime(FORMAT, "image/x-dinp")
