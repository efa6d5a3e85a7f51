"""A smaller restoration network that begins with what a larger one has learned.

    dinp train restoration-start runs/restoration/planes_1.npz --out runs/restoration/start.npz \\
        --widths 32,64,96,112 --encode 16,32,64,112 --decode 16,32,64 --head 1 [--teacher weights.npz]

Channels that say least are left out: of the outside those with the least energy times the weight that later layers give
them, of the inside of a block those that add least to its result. Layers that have to make up for what is left out are
fitted by least squares to the features of the larger network on crops of training planes.

References
----------
Y. He, X. Zhang, J. Sun: Channel Pruning for Accelerating Very Deep Neural Networks. ICCV 2017.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from dinp.models.networks.restoration import RestorationNetwork
from dinp.models.training.restoration_planes import load_planes
from dinp.models.weights.hub import load_network, save_weights
from dinp.restoration import network_input

SIDE = 96  # of a crop, of the network's pixels
CROPS = 48
RIDGE = 1e-3  # of the mean energy of what is fitted with


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


def fit(layer: nn.Conv2d, x: Tensor, y: Tensor) -> None:
    """Let a layer map x (B, C, h, w) to y as well as it can, by least squares."""
    size = layer.kernel_size[0]
    n = x.shape[1] * size * size + 1
    gram, right = torch.zeros(n, n, dtype=torch.float64), torch.zeros(n, y.shape[1], dtype=torch.float64)
    for one, wanted in zip(x, y, strict=True):
        a = functional.unfold(one[None], size, padding=layer.padding, stride=layer.stride)[0].T
        a = torch.cat((a, torch.ones(len(a), 1)), dim=1).double()
        gram += a.T @ a
        right += a.T @ wanted.reshape(len(wanted), -1).T.double()
    ridge = RIDGE * torch.diagonal(gram)[:-1].mean()
    gram[range(n - 1), range(n - 1)] += ridge
    found = torch.linalg.solve(gram, right).float()
    layer.weight.data[:] = found[:-1].T.reshape(layer.weight.shape)
    layer.bias.data[:] = found[-1]


def strongest(score: Tensor, count: int) -> Tensor:
    """Places of the highest scores, in ascending order."""
    return torch.sort(torch.topk(score, count).indices).values


@torch.no_grad()
def shrink(large: RestorationNetwork, x: Tensor, **config: object) -> RestorationNetwork:
    """A network of another configuration, nowhere wider, with weights made from those of a larger one."""
    small = RestorationNetwork(**config)
    widths = small.config["widths"]
    seen: dict[str, tuple[Tensor, Tensor]] = {}  # what enters and leaves each layer
    for name, layer in large.named_modules():
        if not isinstance(layer, (nn.ModuleList, RestorationNetwork)):
            layer.register_forward_hook(lambda _, i, o, name=name: seen.__setitem__(name, (i[0], o)))
    correction = large(x)
    layers = dict(large.named_modules())

    def weight_of(names: list[str]) -> Tensor:
        return sum(layers[name].weight.square().sum(dim=(0, 2, 3)) for name in names)

    kept = []
    for i, width in enumerate(widths):
        users = [f"encode.{i}.first"]
        users += [f"down.{i}", f"decode.{i}.first"] if i < 3 else []
        users += [f"up.{i - 1}"] if i else ["head"]
        kept.append(strongest(seen[f"encode.{i}"][1].square().mean(dim=(0, 2, 3)) * weight_of(users), width))

    def copy(to: nn.Conv2d, name: str, outputs: Tensor, inputs: Tensor) -> None:
        to.weight[:] = layers[name].weight[outputs][:, inputs]
        to.bias[:] = layers[name].bias[outputs]

    def copy_block(to: nn.Module, name: str, channels: Tensor) -> None:
        if isinstance(to, nn.Identity):
            return
        inside = functional.relu(seen[f"{name}.first"][1])
        energy = inside.square().mean(dim=(0, 2, 3)) * layers[f"{name}.second"].weight.square().sum(dim=(0, 2, 3))
        chosen = strongest(energy, len(to.first.weight))
        copy(to.first, f"{name}.first", chosen, channels)
        copy(to.second, f"{name}.second", channels, chosen)
        if len(chosen) < inside.shape[1]:
            fit(to.second, inside[:, chosen], seen[f"{name}.second"][1][:, channels])

    for i in range(4):
        copy_block(small.encode[i], f"encode.{i}", kept[i])
        if i < 3:
            copy_block(small.decode[i], f"decode.{i}", kept[i])
            copy(small.down[i], f"down.{i}", kept[i + 1], kept[i])
            copy(small.up[i], f"up.{i}", kept[i], kept[i + 1])
    if isinstance(small.encode[0], nn.Identity):
        fit(small.stem, x, seen["encode.0"][1][:, kept[0]])
    else:
        copy(small.stem, "stem", kept[0], torch.arange(x.shape[1]))
    if small.head.kernel_size == large.head.kernel_size:
        copy(small.head, "head", torch.arange(4), kept[0])
    else:
        fit(small.head, functional.relu(seen["decode.0"][1])[:, kept[0]], correction)
    return small


def make(planes: Path, teacher: Path | None, out: Path, *, seed: int = 1, **config: object) -> None:
    """Write the weights of a network of a configuration, made from a teacher's on crops of the planes of a file."""
    torch.manual_seed(seed)
    small = shrink(load_network("restoration", teacher), crops(planes, seed), **config)
    save_weights(out, "restoration", small.config, small.state_dict())
