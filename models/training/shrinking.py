"""How a network is made narrower: channels that say least are left out, and layers fitted to make up for them.

Of the inside of a block those channels are left out that add least to its result. Layers that have to make up for what
is left out are fitted by least squares to the features of the larger network.

References
----------
Y. He, X. Zhang, J. Sun: Channel Pruning for Accelerating Very Deep Neural Networks. ICCV 2017.
"""

from collections.abc import Iterable
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

Network = TypeVar("Network", bound=nn.Module)
RIDGE = 1e-3  # of the mean energy of what is fitted with


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


class Shrinking:
    """A larger network, and what enters and leaves its layers where it is run after this.

    Attributes
    ----------
    seen : dict of str to (Tensor, Tensor)
        The input and the output of each layer, by its name, when it was run last.
    """

    def __init__(self, large: nn.Module) -> None:
        self.layers = dict(large.named_modules())
        self.seen: dict[str, tuple[Tensor, Tensor]] = {}
        for name, layer in self.layers.items():
            if name and not isinstance(layer, nn.ModuleList):
                layer.register_forward_hook(lambda _, i, o, name=name: self.seen.__setitem__(name, (i[0], o)))

    def hand_on(self, small: nn.Module) -> None:
        """Give a smaller network all weights that have the same name and shape."""
        own = small.state_dict()
        same = {n: w for n, w in self.layers[""].state_dict().items() if n in own and w.shape == own[n].shape}
        small.load_state_dict(own | same)

    def copy_blocks(self, trunk: nn.Module) -> None:
        """Make the blocks of a smaller trunk of the same channels, once the larger network was run."""
        for side in ("encode", "decode"):
            for i, block in enumerate(getattr(trunk, side)):
                every = torch.arange(len(trunk.condition[i].weight))
                self.copy_block(block, f"trunk.{side}.{i}", every)

    def importance(self, name: str, users: Iterable[str]) -> Tensor:
        """Energy of the features that a layer gives, (C,), times the weight that its users give them."""
        weight = sum(self.layers[user].weight.square().sum(dim=(0, 2, 3)) for user in users)
        return self.seen[name][1].square().mean(dim=(0, 2, 3)) * weight

    def copy(self, to: nn.Conv2d, name: str, outputs: Tensor, inputs: Tensor) -> None:
        """Let a layer do what the larger network's does for some of its channels."""
        to.weight[:] = self.layers[name].weight[outputs][:, inputs]
        to.bias[:] = self.layers[name].bias[outputs]

    def copy_block(self, to: nn.Module, name: str, channels: Tensor) -> None:
        """The same for a block, which may have fewer channels inside, or be none."""
        if isinstance(to, nn.Identity):
            return
        inside = functional.relu(self.seen[f"{name}.first"][1])
        energy = inside.square().mean(dim=(0, 2, 3)) * self.layers[f"{name}.second"].weight.square().sum(dim=(0, 2, 3))
        chosen = strongest(energy, len(to.first.weight))
        self.copy(to.first, f"{name}.first", chosen, channels)
        self.copy(to.second, f"{name}.second", channels, chosen)
        if len(chosen) < inside.shape[1]:
            fit(to.second, inside[:, chosen], self.seen[f"{name}.second"][1][:, channels])


@torch.no_grad()
def begun_smaller(large: Network, *given: Tensor | None, **config: object) -> tuple[Network, Shrinking]:
    """A network with other channels inside the blocks of its trunk, nowhere more, and the larger one as it was run.

    Layers whose input is no longer what it was are still to be fitted. `given` is what the networks take.
    """
    small = type(large)(**large.config | config).eval()
    larger = Shrinking(large)
    larger.hand_on(small)
    large(*given)
    larger.copy_blocks(small.trunk)
    return small, larger
