"""Probabilistic sparsification: from the full mask down, leaving out the pixels that inpainting restores best."""

import numpy as np

from dinp.errors import DinpError
from dinp.models.masks.binarise import point_count
from dinp.models.masks.search import Progress, Search, checked_plane, finish, inpainted

CANDIDATES = 0.3  # p, of the points left
REMOVED = 0.03  # q, of the candidates


def probabilistic_sparsification(
    image: np.ndarray,
    density: float,
    seed: int = 0,
    *,
    candidates: float = CANDIDATES,
    removed: float = REMOVED,
    progress: Progress | None = None,
    keep_on_interrupt: bool = False,
) -> np.ndarray:
    """The mask of probabilistic sparsification.

    Every step draws a share of the points left as candidates, inpaints without them, and puts back all but those where
    the reconstruction is nearest to the image.

    Parameters
    ----------
    image : (H, W) float
        Grey values 0-255.
    density : float
        Known pixels per pixel, in (0, 1]: the mask has round(density * H * W), at least 1.
    seed : int
    candidates : float
        Share of the points that are candidates in a step, in (0, 1): p in the literature.
    removed : float
        Share of the candidates that leave for good, in (0, 1]: q in the literature.
    progress : callable, optional
        Called with the fraction done, 0-1.
    keep_on_interrupt : bool
        On KeyboardInterrupt return the points left, thinned at random to the density, instead of raising it.

    Returns
    -------
    (H, W) bool, with exactly the wanted number of points.

    Raises
    ------
    DinpError
        The density or a share is out of range, or the image is no plane of finite values.

    References
    ----------
    M. Mainberger, S. Hoffmann, J. Weickert, C. H. Tang, D. Johannsen, F. Neumann, B. Doerr: Optimising spatial and
    tonal data for homogeneous diffusion inpainting. SSVM 2011.
    """
    plane = checked_plane(image)
    points = point_count(density, plane.shape)
    if not (0 < candidates < 1 and 0 < removed <= 1):
        raise DinpError("the shares of candidates and of removed ones must be above 0 and at most 1")
    rng = np.random.default_rng(seed)
    return finish(sparsify(plane, points, rng, candidates, removed), points, rng, progress, keep_on_interrupt)


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
