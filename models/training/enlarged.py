"""Crops of enlarged training pictures, and what a larger tree network says of them: for a lighter one to imitate.

The lighter network is for large pictures, of which there are none to train on. Enlarged ones are as smooth per pixel as
those, and a network's answers, unlike optimised trees, cost next to nothing to make.
"""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from dinp.errors import DinpError
from dinp.models.networks.tree import DENSITIES
from dinp.models.training import data

CROP = 384
LARGEST = 3.0  # times the side of a picture
COLOUR = 0.3  # share of crops that are of a plane of colour
FEW, MANY = 0.6 * DENSITIES[0], 0.75 * DENSITIES[1]
EXISTS = 0.25  # probability, by the teacher, that a cell is split, from which on its parts count

Batch = tuple[np.ndarray, np.ndarray, list[np.ndarray]]
Draw = Callable[[np.random.Generator], Batch]


def pictures(folder: Path) -> list[Path]:
    """The training pictures of a data folder that are not held out.

    Raises
    ------
    DinpError
        There are none.
    """
    found, _ = data.divided(folder)
    if not found:
        raise DinpError(f"there are no training pictures below {folder}")
    return found


def crop(path: Path, side: int, rng: np.random.Generator) -> np.ndarray:
    """A square of a picture, (side, side) uint8: grey or a plane of colour, enlarged 1 to LARGEST times or more."""
    mode, channel = ("YCbCr", int(rng.integers(1, 3))) if rng.random() < COLOUR else ("L", 0)
    with Image.open(path) as image:
        plane = image.convert("RGB").convert(mode).getchannel(channel)
    seen = min(side / math.exp(rng.uniform(0, math.log(LARGEST))), *plane.size)
    left, top = (rng.uniform(0, n - seen) for n in plane.size)
    enlarged = plane.resize((side, side), Image.Resampling.BICUBIC, (left, top, left + seen, top + seen))
    return data.dihedral(np.asarray(enlarged), int(rng.integers(8)))


def draw(found: list[Path], teacher: nn.Module, count: int, rng: np.random.Generator, side: int) -> Batch:
    """Planes (count, side, side), densities (count,), and the teacher's probabilities of splits, as labels.

    As in `dinp.models.training.data`; `ABSENT` where a cell does not exist, or hardly.
    """
    planes = np.stack([crop(found[i], side, rng) for i in rng.integers(len(found), size=count)])
    density = np.exp(rng.uniform(math.log(FEW), math.log(MANY), count)).astype(np.float32)
    given, wanted, _ = data.to_tensors(planes, density, [], next(teacher.parameters()).device)
    labels, exists = [], True
    with torch.inference_mode():
        for logits in teacher(given, wanted):
            split = torch.sigmoid(logits).cpu().numpy()
            labels.append(np.where(exists, split, np.float32(data.ABSENT)))
            exists = (exists & (split > EXISTS)).repeat(2, axis=1).repeat(2, axis=2)
    return planes, density, labels


def mixed(one: Draw, other: Draw, share: float) -> Draw:
    """What draws from `other` with a probability of `share`, else from `one`."""
    return lambda rng: (other if rng.random() < share else one)(rng)
