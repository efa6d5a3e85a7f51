"""Learned and searched mask models, and their training.

>>> from dinp.models import learned_mask, load_mask_model, load_tree_model
>>> mask = learned_mask(plane, 0.05)              # (H, W) bool, 5 % known pixels
>>> confidences = load_mask_model()(plane, 0.05)  # (H, W) float32 of mean 0.05
>>> splits = load_tree_model()(plane, 0.05)       # split logits of the cells of side 32, 16, 8, 4, 2

Neither importing this package nor running these models imports torch.
"""

import importlib

_HOMES = {"learned_mask": "dinp.models.masks.learned"}
_HOMES |= {"load_mask_model": "dinp.models.weights.mask_model"}
_HOMES |= dict.fromkeys(("load_tree_model", "shipped_tree_model"), "dinp.models.weights.predictors")
_HOMES |= dict.fromkeys(
    ("get_ready", "load_restoration", "ready_restoration", "shipped_restoration"), "dinp.models.weights.restoration"
)

__all__ = [
    "get_ready",
    "learned_mask",
    "load_mask_model",
    "load_restoration",
    "load_tree_model",
    "ready_restoration",
    "shipped_restoration",
    "shipped_tree_model",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
