"""Optimal pruning as a hint to the tree network: at which cost per leaf the classical method would split each cell.

Splitting a cell pays roughly the energy of what its children's means add to the smooth interpolation of the coarser
means (a Laplacian pyramid on the tree's grid). Pruning the full tree bottom-up by that gain against a cost per added
leaf is the classical optimal pruning; every cell has a *critical cost* below which it is split. A whole picture is seen
at once, so the cost that gives the wanted number of leaves is known, which no receptive field of a network reaches.

References
----------
P. A. Chou, T. Lookabaugh, R. M. Gray: Optimal pruning with applications to tree-structured source coding and modeling.
IEEE Transactions on Information Theory 35(2), 1989.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

COSTS = 24  # grid of costs, geometric
COST_RANGE = (1e-5, 100.0)  # grey values of variance 1, squared
CLAMP = 4.0  # octaves of cost


def gains(plane: Tensor, levels: int) -> list[Tensor]:
    """Energy that splitting each cell removes.

    Parameters
    ----------
    plane : (B, 1, H, W) float tensor
        H and W multiples of 2 ** levels.
    levels : int

    Returns
    -------
    list of (B, 1, H / s, W / s) tensors, s = 2, 4, ..., 2 ** levels
    """
    out = []
    fine = plane
    for level in range(levels):
        coarse = functional.avg_pool2d(fine, 2)
        smooth = functional.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
        out.append(functional.avg_pool2d((fine - smooth).square(), 2) * 4.0 ** (level + 1))
        fine = coarse
    return out


def critical_costs(gain: list[Tensor]) -> list[Tensor]:
    """log2 of the cost per added leaf below which optimal pruning splits a cell that exists.

    Found on a geometric grid of costs by linear interpolation of the net gain, which falls as the cost rises.

    Parameters
    ----------
    gain : list of (B, 1, h, w) tensors
        Finest cells first, as `gains` returns them.

    Returns
    -------
    list of tensors of the same shapes, within the logarithms of `COST_RANGE`.
    """
    low, high = (math.log2(c) for c in COST_RANGE)
    step = (high - low) / (COSTS - 1)
    critical = [torch.full_like(g, low) for g in gain]
    previous: list[Tensor] = []
    for k in range(COSTS):
        net = []
        for level, g in enumerate(gain):
            value = g - 3 * 2 ** (low + k * step)
            if level:
                value = value + 4 * functional.avg_pool2d(net[-1].clamp_min(0), 2)
            net.append(value)
        for level, value in enumerate(net):
            if k:
                before = previous[level]
                share = (before / (before - value).clamp_min(1e-30)).clamp(0, 1)
                critical[level] = critical[level] + step * torch.where(before > 0, share, torch.zeros_like(share))
        previous = net
    return critical


def hints(plane: Tensor, density: Tensor, levels: int = 5) -> list[Tensor]:
    """How far each cell is above the cost that gives the wanted density, in octaves, clamped.

    Parameters
    ----------
    plane : (B, 1, H, W) float tensor
        Standardised grey values, H and W multiples of 2 ** levels.
    density : (B,) float tensor
        Wanted leaves per pixel.

    Returns
    -------
    list of (B, 1, H / s, W / s) tensors, s = 2, 4, ..., 2 ** levels
        Positive where optimal pruning would split the cell, if it exists.
    """
    with torch.no_grad():
        critical = critical_costs(gains(plane.float(), levels))
        nested = [critical[-1]]
        for level in reversed(critical[:-1]):
            parent = functional.interpolate(nested[-1], scale_factor=2, mode="nearest")
            nested.append(torch.minimum(level, parent))
        ranked = torch.cat([level.flatten(1) for level in nested], dim=1)
        roots = critical[-1][0].numel()
        wanted = (density.double() * plane[0].numel() - roots) / 3
        thresholds = []
        for row, count in zip(ranked, wanted.tolist(), strict=True):
            largest = min(max(round(count), 1), row.numel())
            thresholds.append(torch.kthvalue(row, row.numel() - largest + 1).values)
        threshold = torch.stack(thresholds).view(-1, 1, 1, 1)
        return [(level - threshold).clamp(-CLAMP, CLAMP) for level in critical]
