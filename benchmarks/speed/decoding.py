"""What part of decoding a file is the solver, and the file's mask and values as a problem for it."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import dinp
from dinp.bitstream.container import unpack
from dinp.bitstream.section import decode_section
from dinp.diffusion.inpaint import Inpainter


@dataclass(frozen=True)
class CodedPicture:
    """A grey picture's file and what the solver gets of it.

    Attributes
    ----------
    quality : float
    data : bytes
    mask : (H, W) bool
    values : (H, W) float64
        Grey values at mask pixels.
    encode_seconds : float
    """

    quality: float
    data: bytes
    mask: NDArray[np.bool_]
    values: NDArray[np.float64]
    encode_seconds: float


def coded_picture(picture: NDArray[np.uint8], quality: float) -> CodedPicture:
    """Encode a grey picture (H, W) with the default effort; torch and the network are loaded before time is taken."""
    dinp.encode(picture[:16, :16], quality=quality)
    encoding = dinp.encode_with_report(picture, quality=quality)
    code, known, _ = decode_section(unpack(encoding.data).sections[0], picture.shape)
    return CodedPicture(quality, encoding.data, known.mask, known.spread(code.values(known)), encoding.seconds)


def decoding_times(coded: CodedPicture, repeats: int) -> dict[str, float]:
    """Seconds of encoding (once), of decoding, restored and plain, and of its solver, and the share of it (medians)."""
    dinp.decode(coded.data)
    decoding, plain, solver = [], [], []
    for _ in range(repeats):
        decoding.append(timed(dinp.decode, coded.data)[1])
        plain.append(timed(dinp.decode, coded.data, restore=False)[1])
        inpainter, setup = timed(Inpainter, coded.mask)
        solver.append(setup + timed(inpainter.solve, coded.values)[1])
    return {
        "bytes": len(coded.data),
        "encode_seconds": round(coded.encode_seconds, 3),
        "decode_seconds": round(statistics.median(decoding), 5),
        "plain_seconds": round(statistics.median(plain), 5),
        "solver_seconds": round(statistics.median(solver), 5),
        "solver_share": round(statistics.median(s / d for s, d in zip(solver, decoding, strict=True)), 3),
    }


def timed(work: Callable[..., Any], *args: object, **options: object) -> tuple[Any, float]:
    """Result of a call and its wall-clock seconds."""
    start = time.perf_counter()
    result = work(*args, **options)
    return result, time.perf_counter() - start
