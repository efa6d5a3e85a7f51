"""Loading what Pillow has opened, and what of the file it leaves out: other frames, and bits of deep samples."""

import re
from contextlib import suppress

from PIL import Image, ImageOps, TiffImagePlugin

from dinp.errors import DinpError
from dinp.limits import check_size, larger_than_it_says

_DEEP_MODES = {"I", "F", "I;16", "I;16L", "I;16B", "I;16N"}
_HEAD = 1 << 16  # bytes in which a file tells how deep its samples are
_SUBFILE, _BITS = 254, 258  # tags of TIFF
_REDUCED_OR_MASK = 0b101  # of the tag _SUBFILE: a page that is a thumbnail, or a mask
_MP_ENTRIES = 0xB002
_SRGB_OR_UNKNOWN = {bytes(pair) for pair in ((1, 13), (1, 1), (1, 6), (2, 2), (1, 2), (2, 13))}
# of a picture, not of how TIFF stores it: description, make, model, orientation, resolution, software, date, artist,
# host, copyright, EXIF and GPS directories, titles and comments
_DESCRIPTIVE = {270, 271, 272, 274, 282, 283, 296, 305, 306, 315, 316, 33432, 34665, 34853, *range(40091, 40096)}


def opened(image: Image.Image, *, max_pixels: int) -> tuple[Image.Image, list[str]]:
    """A Pillow image, loaded and upright, and notices of what it lost.

    Raises
    ------
    DinpError
        The image has no pixels, more than `max_pixels`, or is broken or closed.
    """
    if image.width < 1 or image.height < 1:
        raise DinpError("the picture has no pixels")
    check_size(image.width, image.height, max_pixels)
    notices = []
    bits = _bits_per_sample(image)
    beside = _left_out(image)
    try:
        if _has_other_frames(image):
            notices.append(f"only frame {image.tell() + 1} of several is coded")
        image.load()
    except MemoryError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise larger_than_it_says() from error
    except Exception as error:  # Pillow's readers raise a dozen classes on damaged files
        if getattr(image, "fp", image) is None or "closed" in str(error):
            raise DinpError("the picture is closed: encode it while it is open, or call its load() before") from error
        raise DinpError(f"the picture cannot be read: {sentence(error)}") from error
    check_size(image.width, image.height, max_pixels)  # of an icon the directory may have told another size
    info, image = image.info, _upright(image)
    image.info = {**image.info, **beside, **info}  # EXIF data as they were: `upright_exif` says that they are upright
    if bits > 8 and image.mode not in _DEEP_MODES:
        notices.append(f"picture of {bits} bits per sample coded with 8")
    return image, notices


def _has_other_frames(image: Image.Image) -> bool:
    """Whether a file has further pictures in their own right: thumbnails, gain maps, masks and layers are none."""
    if not getattr(image, "is_animated", False) or image.format == "PSD":  # of which the merged picture is coded
        return False
    if image.format == "MPO":
        types = [entry["Attribute"]["MPType"] for entry in image.mpinfo[_MP_ENTRIES]]
        return any(kind.startswith("Multi-Frame") for kind in types)
    if image.format == "TIFF" and image.tell() == 0:
        with suppress(Exception):  # a damaged directory: pages that cannot be told apart are told
            return any(not page.get(_SUBFILE, 0) & _REDUCED_OR_MASK for page in _further_pages(image))
    return True


def _further_pages(image: TiffImagePlugin.TiffImageFile) -> list[TiffImagePlugin.ImageFileDirectory_v2]:
    """Directories of the pages after the first."""
    place = image.fp.tell()
    try:
        image.fp.seek(0)
        head = image.fp.read(8)
        head += image.fp.read(8) if head[2] == 43 else b""  # BigTIFF
        pages, following = [], image.tag_v2.next
        while following and len(pages) < image.n_frames:
            image.fp.seek(following)
            page = TiffImagePlugin.ImageFileDirectory_v2(head)
            page.load(image.fp)
            pages.append(page)
            following = page.next
        return pages
    finally:
        image.fp.seek(place)


def _bits_per_sample(image: Image.Image) -> int:
    """Bits of the samples in the file, where Pillow may keep but 8 of them; 8 where nothing tells more."""
    with suppress(Exception):  # what tells nothing
        if "bit_depth" in image.info:  # HEIF, by its plugin
            return int(image.info["bit_depth"])
        if image.format == "TIFF":
            return max(image.tag_v2.get(_BITS, (8,)))
        codec, *_, arguments = image.tile[0] if getattr(image, "tile", None) else ("",)
        if image.format == "PPM" and isinstance(arguments, tuple):
            return max(8, int(arguments[1]).bit_length())
        raw = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
        packed = str(raw).startswith("BGR")  # 5, 6 and 5 bits in 16
        if codec == "SGI16" or (re.search(r";16", str(raw)) and not packed):
            return 16
        if image.format == "JPEG2000" and (at := (head := _head(image)).find(b"\xff\x4f\xff\x51")) >= 0:
            return (head[at + 42] & 0x7F) + 1  # Ssiz of the first component
        if image.format == "AVIF" and (at := (head := _head(image)).find(b"av1C")) >= 0:
            flags = head[at + 6]
            return 8 if not flags & 0x40 else 12 if flags & 0x20 else 10
    return 8


def _left_out(image: Image.Image) -> dict[str, bytes]:
    """Entries of `info` that Pillow does not make: "cicp", a colour description, and "exif" of what TIFF tells."""
    found = {}
    with suppress(Exception):  # what tells nothing
        description = _colour_description(image)
        if description and description[:2] not in _SRGB_OR_UNKNOWN:
            found["cicp"] = description
        if image.format == "TIFF" and (exif := image.getexif()):
            for tag in set(exif) - _DESCRIPTIVE:
                del exif[tag]
            if exif:
                found["exif"] = exif.tobytes()
    return found


def _colour_description(image: Image.Image) -> bytes | None:
    """Primaries, transfer, matrix and full range flag that a file gives its samples, as they are in R, G and B."""
    if "nclx_profile" in image.info:  # HEIF, by its plugin
        profile = image.info["nclx_profile"]
        return bytes([profile["color_primaries"], profile["transfer_characteristics"], 0, 1])
    if image.format == "PNG":
        head = _head(image)
        at = head[: head.find(b"IDAT")].find(b"cICP")
        return head[at + 4 : at + 8] if at >= 0 else None
    if image.format == "AVIF" and (at := (head := _head(image)).find(b"colrnclx")) >= 0:
        return bytes([head[at + 9], head[at + 11], 0, 1])
    return None


def _head(image: Image.Image) -> bytes:
    place = image.fp.tell()
    image.fp.seek(0)
    try:
        return image.fp.read(_HEAD)
    finally:
        image.fp.seek(place)


def _upright(image: Image.Image) -> Image.Image:
    """The image turned as its EXIF orientation says; unreadable EXIF data is no reason to refuse a picture."""
    try:
        return ImageOps.exif_transpose(image)
    except MemoryError:
        raise
    except Exception:
        return image


def sentence(error: Exception) -> str:
    """Text of an exception as the end of a sentence."""
    return (str(error).strip().rstrip(".") or type(error).__name__).splitlines()[0]
