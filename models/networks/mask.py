"""The mask network: a plane and a wanted density in, confidences with exactly that mean out."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from dinp.models.networks.unet import UNet, standardised

DENSITIES = (0.005, 0.15)


class MaskNetwork(nn.Module):
    """Confidence in [0, 1] of every pixel to belong to the inpainting mask, of mean `density` exactly.

    One network serves every density: log density is an input channel of every scale, and the last layer shifts the
    logits until the mean is right, see `exact_mean`. Differentiable in its weights, so that it can be trained by
    imitation (`dinp.models.training.train`) or jointly with an inpainting network.

    Notes
    -----
    The trunk's finest features (one vector per 2x2 pixels) are unfolded to pixels and refined by two convolutions at
    full resolution next to the plane itself, since at equal density the exact position of a known pixel matters.
    """

    def __init__(
        self,
        widths: tuple[int, ...] = (32, 32, 48, 48, 32),
        refine: int = 16,
        densities: tuple[float, float] = DENSITIES,
    ) -> None:
        super().__init__()
        self.config = {"widths": list(widths), "refine": refine, "densities": list(densities)}
        self.trunk = UNet(tuple(widths), tuple(densities))
        self.unfold = nn.Conv2d(widths[0], 4 * refine, 1)
        self.first = nn.Conv2d(refine + 1, refine, 3, padding=1)
        self.second = nn.Conv2d(refine, 1, 3, padding=1)

    def logits(self, plane: Tensor, density: Tensor) -> Tensor:
        """Logits before the exact-mean layer: (B, 1, H, W) in, (B, 1, H, W) out."""
        height, width = plane.shape[-2:]
        finest = self.trunk(plane, density)[0]
        x = functional.pixel_shuffle(self.unfold(functional.relu(finest)), 2)[:, :, :height, :width]
        x = self.first(torch.cat((functional.relu(x), standardised(plane).to(x.dtype)), dim=1))
        return self.second(functional.relu(x))

    def forward(self, plane: Tensor, density: Tensor) -> Tensor:
        """Confidences.

        Parameters
        ----------
        plane : (B, 1, H, W) float tensor
            Grey values 0-255, any size.
        density : (B,) float tensor
            Wanted mean confidence, in (0, 1). The network is conditioned on it clamped to `densities`; the mean is
            exact all the same.

        Returns
        -------
        (B, 1, H, W) float32 tensor
        """
        return exact_mean(self.logits(plane, density), density)


def exact_mean(logits: Tensor, density: Tensor, steps: int = 60) -> Tensor:
    """sigmoid(z + b), b solved per batch item so that the mean is the density.

    The gradient is that of the implicit function b(z, density): the root is found without gradient, by Newton steps
    that fall back to bisection, and one more Newton step from the root, whose slope is held constant, carries it.

    Parameters
    ----------
    logits : (B, ...) float tensor
    density : (B,) float tensor
        In (0, 1).

    Returns
    -------
    Like `logits`, float32 (float64 for float64 logits), in [0, 1].
    """
    z = logits if logits.dtype == torch.float64 else logits.float()
    target = density.to(z)
    shape = (-1,) + (1,) * (z.ndim - 1)
    over = tuple(range(1, z.ndim))
    with torch.no_grad():
        wide, wanted = z.double(), density.double()
        low = torch.logit(wanted) - wide.amax(dim=over)
        high = torch.logit(wanted) - wide.amin(dim=over)
        bias = (low + high) / 2
        for _ in range(steps):
            c = torch.sigmoid(wide + bias.view(shape))
            excess = c.mean(dim=over) - wanted
            if bool((excess.abs() <= 1e-10 * wanted).all()):
                break
            high = torch.where(excess > 0, bias, high)
            low = torch.where(excess < 0, bias, low)
            newton = bias - excess / (c * (1 - c)).mean(dim=over).clamp_min(1e-30)
            inside = (newton > low) & (newton < high)
            bias = torch.where(inside, newton, (low + high) / 2)
        bias = bias.to(z)
        c = torch.sigmoid(z + bias.view(shape))
        slope = (c * (1 - c)).mean(dim=over).clamp_min(1e-30)
    bias = bias - (torch.sigmoid(z + bias.view(shape)).mean(dim=over) - target) / slope
    return torch.sigmoid(z + bias.view(shape))
