"""The lossy codecs that dinp is compared with: those of Pillow, JPEG XL by imagecodecs, HEIC by pillow-heif.

Each uses one thread, so that times compare and jobs do not fight for cores.
"""

import io
from importlib.metadata import version
from typing import Any, ClassVar

import numpy as np
import PIL
from PIL import Image, features

from dinp.benchmarks.environment import library
from dinp.benchmarks.rd.codec import Codec


class PillowCodec(Codec):
    """A codec that ships with Pillow."""

    format: ClassVar[str]

    def options(self, picture: np.ndarray, setting: float) -> dict[str, Any]:
        """What Pillow is told when it saves."""
        return {"quality": int(setting)}

    def version(self) -> str:
        """Versions of Pillow and of the library behind it."""
        return f"Pillow {PIL.__version__}, {self.feature} {features.version(self.feature)}"

    def encode(self, picture: np.ndarray, setting: float) -> bytes:
        """Pillow's file of the picture."""
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, self.format, **self.options(picture, setting))
        return buffer.getvalue()

    def decode(self, data: bytes) -> Image.Image:
        """The loaded picture."""
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            return image


class Jpeg(PillowCodec):
    """JPEG with optimised Huffman tables."""

    name = "jpeg"
    format = "JPEG"
    feature = "libjpeg_turbo"
    settings = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 17, 20, 25, 30, 35, 40, 50, 60, 70, 80, 90)

    def options(self, picture: np.ndarray, setting: float) -> dict[str, Any]:
        """4:2:0 is libjpeg's default for colour."""
        return {"quality": int(setting), "optimize": True}


class Jpeg2000(PillowCodec):
    """JPEG 2000 with the irreversible wavelet; without mct=1 colour files would be several dB worse."""

    name = "jpeg2000"
    format = "JPEG2000"
    feature = "jpg_2000"
    settings = (
        0.015,
        0.02,
        0.03,
        0.04,
        0.05,
        0.065,
        0.08,
        0.1,
        0.125,
        0.15,
        0.2,
        0.25,
        0.3,
        0.35,
        0.4,
        0.5,
        0.65,
        0.8,
        1.0,
    )

    def options(self, picture: np.ndarray, setting: float) -> dict[str, Any]:
        """The wanted rate as a compression ratio."""
        planes = 1 if picture.ndim == 2 else 3
        options = {"irreversible": True, "quality_mode": "rates", "quality_layers": [8 * planes / setting]}
        return options | ({"mct": 1} if planes == 3 else {})


class WebP(PillowCodec):
    """Lossy WebP."""

    name = "webp"
    format = "WEBP"
    feature = "webp"
    settings = (0, 1, 2, 4, 6, 9, 12, 16, 20, 25, 30, 35, 40, 50, 60, 70, 80, 90, 95, 98, 100)

    def options(self, picture: np.ndarray, setting: float) -> dict[str, Any]:
        """The slowest method."""
        return {"quality": int(setting), "method": 6}


class Avif(PillowCodec):
    """AVIF as Pillow makes it, which libavif tunes for looks, at its slower speed 4."""

    name = "avif"
    format = "AVIF"
    feature = "avif"
    settings = (0, 1, 3, 6, 9, 12, 16, 20, 25, 30, 35, 40, 45, 50, 60, 70, 80, 85, 90, 93, 96, 98)

    def options(self, picture: np.ndarray, setting: float) -> dict[str, Any]:
        """Colour has half the resolution, Pillow's default."""
        subsampling = "4:0:0" if picture.ndim == 2 else "4:2:0"
        return {"quality": int(setting), "speed": 4, "max_threads": 1, "subsampling": subsampling}


class AvifPsnr(Avif):
    """AVIF told to make PSNR high, which is what BD-rates here are about; colour at full resolution."""

    name = "avif-psnr"

    def options(self, picture: np.ndarray, setting: float) -> dict[str, Any]:
        """libaom's own option; only colour keeps its resolution, grey has none."""
        subsampling = "4:0:0" if picture.ndim == 2 else "4:4:4"
        return super().options(picture, setting) | {"subsampling": subsampling, "advanced": {"tune": "psnr"}}


class JpegXl(Codec):
    """JPEG XL by libjxl at its default effort 7, through imagecodecs."""

    name = "jpegxl"
    package = ("imagecodecs", "'dinp[bench]'")
    settings = (0, 1, 2, 3, 4, 6, 8, 10, 14, 18, 22, 26, 30, 36, 42, 50, 60, 70, 80, 88, 94, 97, 99)

    def version(self) -> str:
        """Versions of imagecodecs and of libjxl."""
        return f"imagecodecs {version('imagecodecs')}, {library('imagecodecs').jpegxl_version().replace(' ', '-')}"

    @staticmethod
    def distance(quality: float) -> float:
        """What libjxl is told for a quality of its command line tool (JxlEncoderDistanceFromQuality)."""
        if quality >= 30:
            return 0.1 + (100 - quality) * 0.09
        return 53 / 3000 * quality**2 - 23 / 20 * quality + 25

    def encode(self, picture: np.ndarray, setting: float) -> bytes:
        """A bare codestream in libjxl's own colour transform."""
        return library("imagecodecs").jpegxl_encode(picture, distance=self.distance(setting), effort=7, numthreads=1)

    def decode(self, data: bytes) -> Image.Image:
        """By libjxl."""
        return Image.fromarray(library("imagecodecs").jpegxl_decode(data, numthreads=1))


class Heic(Codec):
    """HEIC by x265 at its preset veryslow, tuned for PSNR, through pillow-heif."""

    name = "heic"
    package = ("pillow_heif", "pillow-heif")
    settings = (0, 2, 4, 6, 8, 10, 13, 16, 20, 24, 28, 32, 37, 42, 48, 55, 62, 70, 80, 90)

    def version(self) -> str:
        """Versions of pillow-heif, libheif and x265."""
        info = library("pillow_heif").libheif_info()
        x265 = info["encoders"]["x265"].partition("(")[2].rstrip(")")
        return f"pillow-heif {version('pillow-heif')}, libheif {info['libheif']}, x265 {x265}"

    def encode(self, picture: np.ndarray, setting: float) -> bytes:
        """Colour at full resolution; one thread."""
        buffer = io.BytesIO()
        options = {"preset": "veryslow", "tune": "psnr", "x265:pools": "none", "x265:frame-threads": "1"}
        file = library("pillow_heif").from_pillow(Image.fromarray(picture))
        file.save(buffer, quality=int(setting), chroma=444, enc_params=options)
        return buffer.getvalue()

    def decode(self, data: bytes) -> Image.Image:
        """By libde265."""
        return library("pillow_heif").open_heif(io.BytesIO(data)).to_pillow()
