"""What the two-network system minimises: a mask network that learns through a surrogate of the inpainting.

A mask network and an inpainting network are trained together, without optimised masks to imitate. The inpainting
network lowers the residual of the inpainting equation (`residual_loss`), so it learns to be the solver; the mask
network lowers the error of the inpainting through it (`masked_inpainting_loss`). The training is
`dinp.models.training.train_surrogate`.

References
----------
T. Alt, P. Peter, J. Weickert: Learning sparse masks for diffusion-based image inpainting. IbPRIA 2022
(arXiv:2110.02636).
"""

import torch
from torch import Tensor
from torch.nn import functional

from dinp.models.networks.inpainting import residual

SCALES = 4
LATTICE = 8  # pixels; strides of the mask network up to this are watched
LATTICE_WEIGHT = 3.0
_TIE = 1e-3


def residual_loss(u: Tensor, samples: Tensor, confidence: Tensor, planes: Tensor) -> tuple[Tensor, Tensor]:
    """What the inpainting network lowers: the residual of the inpainting equation, seen at several scales.

    Parameters
    ----------
    u, samples, confidence : (B, 1, H, W) float tensors
        Reconstruction, confidence times grey value, confidence.
    planes : (B, 1, H, W) float tensor
        The pictures, for their contrast only.

    Returns
    -------
    loss : tensor of one number
        Mean logarithm of the residuals' energies over the picture's variance.
    part : tensor of one number, without gradient
        mean(|(1 - c) Laplace(u) - c (u - f)|^2) as in the paper, squared grey levels.

    Notes
    -----
    An error as wide as a hole leaves a residual that is smaller by the square of its width, and the mean square of the
    residual hardly sees it. Means over blocks of 2, 4 and 8 pixels, with weights 4, 16 and 64, do: they are what the
    coarser grids of a multigrid solver would be handed. A residual of zero is still the solution and nothing else.
    """
    r = residual(u, samples, confidence)
    energy = r.square().mean(dim=(1, 2, 3))
    part = energy.detach().mean()
    for scale in range(1, SCALES):
        if min(r.shape[-2:]) < 2:
            break
        r = functional.avg_pool2d(r, 2)
        energy = energy + 4**scale * r.square().mean(dim=(1, 2, 3))
    return torch.log(energy / (planes.var(dim=(1, 2, 3)) + 1) + 1e-4).mean(), part


def masked_inpainting_loss(
    u: Tensor, planes: Tensor, confidence: Tensor, density: Tensor, variance_weight: float
) -> tuple[Tensor, Tensor]:
    """What the mask network lowers: error of the inpainting, inverse variance of the confidences, lattices.

    Parameters
    ----------
    u, planes, confidence : (B, 1, H, W) float tensors
        Reconstruction through the inpainting network, pictures, confidences.
    density : (B,) float tensor
    variance_weight : float
        Of the logarithm of d (1 - d) / variance, which is 0 for binary masks.

    Returns
    -------
    loss : tensor of one number
    parts : (3,) tensor, without gradient
        Mean logarithm of the mean squared error (so that each picture counts alike, as it does in dB); variance over
        that of a binary mask; unevenness of the lattice.

    Notes
    -----
    The paper's regulariser is the inverse variance itself; its logarithm asks the same of every density.

    Confidences must not depend on where a pixel lies in the network's own grids. Left to itself, the network sharpens
    its confidences first by preferring one pixel of each 2x2 block, in every picture: a lattice serves the error better
    than even confidences do, is easily learned, and leaves a quarter of the pixels to choose from. So the mean
    confidence of every position within a block of 8x8 pixels, over all pictures of a batch, and within a block of 2x2,
    in each picture, is held near the density.
    """
    variance = confidence.var(dim=(1, 2, 3)) / (density * (1 - density))
    error = torch.log((u - planes).square().mean(dim=(1, 2, 3)) + 1).mean()
    uneven = unevenness(confidence, density)
    loss = error - variance_weight * torch.log(variance + _TIE).mean() + LATTICE_WEIGHT * uneven
    return loss, torch.stack((error, variance.mean(), uneven)).detach()


def unevenness(confidence: Tensor, density: Tensor) -> Tensor:
    """How much positions within blocks differ in mean confidence, over the density, squared; 0 for no lattice."""
    height, width = (side - side % LATTICE for side in confidence.shape[-2:])
    share = confidence[:, 0, :height, :width] / density[:, None, None]
    blocks = share.unflatten(1, (-1, LATTICE)).unflatten(3, (-1, LATTICE)).mean(dim=(0, 1, 3))
    pairs = share.unflatten(1, (-1, 2)).unflatten(3, (-1, 2)).mean(dim=(1, 3))
    return (blocks - blocks.mean()).square().mean() + (pairs - pairs.mean(dim=(1, 2), keepdim=True)).square().mean()
