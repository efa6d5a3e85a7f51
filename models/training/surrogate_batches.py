"""What the joint training of mask network and surrogate draws: crops, densities, masks; and corrected known values."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dinp.errors import DinpError
from dinp.models.masks.binarise import error_diffusion
from dinp.models.masks.search import voronoi
from dinp.models.training.data import dihedral, grey
from dinp.models.training.restoration_data import pictures

CROPS = {64: 32, 96: 14, 128: 8, 192: 4, 256: 2}  # sides, and how many of them are a batch: of as many pixels, nearly
DENSITIES = (0.01, 0.15)


def training_planes(data: Path, limit: int | None = None) -> list[np.ndarray]:
    """The training pictures, or `limit` of them, that are as large as the smallest crop, (H, W) uint8.

    Raises
    ------
    DinpError
        There are none.
    """
    planes = [grey(data / name) for name in pictures(data, "train", limit)]
    planes = [plane for plane in planes if min(plane.shape) >= min(CROPS)]
    if not planes:
        raise DinpError(f"no training picture is as large as a crop: {min(CROPS)} x {min(CROPS)} pixels")
    return planes


def draw(planes: Sequence[np.ndarray], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Crops (B, 1, n, n), flipped and turned at random, and densities (B,), float32; of several n, not to learn one.

    A network that has only seen crops of one size relies on their borders.
    """
    largest = max(min(plane.shape) for plane in planes)
    side = int(rng.choice([side for side in CROPS if side <= largest]))
    large = [plane for plane in planes if min(plane.shape) >= side]
    chosen = [large[rng.integers(len(large))] for _ in range(CROPS[side])]
    crops = np.empty((len(chosen), 1, side, side), dtype=np.float32)
    for crop, plane in zip(crops, chosen, strict=True):
        y, x = (rng.integers(length - side + 1) for length in plane.shape)
        crop[0] = dihedral(plane[y : y + side, x : x + side], int(rng.integers(8)))
    low, high = np.log(DENSITIES)
    density = np.exp(rng.uniform(low, high, len(chosen))).astype(np.float32)
    return crops, density


def to_tensors(crops: np.ndarray, density: np.ndarray, device: torch.device) -> tuple[Tensor, Tensor]:
    """What `draw` gives, on a device."""
    return torch.as_tensor(crops).to(device, memory_format=torch.channels_last), torch.as_tensor(density).to(device)


def binarised(confidence: Tensor) -> tuple[np.ndarray, Tensor]:
    """Masks by error diffusion, (B, H, W) bool, and the same as a tensor like the confidences (B, 1, H, W)."""
    points = error_diffusion(confidence.detach()[:, 0].cpu().double().numpy())
    return points, torch.from_numpy(points[:, None].astype(np.float32)).to(confidence.device)


def on_the_way(confidence: Tensor, binary: Tensor, rng: np.random.Generator) -> Tensor:
    """Values anywhere from binary to soft, drawn for each crop, with the gradient of the confidences."""
    e = torch.from_numpy(rng.random((len(confidence), 1, 1, 1), dtype=np.float32)).to(confidence.device)
    return confidence + (1 - e) * (binary - confidence.detach())


def between(confidence: Tensor, binary: Tensor, rng: np.random.Generator) -> Tensor:
    """Masks for the inpainting network to learn on, by turns of four, of which any may be first.

    Binary ones of the mask network; the same with known pixels of less confidence, or with more of them; those on the
    way from binary to soft; and, now and then, pixels at random.
    """
    shape = confidence.shape[1:]
    out = binary.clone()
    first = int(rng.integers(4))
    for i in range(confidence.shape[0]):
        turn, level = (first + i) % 4, float(rng.random())
        noise = torch.from_numpy(rng.random((2, *shape), dtype=np.float32)).to(confidence)
        drawn = (noise[0] < confidence[i].mean()).to(confidence)
        if turn == 1:
            out[i] = torch.maximum(out[i], drawn * noise[1]) if level < 0.5 else out[i] * noise[1].sqrt()
        elif turn == 2:
            out[i] += level * (confidence[i] - out[i])
        elif turn == 3 and level < 0.3:
            out[i] = drawn
    return out


def cell_means(error: Tensor, masks: np.ndarray) -> Tensor:
    """The mean over each pixel's Voronoi cell: errors (B, 1, H, W) and masks (B, H, W) bool to (B, 1, H, W)."""
    planes = error[:, 0].cpu().double().numpy()
    found = np.zeros_like(planes)
    for out, plane, mask in zip(found, planes, masks, strict=True):
        if mask.any():
            cell, count = voronoi(mask)
            mean = np.bincount(cell, plane.ravel(), count) / np.bincount(cell, minlength=count)
            out[...] = mean[cell].reshape(plane.shape)
    return torch.from_numpy(found[:, None]).to(error)
