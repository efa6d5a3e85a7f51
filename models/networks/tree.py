"""The tree network: a plane and a wanted density in, split logits for the cells of a quadtree out."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from dinp.models.networks.pruning import hints
from dinp.models.networks.unet import STRIDES, UNet, inner_widths, padded, standardised

DENSITIES = (0.005, 0.20)
SIDES = tuple(reversed(STRIDES))  # 32, 16, 8, 4, 2: roots first


class TreeNetwork(nn.Module):
    """Logit that a cell of the quadtree, given that it exists, is split into four.

    The scales of the trunk's decoder are the levels of the tree: the head of cell side s reads the features of stride
    s, one vector per cell, which have seen everything finer (through the encoder) and coarser (through the decoder).
    One forward pass then stands for the search that made the trees it was trained on.

    Parameters
    ----------
    widths : 5 ints
        Channels at strides 2, 4, 8, 16 and 32.
    hidden : int
        Channels of the heads.
    densities : (low, high)
        Range of densities the network is conditioned on.
    hinted : bool
        Whether the network is given the hints of `dinp.models.networks.pruning`.
    encode, decode : 5 and 4 ints, optional
        Channels inside the residual blocks on the way down, and on the way up; see
        `dinp.models.networks.unet.residual_blocks`.
    """

    def __init__(
        self,
        widths: tuple[int, ...] = (32, 32, 48, 64, 48),
        hidden: int = 32,
        densities: tuple[float, float] = DENSITIES,
        hinted: bool = True,
        encode: Sequence[int] | None = None,
        decode: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.config = {"widths": list(widths), "hidden": hidden, "densities": list(densities), "hinted": hinted}
        self.config |= inner_widths(encode, decode)
        self.trunk = UNet(tuple(widths), tuple(densities), hinted, encode=encode, decode=decode)
        self.trust = nn.Parameter(torch.ones(len(widths))) if hinted else None
        self.hidden = nn.ModuleList(nn.Conv2d(width, hidden, 1) for width in reversed(widths))
        self.split = nn.ModuleList(nn.Conv2d(hidden, 1, 1) for _ in widths)

    def forward(self, plane: Tensor, density: Tensor) -> list[Tensor]:
        """Split logits.

        Parameters
        ----------
        plane : (B, 1, H, W) float tensor
            Grey values 0-255, any size.
        density : (B,) float tensor
            Wanted leaves per pixel; clamped to `densities`.

        Returns
        -------
        list of 5 tensors
            For the cell sides 32, 16, 8, 4, 2: (B, ceil(H / side), ceil(W / side)).
        """
        height, width = plane.shape[-2:]
        clues = hints(padded(standardised(plane)), density) if self.trust is not None else None
        features = self.trunk(plane, density, clues)[::-1]
        logits = []
        for level, side in enumerate(SIDES):
            x = self.hidden[level](functional.relu(features[level]))
            x = self.split[level](functional.relu(x)).float()
            if clues is not None:
                x = x + self.trust[level] * clues[-1 - level]
            logits.append(x[:, 0, : -(-height // side), : -(-width // side)])
        return logits
