"""dinp: an image codec that rebuilds pictures by diffusion inpainting.

>>> import dinp
>>> data = dinp.encode(image, quality=50)  # Pillow image or uint8 array -> bytes
>>> dinp.decode(data).save("picture.png")  # bytes -> Pillow image of mode L or RGB
>>> dinp.info(data)["bpp"]                 # what is in it, without decoding

What only one of the three needs is imported when it is called; none of them imports torch.
"""

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from PIL import Image

from dinp._version import FORMAT_VERSION, __version__
from dinp.bitstream.container import COLOUR_420, GREY, Container, pack, unpack
from dinp.errors import DinpError, DinpNotice
from dinp.limits import MAX_PIXELS
from dinp.pictures.planes import merge_planes, picture_from_array, picture_from_image, psnr, split_planes

__all__ = [
    "FORMAT_VERSION",
    "MAX_PIXELS",
    "DinpError",
    "DinpNotice",
    "Encoding",
    "__version__",
    "decode",
    "encode",
    "encode_with_report",
    "info",
]

Progress = Callable[[float], None]
PLANE_NAMES = {False: ("grey",), True: ("Y", "Cb", "Cr")}


@dataclass(frozen=True)
class Encoding:
    """A coded picture and the report on it.

    Attributes
    ----------
    data : bytes
        The file.
    original : ndarray of uint8
        The picture that was coded, (H, W) or (H, W, 3).
    density : float
        Known values per pixel of the first plane.
    seconds : float
        Wall-clock time of the encoding.
    notices : tuple of str
        What was converted before coding, see `dinp.pictures.planes`.
    show : callable
        Makes `decoded`, which an encoding does not need: so it is made when it is first asked for.
    """

    data: bytes
    original: np.ndarray
    density: float
    seconds: float
    notices: tuple[str, ...]
    show: Callable[[], np.ndarray] = field(repr=False, compare=False)

    @cached_property
    def decoded(self) -> np.ndarray:
        """What `decode` makes of the file, up to rounding: uint8 of the original's shape."""
        return self.show()

    @cached_property
    def psnr(self) -> float:
        """Peak signal-to-noise ratio of `decoded` in dB, over R, G and B for colour."""
        return psnr(self.original, self.decoded)

    @property
    def bpp(self) -> float:
        """Bits of the whole file per pixel."""
        return 8 * len(self.data) / (self.original.shape[0] * self.original.shape[1])


def encode(
    image: Image.Image | np.ndarray,
    *,
    quality: float | None = None,
    target_bytes: int | None = None,
    target_psnr: float | None = None,
    effort: int = 2,
    restore: bool = True,
    mask: np.ndarray | None = None,
    max_pixels: int = MAX_PIXELS,
    progress: Progress | None = None,
) -> bytes:
    """Code a picture.

    Parameters
    ----------
    image : PIL image or ndarray
        A Pillow image (`dinp.pictures.planes` tells which modes are taken, converted or refused), or a uint8 array of
        shape (height, width) or (height, width, 3). Conversions are told by a `DinpNotice` warning.
    quality : float, optional
        0 (smallest file) to 100 (best picture); 50 where neither it nor a target is given.
    target_bytes : int, optional
        In place of a quality: the best picture in at most so many bytes, found by a search.
    target_psnr : float, optional
        In place of a quality: the smallest file with at least this PSNR in dB, found by a search.
    effort : int
        1: the network places all points; 2: it places three quarters of them, and the rest go where the error is
        largest, values being tuned to what the restoration adds; 3: five more rounds of moving points, and values and
        levels that are chosen along the gradient through the restoration.
    restore : bool
        Whether the decoder is to restore planes where that makes them better, see `dinp.restoration`.
    mask : (height, width) bool array, optional
        An inpainting mask of your own for the grey or luma plane, in place of the learned tree of cells.
    max_pixels : int
        Pictures with more pixels are refused.
    progress : callable, optional
        Called now and then with the done fraction, 0 to 1; a search starts again from 0 at each trial.

    Returns
    -------
    bytes
        A dinp file.

    Raises
    ------
    DinpError
        The picture, the quality or the effort cannot be used, or no quality reaches the target.
    """
    encoding = encode_with_report(
        image,
        quality=quality,
        target_bytes=target_bytes,
        target_psnr=target_psnr,
        effort=effort,
        restore=restore,
        mask=mask,
        max_pixels=max_pixels,
        progress=progress,
    )
    for notice in encoding.notices:
        warnings.warn(notice, DinpNotice, stacklevel=2)
    return encoding.data


def encode_with_report(
    image: Image.Image | np.ndarray,
    *,
    quality: float | None = None,
    target_bytes: int | None = None,
    target_psnr: float | None = None,
    effort: int = 2,
    restore: bool = True,
    mask: np.ndarray | None = None,
    max_pixels: int = MAX_PIXELS,
    progress: Progress | None = None,
) -> Encoding:
    """Like `encode`, but returns the file with its quality figures, and the notices instead of warning of them."""
    start = time.perf_counter()
    if sum(given is not None for given in (quality, target_bytes, target_psnr)) > 1:
        raise DinpError("quality, target_bytes and target_psnr exclude one another: give one of them")
    quality = 50 if quality is None else quality
    check_quality(quality)
    notices: tuple[str, ...] = ()
    if isinstance(image, Image.Image):
        original, notices = picture_from_image(image, max_pixels=max_pixels)
    elif isinstance(image, np.ndarray):
        original = picture_from_array(image, max_pixels=max_pixels)
    else:
        raise DinpError(f"a picture must be a Pillow image or a uint8 array, not {type(image).__name__}")

    if mask is not None:
        _check_mask(mask, original.shape[:2])

    from dinp.encoder.placement import EFFORTS
    from dinp.encoder.planes import EncodedPicture, encode_planes
    from dinp.encoder.targets import psnr_target, search, size_target
    from dinp.models import load_tree_model, shipped_restoration

    if effort not in EFFORTS:
        raise DinpError(f"effort must be one of {', '.join(map(str, EFFORTS))}, not {effort!r}")
    planes = split_planes(original)
    height, width = original.shape[:2]
    model = None if mask is not None and len(planes) == 1 else load_tree_model()
    restoration = shipped_restoration(EFFORTS[effort].restoration) if restore else None

    def code(quality: float, previous: tuple[EncodedPicture, Encoding] | None) -> tuple[EncodedPicture, Encoding]:
        coded = encode_planes(
            planes,
            quality=float(quality),
            tree_model=model,
            mask=mask,
            effort=EFFORTS[effort],
            restoration=restoration,
            start=previous and previous[0],
            progress=progress,
        )
        layout = COLOUR_420 if original.ndim == 3 else GREY
        data = pack(Container(width, height, layout, tuple(coded.sections)))
        seconds = time.perf_counter() - start
        return coded, Encoding(data, original, coded.density, seconds, notices, coded.show)

    if target_bytes is not None:
        return search(code, size_target(target_bytes, lambda result: len(result[1].data)))[1]
    if target_psnr is not None:
        return search(code, psnr_target(target_psnr, lambda result: result[1].psnr))[1]
    return code(quality, None)[1]


def decode(
    data: bytes, *, restore: bool = True, max_pixels: int = MAX_PIXELS, progress: Progress | None = None
) -> Image.Image:
    """Decode a dinp file to a Pillow image of mode L or RGB (an array: `numpy.asarray(dinp.decode(data))`).

    Parameters
    ----------
    data : bytes
        The whole file.
    restore : bool
        Whether planes are restored where the file says so; without, the picture is that of the diffusion alone. Where
        the file names a restoration that is not at hand, a `DinpNotice` warning says that it was left out.
    max_pixels : int
        Larger pictures are refused before memory is allocated for them.
    progress : callable, optional
        Called now and then with the done fraction, 0 to 1.

    Raises
    ------
    DinpError
        The data is not a dinp file, damaged, or too large.
    """
    container = unpack(_as_bytes(data), max_pixels=max_pixels)

    from dinp.decoder import decode_planes
    from dinp.models import shipped_restoration

    shapes = container.shapes
    restorations = shipped_restoration if restore else None
    planes, missing = decode_planes(list(container.sections), shapes, restorations=restorations, progress=progress)
    for reason in missing:
        warnings.warn(f"{reason}: the picture is shown without", DinpNotice, stacklevel=2)
    return Image.fromarray(merge_planes(planes))


def info(data: bytes, *, max_pixels: int = MAX_PIXELS) -> dict:
    """What a dinp file holds, without rebuilding the picture.

    Returns
    -------
    dict
        Ready for JSON: `format_version`, `width`, `height`, `mode` ("L" or "RGB"), `bytes`, `bpp` (bits of the whole
        file per pixel), `overhead_bytes` (all but the sections) and `planes`, one dict each: `name`, `width`, `height`,
        `bytes`, what `dinp.decoder.describe_section` tells, and `mask_bits_per_point`, `value_bits_per_point`.

    Raises
    ------
    DinpError
        As `decode`.
    """
    data = _as_bytes(data)
    container = unpack(data, max_pixels=max_pixels)

    from dinp.decoder import describe_section

    planes = []
    names = PLANE_NAMES[container.colour]
    for name, section, shape in zip(names, container.sections, container.shapes, strict=True):
        plane = {"name": name, "width": shape[1], "height": shape[0], "bytes": len(section)}
        plane |= describe_section(section, shape)
        for kind in ("mask", "value"):
            plane[f"{kind}_bits_per_point"] = plane[f"{kind}_bits"] / plane["points"]
        planes.append(plane)
    return {
        "format_version": FORMAT_VERSION,
        "width": container.width,
        "height": container.height,
        "mode": "RGB" if container.colour else "L",
        "bytes": len(data),
        "bpp": 8 * len(data) / (container.width * container.height),
        "overhead_bytes": len(data) - sum(map(len, container.sections)),
        "planes": planes,
    }


def check_quality(quality: float) -> None:
    """Raise DinpError unless `quality` is a number from 0 to 100."""
    number = isinstance(quality, (int, float, np.integer, np.floating)) and not isinstance(quality, bool)
    if not number or not 0 <= quality <= 100:
        raise DinpError(f"quality must be a number from 0 to 100, not {quality!r}")


def _check_mask(mask: np.ndarray, shape: tuple[int, int]) -> None:
    """Raise DinpError unless `mask` is an inpainting mask for a picture of `shape`."""
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
        raise DinpError("an inpainting mask must be a boolean array, True where values are known")
    if mask.shape != shape:
        raise DinpError(
            f"the inpainting mask has the shape {mask.shape}, the picture {shape}: give one of the same size"
        )
    if not mask.any():
        raise DinpError("the inpainting mask is empty: at least one pixel must be known")


def _as_bytes(data: bytes) -> bytes:
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise DinpError(f"a dinp file must be given as bytes, not {type(data).__name__}: read the file first")
    return bytes(data)
