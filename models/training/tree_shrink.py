"""A lighter tree network that begins with what a larger one has learned.

    dinp train tree-start --data DATA --out runs/tree2/start.npz --encode 16,32,48,64,48 --decode 16,32,48,64 \\
        [--teacher weights.npz]

It has fewer channels inside its blocks, or no blocks. Which stay, and how layers make up for the others, says
`dinp.models.training.shrinking`: on enlarged crops of training pictures.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from dinp.models.networks.tree import TreeNetwork
from dinp.models.training import data, enlarged
from dinp.models.training.shrinking import begun_smaller, fit
from dinp.models.weights.hub import load_network, save_weights

SIDE = 256  # of a crop, pixels
CROPS = 16


@torch.no_grad()
def shrink(large: TreeNetwork, planes: Tensor, density: Tensor, **config: object) -> TreeNetwork:
    """A network with other channels inside its blocks, nowhere more, with weights made from those of a larger one.

    Parameters
    ----------
    large : TreeNetwork
    planes, density
        What `TreeNetwork.forward` takes.
    config
        `encode` and `decode`, see `TreeNetwork`.
    """
    small, larger = begun_smaller(large, planes, density, **config)
    for level, block in enumerate(reversed(small.trunk.decode), 1):
        if isinstance(block, nn.Identity):  # the head makes up for what it did
            features = larger.seen[f"trunk.decode.{len(small.trunk.decode) - level}"][0]
            fit(small.hidden[level], functional.relu(features), larger.seen[f"hidden.{level}"][1])
    return small


def make(folder: Path, teacher: Path | None, out: Path, *, seed: int = 1, **config: object) -> None:
    """Write the weights of a network of a configuration, made from a teacher's on crops of training pictures."""
    torch.manual_seed(seed)
    large = load_network("tree", teacher)
    drawn = enlarged.draw(enlarged.pictures(folder), large, CROPS, np.random.default_rng(seed), SIDE)
    planes, density, _ = data.to_tensors(*drawn, torch.device("cpu"))
    small = shrink(large, planes, density, **{name: list(inside) for name, inside in config.items() if inside})
    save_weights(out, "tree", small.config, small.state_dict())
