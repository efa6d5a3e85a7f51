"""From pictures to planes and back: which pictures are taken, how colour is split, and how planes become a picture.

Pictures taken
--------------
A *picture* is a uint8 array, (H, W) for grey or (H, W, 3) for RGB. What Pillow opens becomes one as this table says;
where values or colours change, or the mode does, a notice tells:

    mode                        taken as                                                        notice
    L, RGB                      as it is                                                        no
    1                           grey, values 0 and 255                                          yes
    P                           RGB, or grey if all its colours are grey                        yes
    LA, La, PA, RGBA, RGBa,     its colours if every pixel is opaque, otherwise composited      yes
    a transparent colour        on white; grey where the colours of such a mode are
    CMYK, YCbCr, HSV, LAB, RGBX RGB by Pillow's conversion                                      yes
    I;16 (any byte order)       grey, values / 257 rounded; the notice tells the range          yes
    I                           like I;16 if all values lie in 0 to 65535, otherwise refused    yes
    RGB(A) of 16 bits a sample  the upper 8 bits (Pillow keeps no others)                       yes
    F, anything else            refused: how to scale it is not known
    several frames              the current frame, after opening the first; gain maps,          yes
                                thumbnails and layers are none
    colour profile but sRGB     dropped, values as they are                                     yes
    EXIF orientation            applied                                                         no
    other metadata              dropped                                                         no

Arrays that are pictures as defined above are taken, others refused. Pictures without pixels are refused.

Colour
------
Full-range BT.601 as in JPEG files (JFIF), in floating point without rounding:

    Y  = 0.299 R + 0.587 G + 0.114 B
    Cb = 128 + (B - Y) / 1.772
    Cr = 128 + (R - Y) / 1.402

Cb and Cr are halved in each direction by the mean of 2 x 2 pixels, where an odd side's last row or column counts twice.
The decoder doubles them by linear interpolation between sample centres, first down the columns, then along the rows:
an output pixel is 3/4 of the sample that covers it and 1/4 of the next nearest one, samples being repeated beyond the
border. Then

    R = Y + 1.402 (Cr - 128)
    B = Y + 1.772 (Cb - 128)
    G = (Y - 0.299 R - 0.114 B) / 0.587     (R, B before rounding)

and R, G, B, or Y alone in a grey file, become samples as `dinp.bitstream.samples` says: of 8 bits, floor(v + 1/2 +
1/32) limited to 0 to 255. In 4:4:4 files (layout 2) Cb and Cr are neither halved nor doubled.
"""

import io
import math
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageCms

from dinp.bitstream.samples import EIGHT_BITS, TIE, SampleFormat
from dinp.errors import DinpError
from dinp.kernels import kernels
from dinp.limits import check_size
from dinp.pictures.opening import opened, sentence
from dinp.threads import in_parallel

_RED, _GREEN, _BLUE = 0.299, 0.587, 0.114
_CB_SCALE, _CR_SCALE = 1.772, 1.402
_WEIGHTS = (_RED, _GREEN, _BLUE, _CB_SCALE, _CR_SCALE)
_ROWS = 256

_GREY_MODES = {"1", "L", "LA", "La"}
SIXTEEN_BIT_MODES = {"I;16", "I;16L", "I;16B", "I;16N"}
_COLOUR_MODES = {"CMYK", "YCbCr", "HSV", "LAB", "RGBX"}


def picture_from_image(image: Image.Image, *, max_pixels: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Picture of a Pillow image, and the notices about what was changed (see the table above).

    Raises
    ------
    DinpError
        The image has no pixels, more than `max_pixels`, is broken, or its mode is refused.
    """
    if image.width < 1 or image.height < 1:
        raise DinpError("the picture has no pixels")
    image, notices = opened(image, max_pixels=max_pixels)
    profile = _foreign_profile(image)
    if profile:
        notices.append(f"colour profile {profile} dropped: colours may look different")
    if image.mode in SIXTEEN_BIT_MODES or image.mode == "I":
        picture, notice = _from_sixteen_bits(image)
        return picture, (*notices, notice)
    image, notice = _to_grey_or_rgb(image)
    if notice:
        notices.append(notice)
    return np.asarray(image, dtype=np.uint8), tuple(notices)


def colours_and_alpha(image: Image.Image, *, grey: bool) -> tuple[Image.Image, np.ndarray | None, str | None]:
    """Image of mode L or RGB, its alpha (H, W) uint8 if it has one, and the notice about the conversion.

    A palette of greys is coded as grey only if `grey`.
    """
    mode = image.mode
    if mode == "F" or not image.has_transparency_data:
        if mode == "P" and not grey:
            return image.convert("RGB"), None, "picture of mode P coded as RGB"
        converted, notice = _to_grey_or_rgb(image)
        return converted, None, notice
    try:
        if mode == "LA":
            return image.getchannel(0), np.asarray(image.getchannel(1)), None
        straight = (image.convert("LA") if mode == "La" else image).convert("RGBA")
    except (ValueError, TypeError, OSError) as error:
        raise DinpError(f"a picture of mode {mode} cannot be converted: {sentence(error)}") from error
    colours, alpha = straight.convert("RGB"), np.asarray(straight.getchannel(3))
    if mode in _GREY_MODES:
        colours = colours.getchannel(0)
    elif mode in ("P", "PA") and grey:
        colours = _grey_if_possible(colours)
    told = None if mode == "RGBA" else f"picture of mode {mode} coded as {colours.mode}A"
    return colours, alpha, told


def picture_from_array(array: np.ndarray, *, max_pixels: int) -> np.ndarray:
    """The array itself if it is a picture: uint8, (H, W) or (H, W, 3), not empty, within the limit; else DinpError."""
    if isinstance(array, np.ma.MaskedArray):
        raise DinpError("a masked array is not a picture: fill it first")
    if array.dtype != np.uint8 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)):
        raise DinpError(
            f"an array of type {array.dtype} and shape {array.shape} is not a picture: "
            "give uint8 of shape (height, width) or (height, width, 3)"
        )
    if array.size == 0:
        raise DinpError("the picture has no pixels")
    check_size(array.shape[1], array.shape[0], max_pixels)
    return np.asarray(array)


def plane_shapes(height: int, width: int, *, colour: bool) -> list[tuple[int, int]]:
    """Shapes (rows, columns) of the planes of a picture: one if grey, three if colour."""
    half = (-(-height // 2), -(-width // 2))
    return [(height, width), half, half] if colour else [(height, width)]


def split_planes(picture: np.ndarray, *, halved: bool = True) -> list[np.ndarray]:
    """Planes of a picture: float64, nominally 0-255, chroma at half resolution if `halved`; mirror of `merge_planes`.

    The picture may be of any numbers on the grey axis.
    """
    if picture.ndim == 2:
        return [picture.astype(np.float64)]
    if kernels and halved and picture.dtype in (np.uint8, np.float64):
        picture = np.ascontiguousarray(picture)
        planes = [np.empty(shape) for shape in plane_shapes(*picture.shape[:2], colour=True)]
        _by_rows(lambda rows: kernels.split_planes(picture, _WEIGHTS, *planes, *picture.shape[:2], *rows), planes[1])
        return planes
    luma = _RED * picture[..., 0]
    luma += _GREEN * picture[..., 1]
    luma += _BLUE * picture[..., 2]
    if not halved:
        return [luma, 128 + (picture[..., 2] - luma) / _CB_SCALE, 128 + (picture[..., 0] - luma) / _CR_SCALE]
    cb = 128 + (_halve(picture[..., 2]) - _halve(luma)) / _CB_SCALE
    cr = 128 + (_halve(picture[..., 0]) - _halve(luma)) / _CR_SCALE
    return [luma, cb, cr]


def merge_planes(planes: list[np.ndarray], samples: SampleFormat = EIGHT_BITS) -> np.ndarray:
    """Picture of one (grey) or three (Y, Cb, Cr) float planes, samples of the format; mirror of `split_planes`."""
    luma = planes[0]
    if len(planes) == 1:
        return samples.from_axis(luma)
    picture = np.empty((*luma.shape, 3), dtype=samples.dtype)
    halved = [plane.shape for plane in planes] == plane_shapes(*luma.shape, colour=True)
    if kernels and halved and samples.dtype == np.uint8 and samples.ranges[0] == (0, 255):
        planes = [np.ascontiguousarray(plane, np.float64) for plane in planes]
        _by_rows(
            lambda rows: kernels.merge_planes(*planes, _WEIGHTS, 0.5 + TIE, picture, *luma.shape, *rows), planes[1]
        )
        return picture
    rest = luma
    for channel, weight, scale, plane in ((0, _RED, _CR_SCALE, planes[2]), (2, _BLUE, _CB_SCALE, planes[1])):
        values = plane - 128 if plane.shape == luma.shape else _double(plane - 128, luma.shape)
        values = values * scale + luma
        picture[..., channel] = samples.from_axis(values)
        rest = rest - weight * values
    picture[..., 1] = samples.from_axis(rest / _GREEN)
    return picture


def _by_rows(work: Callable[[tuple[int, int]], None], chroma: np.ndarray) -> None:
    """Do the work for all rows of a plane of chroma, some at a time."""
    count = len(chroma)
    in_parallel(work, [(first, min(first + _ROWS, count)) for first in range(0, count, _ROWS)])


def psnr(picture: np.ndarray, other: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of two pictures of one shape, over all samples; infinite if they are equal."""
    total = sum(np.square(a.astype(np.float64) - b).sum() for a, b in zip(picture, other, strict=True))
    return math.inf if total == 0 else 10 * math.log10(255**2 * picture.size / total)


def _foreign_profile(image: Image.Image) -> str | None:
    """Name of the embedded ICC profile, in quotes (empty if it tells none); None without a profile or if it is sRGB."""
    profile = image.info.get("icc_profile")
    if not profile:
        return None
    try:
        name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile))).strip()
    except Exception:  # a broken profile: dropped like any other
        name = ""
    return None if "srgb" in name.lower() else f"'{name}'"


def _from_sixteen_bits(image: Image.Image) -> tuple[np.ndarray, str]:
    """Grey picture of 16-bit values and the notice about it."""
    values = np.asarray(image)
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 0xFFFF:
        raise DinpError(
            f"integer values from {low} to {high} do not fit 16 bits: "
            "scale the picture to 8-bit grey or RGB before encoding"
        )
    picture = ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return picture, (f"16-bit grey values {low} to {high} coded as 8-bit values {picture.min()} to {picture.max()}")


def _to_grey_or_rgb(image: Image.Image) -> tuple[Image.Image, str | None]:
    """Image of mode L or RGB and the notice about the conversion, if there was one."""
    mode = image.mode
    try:
        if mode != "F" and image.has_transparency_data:
            return _without_alpha(image)
        if mode in ("L", "RGB"):
            return image, None
        if mode == "1":
            return image.convert("L"), "picture of mode 1 coded as grey"
        if mode == "P":
            image = _grey_if_possible(image.convert("RGB"))
        elif mode in _COLOUR_MODES:
            image = image.convert("RGB")
        else:
            raise DinpError(f"pictures of mode {mode} are not supported: convert to 8-bit grey or RGB before encoding")
    except (ValueError, TypeError, OSError, ImageCms.PyCMSError) as error:
        raise DinpError(f"a picture of mode {mode} cannot be converted: {sentence(error)}") from error
    return image, f"picture of mode {mode} coded as {'grey' if image.mode == 'L' else 'RGB'}"


def _without_alpha(image: Image.Image) -> tuple[Image.Image, str]:
    """Opaque image of mode L or RGB and the notice."""
    rgba = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
    if rgba.getextrema()[3][0] == 255:
        flat, how = rgba.convert("RGB"), "its alpha, opaque everywhere, is dropped"
    else:
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        flat, how = Image.alpha_composite(white, rgba).convert("RGB"), "composited on white"
    if image.mode in _GREY_MODES:
        flat = flat.getchannel(0)
    elif image.mode in ("P", "PA"):
        flat = _grey_if_possible(flat)
    return flat, f"picture of mode {image.mode} coded as {'grey' if flat.mode == 'L' else 'RGB'}: {how}"


def _grey_if_possible(image: Image.Image) -> Image.Image:
    """The image as L if its three channels agree everywhere."""
    red, green, blue = (image.getchannel(k) for k in range(3))
    same = red.tobytes() == green.tobytes() == blue.tobytes()
    return red if same else image


def _halve(plane: np.ndarray) -> np.ndarray:
    """Mean of 2 x 2 pixels, the last row and column counted twice where a side is odd."""
    padded = np.pad(plane, [(0, side % 2) for side in plane.shape], mode="edge").astype(np.float64)
    rows = padded[0::2] + padded[1::2]
    return (rows[:, 0::2] + rows[:, 1::2]) / 4


def _double(plane: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Linear interpolation to twice the size between sample centres, cropped to `shape`."""
    for axis, size in enumerate(shape):
        source = np.moveaxis(plane, axis, 0)
        before = np.concatenate([source[:1], source[:-1]])
        after = np.concatenate([source[1:], source[-1:]])
        target = np.empty((2 * len(source), source.shape[1]))
        target[0::2] = 0.75 * source + 0.25 * before
        target[1::2] = 0.75 * source + 0.25 * after
        plane = np.moveaxis(target[:size], 0, axis)
    return plane
