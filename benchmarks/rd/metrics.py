"""How like two pictures are: PSNR, SSIM, MS-SSIM and SSIMULACRA2, the latter three by libraries.

Pictures are uint8, (H, W) grey or (H, W, 3) RGB, both of one shape. Colour: PSNR is over the samples of R, G and B
together, SSIM and MS-SSIM are the means over the three channels; SSIMULACRA2 works on colour and is given grey as
R = G = B. Where a picture is too small for a metric, its value is None.
"""

import io
import math
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from dinp.benchmarks.environment import library
from dinp.errors import DinpError
from dinp.pictures.picture import psnr as planes_psnr

SSIM_SIDE = 11  # window of Wang et al.: Gaussian of sigma 1.5 over 11 x 11 pixels
MS_SSIM_SIDE = 161  # five scales of that window
SSIMULACRA2_SIDE = 8


def psnr(original: np.ndarray, decoded: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB; infinite for equal pictures."""
    return float(planes_psnr(original, decoded))


def ssim(original: np.ndarray, decoded: np.ndarray) -> float | None:
    """Structural similarity (Wang et al. 2004) by scikit-image, with that paper's window."""
    if min(original.shape[:2]) < SSIM_SIDE:
        return None
    axis = None if original.ndim == 2 else 2
    return float(
        library("skimage.metrics").structural_similarity(
            original,
            decoded,
            data_range=255,
            channel_axis=axis,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )


def ms_ssim(original: np.ndarray, decoded: np.ndarray) -> float | None:
    """Multi-scale structural similarity (Wang et al. 2003) by pytorch-msssim."""
    if min(original.shape[:2]) < MS_SSIM_SIDE:
        return None
    import torch

    tensors = [
        torch.from_numpy(np.atleast_3d(picture).transpose(2, 0, 1)[None].astype(np.float64))
        for picture in (original, decoded)
    ]
    return float(library("pytorch_msssim").ms_ssim(*tensors, data_range=255))


def ssimulacra2(original: np.ndarray, decoded: np.ndarray) -> float | None:
    """SSIMULACRA2 by the package of that name, a port of libjxl's: 100 is the same picture, below 0 is very bad."""
    if min(original.shape[:2]) < SSIMULACRA2_SIDE:
        return None
    return float(library("ssimulacra2").compute_ssimulacra2(_as_file(original), _as_file(decoded)))


def _as_file(picture: np.ndarray) -> io.BytesIO:
    """The picture as an uncompressed file, which is what the package takes."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PPM")
    buffer.seek(0)
    return buffer


METRICS: dict[str, Callable[[np.ndarray, np.ndarray], float | None]] = {
    "psnr": psnr,
    "ssim": ssim,
    "ms_ssim": ms_ssim,
    "ssimulacra2": ssimulacra2,
}
LIBRARIES = {"ssim": "skimage.metrics", "ms_ssim": "pytorch_msssim", "ssimulacra2": "ssimulacra2"}
DIGITS = {"psnr": 4, "ssim": 5, "ms_ssim": 5, "ssimulacra2": 3}


def check_metrics(metrics: Sequence[str]) -> None:
    """Raise DinpError if there is no metric of a name, or its library is missing."""
    for name in metrics:
        if name not in METRICS:
            raise DinpError(f"there is no metric {name}: choose among {', '.join(METRICS)}")
        if name in LIBRARIES:
            library(LIBRARIES[name])


def measure(original: np.ndarray, decoded: np.ndarray, metrics: Sequence[str]) -> dict[str, float | None]:
    """Values by name, rounded for JSON; None also stands for an infinite PSNR."""
    values = {}
    for name in metrics:
        value = METRICS[name](original, decoded)
        values[name] = None if value is None or math.isinf(value) else round(value, DIGITS[name])
    return values
