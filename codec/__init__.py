"""dinp: an image codec that rebuilds pictures by diffusion inpainting.

>>> import dinp
>>> data = dinp.encode(image, quality=50)  # Pillow image or array -> bytes
>>> dinp.decode(data).save("picture.png")  # bytes -> Pillow image
>>> dinp.decode_array(data)                # bytes -> array of the type that was coded
>>> dinp.info(data)["bpp"]                 # what is in it, without decoding

What they need is imported when they are called: the first import is quick. None of them imports torch.
"""

from __future__ import annotations

import math
import numbers
import os
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from dinp._version import FORMAT_VERSION, __version__
from dinp.errors import DinpError, DinpNotice
from dinp.limits import MAX_PIXELS, check_size

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from dinp.bitstream.container import Container
    from dinp.many.work import FileResult
    from dinp.pictures.picture import Picture
    from dinp.restoration import Restoration

__all__ = [
    "FORMAT_VERSION",
    "MAX_PIXELS",
    "DinpError",
    "DinpNotice",
    "Encoding",
    "__version__",
    "decode",
    "decode_array",
    "decode_many",
    "encode",
    "encode_many",
    "encode_with_report",
    "info",
]

SCALES = (0.125, 0.25, 0.5, 1, 2, 4)
Progress = Callable[[float], None]


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
        What was converted before coding, see `dinp.pictures.planes`.
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


def encode(
    image: Image.Image | np.ndarray,
    *,
    quality: float | None = None,
    target_bytes: int | None = None,
    target_psnr: float | None = None,
    max_error: float | None = None,
    lossless: bool = False,
    effort: int = 2,
    restore: bool = True,
    mask: np.ndarray | None = None,
    holes: float | np.ndarray | None = None,
    planes: bool = False,
    chroma: str = "auto",
    srgb: bool = False,
    strip: bool = False,
    max_pixels: int = MAX_PIXELS,
    progress: Progress | None = None,
) -> bytes:
    """Code a picture.

    Parameters
    ----------
    image : PIL image or ndarray
        A Pillow image (`dinp.pictures.planes` tells which modes are taken, converted or refused), or an array
        (`dinp.pictures.picture` tells which). Conversions are told by a `DinpNotice` warning.
    quality : float, optional
        0 (smallest file) to 100 (best picture); 50 where neither it nor a target is given.
    target_bytes : int, optional
        In place of a quality: the best picture in at most so many bytes, found by a search.
    target_psnr : float, optional
        In place of a quality: the smallest file with at least this PSNR in dB, found by a search.
    max_error : float, optional
        No sample that is seen is farther off, in the picture's own units; alpha aside. Without a quality the smallest
        file that does it is looked for: of diffusion and what is added to it, or of samples coded one by one.
    lossless : bool
        All samples come back exactly, whatever they are, and Pillow images of mode P with their palette; small for
        drawings, label maps and screens. Neither a quality nor any of the targets can be given then.
    effort : int
        1: the network places all points; 2: it places three quarters of them, and the rest go where the error is
        largest, values being tuned to what the restoration adds; 3: five more rounds of moving points, and values and
        levels that are chosen along the gradient through the restoration.
    restore : bool
        Whether the decoder is to restore planes where that makes them better, see `dinp.restoration`; samples of 8
        bits only.
    mask : (height, width) bool array, optional
        An inpainting mask of your own for the grey or luma plane, in place of the learned tree of cells.
    holes : float or (height, width) bool array, optional
        The value that marks samples without a measurement, or where they are, see `dinp.pictures.picture`.
    planes : bool
        Code the channels of an array as they are, up to four, without taking them for colours.
    chroma : str
        "420": at half resolution; "444": whole; "auto": halved unless that loses much.
    srgb : bool
        Convert colours to sRGB by the picture's profile, which is kept otherwise.
    strip : bool
        Leave out EXIF and XMP data.
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
        max_error=max_error,
        lossless=lossless,
        effort=effort,
        restore=restore,
        mask=mask,
        holes=holes,
        planes=planes,
        chroma=chroma,
        srgb=srgb,
        strip=strip,
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
    max_error: float | None = None,
    lossless: bool = False,
    effort: int = 2,
    restore: bool = True,
    mask: np.ndarray | None = None,
    holes: float | np.ndarray | None = None,
    planes: bool = False,
    chroma: str = "auto",
    srgb: bool = False,
    strip: bool = False,
    max_pixels: int = MAX_PIXELS,
    progress: Progress | None = None,
) -> Encoding:
    """Like `encode`, but returns the file with its quality figures, and the notices instead of warning of them."""
    start = time.perf_counter()
    import numpy as np
    from PIL import Image

    from dinp.pictures.picture import picture_of_array, picture_of_image, picture_psnr

    if sum(given is not None for given in (quality, target_bytes, target_psnr)) > 1:
        raise DinpError("quality, target_bytes and target_psnr exclude one another: give one of them")
    check_quality(50 if quality is None else quality)
    if lossless and any(given is not None for given in (quality, target_bytes, target_psnr, max_error, mask)):
        raise DinpError("lossless excludes a quality, targets, a largest error and a mask: give none of them")
    for name, value in (("max_error", max_error), ("target_bytes", target_bytes), ("target_psnr", target_psnr)):
        if value is not None and not _is_number(value):
            raise DinpError(f"{name} must be a number, not {value!r}")
    if max_error is not None and not 0 <= max_error < math.inf:
        raise DinpError(f"a largest error of {max_error:g} cannot be kept: give a number from 0 on")
    if isinstance(image, Image.Image):
        if planes:
            image = np.asarray(image)
        else:
            picture = picture_of_image(
                image, max_pixels=max_pixels, holes=holes, srgb=srgb, strip=strip, indices=lossless
            )
    if isinstance(image, np.ndarray):
        picture = picture_of_array(image, max_pixels=max_pixels, planes=planes, holes=holes)
    elif not isinstance(image, Image.Image):
        raise DinpError(f"a picture must be a Pillow image or an array, not {type(image).__name__}")
    if lossless:
        return _encoded_losslessly(picture, start)
    if mask is not None:
        _check_mask(mask, picture.samples.shape[:2])

    from dinp.encoder.lossless import diffusion_may_win, encode_nearly
    from dinp.encoder.picture import CHROMA, CodedPicture, Wish, encode_picture, for_error
    from dinp.encoder.placement import EFFORTS
    from dinp.encoder.targets import psnr_target, search, size_target
    from dinp.models import load_tree_model, shipped_restoration

    if not isinstance(effort, numbers.Integral) or effort not in EFFORTS:
        raise DinpError(f"effort must be one of {', '.join(map(str, EFFORTS))}, not {effort!r}")
    if not isinstance(chroma, str) or chroma not in CHROMA:
        raise DinpError(f"chroma must be one of {', '.join(CHROMA)}, not {chroma!r}")
    model = None if mask is not None and picture.samples.ndim == 2 else load_tree_model()
    restoration = shipped_restoration(EFFORTS[effort].restoration) if restore else None

    def code(quality: float, previous: CodedPicture | None) -> CodedPicture:
        return encode_picture(
            picture,
            quality=float(quality),
            wish=Wish(EFFORTS[effort], chroma, max_error, mask),
            tree_model=model,
            restoration=restoration,
            start=previous,
            progress=progress,
        )

    if target_bytes is not None:
        result = search(code, size_target(target_bytes, lambda result: len(result.data)))
    elif target_psnr is not None:
        result = search(code, psnr_target(target_psnr, lambda result: picture_psnr(picture, result.decoded)))
    elif max_error is not None and quality is None:
        near = encode_nearly(picture, max_error) if mask is None else None
        if near is not None and not diffusion_may_win(picture, max_error, len(near[0])):
            return _encoding_of_samples(picture, *near, start)
        result = for_error(code, picture, max_error)
        if near is not None and len(near[0]) <= len(result.data):
            return _encoding_of_samples(picture, *near, start)
    else:
        result = code(50 if quality is None else quality, None)
    seconds = time.perf_counter() - start
    return Encoding(result.data, picture, result.coded.density, seconds, picture.notices, lambda: result.decoded)


def _encoded_losslessly(picture: Picture, start: float) -> Encoding:
    from dinp.encoder.lossless import encode_losslessly

    data, container, notices = encode_losslessly(picture)
    return _encoding_of_samples(picture, data, container, picture, start, notices)


def _encoding_of_samples(
    picture: Picture, data: bytes, container: Container, shown: Picture, start: float, notices: tuple[str, ...] = ()
) -> Encoding:
    """The encoding of a file that holds samples themselves."""
    from dinp.assembly import describe_lossless_file

    report = describe_lossless_file(container)
    density = report.regions / (container.width * container.height) if report.regions else 1.0
    seconds = time.perf_counter() - start
    return Encoding(data, picture, density, seconds, picture.notices + notices, lambda: shown)


def decode(
    data: bytes,
    *,
    restore: bool | None = None,
    scale: float = 1,
    max_pixels: int = MAX_PIXELS,
    progress: Progress | None = None,
) -> Image.Image:
    """Decode a dinp file to a Pillow image.

    Its mode is L, LA, RGB or RGBA for samples of 8 bits, else I;16 (unsigned, up to 16 bits), I (other integers) or F;
    `info` has icc_profile, exif and xmp, where the file has them.

    Parameters
    ----------
    data : bytes
        The whole file.
    restore : bool, optional
        Whether planes are restored where the file says so; without, the picture is that of the diffusion alone. By
        default they are, unless the picture is very large for so small a file (`dinp.decoder.is_sparse`). Where a
        restoration is left out a `DinpNotice` warning says so. Smaller than they are, planes are restored only if this
        is True.
    scale : float
        1/2, 1/4 or 1/8: each pixel is the mean of those that it stands for, with less work. 2 or 4: larger, with crisp
        edges where the file has barriers, see `dinp.scaling`.
    max_pixels : int
        Larger pictures are refused before memory is allocated for them.
    progress : callable, optional
        Called now and then with the done fraction, 0 to 1.

    Raises
    ------
    DinpError
        The data is not a dinp file, damaged, or too large; or Pillow has no mode for it: use `decode_array`.
    """
    picture, notices = decode_with_notices(data, restore=restore, scale=scale, max_pixels=max_pixels, progress=progress)
    for notice in notices:
        warnings.warn(notice, DinpNotice, stacklevel=2)
    from dinp.pictures.picture import pillow_image

    return pillow_image(picture)


def decode_array(
    data: bytes,
    *,
    restore: bool | None = None,
    scale: float = 1,
    max_pixels: int = MAX_PIXELS,
    progress: Progress | None = None,
) -> np.ndarray:
    """Decode to an array of the type that was coded, (H, W) or (H, W, channels), alpha last; see `decode`."""
    picture, notices = decode_with_notices(data, restore=restore, scale=scale, max_pixels=max_pixels, progress=progress)
    for notice in notices:
        warnings.warn(notice, DinpNotice, stacklevel=2)
    return picture.array()


def decode_with_notices(
    data: bytes,
    *,
    restore: bool | None = None,
    scale: float = 1,
    max_pixels: int = MAX_PIXELS,
    progress: Progress | None = None,
) -> tuple[Picture, list[str]]:
    """Like `decode`, but returns the picture as it is coded, and the notices instead of warning of them."""
    data = _as_bytes(data)
    from dinp.bitstream.container import unpack

    exponent = _exponent(scale)
    container = unpack(data, max_pixels=max_pixels)

    from dinp.assembly import assembled, beside, is_bound, lossless_picture

    if exponent and is_bound(container):
        from dinp.pictures.sizes import resized

        check_size(container.width * max(1, scale), container.height * max(1, scale), max_pixels)
        picture, notices = decode_with_notices(data, restore=restore, max_pixels=max_pixels, progress=progress)
        return resized(picture, exponent), notices
    picture = lossless_picture(container)
    if picture is not None:
        return picture, []

    from dinp.decoder import decode_planes, is_sparse
    from dinp.models import shipped_restoration

    restorations: Callable[[int], Restoration] | None = None if restore is False else shipped_restoration
    exponents = None
    if exponent:
        check_size(container.width * max(1, scale), container.height * max(1, scale), max_pixels)
        whole = container.shapes[0]
        exponents = [exponent + (shape != whole) for shape in container.shapes]  # halved chroma has to grow less
        if exponent < 0 and restore is None:
            restorations = None
    if restorations is not None and restore is None and is_sparse(container.width * container.height, len(data)):
        restorations = _left_out
    depths, own_steps = beside(container)
    planes, missing = decode_planes(
        list(container.sections),
        container.shapes,
        depths=depths,
        own_steps=own_steps,
        restorations=restorations,
        exponents=exponents,
        progress=progress,
    )
    if exponent > 0:  # halved chroma of an odd side has more
        height, width = planes[0].shape
        planes = [plane[:height, :width] for plane in planes]
    return assembled(planes, container), [f"{reason}: the picture is shown without" for reason in missing]


def _exponent(scale: float) -> int:
    """log2 of a scale; DinpError for others than those of SCALES."""
    if not _is_number(scale) or scale not in SCALES:
        raise DinpError(f"a scale must be one of {', '.join(map(str, SCALES))}, not {scale!r}")
    return round(math.log2(scale))


def _left_out(version: int) -> Restoration:
    raise DinpError("restoration of so large a picture from so small a file is left out unless asked for")


def encode_many(
    sources: Sequence[str | os.PathLike[str]],
    folder: str | os.PathLike[str],
    *,
    existing: str = "refuse",
    jobs: int | None = None,
    scheduler: str | None = None,
    **options: object,
) -> Iterator[FileResult]:
    """Code pictures in files and folders, several at a time.

    Parameters
    ----------
    sources : sequence of paths
        Pictures or arrays, and folders, of which all pictures are taken, those in sub-folders too.
    folder : path
        Where the dinp files go, under the names of the pictures; sub-folders are kept. It is made if need be.
    existing : str
        "refuse": no output may exist, else nothing is done; "skip": those that exist are left; "overwrite".
    jobs : int, optional
        Files at a time, each in a process of its own; by default as many as there are cores, at most 8.
    scheduler : str, optional
        Address of a scheduler of dask, whose workers see the same files, or "local"; needs `dinp[dask]`.
    options
        Those of `encode` that are plain values: no arrays. `target_bpp`: at most so many bits per pixel.

    Yields
    ------
    FileResult
        `source`, `target`, `status` ("done", "skipped" or "failed"), `error` (a sentence, where it failed), `bytes`,
        `bpp`, `density`, `seconds` and `notices`; in the order in which files are done. A file that fails costs no
        other. To stop, close the iterator. No output is ever there in part.

    Raises
    ------
    DinpError
        Before any work, see `dinp.many.plan.tasks_of`.
    """
    from dinp.many.plan import is_picture

    return _many("encode", sources, folder, ".dinp", is_picture, existing, jobs, scheduler, options)


def decode_many(
    sources: Sequence[str | os.PathLike[str]],
    folder: str | os.PathLike[str],
    *,
    ending: str = ".png",
    existing: str = "refuse",
    jobs: int | None = None,
    scheduler: str | None = None,
    **options: object,
) -> Iterator[FileResult]:
    """Decode files and folders of them to files with an `ending`: as `encode_many`, with the options of `decode`."""
    from dinp.many.plan import is_coded

    return _many("decode", sources, folder, ending, is_coded, existing, jobs, scheduler, options)


def _many(
    kind: str,
    sources: Sequence[str | os.PathLike[str]],
    folder: str | os.PathLike[str],
    ending: str,
    wanted: Callable[[str], bool],
    existing: str,
    jobs: int | None,
    scheduler: str | None,
    options: dict,
) -> Iterator[FileResult]:
    from dinp.many.engines import results
    from dinp.many.plan import tasks_of
    from dinp.many.work import request

    names = [os.fspath(source) for source in sources]
    tasks = tasks_of(names, os.fspath(folder), ending=ending, wanted=wanted, existing=existing)
    requests = [request(kind, task.source, task.target, existing, options) for task in tasks]
    return (result for _, result in results(requests, jobs=jobs, scheduler=scheduler))


def info(data: bytes, *, max_pixels: int = MAX_PIXELS) -> dict:
    """What a dinp file holds, without rebuilding the picture.

    Returns
    -------
    dict
        Ready for JSON: `format_version`, `width`, `height`, `mode` ("L", "LA", "RGB" or "RGBA", or the number of
        "planes"), `samples` (like "16-bit unsigned"), `ranges` (low and high), `chroma` ("420", "444" or None),
        `bytes`, `bpp` (bits of the whole file per pixel), `chunks` (bytes of each, with its name), `overhead_bytes`
        (all but sections and chunks) and `planes`, one dict each: `name`, `width`, `height`, `bytes`, what
        `dinp.decoder.description` tells, and `mask_bits_per_point`, `value_bits_per_point`. Lossless files have
        `lossless` instead, what `dinp.bitstream.lossless.LosslessReport` tells, and only names and sizes of planes.

    Raises
    ------
    DinpError
        As `decode`.
    """
    data = _as_bytes(data)
    from dinp.bitstream.container import CHUNK_NAMES, COLOUR_420, COLOUR_444, unpack

    container = unpack(data, max_pixels=max_pixels)

    from dinp.assembly import beside, describe_lossless_file
    from dinp.bitstream.section import decode_section
    from dinp.decoder import description, regions_of_code

    lossless = describe_lossless_file(container)
    planes = []
    labels = None
    parts = zip(plane_names(container), container.sections, container.shapes, *beside(container), strict=True)
    for name, section, shape, depth, own_steps in parts:
        plane = {"name": name, "width": shape[1], "height": shape[0], "bytes": len(section)}
        if lossless is not None:
            planes.append(plane)
            continue
        code, known, information = decode_section(section, shape, depth, own_steps, labels)
        labels = regions_of_code(code) if not planes else labels
        plane |= description(code, known, information, len(section))
        for kind in ("mask", "value"):
            plane[f"{kind}_bits_per_point"] = plane[f"{kind}_bits"] / plane["points"]
        planes.append(plane)
    chunks = [
        {"name": CHUNK_NAMES.get(chunk.type, f"{chunk.type:02X}"), "bytes": len(chunk.content)}
        for chunk in container.chunks
    ]
    return {
        "format_version": FORMAT_VERSION,
        "width": container.width,
        "height": container.height,
        "mode": mode_of(container),
        "samples": container.samples.name,
        "ranges": [list(pair) for pair in container.samples.ranges],
        "chroma": {COLOUR_420: "420", COLOUR_444: "444"}.get(container.layout),
        "bytes": len(data),
        "bpp": 8 * len(data) / (container.width * container.height),
        "chunks": chunks,
        "overhead_bytes": len(data) - sum(map(len, container.sections)) - sum(chunk["bytes"] for chunk in chunks),
        "planes": planes,
    } | ({} if lossless is None else {"lossless": asdict(lossless)})


def mode_of(container: Container) -> str:
    """Mode of a file's picture: "L", "RGB", with "A" where there is alpha; or its number of planes, like "2 planes"."""
    from dinp.bitstream.container import ALPHA_PLANE, NO_ALPHA, PLANES

    if container.layout == PLANES:
        count = len(container.sections) - (container.alpha == ALPHA_PLANE)
        return f"{count} plane{'s' if count > 1 else ''}"
    return ("RGB" if container.colour else "L") + ("A" if container.alpha != NO_ALPHA else "")


def plane_names(container: Container) -> list[str]:
    """Names of a file's planes."""
    from dinp.bitstream.container import ALPHA_PLANE, PLANES

    count = len(container.sections) - (container.alpha == ALPHA_PLANE)
    names = [f"plane {number}" for number in range(count)]
    if container.layout != PLANES:
        names = ["Y", "Cb", "Cr"] if container.colour else ["grey"]
    return names + ["alpha"] * (container.alpha == ALPHA_PLANE)


def check_quality(quality: float) -> None:
    """Raise DinpError unless `quality` is a number from 0 to 100."""
    if not _is_number(quality) or not 0 <= quality <= 100:
        raise DinpError(f"quality must be a number from 0 to 100, not {quality!r}")


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _check_mask(mask: np.ndarray, shape: tuple[int, int]) -> None:
    """Raise DinpError unless `mask` is an inpainting mask for a picture of `shape`."""
    import numpy as np

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
