"""A smaller restoration network that begins with what a larger one has learned.

    dinp train restoration-start runs/restoration/planes_1.npz --out runs/restoration/start.npz \\
        --widths 32,64,96,112 --encode 16,32,64,112 --decode 16,32,64 --head 1 [--teacher weights.npz]

Of the outside those channels are left out that have the least energy times the weight that later layers give them, of
the inside of a block, and how layers make up for them, as `dinp.models.training.shrinking` says: on crops of training
planes.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from dinp.models.networks.restoration import RestorationNetwork
from dinp.models.training.restoration_planes import load_planes
from dinp.models.training.shrinking import Shrinking, fit, strongest
from dinp.models.weights.hub import load_network, save_weights
from dinp.restoration import network_input

SIDE = 96  # of a crop, of the network's pixels
CROPS = 48


def crops(path: Path, seed: int, count: int = CROPS) -> Tensor:
    """Network inputs (B, 10, SIDE, SIDE) of random crops of planes."""
    rng = np.random.default_rng(seed)
    _, found, _ = load_planes(path)
    inputs = [x for x in (network_input(e.decoded) for e in found) if min(x.shape[1:]) >= SIDE]
    out = []
    for i in rng.integers(len(inputs), size=count):
        y, x = (8 * int(rng.integers((n - SIDE) // 8 + 1)) for n in inputs[i].shape[1:])
        out.append(inputs[i][:, y : y + SIDE, x : x + SIDE])
    return torch.from_numpy(np.stack(out))


@torch.no_grad()
def shrink(large: RestorationNetwork, x: Tensor, **config: object) -> RestorationNetwork:
    """A network of another configuration, nowhere wider, with weights made from those of a larger one."""
    small = RestorationNetwork(**config)
    widths = small.config["widths"]
    larger = Shrinking(large)
    correction = large(x)
    kept = []
    for i, width in enumerate(widths):
        users = [f"encode.{i}.first"]
        users += [f"down.{i}", f"decode.{i}.first"] if i < 3 else []
        users += [f"up.{i - 1}"] if i else ["head"]
        kept.append(strongest(larger.importance(f"encode.{i}", users), width))
    for i in range(4):
        larger.copy_block(small.encode[i], f"encode.{i}", kept[i])
        if i < 3:
            larger.copy_block(small.decode[i], f"decode.{i}", kept[i])
            larger.copy(small.down[i], f"down.{i}", kept[i + 1], kept[i])
            larger.copy(small.up[i], f"up.{i}", kept[i], kept[i + 1])
    if isinstance(small.encode[0], nn.Identity):
        fit(small.stem, x, larger.seen["encode.0"][1][:, kept[0]])
    else:
        larger.copy(small.stem, "stem", kept[0], torch.arange(x.shape[1]))
    if small.head.kernel_size == large.head.kernel_size:
        larger.copy(small.head, "head", torch.arange(4), kept[0])
    else:
        fit(small.head, functional.relu(larger.seen["decode.0"][1])[:, kept[0]], correction)
    return small


def make(planes: Path, teacher: Path | None, out: Path, *, seed: int = 1, **config: object) -> None:
    """Write the weights of a network of a configuration, made from a teacher's on crops of the planes of a file."""
    torch.manual_seed(seed)
    small = shrink(load_network("restoration", teacher), crops(planes, seed), **config)
    save_weights(out, "restoration", small.config, small.state_dict())
