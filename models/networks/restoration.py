"""The restoration network in torch, for training; `dinp.restoration` specifies it and runs it in numpy."""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from dinp.models.networks.unet import ResidualBlock
from dinp.restoration import INPUTS


class RestorationNetwork(nn.Module):
    """Correction of an inpainted plane, at half resolution and four channels.

    Parameters
    ----------
    widths : sequence of 4 ints
        Channels at strides 2, 4, 8 and 16.
    """

    def __init__(self, widths: tuple[int, ...] = (40, 56, 72, 72)) -> None:
        super().__init__()
        self.config = {"widths": list(widths)}
        self.stem = nn.Conv2d(INPUTS, widths[0], 3, padding=1)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in pairwise(widths))
        self.up = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairwise(widths))
        self.encode = nn.ModuleList(ResidualBlock(width) for width in widths)
        self.decode = nn.ModuleList(ResidualBlock(width) for width in widths[:-1])
        self.head = nn.Conv2d(widths[0], 4, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Correction.

        Parameters
        ----------
        x : (B, 10, h, w) float tensor
            What `dinp.restoration.network_input` makes; h and w multiples of 8.

        Returns
        -------
        (B, 4, h, w) tensor
            Correction of the four pixels of each 2x2 block, in units of `dinp.restoration.correction_scale`.
        """
        encoded = []
        for i, encode in enumerate(self.encode):
            x = encode(self.down[i - 1](x) if i else self.stem(x))
            encoded.append(x)
        for i in reversed(range(len(self.decode))):
            x = functional.interpolate(self.up[i](x), scale_factor=2, mode="nearest")
            x = self.decode[i](encoded[i] + x)
        return self.head(functional.relu(x))
