"""Codecs to compare: dinp, those that ship with Pillow, and JPEG XL and HEIC where they are installed.

Each is a small class with one `run`.

A picture is a uint8 array, (H, W) grey or (H, W, 3) RGB; what counts of a file is all of it. A *setting* is the number
that a codec is steered with. The defaults reach from below 0.05 to above 0.5 bits per pixel on photographs, where the
codec can.

========= ============================= =======================================================================
codec     setting                       encoder
========= ============================= =======================================================================
dinp      quality, 0-100                `dinp.encode`, default effort; dinp1, dinp3: effort 1, 3;
                                        dinp-plain, dinp1-plain, dinp3-plain: unrestored
jpeg      quality, 1-95                 libjpeg-turbo, baseline, optimised Huffman tables; colour 4:2:0
jpeg2000  wanted bits per pixel         OpenJPEG, irreversible 9/7 wavelet, one layer, JP2 file; colour transform on
webp      quality, 0-100                libwebp, method 6; colour 4:2:0, the only one it has; grey as R = G = B
avif      quality, 0-100                libavif, speed 4, tuned for looks as it is by default; 4:2:0, grey 4:0:0
avif-psnr quality, 0-100                libavif, speed 4, tuned for PSNR; colour 4:4:4, grey 4:0:0
jpegxl    Butteraugli distance          libjxl, effort 7, by imagecodecs
heic      quality, 0-100                libheif, x265 at veryslow, tuned for PSNR, by pillow-heif; 4:4:4, grey 4:0:0
========= ============================= =======================================================================

pillow-heif is not among what the extra `bench` installs: its wheels carry x265, whose licence is the GPL.
"""

import hashlib
import importlib.metadata
import importlib.util
import io
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import PIL
from PIL import Image, features

from dinp.benchmarks.rd.metrics import psnr
from dinp.errors import DinpError

# Rooms and weights that no coded picture depends on: the rest is what a version stands for.
UNCODED_ROOMS = {"cli", "masks", "training"}
UNCODED_WEIGHTS = {"inpainting", "mask", "surrogate"}
PSNR_CAP = 100.0  # dB; stands for equal pictures, where that of a plainly decoded file is infinite


@dataclass(frozen=True)
class Coded:
    """A picture that went through a codec.

    Attributes
    ----------
    data : bytes
        The whole file.
    decoded : ndarray of uint8
        What the decoder makes of it, of the original's shape.
    encode_seconds, decode_seconds : float
        Wall-clock time within the process.
    details : dict
        What the codec tells of the file: numbers by name.
    """

    data: bytes
    decoded: np.ndarray
    encode_seconds: float
    decode_seconds: float
    details: dict[str, float] = field(default_factory=dict)

    @property
    def bpp(self) -> float:
        """Bits of the whole file per pixel."""
        return 8 * len(self.data) / (self.decoded.shape[0] * self.decoded.shape[1])


class Codec(ABC):
    """A codec under test."""

    name: ClassVar[str]
    settings: ClassVar[tuple[float, ...]]
    feature: ClassVar[str | None] = None  # what Pillow calls the library behind it

    @abstractmethod
    def version(self) -> str:
        """What must be the same for a measurement to be repeatable."""

    def check(self) -> None:
        """Raise DinpError if the codec is missing: Pillow can be built without one."""
        if self.feature and not features.check(self.feature):
            raise DinpError(f"this Pillow comes without {self.name}: leave it out with --codecs")

    @abstractmethod
    def encode(self, picture: np.ndarray, setting: float) -> bytes:
        """The whole file."""

    @abstractmethod
    def decode(self, data: bytes) -> Image.Image:
        """The picture in a file."""

    def details(self, data: bytes) -> dict[str, float]:
        """Numbers about a file beyond its size, by name."""
        return {}

    def run(self, picture: np.ndarray, setting: float) -> Coded:
        """Code and decode a picture.

        Parameters
        ----------
        picture : (H, W) or (H, W, 3) uint8
        setting : float
            See the table above.

        Raises
        ------
        DinpError
            The codec refused, or the decoded picture is of another size.
        """
        start = time.perf_counter()
        try:
            data = self.encode(picture, setting)
        except (OSError, ValueError) as error:
            raise DinpError(f"{self.name} cannot code a picture with the setting {setting:g}: {error}") from error
        middle = time.perf_counter()
        image = self.decode(data)
        decoded = np.asarray(image.convert("L" if picture.ndim == 2 else "RGB"))
        end = time.perf_counter()
        if decoded.shape != picture.shape:
            raise DinpError(f"{self.name} decoded a picture of shape {decoded.shape} from one of {picture.shape}")
        return Coded(data, decoded, middle - start, end - middle, self.details(data))


def _codes(path: Path, folder: Path) -> bool:
    """Whether coding could depend on this file of a package's folder."""
    *rooms, name = path.relative_to(folder).parts
    stem = name.split(".")[0]
    weights = rooms[-1:] == ["weights"] and stem in UNCODED_WEIGHTS
    unread = path.suffix in (".md", ".patch", ".pyc") or re.search(r"_curve(_\d+)?$", stem)
    return path.is_file() and not (UNCODED_ROOMS & set(rooms) or weights or unread)


class Dinp(Codec):
    """This package."""

    name = "dinp"
    effort: ClassVar[int] = 2
    restore: ClassVar[bool] = True
    settings = (0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 65, 80, 95)

    def version(self) -> str:
        """Version, and a hash over the code, weights and tables that coding could depend on."""
        import dinp
        import dinp.entropy
        import dinp.models

        digest = hashlib.sha256()
        for package in (dinp, dinp.models, dinp.entropy):
            folder = Path(package.__file__).parent
            for path in sorted(p for p in folder.rglob("*") if _codes(p, folder)):
                digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
        return f"{dinp.__version__} {digest.hexdigest()[:16]}"

    def encode(self, picture: np.ndarray, setting: float) -> bytes:
        """As `dinp.encode`."""
        import dinp

        return dinp.encode(picture, quality=setting, effort=self.effort, restore=self.restore)

    def decode(self, data: bytes) -> Image.Image:
        """As `dinp.decode`."""
        import dinp

        return dinp.decode(data)

    def details(self, data: bytes) -> dict[str, float]:
        """Density of the first plane, and over all planes points, and mask and value bits per point."""
        import dinp

        planes = dinp.info(data)["planes"]
        points = sum(plane["points"] for plane in planes)
        return {
            "density": planes[0]["density"],
            "points": points,
            "mask_bits_per_point": sum(plane["mask_bits"] for plane in planes) / points,
            "value_bits_per_point": sum(plane["value_bits"] for plane in planes) / points,
        }

    def run(self, picture: np.ndarray, setting: float) -> Coded:
        """As every codec's, with the PSNR of the same file without its restoration among the details."""
        import dinp

        coded = super().run(picture, setting)
        if not self.restore:
            return coded
        plain = psnr(picture, np.asarray(dinp.decode(coded.data, restore=False)))
        return replace(coded, details=coded.details | {"plain_psnr": min(plain, PSNR_CAP)})


class DinpNetwork(Dinp):
    """This package, the network alone placing the points."""

    name = "dinp1"
    effort = 1


class DinpBest(Dinp):
    """This package at its highest effort."""

    name = "dinp3"
    effort = 3


class DinpPlain(Dinp):
    """This package without restoration."""

    name = "dinp-plain"
    restore = False


class DinpNetworkPlain(DinpNetwork):
    """This package, the network alone placing the points, without restoration."""

    name = "dinp1-plain"
    restore = False


class DinpBestPlain(DinpBest):
    """This package at its highest effort, without restoration."""

    name = "dinp3-plain"
    restore = False


class _PillowCodec(Codec):
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


class Jpeg(_PillowCodec):
    """JPEG with optimised Huffman tables."""

    name = "jpeg"
    format = "JPEG"
    feature = "libjpeg_turbo"
    settings = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 17, 20, 25, 30, 35, 40, 50, 60, 70, 80, 90)

    def options(self, picture: np.ndarray, setting: float) -> dict[str, Any]:
        """4:2:0 is libjpeg's default for colour."""
        return {"quality": int(setting), "optimize": True}


class Jpeg2000(_PillowCodec):
    """JPEG 2000 with the irreversible wavelet; without mct=1 colour files would be several dB worse."""

    name = "jpeg2000"
    format = "JPEG2000"
    feature = "jpg_2000"
    settings = (0.03, 0.04, 0.05, 0.065, 0.08, 0.1, 0.125, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.65, 0.8, 1.0)

    def options(self, picture: np.ndarray, setting: float) -> dict[str, Any]:
        """The wanted rate as a compression ratio."""
        planes = 1 if picture.ndim == 2 else 3
        options = {"irreversible": True, "quality_mode": "rates", "quality_layers": [8 * planes / setting]}
        return options | ({"mct": 1} if planes == 3 else {})


class WebP(_PillowCodec):
    """Lossy WebP."""

    name = "webp"
    format = "WEBP"
    feature = "webp"
    settings = (0, 1, 2, 4, 6, 9, 12, 16, 20, 25, 30, 35, 40, 50, 60, 70, 80, 90)

    def options(self, picture: np.ndarray, setting: float) -> dict[str, Any]:
        """The slowest method."""
        return {"quality": int(setting), "method": 6}


class Avif(_PillowCodec):
    """AVIF as Pillow makes it, at its slower speed 4."""

    name = "avif"
    format = "AVIF"
    feature = "avif"
    settings = (0, 1, 3, 6, 9, 12, 16, 20, 25, 30, 35, 40, 45, 50, 60, 70, 80)

    def options(self, picture: np.ndarray, setting: float) -> dict[str, Any]:
        """One thread, so that jobs do not fight for cores."""
        subsampling = "4:0:0" if picture.ndim == 2 else "4:2:0"
        return {"quality": int(setting), "speed": 4, "max_threads": 1, "subsampling": subsampling}


class AvifPsnr(Avif):
    """AVIF tuned for PSNR, with full chroma: the strongest of the codecs compared by that measure."""

    name = "avif-psnr"

    def options(self, picture: np.ndarray, setting: float) -> dict[str, Any]:
        """4:4:4 gains in PSNR over R, G and B."""
        subsampling = "4:0:0" if picture.ndim == 2 else "4:4:4"
        return super().options(picture, setting) | {"advanced": {"tune": "psnr"}, "subsampling": subsampling}


class _ModuleCodec(Codec):
    """A codec of a package that may be absent."""

    package: ClassVar[str]

    def check(self) -> None:
        """Raise DinpError if the package is missing."""
        if importlib.util.find_spec(self.package.replace("-", "_")) is None:
            raise DinpError(f"{self.name} needs the package {self.package}: install it, or leave it out with --codecs")

    def version(self) -> str:
        """Version of the package."""
        return f"{self.package} {importlib.metadata.version(self.package)}"


class JpegXl(_ModuleCodec):
    """JPEG XL, lossy, by imagecodecs."""

    name = "jpegxl"
    package = "imagecodecs"
    settings = (25, 20, 16, 13, 10, 8, 6.5, 5, 4, 3, 2.5, 2, 1.5, 1)

    def encode(self, picture: np.ndarray, setting: float) -> bytes:
        """A bare codestream."""
        import imagecodecs

        return imagecodecs.jpegxl_encode(picture, distance=setting, effort=7, numthreads=1)

    def decode(self, data: bytes) -> Image.Image:
        """The picture in a file."""
        import imagecodecs

        decoded = imagecodecs.jpegxl_decode(data, numthreads=1)
        return Image.fromarray(decoded[..., 0] if decoded.ndim == 3 and decoded.shape[2] == 1 else decoded)


class Heic(_ModuleCodec):
    """HEIC: HEVC intra pictures by x265, at its slowest but one preset."""

    name = "heic"
    package = "pillow-heif"
    settings = (0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 45, 50, 56, 62, 70)

    def encode(self, picture: np.ndarray, setting: float) -> bytes:
        """Grey pictures have one plane."""
        import pillow_heif

        image = pillow_heif.from_pillow(Image.fromarray(picture))
        buffer = io.BytesIO()
        chroma = {} if picture.ndim == 2 else {"chroma": 444}
        image.save(buffer, quality=int(setting), enc_params={"preset": "veryslow", "tune": "psnr"}, **chroma)
        return buffer.getvalue()

    def decode(self, data: bytes) -> Image.Image:
        """The picture in a file."""
        import pillow_heif

        return pillow_heif.open_heif(io.BytesIO(data)).to_pillow()


_OURS = (Dinp(), DinpNetwork(), DinpBest(), DinpPlain(), DinpNetworkPlain(), DinpBestPlain())
_OTHERS = (Jpeg(), Jpeg2000(), WebP(), Avif(), AvifPsnr(), JpegXl(), Heic())
CODECS: dict[str, Codec] = {codec.name: codec for codec in (*_OURS, *_OTHERS)}
COMPARED = ("dinp", "dinp-plain", "jpeg", "jpeg2000", "webp", "avif", "avif-psnr")


@cache
def prepared_codec(name: str) -> Codec:
    """A codec that has coded a small picture in this process: no other is charged for imports and loading weights."""
    codec = CODECS[name]
    picture = np.zeros((32, 32), np.uint8)
    for one in (picture, np.dstack([picture] * 3)):
        codec.run(one, codec.settings[-1])
    return codec


def codecs_named(names: Sequence[str]) -> list[Codec]:
    """The codecs of these names.

    Raises
    ------
    DinpError
        There is no codec of a name, or it is missing here.
    """
    for name in names:
        if name not in CODECS:
            raise DinpError(f"there is no codec {name}: choose among {', '.join(CODECS)}")
        CODECS[name].check()
    return [CODECS[name] for name in names]
