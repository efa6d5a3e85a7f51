"""What imitation minimises: the cross-entropy of a teacher's masks and trees; and what a blind model would reach."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from dinp.models.networks.mask import NO_MARGINS, Margins
from dinp.models.training import data


def mask_imitation_loss(
    network: nn.Module, planes: Tensor, density: Tensor, labels: Sequence[Tensor], margins: Margins = NO_MARGINS
) -> tuple[Tensor, Tensor]:
    """Cross-entropy per pixel in nats, after the exact-mean layer; returned twice, as the loss and as its only part.

    Planes (B, 1, H, W) may have margins, as `MaskNetwork.forward` takes them, that the label (B, h, w) has not.
    """
    confidence = network(planes, density, None, margins)[:, 0].clamp(1e-7, 1 - 1e-7)
    with torch.autocast(planes.device.type, enabled=False):  # which has no half precision
        loss = functional.binary_cross_entropy(confidence, labels[0])
    return loss, loss.detach()[None]


def tree_imitation_loss(
    network: nn.Module, planes: Tensor, density: Tensor, labels: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    """Mean over the levels of the cross-entropy per existing cell in nats, and the five levels' own, 32 to 2."""
    levels = []
    for logits, label in zip(network(planes, density), labels, strict=True):
        exists = label != data.ABSENT
        entropy = functional.binary_cross_entropy_with_logits(logits, label.clamp_min(0), reduction="none")
        levels.append((entropy * exists).sum() / exists.sum().clamp_min(1))
    parts = torch.stack(levels)
    return parts.mean(), parts.detach()


LOSSES: dict[str, Callable] = {"mask": mask_imitation_loss, "tree": tree_imitation_loss}


def base_rate(kind: str, crops: data.Labelled) -> list[float]:
    """The loss parts of a model that knows only the density (masks) or each level's mean split rate (trees)."""

    def entropy(p: np.ndarray) -> np.ndarray:
        p = np.clip(p, 1e-12, 1 - 1e-12)
        return -p * np.log(p) - (1 - p) * np.log1p(-p)

    if kind == "mask":
        return [round(float(entropy(crops.density.astype(np.float64)).mean()), 5)]
    existing = [label[label != data.ABSENT] for label in crops.labels]
    rates = [cells.mean() if cells.size else 0.0 for cells in existing]
    return [round(float(entropy(rate)), 5) for rate in rates]
