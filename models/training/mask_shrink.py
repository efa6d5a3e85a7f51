"""A lighter mask network that begins with what a larger one has learned.

    dinp train mask-start --data DATA --out runs/light/start.npz --encode 16,16,48,48,32 --decode 0,16,48,48 \\
        [--teacher weights.npz]

It has fewer channels inside its blocks, or no blocks. Which stay, and how layers make up for the others, says
`dinp.models.training.shrinking`: on enlarged crops of training pictures, half of them with points placed, which are
drawn by the network's confidences.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from dinp.models.networks.mask import MaskNetwork
from dinp.models.training import enlarged
from dinp.models.training.shrinking import begun_smaller, fit
from dinp.models.weights.hub import load_network, save_weights

SIDE = 192  # of a crop, pixels
CROPS = 16


@torch.no_grad()
def shrink(large: MaskNetwork, planes: Tensor, density: Tensor, placed: Tensor | None, **config: object) -> MaskNetwork:
    """A network with other channels inside its blocks, nowhere more, with weights made from those of a larger one.

    Parameters
    ----------
    large : MaskNetwork
    planes, density, placed
        What `MaskNetwork.forward` takes.
    config
        `encode` and `decode`, see `MaskNetwork`.
    """
    small, larger = begun_smaller(large, planes, density, placed, **config)
    if isinstance(small.trunk.decode[0], nn.Identity):  # the last layers make up for what it did
        fit(small.unfold, functional.relu(larger.seen["trunk.decode.0"][0]), larger.seen["unfold"][1])
    return small


def crops(folder: Path, large: MaskNetwork, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor | None]:
    """Enlarged crops of training pictures, densities, and points drawn by the confidences, in half of them."""
    paths = enlarged.pictures(folder)
    low, high = np.log(large.config["densities"])
    planes = [enlarged.crop(paths[rng.integers(len(paths))], SIDE, rng) for _ in range(CROPS)]
    f = torch.from_numpy(np.stack(planes)[:, None].astype(np.float32))
    density = torch.from_numpy(np.exp(rng.uniform(low, high, CROPS)).astype(np.float32))
    if not large.config.get("passes"):
        return f, density, None
    with torch.no_grad():
        share = torch.from_numpy(rng.random(CROPS).astype(np.float32)) * (torch.arange(CROPS) % 2)
        placed = (torch.rand(f.shape) < share.view(-1, 1, 1, 1) * large(f, density)).float()
    return f, density, placed


def make(folder: Path, teacher: Path | None, out: Path, *, seed: int = 1, **config: object) -> None:
    """Write the weights of a network of a configuration, made from a teacher's on crops of training pictures."""
    torch.manual_seed(seed)
    large = load_network("mask", teacher)
    given = crops(folder, large, np.random.default_rng(seed))
    small = shrink(large, *given, **{name: list(inside) for name, inside in config.items() if inside})
    save_weights(out, "mask", small.config, small.state_dict())
