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
from functools import partial, wraps
from inspect import signature
from typing import TYPE_CHECKING, ParamSpec

from dinp._version import FORMAT_VERSION, __version__
from dinp.checks import check_mask, check_targets
from dinp.contents import info
from dinp.decoding import decode_with_notices
from dinp.encoding import Encoding, encoded_losslessly, encoding_of_samples
from dinp.errors import DinpError, DinpNotice
from dinp.limits import MAX_PIXELS
from dinp.previews import preview

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from dinp.many.work import FileResult

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
    "preview",
]

P = ParamSpec("P")
Progress = Callable[[float], None]


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
    """Code a picture: the file with its quality figures, and the notices instead of warning of them.

    Parameters
    ----------
    image : PIL image or ndarray
        A Pillow image (`dinp.pictures.modes` tells which modes are taken, converted or refused), or an array
        (`dinp.pictures.intake` tells which). Conversions are told by a `DinpNotice` warning.
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
        The value that marks samples without a measurement, or where they are, see `dinp.pictures.intake`.
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

    Raises
    ------
    DinpError
        The picture, the quality or the effort cannot be used, or no quality reaches the target.
    """
    start = time.perf_counter()
    from dinp.pictures.intake import picture_of
    from dinp.pictures.picture import picture_psnr

    check_targets(quality, target_bytes, target_psnr, max_error, mask, lossless=lossless)
    picture = picture_of(
        image, max_pixels=max_pixels, holes=holes, planes=planes, srgb=srgb, strip=strip, indices=lossless
    )
    if lossless:
        return encoded_losslessly(picture, start)
    if mask is not None:
        check_mask(mask, picture.samples.shape[:2])

    from dinp.bitstream.samples import EIGHT_BITS
    from dinp.encoder.lossless import diffusion_may_win, encode_nearly, samples_instead
    from dinp.encoder.picture import CHROMA, CodedPicture, Wish, encode_picture, for_error
    from dinp.encoder.placement import EFFORTS, is_for_lighter, restoration_version
    from dinp.encoder.targets import psnr_target, search, size_target
    from dinp.models import get_ready, shipped_restoration, shipped_tree_model
    from dinp.threads import begun

    if not isinstance(effort, numbers.Integral) or effort not in EFFORTS:
        raise DinpError(f"effort must be one of {', '.join(map(str, EFFORTS))}, not {effort!r}")
    if not isinstance(chroma, str) or chroma not in CHROMA:
        raise DinpError(f"chroma must be one of {', '.join(CHROMA)}, not {chroma!r}")
    height, width = picture.samples.shape[:2]
    needs_none = mask is not None and picture.samples.ndim == 2
    model = None if needs_none else shipped_tree_model(large=is_for_lighter(EFFORTS[effort], height * width))
    version = restoration_version(EFFORTS[effort], picture.samples.size)
    restoration = shipped_restoration(version) if restore else None
    begun(partial(get_ready, model, restoration, gradient=EFFORTS[effort].anticipate))

    def code(quality: float, previous: CodedPicture | None) -> CodedPicture:
        return encode_picture(
            picture,
            quality=float(quality),
            wish=Wish(
                EFFORTS[effort], chroma, max_error, mask, again=target_bytes is not None or target_psnr is not None
            ),
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
            return encoding_of_samples(picture, *near, start)
        result = for_error(code, picture, max_error, math.inf if near is None else len(near[0]))
        if near is not None and len(near[0]) <= len(result.data):
            return encoding_of_samples(picture, *near, start)
    else:
        result = code(50 if quality is None else quality, None)
        if mask is None and max_error is None and picture.format != EIGHT_BITS:
            better = samples_instead(picture, result.decoded, len(result.data))
            if better is not None:
                return encoding_of_samples(picture, *better, start)
    seconds = time.perf_counter() - start
    return Encoding(result.data, picture, result.coded.density, seconds, picture.notices, lambda: result.decoded)


def _file_only(report: Callable[P, Encoding]) -> Callable[P, bytes]:
    """`encode`: what is reported is warned of."""

    @wraps(report)
    def encode(*args: P.args, **options: P.kwargs) -> bytes:
        encoding = report(*args, **options)
        for notice in encoding.notices:
            warnings.warn(notice, DinpNotice, stacklevel=2)
        return encoding.data

    encode.__name__ = encode.__qualname__ = "encode"
    encode.__signature__ = signature(report).replace(return_annotation="bytes")
    _, _, parameters = (report.__doc__ or "").partition("\n")
    encode.__doc__ = f"Code a picture: the bytes of a dinp file.\n{parameters}"
    return encode


encode = _file_only(encode_with_report)


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
        1/2, 1/4 or 1/8: each pixel is the mean of those that it stands for. 2 or 4: larger, with sharp edges where the
        file has barriers. See `dinp.scaling`.
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
