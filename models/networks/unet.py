"""The U-Net trunk that the mask network and the tree network share: features at cell sides 32, 16, 8, 4 and 2."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

STRIDES = (2, 4, 8, 16, 32)
MULTIPLE = STRIDES[-1]


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around an identity; starts as the identity, so that no normalisation is needed.

    Without batch or group statistics a crop and a whole picture are treated alike, and a batch of one will do.
    """

    def __init__(self, width: int, inner: int | None = None) -> None:
        """Of so many channels outside and, if they differ, inside."""
        super().__init__()
        inner = inner or width
        self.first = nn.Conv2d(width, inner, 3, padding=1)
        self.second = nn.Conv2d(inner, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(functional.relu(self.first(functional.relu(x))))


def residual_blocks(widths: Sequence[int], inside: Sequence[int] | None = None) -> nn.ModuleList:
    """One block a scale, of so many channels outside and inside, by default as many; 0 inside: no block there."""
    blocks = (
        ResidualBlock(*sizes) if sizes[1] else nn.Identity() for sizes in zip(widths, inside or widths, strict=True)
    )
    return nn.ModuleList(blocks)


def inner_widths(encode: Sequence[int] | None, decode: Sequence[int] | None) -> dict[str, list[int]]:
    """What a network's configuration says of the channels inside its blocks: what is not as outside."""
    given = {"encode": encode, "decode": decode}
    return {name: list(widths) for name, widths in given.items() if widths is not None}


class UNet(nn.Module):
    """Encoder and decoder whose finest scale is half the picture's resolution.

    The picture enters by pixel-unshuffling (four pixels become four channels), so no convolution runs at full
    resolution; all resampling is by aligned 2x2 blocks, so a feature of stride s belongs to one s x s cell.

    Parameters
    ----------
    widths : sequence of 5 ints
        Channels at strides 2, 4, 8, 16 and 32.
    densities : (low, high)
        Range of densities the network is conditioned on; others are clamped to it.
    hinted : bool
        Whether every scale takes one more input channel, see `forward`.
    placed : bool
        Whether the stem sees the points that are placed already, see `forward`.
    encode, decode : sequences of 5 and 4 ints, optional
        Channels inside the residual blocks on the way down, and on the way up; see `residual_blocks`.

    References
    ----------
    O. Ronneberger, P. Fischer, T. Brox: U-Net: Convolutional Networks for Biomedical Image Segmentation. MICCAI 2015.
    """

    def __init__(
        self,
        widths: tuple[int, ...],
        densities: tuple[float, float],
        hinted: bool = False,
        placed: bool = False,
        encode: Sequence[int] | None = None,
        decode: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        low, high = math.log(densities[0]), math.log(densities[1])
        self.centre, self.spread, self.low, self.high = (low + high) / 2, (high - low) / 2, low, high
        self.stem = nn.Conv2d(4, widths[0], 3, padding=1)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in pairwise(widths))
        self.up = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairwise(widths))
        self.condition = nn.ModuleList(nn.Linear(2, width) for width in widths)
        self.hint = nn.ModuleList(nn.Conv2d(1, width, 1, bias=False) for width in widths if hinted)
        self.encode = residual_blocks(widths, encode)
        self.decode = residual_blocks(widths[:-1], decode)
        self.tell = nn.Conv2d(4, widths[0], 3, padding=1, bias=False) if placed else None

    def forward(
        self, plane: Tensor, density: Tensor, hints: list[Tensor] | None = None, placed: Tensor | None = None
    ) -> list[Tensor]:
        """Features of a plane at every stride.

        Parameters
        ----------
        plane : (B, 1, H, W) float tensor
            Grey values 0-255, any size.
        density : (B,) float tensor
            Wanted density, known pixels per pixel.
        hints : list of 5 tensors (B, 1, H' / stride, W' / stride), if the trunk is hinted
            One more input channel per scale.
        placed : (B, 1, H, W) float tensor, if the trunk is told the points that are placed
            1 where one is, elsewhere 0.

        Returns
        -------
        list of 5 tensors
            Features at strides 2, 4, 8, 16, 32: (B, widths[i], H' / stride, W' / stride), where H' and W' are H and W
            rounded up to a multiple of 32.
        """
        # Optimal masks do not change when grey values are scaled or shifted, so the input is freed of both.
        x = padded(standardised(plane))
        level = (torch.log(density).clamp(self.low, self.high) - self.centre) / self.spread
        # log density and its square as constant input channels of every scale, written as a bias
        condition = torch.stack((level, level * level), dim=1).to(x.dtype)
        x = self.stem(functional.pixel_unshuffle(x, 2))
        if placed is not None:
            x = x + self.tell(functional.pixel_unshuffle(padded(placed, mode="constant"), 2))
        features = []
        for i, encode in enumerate(self.encode):
            x = self.down[i - 1](x) if i else x
            x = x + self.condition[i](condition)[:, :, None, None]
            if hints is not None:
                x = x + self.hint[i](hints[i])
            x = encode(x)
            features.append(x)
        for i in reversed(range(len(self.decode))):
            x = functional.interpolate(self.up[i](x), scale_factor=2, mode="nearest")
            x = self.decode[i](x + features[i])
            features[i] = x
        return features


def padded(plane: Tensor, mode: str = "replicate") -> Tensor:
    """Planes (B, 1, H, W) continued below and to the right, by their last pixels or by 0, to multiples of 32."""
    height, width = plane.shape[-2:]
    return functional.pad(plane, (0, -width % MULTIPLE, 0, -height % MULTIPLE), mode=mode)


def standardised(plane: Tensor) -> Tensor:
    """Planes (B, 1, H, W) with mean 0 and standard deviation 1; a flat plane stays flat."""
    wide = plane.double()
    mean = wide.mean(dim=(1, 2, 3), keepdim=True)
    variance = (wide - mean).square().mean(dim=(1, 2, 3), keepdim=True)
    return ((wide - mean) / torch.sqrt(variance + 1)).float()
