"""The mask of the shipped mask network: one forward pass, no search."""

from functools import cache

import numpy as np

from dinp.models.masks.binarise import binarise
from dinp.models.weights.predictors import MaskModel, load_mask_model


@cache
def _shipped_mask_model() -> MaskModel:
    return load_mask_model()


def learned_mask(image: np.ndarray, density: float, seed: int = 0) -> np.ndarray:
    """The mask of the shipped mask network: its confidences, binarised.

    Takes and returns what the methods of `dinp.models.masks.analytic` do.
    """
    return binarise(_shipped_mask_model()(image, density), density=density, seed=seed)
