"""The work on one file of many: a request of plain values in, a result of plain values out."""

import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from threading import Lock
from typing import TYPE_CHECKING

from dinp.errors import DinpError
from dinp.limits import MAX_PIXELS, most_bytes
from dinp.many.plan import OVERWRITE, SKIP
from dinp.pictures import files
from dinp.pictures.arrays import ENDINGS, ArrayFile, array_bytes

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from dinp import Encoding

_alone = Lock()  # Pillow's limit and filters of warnings are those of the process; the work itself uses all cores


@dataclass(frozen=True)
class FileResult:
    """What became of a file.

    Attributes
    ----------
    source, target : str
        Input and output.
    status : str
        "done", "skipped" (the output existed) or "failed".
    error : str, optional
        Why it failed, a sentence.
    bytes : int, optional
        Of the dinp file.
    bpp, density : float, optional
        Bits of the file per pixel, and known values per pixel of the first plane; of what was coded.
    seconds : float
        That it took, without waiting.
    notices : tuple of str
        What came out otherwise than asked.
    """

    source: str
    target: str
    status: str = "done"
    error: str | None = None
    bytes: int | None = None
    bpp: float | None = None
    density: float | None = None
    seconds: float = 0.0
    notices: tuple[str, ...] = ()

    def told(self) -> dict:
        """Ready for JSON, without what is not known."""
        return {name: value for name, value in asdict(self).items() if value not in (None, ())}


def encoding_of(
    picture: "Image.Image | ArrayFile",
    *,
    target_bpp: float | None = None,
    holes: float | None = None,
    planes: bool = False,
    **options: object,
) -> "Encoding":
    """As `dinp.encode_with_report`, for what a file holds.

    Parameters
    ----------
    picture : Pillow image or ArrayFile
    target_bpp : float, optional
        At most so many bits per pixel.
    holes, planes
        As there; a file of numbers may tell its own.
    options
        As there.
    """
    import dinp

    samples: Image.Image | np.ndarray
    marked: float | np.ndarray | None = holes
    if isinstance(picture, ArrayFile):
        samples, planes = picture.array, planes or picture.planes
        marked = holes if picture.holes is None else picture.holes
        height, width = samples.shape[:2]
    else:
        samples, (width, height) = picture, picture.size
    if target_bpp is not None:
        options["target_bytes"] = _bytes_at(target_bpp, width * height)
    return dinp.encode_with_report(samples, holes=marked, planes=planes, **options)


def _bytes_at(bpp: float, pixels: int) -> int:
    """The most bytes that are not more than so many bits per pixel."""
    if not bpp * pixels < float("inf"):
        raise DinpError(f"{bpp:g} bits per pixel cannot be aimed at: give a smaller --target-bpp")
    if bpp * pixels < 8:
        raise DinpError(f"{bpp:g} bits per pixel of this picture are not a byte: give a larger --target-bpp")
    return int(bpp * pixels / 8)


def encode_file(source: str, target: str, existing: str, options: dict) -> FileResult:
    """Code a picture in a file; `options` are those of `encoding_of`. Raises what can go wrong."""
    from dinp.cli.reading import open_samples

    with open_samples(source, options.get("max_pixels", MAX_PIXELS)) as picture:
        encoding = encoding_of(picture, **options)
    _write(target, encoding.data, existing)
    told = {"bytes": len(encoding.data), "bpp": round(encoding.bpp, 6), "density": round(encoding.density, 6)}
    return FileResult(source, target, notices=encoding.notices, **told)


def decode_file(source: str, target: str, existing: str, options: dict) -> FileResult:
    """Decode a dinp file to a file whose ending tells its format; `options` are those of `dinp.decode_with_notices`."""
    from dinp import decode_with_notices
    from dinp.cli.formats import kept_note, picture_format, saved
    from dinp.pictures.picture import pillow_image

    into = picture_format(target)
    data = files.read_dinp(source, most=most_bytes(options.get("max_pixels", MAX_PIXELS)))
    picture, notices = decode_with_notices(data, **options)
    if into in ENDINGS:
        content = array_bytes(picture.array(), into)
    else:
        image = pillow_image(picture)
        content = saved(image, into)
        notices = notices + kept_note(image, content, into)
    _write(target, content, existing)
    return FileResult(source, target, bytes=len(data), notices=tuple(notices))


KINDS: dict[str, Callable[[str, str, str, dict], FileResult]] = {"encode": encode_file, "decode": decode_file}


def request(kind: str, source: str, target: str, existing: str, options: dict) -> dict:
    """What is to be done with a file: values that JSON holds."""
    return {"kind": kind, "source": source, "target": target, "existing": existing, "options": options}


def perform(asked: dict) -> FileResult:
    """What became of a request: whatever goes wrong with a file is told in its result."""
    from dinp.cli.errors import sentence_of

    source, target = asked["source"], asked["target"]
    start = time.perf_counter()
    try:
        if asked["existing"] == SKIP and os.path.lexists(target):
            return FileResult(source, target, "skipped")
        with _alone:
            start = time.perf_counter()
            result = KINDS[asked["kind"]](source, target, asked["existing"], asked["options"])
    except Exception as error:
        sentence = sentence_of(error) or f"mistake in the program: {type(error).__name__}: {error}"
        return FileResult(source, target, "failed", sentence, seconds=_since(start))
    return FileResult(**(vars(result) | {"seconds": _since(start)}))


def _since(start: float) -> float:
    return round(time.perf_counter() - start, 3)


def _write(target: str, data: bytes, existing: str) -> None:
    """Write an output, whose folder is made if need be.

    One that holds just these bytes is left alone: work is done again whose first result was not told, because the
    process ended then.
    """
    folder = os.path.dirname(target)
    try:
        if folder:
            os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise DinpError(f"cannot make the folder {folder}: {(error.strerror or str(error)).lower()}") from error
    if existing != OVERWRITE and os.path.isfile(target) and os.path.getsize(target) == len(data):
        with open(target, "rb") as stream:
            if stream.read() == data:
                return
    files.write_output(target, data, force=existing == OVERWRITE)
