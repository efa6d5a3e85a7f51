"""Coded training pictures, decoded once and restored by a teacher, so that many trainings begin without waiting.

    dinp train restoration-planes runs/restoration/files_1.npz --data DATA --out runs/restoration/planes_1.npz \\
        [--teacher weights.npz]

What is kept is every plane as it was, as the decoder has it before restoration, and the correction by the teacher: the
mean over both orientations of a restoration network, by default that of version 1.
`dinp train restoration` takes such files in place of those of `dinp train restoration-data`.
"""

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from dinp.errors import DinpError
from dinp.models.training.data import read_arrays
from dinp.models.training.restoration_data import Example, load_examples
from dinp.models.weights.hub import load_network
from dinp.restoration import DecodedPlane, correction_scale, network_input

FIELDS = ("original", "reconstruction", "mask", "side", "taught")


def correction(
    network: nn.Module,
    plane: DecodedPlane,
    *,
    both: bool = True,
    bf16: bool = False,
    device: torch.device | str = "cpu",
) -> np.ndarray:
    """A network's correction of a plane, (H, W) float32 grey levels: the mean over both orientations, or of one."""
    views = [plane, plane.transposed()] if both else [plane]
    found = []
    with torch.inference_mode(), torch.autocast(torch.device(device).type, torch.bfloat16, enabled=bf16):
        for view in views:
            x = torch.from_numpy(network_input(view))[None].to(device, memory_format=torch.channels_last)
            y = torch.pixel_shuffle(network(x).float(), 2)[0, 0].cpu().numpy() * correction_scale(plane.step)
            height, width = view.mask.shape
            found.append(y[:height, :width])
    return (found[0] + found[1].T) / 2 if both else found[0]


def packed(names: Sequence[str], found: Sequence[Example], taught: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Planes, the pictures that they are from, and the teacher's corrections, as arrays for a file."""
    text = json.dumps([[n, *e.decoded.mask.shape, e.decoded.step] for n, e in zip(names, found, strict=True)])
    columns = {
        "original": [e.original for e in found],
        "reconstruction": [e.decoded.reconstruction.astype(np.float32) for e in found],
        "mask": [e.decoded.mask for e in found],
        "side": [e.decoded.side_log2 for e in found],
        "taught": [t.astype(np.float16) for t in taught],
    }
    flat = {key: np.concatenate([a.ravel() for a in arrays]) for key, arrays in columns.items()}
    return {"planes": np.array(text), **flat}


def holds_planes(path: Path) -> bool:
    """Whether a file is one of `packed` planes; of a file that cannot be read, no."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return "planes" in archive.files
    except (OSError, ValueError, AttributeError, EOFError, zipfile.BadZipFile):
        return False


def load_planes(path: Path) -> tuple[list[str], list[Example], list[np.ndarray]]:
    """Read what `packed` made: pictures' names, planes and corrections (H, W) float16."""
    what = "planes of coded training pictures"
    text, *columns = read_arrays(path, ("planes", *FIELDS), what)
    names, found, taught, at = [], [], [], 0
    try:
        for name, height, width, step in json.loads(str(text)):
            end = at + height * width
            original, u, mask, side, t = (column[at:end].reshape(height, width) for column in columns)
            found.append(Example(original, DecodedPlane(u, mask, side, step)))
            names.append(name)
            taught.append(t)
            at = end
    except (ValueError, TypeError) as error:
        raise DinpError(f"{path} holds no {what}: {error}") from None
    return names, found, taught


def make(data: Path, file: Path, teacher: Path | None = None, *, bf16: bool = False) -> dict[str, np.ndarray]:
    """What `packed` gives of a file of coded pictures, with the corrections by the teacher of a file of weights."""
    network = load_network("restoration", teacher)
    names, found = load_examples(data, [file])
    return packed(names, found, [correction(network, e.decoded, bf16=bf16) for e in found])
