"""Masks of a network that was trained with a surrogate of the inpainting (`dinp.models.training.train_surrogate`).

References
----------
T. Alt, P. Peter, J. Weickert: Learning sparse masks for diffusion-based image inpainting. IbPRIA 2022
(arXiv:2110.02636).
"""

from functools import cache

import numpy as np

from dinp.models.masks.binarise import ERROR_DIFFUSION, best_of_samples, binarise
from dinp.models.weights.files import shipped
from dinp.models.weights.mask_model import MaskModel, load_mask_model


def surrogate_mask(
    image: np.ndarray, density: float, seed: int = 0, *, samples: int = 0, model: MaskModel | None = None
) -> np.ndarray:
    """The mask of the network that was trained with a surrogate.

    Takes and returns what the methods of `dinp.models.masks.analytic` do.

    Parameters
    ----------
    image, density, seed
        As for `dinp.models.masks.analytic.random_mask`.
    samples : int
        0 binarises by error diffusion, without any inpainting. Otherwise the best of so many random masks, as in the
        paper, see `best_of_samples`; each costs an inpainting.
    model : MaskModel, optional
        Default: the shipped one.
    """
    confidence = (_shipped_model() if model is None else model)(image, density)
    if samples:
        return best_of_samples(confidence, image, density, samples, seed)
    return binarise(confidence, density=density, seed=seed, method=ERROR_DIFFUSION)  # as it was trained


@cache
def _shipped_model() -> MaskModel:
    return load_mask_model(shipped("surrogate.npz"))
