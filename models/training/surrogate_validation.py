"""Validation of a mask network while it is trained: binarised masks on tuning pictures, by the true solver."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from dinp.bitstream.structure import known_data_of_mask
from dinp.diffusion.inpaint import Inpainter
from dinp.diffusion.tonal import tonal_optimisation
from dinp.models.masks.analytic import analytic_mask, random_mask
from dinp.models.masks.binarise import ERROR_DIFFUSION, binarise
from dinp.models.training.data import grey
from dinp.models.training.restoration_data import pictures

PICTURES = 8
SIZE = 256
DENSITIES = (0.02, 0.05, 0.10)
MaskMethod = Callable[[np.ndarray, float], np.ndarray]
REFERENCE: dict[str, MaskMethod] = {
    "random": random_mask,
    "analytic, sigma 1": partial(analytic_mask, sigma=1.0),
    "analytic": analytic_mask,
}


def tuning_planes(data: Path) -> list[np.ndarray]:
    """The centres of the pictures that masks are validated on."""
    return [centre(grey(data / name)) for name in pictures(data, "tune", PICTURES)]


def reference(tuning: Sequence[np.ndarray]) -> dict[str, list[list[float]]]:
    """Mean PSNR (plain, tonally optimised) of other methods' masks at each density."""
    return {name: [psnr(tuning, method, density) for density in DENSITIES] for name, method in REFERENCE.items()}


def described(tuning: Sequence[np.ndarray], *, compared: bool) -> dict:
    """What a loss curve says of its validation; with other methods' figures where they are wanted."""
    return {
        "validation": {"pictures": len(tuning), "size": SIZE},
        "densities": DENSITIES,
        "psnr": "plain, tonally optimised; means over the pictures, by the true solver",
        "reference": reference(tuning) if compared else {},
    }


def validate(network: nn.Module, tuning: Sequence[np.ndarray], device: torch.device) -> list[list[float]]:
    """Mean PSNR (plain, tonally optimised) of a mask network's binarised masks at each density."""

    @torch.inference_mode()
    def method(plane: np.ndarray, density: float) -> np.ndarray:
        x = torch.from_numpy(plane.astype(np.float32))[None, None].to(device)
        confidence = network(x, torch.tensor([density], device=device))[0, 0].cpu().numpy()
        return binarise(confidence, density=density, method=ERROR_DIFFUSION)

    return [psnr(tuning, method, density) for density in DENSITIES]


def psnr(planes: Sequence[np.ndarray], method: MaskMethod, density: float) -> list[float]:
    """Mean PSNR in dB of a method's masks, with original and with tonally optimised values."""
    found = []
    for plane in planes:
        mask = method(plane, density)
        inpainter, known = Inpainter(mask), known_data_of_mask(mask, side=1)
        plain = inpainter.solve(plane)
        values, _ = tonal_optimisation(inpainter, known, plane, plane[mask], steps=12, reconstruction=plain)
        both = (plain, inpainter.solve(known.spread(values)))
        found.append([10 * math.log10(255**2 / max(1e-6, np.mean((plane - np.clip(u, 0, 255)) ** 2))) for u in both])
    return [round(v, 3) for v in np.mean(found, axis=0).tolist()]


def centre(plane: np.ndarray) -> np.ndarray:
    y, x = (max(0, (side - SIZE) // 2) for side in plane.shape)
    return plane[y : y + SIZE, x : x + SIZE].astype(np.float64)
