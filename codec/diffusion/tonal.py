"""Tonal optimisation: the values at the known pixels that make the inpainted picture closest to the original.

The least squares problem min_v || R S v - f ||^2, where S spreads values to their mask pixels and R inpaints, is
solved by conjugate gradients on the normal equations (CGNR), each step one inpainting and one adjoint inpainting
(Mainberger et al., "Optimising spatial and tonal data for homogeneous diffusion inpainting", SSVM 2011, solve the
same problem). Two things make it cheap: R is replaced by a fixed number of multigrid cycles, a linear operator with
an exact adjoint, and the unknowns are scaled by the square root of the area that they govern, so that large and small
cells converge alike.

Between the steps the residual f - R S v stays as the solver has it, a field in single precision.
"""

import numpy as np

from dinp.bitstream.structure import KnownData
from dinp.diffusion.inpaint import Inpainter
from dinp.diffusion.stencils import ABOVE, BESIDE, COLOURS, Array, Grid, add_rows
from dinp.kernels import kernels

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
        reconstruction = inpainter.solve_known(known.at_mask(values))
    tuning = Tuning(inpainter, known, plane, values, reconstruction, cycles=cycles)
    tuning.optimise(steps, free)
    return tuning.values, tuning.reconstruction()


class Tuning:
    """Values on their way to the optimum, and the residual that they leave.

    Parameters
    ----------
    inpainter, known, plane, values, reconstruction, cycles
        See `tonal_optimisation`.

    Attributes
    ----------
    values : (n,) float64
    """

    def __init__(
        self,
        inpainter: Inpainter,
        known: KnownData,
        plane: np.ndarray,
        values: np.ndarray,
        reconstruction: np.ndarray,
        *,
        cycles: int,
    ) -> None:
        kind = PlaneSteps if inpainter.has_barriers else FieldSteps
        self._steps = kind(inpainter, known, plane - reconstruction, cycles)
        self._plane, self._side = plane, known.side
        self.values = values.copy()

    def optimise(self, steps: int, free: np.ndarray | None = None) -> None:
        """Steps of conjugate gradients, from the steepest descent on; values that are not `free` (n,) are held."""
        scaling = 1.0 / self._side if free is None else free / self._side
        direction: np.ndarray | float = 0.0
        energy = np.inf
        for _ in range(steps):
            gradient = scaling * self._steps.gathered()
            previous, energy = energy, _squares(gradient)
            if energy < 1e-12:
                break
            direction = gradient + (energy / previous) * direction
            effect = self._steps.spread(scaling * direction)
            if energy * energy <= CONVERGED * effect * self._steps.squares:
                break  # with few points the optimum is reached early; what follows would add up rounding errors
            length = energy / effect
            self.values += length * scaling * direction
            self._steps.take(length)

    def moved(self, change: np.ndarray) -> None:
        """Values have been changed, by this much (n,): the residual follows."""
        self._steps.spread(change)
        self._steps.take(1.0)

    def reconstruction(self) -> np.ndarray:
        """The inpainting of the values, (H, W) float64, as far as it is known."""
        return self._steps.subtracted_from(self._plane)


class FieldSteps:
    """The residual as a field, and what fixed cycles make of it and of changes of values.

    Parameters
    ----------
    inpainter : Inpainter
        Without barriers.
    known : KnownData
    residual : (H, W) float64
        Overwritten.
    cycles : int

    Attributes
    ----------
    squares : float
        Sum of squares of the residual.
    """

    def __init__(self, inpainter: Inpainter, known: KnownData, residual: np.ndarray, cycles: int) -> None:
        self._inpainter, self._cycles, self._labels = inpainter, cycles, known.labels
        with inpainter.borrowed() as iterations:
            self._grid = grid = iterations.hierarchy.finest
        self._count = known.y.size
        self._at = inpainter.places
        self._residual, self._change, self._known = grid.split(residual), grid.field(), grid.field()
        self._sums = grid.sums()
        self.squares = float(np.sum(np.multiply(residual, residual, out=residual)))

    def gathered(self) -> np.ndarray:
        """The residual's adjoint inpainting, gathered: (n,) float64."""
        grid = self._grid
        out = np.zeros(self._count)
        with self._inpainter.borrowed() as iterations:
            y = iterations.potential(self._residual, self._cycles)
            if kernels:
                kernels.tonal_gather(self._residual, y, self._labels, self._at, out, grid.h, grid.w)
                return out
            at = self._at.astype(np.int64)
            n, row = (grid.h + 1) * (grid.w + 1), grid.w + 1
            colours = np.arange(4)
            offsets = np.array(COLOURS)
            up = ((np.array(ABOVE) - colours) * n - offsets[:, 0] * row)[at // n] + at
            left = ((np.array(BESIDE) - colours) * n - offsets[:, 1])[at // n] + at
            flat = y.reshape(-1)
            received = flat[up] + flat[up + row]
            received += flat[left]
            received += flat[left + 1]
        return np.bincount(self._labels, weights=self._residual.reshape(-1)[at] + received, minlength=self._count)

    def spread(self, values: np.ndarray) -> float:
        """Inpaint a change of the values (n,); the sum of squares of what it does."""
        grid = self._grid
        with self._inpainter.borrowed() as iterations:
            b = iterations.b
            if kernels:
                kernels.tonal_spread(values, self._labels, self._at, self._known)
                grid.run(kernels.tonal_sides, self._known, grid.count, b, grid.h, grid.w)
            else:
                self._known.reshape(-1)[self._at] = values.astype(np.float32)[self._labels]
                for c in range(4):
                    grid.inner(b, c)[...] = grid.neighbour_sum(self._known, c) * grid.live[c]
            iterations.chebyshev(self._cycles, nested=True)
            return combine(grid, iterations.x, self._known, 1.0, self._change, self._sums)

    def take(self, length: float) -> None:
        """Subtract so many times the last change from the residual."""
        self.squares = combine(self._grid, self._residual, self._change, -length, self._residual, self._sums)

    def subtracted_from(self, plane: np.ndarray) -> np.ndarray:
        """A plane (H, W) float64 less the residual."""
        result = np.array(plane, np.float64)
        self._grid.add(self._residual, result, -1.0)
        return result


class PlaneSteps:
    """The same for an inpainter with barriers, in double precision."""

    def __init__(self, inpainter: Inpainter, known: KnownData, residual: np.ndarray, cycles: int) -> None:
        self._inpainter, self._known, self._cycles = inpainter, known, cycles
        self._residual = residual
        self._change = residual
        self.squares = _squares(residual)

    def gathered(self) -> np.ndarray:
        """As `FieldSteps.gathered`."""
        return self._known.gather(self._inpainter.solve_adjoint(self._residual, cycles=self._cycles))

    def spread(self, values: np.ndarray) -> float:
        """As `FieldSteps.spread`."""
        self._change = self._inpainter.solve(self._known.spread(values), cycles=self._cycles)
        return _squares(self._change)

    def take(self, length: float) -> None:
        """As `FieldSteps.take`."""
        self._residual = self._residual - length * self._change
        self.squares = _squares(self._residual)

    def subtracted_from(self, plane: np.ndarray) -> np.ndarray:
        """As `FieldSteps.subtracted_from`."""
        return plane - self._residual


def combine(grid: Grid, a: Array, b: Array, gain: float, out: Array, sums: np.ndarray) -> float:
    """out = a + gain * b, fields; the sum of squares of it."""
    sums.fill(0)
    if kernels:
        grid.run(kernels.tonal_combine, a, b, gain, out, sums, grid.h, grid.w)
    else:
        squares = None
        for c in range(4):
            part = grid.inner(b, c) * np.float32(gain)
            part += grid.inner(a, c)
            grid.inner(out, c)[...] = part
            part = part * part
            squares = part if squares is None else squares + part
        add_rows(sums, squares)
    return float(sums.sum())


def _squares(a: np.ndarray) -> float:
    """Sum of squares; not by BLAS, whose order of summation, and so the file, would depend on the number of threads."""
    return float(np.sum(a * a))
