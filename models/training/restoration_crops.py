"""Crops of coded pictures' planes, as the restoration network is trained on."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dinp.errors import DinpError
from dinp.models.training.restoration_data import Example, load_examples
from dinp.models.training.restoration_planes import holds_planes, load_planes
from dinp.restoration import MULTIPLE, correction_scale, network_input

CROP = 128  # pixels
PIXELS = 16 * CROP**2  # of a batch
LEAST_ERROR = 0.5  # squared grey levels: planes that are better than this do not count more
LOW_RATES = (7.0, 45.0)  # grey levels: steps of 0.05 to 0.3 bits per pixel, on photographs
ALIGNED = MULTIPLE // 2  # of the network's pixels
TRANSPOSED = [0, 2, 1, 3, 4, 6, 5, 7, 8, 9]


class Crops:
    """Random crops of examples, in the network's own form.

    Parameters
    ----------
    found : list of Example
        At least `side` x `side` pixels each; smaller ones are left out.
    side : int
        Side of a crop, pixels, a multiple of 16. Crops begin at multiples of 16, where the network's blocks of all
        strides lie as the cells of the tree do: as in whole planes.
    low_rates : float
        How much more often than others a plane is drawn whose step is one of low rates.
    taught : list of (H, W) arrays, optional
        A teacher's corrections, grey levels.
    distil : float
        Their share in the targets.
    """

    def __init__(
        self,
        found: Sequence[Example],
        side: int = CROP,
        low_rates: float = 1.0,
        taught: Sequence[np.ndarray] | None = None,
        distil: float = 0.0,
    ) -> None:
        self.half = side // 2
        self.inputs, self.targets, self.weight, size = [], [], [], []
        for number, example in enumerate(found):
            plane = example.decoded
            x = network_input(plane)
            height, width = plane.mask.shape
            error = example.original - plane.reconstruction
            wanted = error if taught is None else (1 - distil) * error + distil * taught[number]
            height, width = height - height % 2, width - width % 2
            if min(height, width) < side:
                continue
            scale = correction_scale(plane.step)
            blocks = (wanted[:height, :width] / scale).reshape(height // 2, 2, width // 2, 2)
            self.inputs.append(x[:, : height // 2, : width // 2].astype(np.float16))
            self.targets.append(blocks.transpose(1, 3, 0, 2).reshape(4, height // 2, width // 2).astype(np.float16))
            self.weight.append(scale**2 / max(LEAST_ERROR, float(np.mean(error**2))))
            low, high = LOW_RATES
            size.append(height * width * (low_rates if low <= plane.step <= high else 1.0))
        if not size:
            raise DinpError(f"there is no plane of {side} x {side} pixels or more to train on")
        self.share = np.array(size, dtype=np.float64) / sum(size)

    def draw(self, batch: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Inputs (B, 10, S, S), targets (B, 4, S, S) and weights (B,), float32; S is half the side of a crop."""
        half = self.half
        x = np.empty((batch, 10, half, half), dtype=np.float32)
        t = np.empty((batch, 4, half, half), dtype=np.float32)
        w = np.empty(batch, dtype=np.float32)
        for b, i in enumerate(rng.choice(self.share.size, size=batch, p=self.share)):
            _, height, width = self.inputs[i].shape
            y0, x0 = (ALIGNED * int(rng.integers((side - half) // ALIGNED + 1)) for side in (height, width))
            x[b] = self.inputs[i][:, y0 : y0 + half, x0 : x0 + half]
            t[b] = self.targets[i][:, y0 : y0 + half, x0 : x0 + half]
            w[b] = self.weight[i]
            if rng.integers(2):  # known pixels stand at the lower right of a cell's centre: transposing keeps that
                x[b] = x[b][TRANSPOSED].transpose(0, 2, 1)
                t[b] = t[b][TRANSPOSED[:4]].transpose(0, 2, 1)
        return x, t, w


def to_tensors(x: np.ndarray, t: np.ndarray, w: np.ndarray, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """What `Crops.draw` gives, on a device."""
    x_, t_, w_ = (torch.as_tensor(a).to(device, non_blocking=True) for a in (x, t, w))
    return x_.contiguous(memory_format=torch.channels_last), t_, w_


def read_planes(data: Path, paths: Sequence[Path]) -> tuple[list[Example], list[np.ndarray] | None]:
    """Planes of coded pictures; or of files of `restoration_planes`, with a teacher's corrections."""
    found, taught = [], []
    for path in paths:
        if holds_planes(path):
            _, planes, corrections = load_planes(path)
            found += planes
            taught += corrections
        else:
            found += load_examples(data, [path])[1]
    if taught and len(taught) < len(found):
        raise DinpError("give either files of coded pictures or files of planes, not both")
    return found, taught or None
