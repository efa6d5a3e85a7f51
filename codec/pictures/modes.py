"""Which pictures are taken, and how what Pillow opens becomes one: grey or RGB of 8 bits, with notices.

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
"""

import io

import numpy as np
from PIL import Image, ImageCms

from dinp.errors import DinpError
from dinp.limits import check_size
from dinp.pictures.opening import opened, sentence

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
