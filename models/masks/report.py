"""Methods that choose an inpainting mask, by the names of the command, and what a mask is worth."""

import importlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dinp.bitstream.structure import known_data_of_mask
from dinp.diffusion.inpaint import Inpainter
from dinp.diffusion.tonal import tonal_optimisation
from dinp.errors import DinpError

TONAL_STEPS = 20
TONAL_CYCLES = 3
ERROR_GAIN = 4  # in pictures of the error

_SEARCHES = {
    "sparsification": "dinp.models.masks.sparsification:probabilistic_sparsification",
    "sparsification-exchange": "dinp.models.masks.exchange:nonlocal_pixel_exchange",
    "sparsification-settled-exchange": "dinp.models.masks.exchange:settled_pixel_exchange",
    "densification": "dinp.models.masks.densification:densification",
    "densification-exchange": "dinp.models.masks.exchange:densification_exchange",
    "learned-fast-refinement": "dinp.models.masks.refinement:fast_refined_mask",
    "learned-refinement": "dinp.models.masks.refinement:learned_refined_mask",
    "learned-long-refinement": "dinp.models.masks.refinement:long_refined_mask",
}
_METHODS = {
    "random": "dinp.models.masks.analytic:random_mask",
    "analytic": "dinp.models.masks.analytic:analytic_mask",
    "learned": "dinp.models.masks.learned:learned_mask",
    "learned-eight-passes": "dinp.models.masks.learned:learned_mask_of_eight_passes",
    "learned-one-pass": "dinp.models.masks.learned:learned_mask_of_one_pass",
    "learned-plain": "dinp.models.masks.learned:learned_plain_mask",
    "learned-surrogate": "dinp.models.masks.surrogate:surrogate_mask",
}
METHODS = (*_METHODS, *_SEARCHES)


@dataclass(frozen=True)
class ChosenMask:
    """A mask, and how it came about.

    Attributes
    ----------
    mask : (H, W) bool
    seconds : float
        Time that the method took, loading of weights included.
    complete : bool
        False if it was interrupted, and this is the best mask by then.
    """

    mask: np.ndarray
    seconds: float
    complete: bool


@dataclass(frozen=True)
class MaskWorth:
    """What a mask is worth by the solver.

    Attributes
    ----------
    plain_psnr, tonal_psnr : float
        PSNR in dB of the inpainting with the image's own values at the mask and after tonal optimisation, of
        reconstructions clipped to 0-255 but not rounded; infinite without error.
    reconstruction : (H, W) float64
        The inpainting after tonal optimisation, grey values nominally 0-255.
    """

    plain_psnr: float
    tonal_psnr: float
    reconstruction: np.ndarray


def choose_mask(
    name: str, plane: np.ndarray, density: float, seed: int = 0, progress: Callable[[float], object] | None = None
) -> ChosenMask:
    """The mask of a method; a KeyboardInterrupt ends a search with the best mask so far.

    Parameters
    ----------
    name : str
        One of METHODS.
    plane : (H, W) float
        Grey values 0-255.
    density : float
        Known pixels per pixel, in (0, 1]: the mask has round(density * H * W), at least 1.
    seed : int
    progress : callable, optional
        Called with the fraction done, 0-1, by methods that search.

    Raises
    ------
    DinpError
        There is no such method, the density is out of range, or the plane is none.
    """
    if name not in METHODS:
        raise DinpError(f"there is no method {name!r}: choose one of {', '.join(METHODS)}")
    module, function = (_SEARCHES | _METHODS)[name].split(":")
    method = getattr(importlib.import_module(module), function)
    begin = time.perf_counter()
    if name in _METHODS:
        return ChosenMask(method(plane, density, seed), time.perf_counter() - begin, complete=True)
    reached = 0.0

    def follow(fraction: float) -> None:
        nonlocal reached
        reached = fraction
        if progress is not None:
            progress(fraction)

    mask = method(plane, density, seed, progress=follow, keep_on_interrupt=True)
    return ChosenMask(mask, time.perf_counter() - begin, complete=reached >= 1)


def mask_worth(plane: np.ndarray, mask: np.ndarray) -> MaskWorth:
    """Inpaint with a mask, with the image's own values and with tonally optimised ones.

    Parameters
    ----------
    plane : (H, W) float64
        Grey values 0-255.
    mask : (H, W) bool
        With at least one known pixel.
    """
    inpainter = Inpainter(mask)
    known = known_data_of_mask(mask, side=1)
    plain = inpainter.solve(plane)
    values, _ = tonal_optimisation(
        inpainter, known, plane, plane[mask], steps=TONAL_STEPS, cycles=TONAL_CYCLES, reconstruction=plain
    )
    tonal = inpainter.solve(known.spread(values))
    return MaskWorth(psnr(plane, plain), psnr(plane, tonal), tonal)


def psnr(plane: np.ndarray, reconstruction: np.ndarray) -> float:
    """PSNR in dB of a reconstruction, clipped to 0-255 but not rounded; infinite without error."""
    error = float(np.mean((plane - np.clip(reconstruction, 0, 255)) ** 2))
    return 10 * math.log10(255**2 / error) if error else math.inf


def side_by_side(plane: np.ndarray, mask: np.ndarray, reconstruction: np.ndarray) -> np.ndarray:
    """Mask (known pixels white), reconstruction, and error (grey is none, 4 times enlarged), (H, 3 W + 16) uint8."""
    error = 128 + ERROR_GAIN * (plane - np.clip(reconstruction, 0, 255))
    gap = np.full((plane.shape[0], 8), 255.0)
    panels = (255.0 * mask, gap, reconstruction, gap, error)
    return np.clip(np.rint(np.hstack(panels)), 0, 255).astype(np.uint8)
