"""Iterations on the black pixels of an inpainting problem: conjugate gradients, and a fixed Chebyshev polynomial.

Red pixels of ``A x = b`` are eliminated: a red pixel's equation couples it to black ones only, so that the iterations
run on half of the pixels, with the Schur complement ``S = D - W inv(D_red) W^T``. One multigrid cycle with vanishing
red residual is its preconditioner. All in single precision: `dinp.diffusion.inpaint` refines in double precision around
it.

Both are accelerations that pyamg's `MultilevelSolver.solve` drives: it hands them the cycle as preconditioner M.

References
----------
Y. Saad: Iterative Methods for Sparse Linear Systems, 2nd ed., SIAM 2003, chapters 9 and 12.3.
"""

from functools import partial
from typing import Any

import numpy as np

from dinp.diffusion.multigrid import Hierarchy
from dinp.diffusion.stencils import Array, Doubles

# Most eigenvalues of (cycle times S) lie between these; the few outside, down to 0.4 and up to 1.5, are still reduced.
SPECTRUM = (0.65, 1.25)


class Iterations:
    """Approximate solutions for the right-hand side in ``b``; they are left in ``x``. One call at a time.

    Parameters
    ----------
    hierarchy : Hierarchy

    Attributes
    ----------
    b, x : float32 fields, see `dinp.diffusion.stencils`
        Right-hand side, to be filled by the caller, zero for known pixels and outside the image; and approximation.
    residual : black half of a field
        What is left of b on black when red is relaxed.
    """

    def __init__(self, hierarchy: Hierarchy) -> None:
        self.hierarchy = hierarchy
        self._fine = fine = hierarchy.finest
        self.b, self.x, self.residual = fine.field(), fine.field(), fine.field(2)
        self._p, self._q, self._Sp = fine.field(2), fine.field(2), fine.field(2)
        self._sums = fine.sums()

    def chebyshev(self, cycles: int, nested: bool, residual: bool = False, b: Array | None = None) -> None:
        """A fixed number of cycles, from zero or from nested iteration.

        From zero, black values are a polynomial in (cycle times S), applied to the cycle: symmetric, as the cycle is.
        ``residual`` is then brought up to date, if wanted. Another right-hand side than the own may be given.
        """
        b = self.b if b is None else b
        self._start(nested, b)
        self._accelerate(partial(self._chebyshev, residual=residual), cycles)
        self._fine.relax_red(self.x, b)

    def potential(self, r: Array, cycles: int) -> Array:
        """The transpose of `chebyshev` from nested iteration, applied to a field ``r``; valid until the next call.

        On dead cells ``r`` may hold anything, and the result is zero.
        """
        self.chebyshev(cycles, nested=False, residual=True, b=r)
        self.hierarchy.nested_transposed(self.residual, self.x)
        return self.x

    def conjugate_gradients(
        self, steps: int, nested: bool, *, step: float = -1.0, residual: float = -1.0
    ) -> tuple[int, float]:
        """Conjugate gradients until one of two limits is met; returns the number of steps and the size of the last.

        The step that changes no black pixel by more than ``step`` is the last, or the one that leaves a sum of absolute
        residuals of at most ``residual``. A red pixel changes by no more than black ones: by their average. Where
        rounding breaks the iteration the returned size is infinite.
        """
        self._start(nested, self.b)
        done = [0, 0.0]
        self._accelerate(partial(self._conjugate_gradients, least=residual, done=done), steps, step)
        self._fine.relax_red(self.x, self.b)
        return done[0], done[1]

    def loaded(self) -> float:
        """Sum of the absolute values of the right-hand side."""
        return float(np.abs(self.b).sum(dtype=np.float64))

    def largest(self) -> float:
        """Largest absolute value of x on black."""
        return float(max(self.x[:2].max(), -self.x[:2].min()))

    def _start(self, nested: bool, b: Array) -> None:
        if nested:
            self.hierarchy.nested(b, self.x)
        else:
            self.x.fill(0)
        self._fine.eliminate(self.x if nested else None, b, self.residual)

    def _accelerate(self, method: Any, steps: int, tol: float = 0.0) -> None:  # noqa: ANN401
        if steps:
            self.hierarchy.solver.solve(self.residual.reshape(-1), tol=tol, maxiter=steps, accel=method)

    def _chebyshev(
        self,
        A: object,
        b: Array,
        x0: None,
        tol: float,
        maxiter: int,
        M: Any,  # noqa: ANN401
        callback: None,
        residuals: None,
        residual: bool,
    ) -> tuple[Array, int]:
        """As pyamg calls it: ``b`` is the residual, and x is updated in place."""
        fine = self._fine
        high, low = SPECTRUM[1], SPECTRUM[0]
        centre, radius = (high + low) / 2, (high - low) / 2
        keep, gain, rho = 0.0, 1 / centre, radius / centre
        for n in range(maxiter):
            z = fine.field_of(M @ b)
            if n == maxiter - 1 and not residual:  # nobody asks what this step does to the residual
                if n:
                    fine.advance(self.x, self._p, keep)
                fine.advance(self.x, z, gain)
                break
            fine.direction(z, self._p if n else None, keep, gain, self._q, self._Sp, self._sums)
            self._p, self._q = self._q, self._p
            fine.advance(self.x, self._p, 1.0, self.residual, self._Sp)
            following = 1 / (2 * centre / radius - rho)
            keep, gain, rho = following * rho, 2 * following / radius, following
        return b, 0

    def _conjugate_gradients(
        self,
        A: object,
        b: Array,
        x0: None,
        tol: float,
        maxiter: int,
        M: Any,  # noqa: ANN401
        callback: None,
        residuals: None,
        least: float,
        done: list,
    ) -> tuple[Array, int]:
        """As pyamg calls it: ``b`` is the residual, and x is updated in place; ``tol`` bounds the last step."""
        fine, cycle = self._fine, self.hierarchy.levels[0]
        rho, size = 0.0, 0.0
        n = 0
        for n in range(1, maxiter + 1):  # noqa: B007
            z = fine.field_of(M @ b)
            before, rho = rho, _total(cycle.product)
            if not rho > 0:
                size = 0.0 if rho == 0 else np.inf
                break
            self._sums.fill(0)
            keep = rho / before if before else 0.0
            largest = fine.direction(z, self._p if before else None, keep, 1.0, self._q, self._Sp, self._sums)
            self._p, self._q = self._q, self._p
            curvature = _total(self._sums)
            if not curvature > 0:
                size = np.inf
                break
            alpha = float(np.float32(rho / curvature))
            sums = self._sums if least >= 0 else None
            if sums is not None:
                sums.fill(0)
            fine.advance(self.x, self._p, alpha, self.residual, self._Sp, sums)
            size = max(alpha, 1.0) * largest  # 1: rounding may have made alpha far too small
            if size <= tol or (sums is not None and _total(sums) <= least):
                break
        done[:] = n, size
        return b, 0


def _total(sums: Doubles) -> float:
    """The inner product that sums of bands make."""
    return float(sums.sum())
