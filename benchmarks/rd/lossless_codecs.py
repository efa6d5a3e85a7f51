"""Codecs that give the picture back as it was: what label maps and drawings are usually stored in.

======== ======================================================================================================
codec    encoder
======== ======================================================================================================
dinp     `dinp.encode` with `lossless`
png      Pillow, optimised
webp     libwebp, lossless, method 6, quality 100
jpegxl   libjxl, lossless, effort 9; needs imagecodecs
avif     libavif, quality 100, speed 4; of grey pictures only
crackle  crackle-codec of order 0, and xz on top, the best of its orders; for label maps; needs crackle-codec (BSD)
rvl      Wilson's codec of depth maps, 16 bits a sample; needs rvl (MIT)
======== ======================================================================================================
"""

import lzma
import warnings
from importlib.metadata import version
from typing import Any

import numpy as np
from PIL import Image

from dinp.benchmarks.environment import library
from dinp.benchmarks.rd.codec import Codec, Coded
from dinp.benchmarks.rd.others import JpegXl, PillowCodec
from dinp.benchmarks.rd.own import Dinp
from dinp.errors import DinpError

XZ_PRESET = 9 | lzma.PRESET_EXTREME
RVL_HEADER = 8  # bytes that stand for width and height, which the codec does not store


class Lossless(Codec):
    """A codec without a setting."""

    settings = (0,)

    def run(self, picture: np.ndarray, setting: float = 0) -> Coded:
        """As every codec's.

        Raises
        ------
        DinpError
            Also where a sample comes back changed.
        """
        coded = super().run(picture, setting)
        if not np.array_equal(coded.decoded, picture):
            raise DinpError(f"{self.name} does not give the picture back as it was")
        return coded


class LosslessDinp(Lossless, Dinp):
    """This package."""

    restore = False  # it would change nothing

    def encode(self, picture: np.ndarray, setting: float) -> bytes:
        """As `dinp.encode`."""
        import dinp

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", dinp.DinpNotice)
            return dinp.encode(picture, lossless=True)

    def details(self, data: bytes) -> dict[str, float]:
        """None: there are no points."""
        return {}


class Png(Lossless, PillowCodec):
    """PNG with the filters and the search that Pillow has."""

    name = "png"
    format = "PNG"
    feature = "zlib"

    def options(self, picture: np.ndarray, setting: float) -> dict[str, Any]:
        """The best that zlib can do."""
        return {"optimize": True}


class LosslessWebP(Lossless, PillowCodec):
    """WebP's lossless mode."""

    name = "webp"
    format = "WEBP"
    feature = "webp"

    def options(self, picture: np.ndarray, setting: float) -> dict[str, Any]:
        """The slowest search."""
        return {"lossless": True, "quality": 100, "method": 6}


class LosslessAvif(Lossless, PillowCodec):
    """AVIF at its highest quality, which is exact for grey."""

    name = "avif"
    format = "AVIF"
    feature = "avif"

    def options(self, picture: np.ndarray, setting: float) -> dict[str, Any]:
        """Pillow has no lossless mode for colour."""
        if picture.ndim == 3:
            raise ValueError("Pillow's AVIF is lossless for grey only")
        return {"quality": 100, "speed": 4, "max_threads": 1, "subsampling": "4:0:0"}


class LosslessJpegXl(Lossless, JpegXl):
    """JPEG XL's lossless mode."""

    settings = (0,)

    def encode(self, picture: np.ndarray, setting: float) -> bytes:
        """At the highest effort but one."""
        return library("imagecodecs").jpegxl_encode(picture, lossless=True, effort=9, numthreads=1)


class Crackle(Lossless):
    """Crack codes of label maps (Silversmith, 2021), from connectomics."""

    name = "crackle"
    package = ("crackle", "crackle-codec")

    def version(self) -> str:
        """Version of the package."""
        return f"crackle-codec {version('crackle-codec')}"

    def encode(self, picture: np.ndarray, setting: float) -> bytes:
        """Of a grey picture only."""
        if picture.ndim == 3:
            raise ValueError("it takes label maps")
        labels = np.asfortranarray(picture.T[:, :, None])  # (x, y, z)
        return lzma.compress(library("crackle").compress(labels, markov_model_order=0, parallel=1), preset=XZ_PRESET)

    def decode(self, data: bytes) -> Image.Image:
        """By crackle-codec."""
        labels = library("crackle").decompress(lzma.decompress(data), parallel=1)
        return Image.fromarray(np.ascontiguousarray(labels[:, :, 0].T.astype(np.uint8)))


class Rvl(Lossless):
    """Run lengths and variable length differences (Wilson, 2017)."""

    name = "rvl"
    package = ("rvl", "rvl")

    def version(self) -> str:
        """Version of the package."""
        return f"rvl {version('rvl')}"

    def encode(self, picture: np.ndarray, setting: float) -> bytes:
        """Of a grey picture only."""
        if picture.ndim == 3:
            raise ValueError("it takes depth maps")
        size = np.array(picture.shape, np.uint32).tobytes()
        return size + library("rvl").compress(picture.astype(np.uint16).tobytes())

    def decode(self, data: bytes) -> Image.Image:
        """By rvl."""
        shape = np.frombuffer(data[:RVL_HEADER], np.uint32)
        samples = np.frombuffer(library("rvl").decompress(data[RVL_HEADER:]), np.uint16)
        return Image.fromarray(samples.reshape(shape).astype(np.uint8))


_ALL: tuple[Lossless, ...] = (
    LosslessDinp(),
    Png(),
    LosslessWebP(),
    LosslessJpegXl(),
    LosslessAvif(),
    Crackle(),
    Rvl(),
)
LOSSLESS: dict[str, Lossless] = {codec.name: codec for codec in _ALL}
COMPARED = ("dinp", "png", "webp", "jpegxl")
