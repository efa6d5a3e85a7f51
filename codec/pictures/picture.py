"""Pictures as they are coded: samples of any format, alpha, holes and metadata; errors between two; Pillow images."""

import math
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from dinp.bitstream.container import GREY, PLANES
from dinp.bitstream.samples import EIGHT_BITS, FLOAT, SampleFormat
from dinp.errors import DinpError
from dinp.pictures.metadata import Metadata

_TYPES = {"F": np.float32, "I;16": np.uint16, "I": np.int32}


@dataclass(frozen=True)
class Holes:
    """Samples without a measurement: numbers of the planes, their mask, the value that marks them.

    The mask is kept in bits: a file of few bytes can have several.
    """

    planes: tuple[int, ...]
    bits: np.ndarray
    shape: tuple[int, int]
    value: float

    @classmethod
    def of(cls, planes: tuple[int, ...], mask: np.ndarray, value: float) -> "Holes":
        """Holes where a mask (H, W) bool is set."""
        return cls(planes, np.packbits(mask), mask.shape, value)

    @property
    def mask(self) -> np.ndarray:
        """(H, W) bool, made anew each time."""
        height, width = self.shape
        return np.unpackbits(self.bits, count=height * width).view(bool).reshape(height, width)


@dataclass(frozen=True)
class Palette:
    """Colours by number: `colours` (n, 3) or, with alpha, (n, 4) uint8, n at most 256."""

    colours: np.ndarray


@dataclass(frozen=True)
class Picture:
    """A picture to code, or decoded.

    Attributes
    ----------
    samples : (H, W), (H, W, 3) or (H, W, n)
        Of `format.dtype`.
    layout : int
        GREY, COLOUR_420 (any colour) or PLANES.
    format : SampleFormat
    alpha : (H, W) uint8, optional
    holes : tuple of Holes
    metadata : Metadata
    palette : Palette, optional
        Colours that the samples stand for; grey pictures of 8 bits only.
    notices : tuple of str
    """

    samples: np.ndarray
    layout: int
    format: SampleFormat = EIGHT_BITS
    alpha: np.ndarray | None = None
    holes: tuple[Holes, ...] = ()
    metadata: Metadata = field(default_factory=Metadata)
    palette: "Palette | None" = None
    notices: tuple[str, ...] = ()

    @property
    def channels(self) -> list[np.ndarray]:
        """Samples of each channel, (H, W)."""
        return [self.samples] if self.samples.ndim == 2 else list(np.moveaxis(self.samples, 2, 0))

    def range(self, channel: int) -> tuple[float, float]:
        """Least and largest sample of a channel's axis."""
        return self.format.ranges[min(channel, len(self.format.ranges) - 1)]

    def unseen(self, channel: int) -> np.ndarray | None:
        """Where a channel's samples do not matter, (H, W) bool: holes, and colours under alpha 0; None for nowhere."""
        masks = [holes.mask for holes in self.holes if channel in holes.planes]
        if self.alpha is not None and self.format == EIGHT_BITS:
            masks.append(self.alpha == 0)
        masks = [mask for mask in masks if mask.any()]
        return np.logical_or.reduce(masks) if masks else None

    def array(self) -> np.ndarray:
        """Samples with alpha as the last channel, where there is one."""
        if self.alpha is None:
            return self.samples
        return np.dstack([self.samples, self.alpha])


def errors(picture: Picture, other: Picture, number: int) -> np.ndarray:
    """Errors of a channel's samples, float64: (H, W), 0 where they are not seen."""
    wanted, shown = picture.channels[number], other.channels[number]
    unseen = picture.unseen(number)
    if unseen is not None:  # infinities may be there
        wanted, shown = (np.where(unseen, 0, samples) for samples in (wanted, shown))
    return wanted.astype(np.float64) - shown


def psnr(picture: np.ndarray, other: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of two pictures of one shape, over all samples; infinite if they are equal."""
    total = sum(np.square(a.astype(np.float64) - b).sum() for a, b in zip(picture, other, strict=True))
    return math.inf if total == 0 else 10 * math.log10(255**2 * picture.size / total)


def picture_psnr(picture: Picture, other: Picture) -> float:
    """Peak signal-to-noise ratio in dB over the samples that are seen; the peak of each channel is its range."""
    total, count = 0.0, 0
    for number in range(len(picture.channels)):
        low, high = picture.range(number)
        unseen = picture.unseen(number)
        total += float(np.sum(errors(picture, other, number) ** 2)) / ((high - low) ** 2 or 1)
        count += picture.channels[number].size - (0 if unseen is None else int(unseen.sum()))
    return math.inf if total == 0 else 10 * math.log10(count / total)


def mode_of_samples(samples: SampleFormat, layout: int, *, alpha: bool) -> str:
    """Pillow's mode for a picture; DinpError if it has none."""
    eight = samples.dtype == np.uint8
    held = samples.type == FLOAT or samples.limits()[1] <= np.iinfo(np.int32).max
    if layout == PLANES or (not eight and (layout != GREY or alpha)) or not held:
        kind = "planes as they are" if layout == PLANES else f"these {samples.name} samples"
        raise DinpError(f"Pillow has no mode for {kind}: use decode_array, or name the output like values.npy")
    if eight:
        return ("L" if layout == GREY else "RGB") + ("A" if alpha else "")
    if samples.type == FLOAT:
        return "F"
    return "I;16" if samples.dtype == np.uint16 else "I"


def pillow_image(picture: Picture) -> Image.Image:
    """The Pillow image of a picture, with its metadata in `info`; DinpError if Pillow has no mode for it."""
    mode = mode_of_samples(picture.format, picture.layout, alpha=picture.alpha is not None)
    image = Image.fromarray(picture.array().astype(_TYPES.get(mode, np.uint8), copy=False))
    if picture.palette is not None:
        colours = picture.palette.colours
        image.putpalette(colours.tobytes(), "RGB" if colours.shape[1] == 3 else "RGBA")
    image.info.update(picture.metadata.info())
    return image
