"""Tonal optimisation: the values at the known pixels that make the inpainted picture closest to the original.

The least squares problem min_v || R S v - f ||^2, where S spreads values to their mask pixels and R inpaints, is
solved by conjugate gradients on the normal equations (CGNR), each step one inpainting and one adjoint inpainting
(Mainberger et al., "Optimising spatial and tonal data for homogeneous diffusion inpainting", SSVM 2011, solve the
same problem). Two things make it cheap: R is replaced by a fixed number of multigrid cycles, a linear operator with
an exact adjoint, and the unknowns are scaled by the square root of the area that they govern, so that large and small
cells converge alike.
"""

import numpy as np

from dinp.bitstream.structure import KnownData
from dinp.diffusion.inpaint import Inpainter

CONVERGED = 1e-12  # a step that lowers the squared error by less than this share of it is not taken


def tonal_optimisation(
    inpainter: Inpainter,
    known: KnownData,
    plane: np.ndarray,
    values: np.ndarray,
    *,
    steps: int = 6,
    cycles: int = 2,
    reconstruction: np.ndarray | None = None,
    free: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Optimised values.

    Parameters
    ----------
    inpainter : Inpainter
        Built on `known.mask`.
    known : KnownData
    plane : (H, W) float64
        The original, grey values 0-255.
    values : (n,) float64
        Values to start from.
    steps : int
        CGNR steps.
    cycles : int
        Multigrid cycles that stand in for an inpainting.
    reconstruction : (H, W) float64, optional
        The inpainting of `values`, where it is known already.
    free : (n,) bool, optional
        Values that may change; the others are held.

    Returns
    -------
    values : (n,) float64
    reconstruction : (H, W) float64
        Their inpainting, up to the error of the cheap cycles (solve again before measuring).
    """
    if reconstruction is None:
        reconstruction = inpainter.solve(known.spread(values))
    scaling = 1.0 / known.side if free is None else free / known.side
    values = values.copy()
    reconstruction = reconstruction.copy()
    residual = plane - reconstruction
    direction: np.ndarray | float = 0.0
    energy = np.inf
    for _ in range(steps):
        gradient = scaling * known.gather(inpainter.solve_adjoint(residual, cycles=cycles))
        previous, energy = energy, _squares(gradient)
        if energy < 1e-12:
            break
        direction = gradient + (energy / previous) * direction
        change = inpainter.solve(known.spread(scaling * direction), cycles=cycles)
        effect = _squares(change)
        if energy * energy <= CONVERGED * effect * _squares(residual):
            break  # with few points the optimum is reached in fewer steps; what follows would add up rounding errors
        length = energy / effect
        values += length * scaling * direction
        reconstruction += length * change
        residual -= length * change
    return values, reconstruction


def _squares(a: np.ndarray) -> float:
    """Sum of squares; not by BLAS, whose order of summation, and so the file, would depend on the number of threads."""
    return float(np.sum(a * a))
