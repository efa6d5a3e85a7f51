"""The mask network: a plane and a wanted density in, confidences with exactly that mean out."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from dinp.models.networks.shares import GAIN
from dinp.models.networks.unet import STRIDES, UNet, inner_widths, padded, standardised

DENSITIES = (0.005, 0.15)
Margins = tuple[int, int, int, int]  # pixels at the left, the right, above and below, as torch orders them
NO_MARGINS: Margins = (0, 0, 0, 0)
PLACED = -60.0  # logit of a pixel that is a point already: no confidence in float32


class MaskNetwork(nn.Module):
    """Confidence in [0, 1] of every pixel to belong to the inpainting mask, of mean `density` exactly.

    One network serves every density: log density is an input channel of every scale, and the last layer shifts the
    logits until the mean is right, see `exact_mean`. Differentiable in its weights, so that it can be trained by
    imitation (`dinp.models.training.train`) or jointly with an inpainting network.

    Notes
    -----
    The trunk's finest features (one vector per 2x2 pixels) are unfolded to pixels and refined by two convolutions at
    full resolution next to the plane itself, since at equal density the exact position of a known pixel matters.

    A network with `passes` can be told the points that are placed already, and answers for the others: the input of
    every later pass of `dinp.models.masks.learned`. It sees them at full resolution, at the stem, and at every scale as
    their number over the expected one; without any, all of this is 0 and it is the network of one pass.

    Parameters
    ----------
    widths : 5 ints
        Channels at strides 2, 4, 8, 16 and 32.
    refine : int
        Channels at full resolution.
    densities : (low, high)
        Range of densities the network is conditioned on.
    passes : bool
        Whether the network can be told points.
    encode, decode : 5 and 4 ints, optional
        Channels inside the residual blocks on the way down, and on the way up; see
        `dinp.models.networks.unet.residual_blocks`.
    """

    def __init__(
        self,
        widths: tuple[int, ...] = (32, 32, 48, 48, 32),
        refine: int = 16,
        densities: tuple[float, float] = DENSITIES,
        passes: bool = False,
        encode: Sequence[int] | None = None,
        decode: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.config = {"widths": list(widths), "refine": refine, "densities": list(densities)}
        self.config |= {"passes": True} if passes else {}
        self.config |= inner_widths(encode, decode)
        self.trunk = UNet(tuple(widths), tuple(densities), hinted=passes, placed=passes, encode=encode, decode=decode)
        self.unfold = nn.Conv2d(widths[0], 4 * refine, 1)
        self.first = nn.Conv2d(refine + 1, refine, 3, padding=1)
        self.second = nn.Conv2d(refine, 1, 3, padding=1)
        self.tell = nn.Conv2d(1, refine, 3, padding=1, bias=False) if passes else None
        if passes:  # what is placed changes nothing before it is trained
            for layer in (self.tell, self.trunk.tell, *self.trunk.hint):
                nn.init.zeros_(layer.weight)

    def logits(self, plane: Tensor, density: Tensor, placed: Tensor | None = None) -> Tensor:
        """Logits before the exact-mean layer: (B, 1, H, W) in, (B, 1, H, W) out; `placed` as for `forward`."""
        height, width = plane.shape[-2:]
        told, counts = (None, None) if placed is None else (GAIN * placed, shares(placed, density))
        finest = self.trunk(plane, density, counts, told)[0]
        x = functional.pixel_shuffle(self.unfold(functional.relu(finest)), 2)[:, :, :height, :width]
        x = self.first(torch.cat((functional.relu(x), standardised(plane).to(x.dtype)), dim=1))
        if told is not None:
            x = x + self.tell(told)
        return self.second(functional.relu(x))

    def forward(
        self, plane: Tensor, density: Tensor, placed: Tensor | None = None, margins: Margins = NO_MARGINS
    ) -> Tensor:
        """Confidences.

        Parameters
        ----------
        plane : (B, 1, H, W) float tensor
            Grey values 0-255, any size.
        density : (B,) float tensor
            Wanted mean confidence, in (0, 1). The network is conditioned on it clamped to `densities`; the mean is
            exact all the same.
        placed : (B, 1, H, W) float tensor, optional
            1 where a point is already, 0 elsewhere. The confidences are then those of the points that are missing: 0
            where one is, of the mean that the others leave of the density.
        margins : 4 ints
            Pixels at the left, the right, above and below that are only seen: confidences are those of the h x w pixels
            inside, at least one, and so is the density.

        Returns
        -------
        (B, 1, h, w) float32 tensor
        """
        logits = inner(self.logits(plane, density, placed), margins)
        placed = None if placed is None else inner(placed, margins)
        return exact_mean(logits, density) if placed is None else rest(logits, density, placed)


def inner(field: Tensor, margins: Margins) -> Tensor:
    """A field (..., H, W) without margins."""
    left, right, above, below = margins
    return field[..., above : field.shape[-2] - below, left : field.shape[-1] - right]


def shares(placed: Tensor, density: Tensor) -> list[Tensor]:
    """How many of the points expected in cells of side 2 to 32 are placed, as in `dinp.models.networks.shares`."""
    field = padded(placed, mode="constant") / density.view(-1, 1, 1, 1)
    found = []
    for _ in STRIDES:
        field = functional.avg_pool2d(field, 2)
        found.append(GAIN * field / (1 + field))
    return found


def rest(logits: Tensor, density: Tensor, placed: Tensor) -> Tensor:
    """Confidences of the missing points, float32: 0 where a point is placed, their mean what is left of the density."""
    left = (density - placed.mean(dim=(1, 2, 3))).clamp_min(1e-9)
    return exact_mean(logits.float().masked_fill(placed > 0, PLACED), left)


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
