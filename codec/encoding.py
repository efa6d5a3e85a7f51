"""A coded picture and the report on it: what `dinp.encode_with_report` returns."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from dinp.bitstream.container import Container
    from dinp.pictures.picture import Picture


@dataclass(frozen=True)
class Encoding:
    """A coded picture and the report on it.

    Attributes
    ----------
    data : bytes
        The file.
    picture : Picture
        What was coded, see `dinp.pictures.picture`.
    density : float
        Known values per pixel of the first plane.
    seconds : float
        Wall-clock time of the encoding.
    notices : tuple of str
        What was converted before coding, see `dinp.pictures.modes`.
    show : callable
        Makes what `decode` makes of the file, which an encoding does not need: so it is made when first asked for.
    """

    data: bytes
    picture: Picture
    density: float
    seconds: float
    notices: tuple[str, ...]
    show: Callable[[], Picture] = field(repr=False, compare=False)

    @property
    def original(self) -> np.ndarray:
        """The samples that were coded, alpha as the last channel where there is one."""
        return self.picture.array()

    @cached_property
    def shown(self) -> Picture:
        """What `decode` makes of the file, up to rounding."""
        return self.show()

    @property
    def decoded(self) -> np.ndarray:
        """Samples of `shown`, of the original's shape and type."""
        return self.shown.array()

    @cached_property
    def psnr(self) -> float:
        """Peak signal-to-noise ratio in dB, over what is seen of all channels; the peak is the format's range."""
        from dinp.pictures.picture import picture_psnr

        return picture_psnr(self.picture, self.shown)

    @cached_property
    def largest_error(self) -> float:
        """Largest error of a sample that is seen, in the picture's own units; alpha aside."""
        from dinp.encoder.picture import largest_error

        return largest_error(self.picture, self.shown)

    @property
    def bpp(self) -> float:
        """Bits of the whole file per pixel."""
        return 8 * len(self.data) / (self.picture.samples.shape[0] * self.picture.samples.shape[1])


def encoded_losslessly(picture: Picture, start: float) -> Encoding:
    """The encoding of a picture without loss, begun at `start` by `time.perf_counter`."""
    from dinp.encoder.lossless import encode_losslessly

    data, container, notices = encode_losslessly(picture)
    return encoding_of_samples(picture, data, container, picture, start, notices)


def encoding_of_samples(
    picture: Picture, data: bytes, container: Container, shown: Picture, start: float, notices: tuple[str, ...] = ()
) -> Encoding:
    """The encoding of a file that holds samples themselves."""
    from dinp.assembly import describe_lossless_file

    report = describe_lossless_file(container)
    density = report.regions / (container.width * container.height) if report.regions else 1.0
    seconds = time.perf_counter() - start
    return Encoding(data, picture, density, seconds, picture.notices + notices, lambda: shown)
