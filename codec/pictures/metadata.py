"""Colour profiles and descriptions, EXIF and XMP: what is kept in a file, and how orientation is made upright once."""

import io
import re
import zlib
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageCms

from dinp.errors import DinpError

_ORIENTATION = 0x0112
_MOST_BYTES = 1 << 26  # that a compressed chunk may become
_SAME = 1.5  # levels that colours of two equal profiles may differ by
_GAMMA = 0.45455
CICP_BYTES = 4
PQ, HLG = 16, 18  # transfer characteristics of ITU-T H.273


@dataclass(frozen=True)
class Metadata:
    """What stands beside the samples, as Pillow has it in `info`; None for what there is not.

    Attributes
    ----------
    icc, exif, xmp : bytes
        ICC profile; EXIF data with its leading "Exif\\0\\0"; XMP packet.
    cicp : bytes
        Colour primaries, transfer, matrix and full range flag of ITU-T H.273, where they are not those of sRGB.
    """

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    cicp: bytes | None = None

    def info(self) -> dict[str, bytes]:
        """As Pillow has it."""
        named = {"icc_profile": self.icc, "exif": self.exif, "xmp": self.xmp, "cicp": self.cicp}
        return {name: value for name, value in named.items() if value}


def metadata_of(image: Image.Image, *, strip: bool) -> tuple[Metadata, list[str]]:
    """Metadata of a Pillow image, upright, without EXIF and XMP if `strip`; and notices of what is not kept.

    A profile that is sRGB by what it does to colours is left out: that is what a file without one means.
    """
    notices = []
    icc = image.info.get("icc_profile") or None
    if icc and is_srgb(icc):
        icc = None
    exif = None if strip else image.info.get("exif") or None
    xmp = None if strip else image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or None
    if isinstance(xmp, str):
        xmp = xmp.encode()
    if not image.info.get("icc_profile") and "srgb" not in image.info and not image.info.get("cicp"):
        gamma = image.info.get("gamma")
        if gamma and abs(gamma / _GAMMA - 1) > 0.02:
            notices.append(f"gamma {gamma:g} of the picture is not applied: colours may look different")
        elif image.info.get("chromaticity") and not _is_bt709(image.info["chromaticity"]):
            notices.append("chromaticities of the picture are dropped: colours may look different")
    cicp = image.info.get("cicp") or None
    if cicp and cicp[1] in (PQ, HLG):
        notices.append(f"the picture is {'PQ' if cicp[1] == PQ else 'HLG'}: what does not read that shows it dull")
    return Metadata(icc, upright_exif(exif) if exif else None, upright_xmp(xmp) if xmp else None, cicp), notices


def matching(metadata: Metadata, mode: str) -> tuple[Metadata, str | None]:
    """The metadata without a profile that is none for pictures of a mode ("L", "RGB", ...), and the notice."""
    if metadata.icc is None:
        return metadata, None
    wanted = "GRAY" if mode in ("L", "LA", "I;16", "I", "F") else "RGB"
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(metadata.icc)).profile
        if profile.xcolor_space.strip() == wanted:
            return metadata, None
        name = (profile.profile_description or "").strip()
    except (OSError, ImageCms.PyCMSError, AttributeError):
        name = ""
    return replace(metadata, icc=None), f"colour profile '{name}' dropped: it does not fit the coded picture"


def to_srgb(image: Image.Image, icc: bytes) -> Image.Image:
    """The image of mode L, RGB, CMYK or LAB with a profile, converted to sRGB; DinpError if that cannot be done."""
    target = "L" if image.mode == "L" else "RGB"
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        if target == "L":
            image, grey = image.convert("L"), ImageCms.ImageCmsProfile(io.BytesIO(icc))
            if grey.profile.xcolor_space.strip() != "GRAY":
                return image
            rgb = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
            return rgb.getchannel(1)
        return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (OSError, ImageCms.PyCMSError, ValueError) as error:
        raise DinpError(f"the colour profile cannot be converted to sRGB: {error}") from error


def is_srgb(icc: bytes) -> bool:
    """Whether a profile does the same to colours as sRGB, up to rounding, whatever its name."""
    steps = np.linspace(0, 255, 9).round().astype(np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(27, 27, 3)
    colours = Image.fromarray(grid)
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        if source.profile.xcolor_space.strip() != "RGB":
            return False
        found = ImageCms.profileToProfile(colours, source, ImageCms.createProfile("sRGB"), renderingIntent=1)
    except (OSError, ImageCms.PyCMSError, ValueError, AttributeError):
        return False
    return float(np.abs(np.asarray(found).astype(int) - grid).max()) <= _SAME


def upright_exif(exif: bytes) -> bytes:
    """EXIF data whose orientation says 1; as it is where it is none or cannot be read."""
    start = 6 if exif[:6] == b"Exif\0\0" else 0
    order = {b"II": "little", b"MM": "big"}.get(exif[start : start + 2])
    if order is None:
        return exif
    data = bytearray(exif)

    def number(at: int, size: int) -> int:
        return int.from_bytes(data[at : at + size], order)

    at = start + number(start + 4, 4)
    for entry in range(at + 2, min(at + 2 + 12 * number(at, 2), len(data) - 11), 12):
        if number(entry, 2) == _ORIENTATION and number(entry + 2, 2) == 3:
            data[entry + 8 : entry + 10] = (1).to_bytes(2, order)
    return bytes(data)


def upright_xmp(xmp: bytes) -> bytes:
    """XMP whose orientation says 1."""
    xmp = re.sub(rb"(tiff:Orientation\s*=\s*[\"'])\d(?=[\"'])", rb"\g<1>1", xmp)
    return re.sub(rb"(<tiff:Orientation>\s*)\d(?=\s*</tiff:Orientation>)", rb"\g<1>1", xmp)


def deflated(content: bytes) -> bytes:
    """As chunks hold it."""
    return zlib.compress(content, 9)


def inflated(content: bytes) -> bytes:
    """Mirror of `deflated`; DinpError for what is damaged or too large."""
    decoder = zlib.decompressobj()
    try:
        data = decoder.decompress(content, _MOST_BYTES)
    except zlib.error:
        raise DinpError("the file is damaged: its metadata cannot be decompressed") from None
    if not decoder.eof or decoder.unused_data:
        raise DinpError("the file is damaged: its metadata is cut off, goes on or is too large")
    return data


def _is_bt709(chromaticity: tuple[float, ...]) -> bool:
    return bool(np.allclose(chromaticity, (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06), atol=0.002))
