"""Crops of one size seen in several, so that a mask network does not learn the size of its crops.

A border says where a pixel lies in crops of one size, and a network that has seen one size only relies on it: its masks
of pictures of other sizes are worse by 1 dB and more.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from dinp.models.networks.mask import NO_MARGINS, Margins

WINDOWS, MARGINS = (2, 4, 6, 8, 10), (0, 2, 4, 8)  # twelfths of a crop's side: windows of it, margins around it
OTHER_SIZES = 0.35  # of the steps see windows, and as many margins


def framed(
    planes: Tensor, density: Tensor, seen: Sequence[Tensor], judged: Sequence[Tensor], rng: np.random.Generator
) -> tuple[tuple[Tensor, Tensor, list[Tensor], list[Tensor]], Margins]:
    """Windows of crops, or crops and what is mirrored around them, or crops as they are.

    A label is that of a crop with reflecting boundaries, so it is right in what is mirrored around it, too.

    Parameters
    ----------
    planes, density : (B, 1, n, n) and (B,) float tensors
    seen, judged : lists of (B, n, n) float tensors
        Points of masks, 1 where one is: those that a network is told, and those that it is to answer. The density is
        that of all together.
    rng : numpy Generator

    Returns
    -------
    planes (B, 1, H, W), densities (B,), seen (B, H, W), judged (B, h, w); and the margins that h and w are without
        Of windows densities are their own, and there are no margins.
    """
    side = planes.shape[-1]
    kind = rng.random()
    if kind < OTHER_SIZES:
        height, width = (side * int(part) // 12 for part in rng.choice(WINDOWS, size=2))
        y, x = rng.integers(side - height + 1), rng.integers(side - width + 1)
        window = np.s_[..., y : y + height, x : x + width]
        seen, judged = ([points[window] for points in part] for part in (seen, judged))
        points = torch.stack([part.sum(dim=(1, 2)) for part in (*seen, *judged)]).sum(dim=0)
        return (planes[window], points.clamp_min(1) / (height * width), seen, judged), NO_MARGINS
    if kind < 2 * OTHER_SIZES:
        left, right, above, below = (side * int(part) // 12 for part in rng.choice(MARGINS, size=4))
        margins = (left, right, above, below)
        around = functional.pad(torch.cat([planes, *(part[:, None] for part in seen)], dim=1), margins, mode="reflect")
        return (around[:, :1], density, list(around[:, 1:].unbind(dim=1)), list(judged)), margins
    return (planes, density, list(seen), list(judged)), NO_MARGINS
