"""The surrogate inpainting network: known samples and confidences in, a reconstruction out, differentiable in both."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from dinp.models.networks.unet import ResidualBlock

LEVELS = 6  # of the guess: holes of up to 64 pixels are filled
DAMPING = 0.8


class InpaintingNetwork(nn.Module):
    """Stands in for the solver of (1 - c) Laplace(u) - c (u - f) = 0 while a mask network is trained.

    A U-Net that had to learn the propagation over empty areas from nothing would need far longer than the mask network
    that it serves. This one is built as a multigrid solver is, and learns what is left:

    1. A guess by normalised convolution: known samples and confidences are summed over blocks of 2, 4, ..., 64 pixels,
       and coarse means fill, from coarse to fine, what the finer sums leave open. One learned number per level.
    2. `cycles` corrections, each by a U-Net of its own that sees the guess, the residual of the equation and the
       confidences; the residual is small and local, so a correction is, too.
    3. Before and after each, `smoothing` damped Jacobi steps of the equation, which have no weights.

    Parameters
    ----------
    widths : sequence of ints
        Channels of a U-Net at strides 2, 4, 8, ...
    cycles, smoothing : int

    References
    ----------
    T. Alt, P. Peter, J. Weickert: Learning sparse masks for diffusion-based image inpainting. IbPRIA 2022: a surrogate
    and its training by the residual; there it is a plain U-Net.
    H. Knutsson, C.-F. Westin: Normalized and differential convolution. CVPR 1993.
    """

    def __init__(self, widths: Sequence[int] = (16, 24, 32, 32, 32), cycles: int = 2, smoothing: int = 2) -> None:
        super().__init__()
        self.config = {"widths": list(widths), "cycles": cycles, "smoothing": smoothing}
        self.smoothing = smoothing
        self.trust = nn.Parameter(torch.full((LEVELS,), -1.0))
        self.corrections = nn.ModuleList(Correction(tuple(widths)) for _ in range(cycles))

    def forward(self, samples: Tensor, confidence: Tensor) -> Tensor:
        """Reconstruct.

        Parameters
        ----------
        samples : (B, 1, H, W) float tensor
            Confidence times grey value; any size.
        confidence : (B, 1, H, W) float tensor
            In [0, 1], binary or not, and not 0 everywhere.

        Returns
        -------
        (B, 1, H, W) float32 tensor
            Grey values. Adding a constant to the picture, or scaling it, does the same to the reconstruction (up to the
            least contrast of one grey level).
        """
        g, c = samples.float(), confidence.float()
        total = c.sum(dim=(1, 2, 3), keepdim=True) + 1e-6
        mean = g.sum(dim=(1, 2, 3), keepdim=True) / total
        g = g - c * mean
        energy = (g.square() / (c + 1e-3)).sum(dim=(1, 2, 3), keepdim=True) / total
        contrast = torch.sqrt(energy + 1).detach()
        g = g / contrast
        u = self.guess(g, c)
        for correction in self.corrections:
            u = self._smoothed(u, g, c)
            seen = torch.cat((u, 4 * residual(u, g, c), c), dim=1)
            u = u + (1 - c) * correction(seen.contiguous(memory_format=torch.channels_last))
        return self._smoothed(u, g, c) * contrast + mean

    def guess(self, samples: Tensor, confidence: Tensor) -> Tensor:
        """The reconstruction to start from: normalised convolution, coarse to fine."""
        height, width = confidence.shape[-2:]
        border = (0, -width % 2**LEVELS, 0, -height % 2**LEVELS)
        sums = [functional.pad(torch.cat((samples, confidence), dim=1), border)]
        for _ in range(LEVELS):
            sums.append(4 * functional.avg_pool2d(sums[-1], 2))
        u = sums[-1][:, :1] / (sums[-1][:, 1:] + 1e-3)
        for level in reversed(range(LEVELS)):
            coarser = torch.exp(self.trust[level])
            u = functional.interpolate(u, scale_factor=2, mode="bilinear", align_corners=False)
            u = (sums[level][:, :1] + coarser * u) / (sums[level][:, 1:] + coarser)
        return u[..., :height, :width]

    def _smoothed(self, u: Tensor, samples: Tensor, confidence: Tensor) -> Tensor:
        for _ in range(self.smoothing):
            u = u + DAMPING * residual(u, samples, confidence) / (4 - 3 * confidence)
        return u


class Correction(nn.Module):
    """A U-Net from three planes at full resolution to one; nothing but zeros before it is trained."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.multiple = 2 ** len(widths)
        self.stem = nn.Conv2d(12, widths[0], 3, padding=1)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in pairwise(widths))
        self.up = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairwise(widths))
        self.encode = nn.ModuleList(ResidualBlock(width) for width in widths)
        self.decode = nn.ModuleList(ResidualBlock(width) for width in widths[:-1])
        self.head = nn.Conv2d(widths[0], 4, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) of any size to (B, 1, H, W) float32."""
        height, width = x.shape[-2:]
        x = functional.pad(x, (0, -width % self.multiple, 0, -height % self.multiple), mode="replicate")
        x = self.stem(functional.pixel_unshuffle(x, 2))
        features = []
        for i, encode in enumerate(self.encode):
            x = encode(self.down[i - 1](x) if i else x)
            features.append(x)
        for i in reversed(range(len(self.decode))):
            x = functional.interpolate(self.up[i](x), scale_factor=2, mode="nearest")
            x = self.decode[i](x + features[i])
        return functional.pixel_shuffle(self.head(functional.relu(x)), 2)[:, :, :height, :width].float()


def laplacian(u: Tensor) -> Tensor:
    """Five-point Laplacian of (B, 1, H, W) with reflecting boundary."""
    p = functional.pad(u, (1, 1, 1, 1), mode="replicate")
    return p[..., 1:-1, 2:] + p[..., 1:-1, :-2] + p[..., 2:, 1:-1] + p[..., :-2, 1:-1] - 4 * u


def residual(u: Tensor, samples: Tensor, confidence: Tensor) -> Tensor:
    """Residual of the inpainting equation, (1 - c) Laplace(u) - c (u - f), with samples = c f; all (B, 1, H, W)."""
    return (1 - confidence) * laplacian(u) - (confidence * u - samples)
