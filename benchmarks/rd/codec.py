"""What a codec under test is: a small class with one `run`, and what a run gives.

A picture is a uint8 array, (H, W) grey or (H, W, 3) RGB; what counts of a file is all of it.
"""

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import ClassVar

import numpy as np
from PIL import Image, features

from dinp.errors import DinpError


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
    package: ClassVar[tuple[str, str] | None] = None  # the module that it needs, and what to install for it

    @abstractmethod
    def version(self) -> str:
        """What must be the same for a measurement to be repeatable."""

    def check(self) -> None:
        """Raise DinpError if the codec is missing: Pillow can be built without one, and some need a package."""
        if self.feature and not features.check(self.feature):
            raise DinpError(f"this Pillow comes without {self.name}: leave it out with --codecs")
        if self.package and not find_spec(self.package[0]):
            raise DinpError(
                f"{self.name} needs a package: pip install {self.package[1]}, or leave it out with --codecs"
            )

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
