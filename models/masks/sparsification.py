"""Probabilistic sparsification: from the full mask down, leaving out the pixels that inpainting restores best."""

import numpy as np

from dinp.errors import DinpError
from dinp.models.masks.search import Search, Wanted, inpainted, mask_search

CANDIDATES = 0.3  # p, of the points left
REMOVED = 0.03  # q, of the candidates


@mask_search
def probabilistic_sparsification(wanted: Wanted, *, candidates: float = CANDIDATES, removed: float = REMOVED) -> Search:
    """The mask of probabilistic sparsification; called as `dinp.models.masks.search.mask_search` says.

    Every step draws a share of the points left as candidates, inpaints without them, and puts back all but those where
    the reconstruction is nearest to the image.

    Parameters
    ----------
    candidates : float
        Share of the points that are candidates in a step, in (0, 1): p in the literature.
    removed : float
        Share of the candidates that leave for good, in (0, 1]: q in the literature.

    References
    ----------
    M. Mainberger, S. Hoffmann, J. Weickert, C. H. Tang, D. Johannsen, F. Neumann, B. Doerr: Optimising spatial and
    tonal data for homogeneous diffusion inpainting. SSVM 2011.
    """
    if not (0 < candidates < 1 and 0 < removed <= 1):
        raise DinpError("the shares of candidates and of removed ones must be above 0 and at most 1")
    return sparsify(wanted.plane, wanted.points, wanted.rng, candidates, removed)


def sparsify(
    plane: np.ndarray,
    points: int,
    rng: np.random.Generator,
    candidates: float = CANDIDATES,
    removed: float = REMOVED,
) -> Search:
    """The search of `probabilistic_sparsification`, step by step."""
    mask = np.ones(plane.shape, dtype=bool)
    flat, left = mask.ravel(), plane.size
    reconstruction = plane
    total = np.log(max(plane.size / points, 1 + 1e-9))
    while left > points:
        yield np.log(plane.size / left) / total, mask.copy()
        known = np.flatnonzero(flat)
        drawn = rng.choice(known, min(left - 1, max(1, round(candidates * left))), replace=False)
        leave = min(left - points, drawn.size, max(1, round(removed * drawn.size)))
        flat[drawn] = False
        # one cycle is enough: most of the values are right already
        reconstruction = inpainted(mask, plane, start=reconstruction, cycles=1)
        error = np.abs(plane - reconstruction).ravel()[drawn]
        flat[drawn[np.argpartition(error, leave - 1)[leave:]]] = True
        left -= leave
    yield 1.0, mask
