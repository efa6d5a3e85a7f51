"""Formats of the pictures that a command writes: which one, and whether it keeps what it is given."""

import os
from io import BytesIO
from typing import TYPE_CHECKING

from dinp.errors import DinpError
from dinp.pictures import files
from dinp.pictures.arrays import ENDINGS

if TYPE_CHECKING:
    from PIL import Image

_OTHER_ENDINGS = {".jxl", ".heic", ".heif", ".svg", ".exr", ".hdr", ".npy", ".pfm", ".flo"}  # that Pillow may not know
_SAVE_OPTIONS = {"JPEG": {"quality": 95}, "WEBP": {"lossless": True}}


def picture_format(name: str) -> str:
    """Pillow's name of the format that an output is to have, or an ending of a file of numbers.

    DinpError if its ending tells none that can be written.
    """
    ending = os.path.splitext(name)[1].lower()
    if name == "-" or (not ending and files.is_special(name)):
        return "PNG"
    if ending in ENDINGS:
        return ending
    from PIL import Image

    Image.preinit()  # the usual formats: to know all of them takes a tenth of a second
    found = Image.EXTENSION.get(ending) or Image.registered_extensions().get(ending)
    if found not in Image.SAVE or found == "DINP":  # which dinp.pillow adds where it is imported
        told = f"the ending '{ending}'" if ending else "a name without an ending"
        raise DinpError(f"{told} does not tell a picture format to write: name the output like picture.png")
    return found


def check_dinp_ending(name: str) -> None:
    """Raise DinpError if a dinp file would get the ending of another picture format: that is asked for by mistake."""
    stem, ending = os.path.splitext(name)
    if ending.lower() in ("", ".dinp"):
        return
    from PIL import Image

    if ending.lower() in _OTHER_ENDINGS or ending.lower() in Image.registered_extensions():
        raise DinpError(
            f"a dinp file would have the ending '{ending}': name the output like {os.path.basename(stem)}.dinp, "
            "or use --force to have it so"
        )


def saved(picture: "Image.Image", into: str) -> bytes:
    """The picture as a file of a format."""
    buffer = BytesIO()
    beside = {name: picture.info[name] for name in ("icc_profile", "exif", "xmp") if picture.info.get(name)}
    if into == "PNG" and picture.info.get("cicp"):
        beside["pnginfo"] = _with_description(picture.info["cicp"])
    try:
        picture.save(buffer, into, **_SAVE_OPTIONS.get(into, {}), **beside)
    except (OSError, ValueError, KeyError, TypeError) as error:
        choice = "TIFF" if picture.mode in ("I", "F") else "PNG"
        raise DinpError(f"the picture cannot be saved as {into}: {error}: choose {choice}") from error
    return buffer.getvalue()


def _with_description(cicp: bytes) -> object:
    from PIL.PngImagePlugin import PngInfo

    chunks = PngInfo()
    chunks.add(b"cICP", cicp)
    return chunks


def kept(picture: "Image.Image", data: bytes) -> bool:
    """Whether a saved picture opens as it was, pixel by pixel."""
    from PIL import Image

    try:
        with Image.open(BytesIO(data)) as found:
            mode = "L" if picture.mode == "1" else picture.mode  # in which a grey that was black shows
            return found.size == picture.size and found.convert(mode).tobytes() == picture.convert(mode).tobytes()
    except Exception:  # Pillow's readers raise a dozen classes; a format may have none
        return False


def kept_note(picture: "Image.Image", data: bytes, into: str) -> list[str]:
    """What to tell of a picture that was saved in a format, if that does not keep it."""
    if into != "PNG" and picture.info.get("cicp"):
        return [f"{into} is not told the colour description (CICP) of the picture; PNG is"]
    if kept(picture, data):
        return []
    better = "TIFF" if picture.mode in ("I", "F") else "PNG"
    return [f"{into} does not keep the decoded values exactly; {better} does"]


def keeps_masks(into: str) -> bool:
    """Whether a format keeps a mask, tried on one that is larger than an icon and has points alone."""
    from PIL import Image

    trial = Image.new("1", (300, 290))
    for place in range(0, 290, 7):
        trial.putpixel((place, (31 * place) % 290), 1)
    return kept(trial, saved(trial, into))
