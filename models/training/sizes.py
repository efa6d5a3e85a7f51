"""Crops of one size seen in several, so that a mask network does not learn the size of its crops.

A border says where a pixel lies in crops of one size, and a network that has seen one size only relies on it: its masks
of pictures of other sizes are worse by 1 dB and more.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from dinp.models.networks.mask import NO_MARGINS, Margins

WINDOWS, MARGINS = (2, 4, 6, 8, 10), (0, 2, 4, 8)  # twelfths of a crop's side: windows of it, margins around it
OTHER_SIZES = 0.35  # of the steps see windows, and as many margins


def framed(
    planes: Tensor,
    density: Tensor,
    told: Sequence[Tensor],
    wanted: Sequence[Tensor],
    rng: np.random.Generator,
    share: float = OTHER_SIZES,
) -> tuple[tuple[Tensor, Tensor, list[Tensor], list[Tensor]], Margins]:
    """Windows of crops, or crops and what is mirrored around them, or crops as they are.

    Parameters
    ----------
    planes, density : (B, 1, n, n) and (B,) float tensors
    told, wanted : lists of (B, n, n) float tensors
        Points of masks, 1 where one is: those that a network is told, and those that it is to answer. The density is
        that of all together.
    rng : numpy Generator
    share : float
        How often it is windows, and how often mirrored surroundings; at most 0.5.

    Returns
    -------
    planes (B, 1, H, W), densities (B,), told (B, H, W), wanted (B, h, w); and the margins that h and w are without
        Of windows densities are their own, and there are no margins.
    """
    side = planes.shape[-1]
    kind = rng.random()
    if kind < share:
        height, width = (side * int(twelfths) // 12 for twelfths in rng.choice(WINDOWS, size=2))
        y, x = rng.integers(side - height + 1), rng.integers(side - width + 1)
        window = np.s_[..., y : y + height, x : x + width]
        told, wanted = ([mask[window] for mask in masks] for masks in (told, wanted))
        count = torch.stack([mask.sum(dim=(1, 2)) for mask in (*told, *wanted)]).sum(dim=0)
        return (planes[window], count.clamp_min(1) / (height * width), told, wanted), NO_MARGINS
    if kind < 2 * share:
        left, right, above, below = (side * int(twelfths) // 12 for twelfths in rng.choice(MARGINS, size=4))
        margins = (left, right, above, below)
        return (mirrored(planes, margins), density, [mirrored(mask, margins) for mask in told], list(wanted)), margins
    return (planes, density, list(told), list(wanted)), NO_MARGINS


def mirrored(field: Tensor, margins: Margins) -> Tensor:
    """A field (..., H, W) with margins, in which it is mirrored at the outer edge of its border pixels.

    So it goes on as the inpainting sees it, which reflects there: in a mirrored crop its solution, and with it the
    optimal mask, stays what it was.
    """
    left, right, above, below = margins
    height, width = field.shape[-2:]
    rows, columns = (
        torch.from_numpy(np.pad(np.arange(length), margin, mode="symmetric")).to(field.device)
        for length, margin in ((height, (above, below)), (width, (left, right)))
    )
    return field[..., rows, :][..., columns]
