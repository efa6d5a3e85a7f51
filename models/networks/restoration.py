"""The restoration networks in torch, for training; `dinp.restoration` specifies them."""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from dinp.models.networks.unet import inner_widths, residual_blocks
from dinp.restoration import INPUTS


class RestorationNetwork(nn.Module):
    """Correction of an inpainted plane, at half resolution and four channels.

    Parameters
    ----------
    widths : sequence of ints
        Channels at strides 2, 4, 8 and 16.
    encode, decode : sequences of 4 and 3 ints, optional
        Channels inside the residual blocks on the way down, and on the way up; see `residual_blocks`.
    head : int
        Side of the last layer's kernel.

    Notes
    -----
    Version 1 of the restoration has the widths 40, 64, 96 and 112; version 2 has 32, 64, 96 and 112, with 16, 32, 64
    and 112 channels inside the blocks on the way down, 16, 32 and 64 on the way up, and a last kernel of 1x1; version 3
    is like that with 16, 8, 8, 8 and 16, 8, 8 inside.
    """

    def __init__(
        self,
        widths: Sequence[int] = (40, 56, 72, 72),
        encode: Sequence[int] | None = None,
        decode: Sequence[int] | None = None,
        head: int = 3,
    ) -> None:
        super().__init__()
        self.config = {"widths": list(widths), **inner_widths(encode, decode)}
        if head != 3:
            self.config["head"] = head
        self.stem = nn.Conv2d(INPUTS, widths[0], 3, padding=1)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in pairwise(widths))
        self.up = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairwise(widths))
        self.encode = residual_blocks(widths, encode)
        self.decode = residual_blocks(widths[:-1], decode)
        self.head = nn.Conv2d(widths[0], 4, head, padding=head // 2)
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
