"""Pictures to code, from Pillow images and arrays.

Arrays taken
------------
    type                           shapes                    taken as
    uint8                          (H, W), (H, W, 1)         grey
                                   (H, W, 3)                 RGB
                                   (H, W, 2), (H, W, 4)      the same with alpha
    bool                           (H, W), (H, W, 1)         grey, 0 and 255
    uint16, uint32, int8, int16,   (H, W), (H, W, 1)         grey, with the range of its values
    int32, float16, -32, -64       (H, W, 3)                 RGB, one range
                                   (H, W, 2), (H, W, 4)      planes as they are, one range each
    any of these, planes=True      (H, W, 1) to (H, W, 4)    planes as they are

Holes
-----
Samples that are NaN or infinite are holes: "no measurement". `holes` names another value, or a mask. By itself a 0 of
unsigned samples of more than 8 bits in a grey picture is taken for one, as depth cameras mean it, where all other
values are larger than 1/64 of the largest. Holes are kept exactly, and their surroundings do not see them. Colours have
one mark for all channels: where these have several, it is NaN, or 0 of integers.
"""

import math
from dataclasses import replace

import numpy as np
from PIL import Image

from dinp.bitstream.container import COLOUR_420, GREY, PLANES
from dinp.bitstream.samples import EIGHT_BITS, FLOAT, SIGNED, UNSIGNED, SampleFormat
from dinp.errors import DinpError
from dinp.limits import check_size
from dinp.pictures.metadata import matching, metadata_of, to_srgb
from dinp.pictures.modes import SIXTEEN_BIT_MODES, colours_and_alpha
from dinp.pictures.opening import opened
from dinp.pictures.picture import Holes, Palette, Picture

HOLE_GAP = 64
DEEPEST = 4  # of the depths that pictures get: what is finer is left to residuals
_MARKS = 4  # different values that mark holes: infinities, NaN, one that is given


def picture_of_array(
    array: np.ndarray, *, max_pixels: int, planes: bool = False, holes: "float | np.ndarray | None" = None
) -> Picture:
    """The picture of an array (see the table above).

    Raises
    ------
    DinpError
        It is none, too large, or has no sample that is not a hole.
    """
    if isinstance(array, np.ma.MaskedArray):
        raise DinpError("a masked array is not a picture: fill it first")
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.dtype == bool:
        array = array.astype(np.uint8) * 255
    kinds = {"u": (1, 2, 4), "i": (1, 2, 4), "f": (2, 4, 8)}
    if array.ndim not in (2, 3) or array.dtype.itemsize not in kinds.get(array.dtype.kind, ()) or not channels <= 4:
        raise DinpError(
            f"an array of type {array.dtype} and shape {array.shape} is not a picture: "
            "give numbers of shape (height, width) or (height, width, 1 to 4)"
        )
    if array.size == 0:
        raise DinpError("the picture has no pixels")
    check_size(array.shape[1], array.shape[0], max_pixels)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if channels == 1 and array.ndim == 3:
        array = array[..., 0]
    eight = array.dtype == np.uint8
    if planes or (not eight and channels in (2, 4)):
        return _ranged(array if array.ndim == 3 else array[..., None], PLANES, holes)
    alpha = None
    if eight and channels in (2, 4):
        array, alpha = array[..., :-1].squeeze(2) if channels == 2 else array[..., :3], array[..., -1]
    layout = GREY if array.ndim == 2 else COLOUR_420
    if eight:
        found = _holes(array, layout, holes, EIGHT_BITS) if holes is not None else ()
        return Picture(array, layout, EIGHT_BITS, alpha, found)
    return _ranged(array, layout, holes)


def picture_of(
    image: Image.Image | np.ndarray,
    *,
    max_pixels: int,
    holes: float | np.ndarray | None = None,
    planes: bool = False,
    srgb: bool = False,
    strip: bool = False,
    indices: bool = False,
) -> Picture:
    """A picture of whatever `dinp.encode` is given, see `picture_of_image` and `picture_of_array`."""
    if isinstance(image, Image.Image):
        if not planes:
            return picture_of_image(image, max_pixels=max_pixels, holes=holes, srgb=srgb, strip=strip, indices=indices)
        image = np.asarray(image)
    if not isinstance(image, np.ndarray):
        raise DinpError(f"a picture must be a Pillow image or an array, not {type(image).__name__}")
    return picture_of_array(image, max_pixels=max_pixels, planes=planes, holes=holes)


def picture_of_image(
    image: Image.Image,
    *,
    max_pixels: int,
    holes: "float | np.ndarray | None" = None,
    srgb: bool = False,
    strip: bool = False,
    indices: bool = False,
) -> Picture:
    """The picture of a Pillow image (see `dinp.pictures.modes` for modes), in sRGB if `srgb`, bare if `strip`.

    With `indices` one of mode P is that of its indices, with a palette.

    Raises
    ------
    DinpError
        The image has no pixels, more than `max_pixels`, is broken, or its mode is refused.
    """
    image, notices = opened(image, max_pixels=max_pixels)
    metadata, told = metadata_of(image, strip=strip)
    notices += told
    if metadata.icc and (srgb or image.mode in ("CMYK", "LAB")):
        image, metadata = _converted(image, metadata.icc), replace(metadata, icc=None)
        notices.append("colours converted to sRGB")
    if indices and image.mode == "P":
        picture = picture_of_array(np.asarray(image), max_pixels=max_pixels)
        metadata, _ = matching(metadata, "RGB")
        return replace(picture, palette=_palette_of(image, picture.samples), metadata=metadata, notices=tuple(notices))
    if image.mode in SIXTEEN_BIT_MODES or image.mode in ("I", "F"):
        picture = picture_of_array(np.asarray(image), max_pixels=max_pixels, holes=holes)
    else:
        colours, alpha, notice = colours_and_alpha(image, grey=metadata.icc is None)
        notices += [notice] if notice else []
        picture = picture_of_array(np.asarray(colours, dtype=np.uint8), max_pixels=max_pixels, holes=holes)
        picture = replace(picture, alpha=alpha)
    metadata, notice = matching(metadata, "L" if picture.samples.ndim == 2 else "RGB")
    notices += [notice] if notice else []
    return replace(picture, metadata=metadata, notices=tuple(notices))


def _palette_of(image: Image.Image, samples: np.ndarray) -> Palette:
    """The palette up to the last colour in use, black where Pillow has none."""
    mode = "RGBA" if image.has_transparency_data else "RGB"
    if mode == "RGBA":
        image = image.copy()
        image.apply_transparency()
    colours = np.array(image.getpalette(mode), dtype=np.uint8).reshape(-1, len(mode))
    used = np.zeros((int(samples.max()) + 1, len(mode)), dtype=np.uint8)
    count = min(len(used), len(colours))
    used[:count] = colours[:count]
    return Palette(used)


def _converted(image: Image.Image, icc: bytes) -> Image.Image:
    """The image in sRGB, its alpha kept."""
    if image.mode in ("L", "RGB", "CMYK", "LAB"):
        return to_srgb(image, icc)
    if image.mode == "LA":
        converted, alpha = to_srgb(image.getchannel(0), icc), image.getchannel(1)
    else:
        straight = image.convert("RGBA")
        converted, alpha = to_srgb(straight.convert("RGB"), icc), straight.getchannel(3)
        if not image.has_transparency_data:
            return converted
    converted.putalpha(alpha)
    return converted


def _ranged(array: np.ndarray, layout: int, holes: "float | np.ndarray | None") -> Picture:
    """A picture whose format has the range of its samples."""
    kind = {"u": UNSIGNED, "i": SIGNED, "f": FLOAT}[array.dtype.kind]
    bits = 8 * array.dtype.itemsize
    plain = SampleFormat(kind, bits, 0, ())
    found = _holes(array, layout, holes, plain)
    channels = [array] if array.ndim == 2 else list(np.moveaxis(array, 2, 0))
    ranges = []
    for number, channel in enumerate(channels):
        masks = [h.mask for h in found if number in h.planes]
        seen = channel[~np.logical_or.reduce(masks)] if masks else channel
        if seen.size == 0:
            seen = np.zeros(1, array.dtype)
        ranges.append((seen.min().item(), seen.max().item()))
    if layout != PLANES:
        ranges = [(min(low for low, _ in ranges), max(high for _, high in ranges))]
    if any(not math.isfinite(high - low) for low, high in ranges):
        raise DinpError("the range of the picture's values is too large: scale it before encoding")
    widest = max(high - low for low, high in ranges)
    depth = DEEPEST if kind == FLOAT else min(max(math.ceil(math.log2(widest + 1)) - 8, 0), DEEPEST)
    if kind == UNSIGNED and layout != PLANES:  # as few as hold the samples and the holes
        most = max([high for _, high in ranges] + [int(h.value) for h in found])
        bits = bits if bits > 16 else max(int(most).bit_length(), 9)
        bits = bits if bits > 8 else 9
    return Picture(array, layout, SampleFormat(kind, bits, depth, tuple(ranges)), holes=found)


def _holes(
    array: np.ndarray, layout: int, given: "float | np.ndarray | None", plain: SampleFormat
) -> tuple[Holes, ...]:
    """Holes of an array: what is given, what is not finite, and 0 where depth cameras mean it."""
    channels = [array] if array.ndim == 2 else list(np.moveaxis(array, 2, 0))
    together = layout != PLANES
    if isinstance(given, np.ndarray):
        if given.dtype != np.bool_ or given.shape != array.shape[:2]:
            raise DinpError("holes must be a value, or a boolean array as large as the picture")
        masks = [given] * len(channels)
    else:
        masks = [_hole_mask(channel, given, plain, alone=array.ndim == 2) for channel in channels]
    none = math.nan if array.dtype.kind == "f" else 0  # where a mask was given over measurements: they are not kept
    served = [(number,) for number in range(len(channels))]
    if together:
        served = [tuple(range(len(channels)))]
        channels, masks = [_common_mark(channels, masks, none)], [np.logical_or.reduce(masks)]
    found: dict[tuple[bytes, str], tuple[list[int], np.ndarray, float]] = {}
    for numbers, channel, mask in zip(served, channels, masks, strict=True):
        values = np.unique(channel[mask])
        if values.size > _MARKS:
            values = np.array([none])
            parts = [mask]
        else:
            parts = [mask & (np.isnan(channel) if v != v else channel == v) for v in values]
        for value, part in zip(values.tolist(), parts, strict=True):
            key = (np.packbits(part).tobytes(), repr(value))
            found.setdefault(key, ([], part, value))[0].extend(numbers)
    return tuple(Holes.of(tuple(numbers), part, value) for numbers, part, value in found.values())


def _common_mark(channels: list[np.ndarray], masks: list[np.ndarray], none: float) -> np.ndarray:
    """What marks each hole of colours, one value for all channels: that of those that have a hole, if they agree."""
    mark = channels[0].copy()
    seen = masks[0].copy()
    for channel, mask in zip(channels[1:], masks[1:], strict=True):
        mark[seen & mask & (channel != mark) & ~((channel != channel) & (mark != mark))] = none
        fresh = mask & ~seen
        mark[fresh] = channel[fresh]
        seen |= mask
    return mark


def _hole_mask(channel: np.ndarray, given: float | None, plain: SampleFormat, *, alone: bool) -> np.ndarray:
    mask = ~np.isfinite(channel) if channel.dtype.kind == "f" else np.zeros(channel.shape, dtype=bool)
    if given is not None and not (isinstance(given, float) and math.isnan(given)):
        return mask | (channel == given)
    if given is None and alone and plain.type == UNSIGNED and plain.bits > 8:
        some = channel[channel > 0]
        if 0 < some.size < channel.size and int(some.min()) * HOLE_GAP > int(some.max()):
            return channel == 0
    return mask
