"""Homogeneous diffusion inpainting: rebuild a picture from the known data at the pixels of an inpainting mask.

The reconstruction solves the Laplace equation (5-point stencil, reflecting image boundary) on the unknown pixels, the
mask pixels being Dirichlet data. It is linear in the known values; its transpose is what tonal optimisation needs.

Everything is deterministic: no random numbers, and no sums whose order depends on the machine's load.
"""

import threading
from contextlib import AbstractContextManager
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dinp.diffusion.algebraic import BarrierOperator
from dinp.diffusion.krylov import Iterations
from dinp.diffusion.multigrid import Hierarchy
from dinp.errors import DinpError

TOLERANCE = 0.002  # grey levels
_ROUNDS = 80
_STEPS = 40


class Inpainter:
    """The inpainting operator of a mask: one multigrid hierarchy for every channel and every right-hand side.

    Calls from several threads are safe, but wait for each other.

    Parameters
    ----------
    mask : (H, W) bool
        The inpainting mask: True where values are known.
    right : (H, W-1) bool, optional
        Barriers: True where a crack separates a pixel from its right neighbour. Nothing diffuses across a crack.
    down : (H-1, W) bool, optional
        The same for a pixel and the one below.

    Raises
    ------
    DinpError
        For a mask that has not two dimensions, or no known pixel; for cracks of another shape or type, or that cut off
        pixels from all known ones.

    Examples
    --------
    >>> mask = np.zeros((4, 4), bool)
    >>> mask[0, 0] = True
    >>> bool(np.all(Inpainter(mask).solve(np.full((4, 4), 7.0)) == 7.0))
    True
    """

    def __init__(self, mask: ArrayLike, right: ArrayLike | None = None, down: ArrayLike | None = None) -> None:
        mask = np.asarray(mask)
        if mask.ndim != 2 or mask.dtype != np.bool_:
            raise DinpError(f"An inpainting mask is a two-dimensional boolean array, not {mask.ndim}-D {mask.dtype}.")
        if not mask.any():
            raise DinpError("The inpainting mask is empty: at least one pixel must be known.")
        self.mask = mask if mask.base is None and not mask.flags.writeable else mask.copy()
        self.mask.flags.writeable = False
        self.shape: tuple[int, int] = mask.shape
        self._lock = threading.Lock()
        right, down = (
            self._cracks(right, (self.shape[0], self.shape[1] - 1)),
            self._cracks(down, (self.shape[0] - 1, self.shape[1])),
        )
        self._barriers = BarrierOperator(self.mask, right, down) if right.any() or down.any() else None
        if self._barriers is not None:
            return
        self._hierarchy = Hierarchy(self.mask)
        self._iterations = Iterations(self._hierarchy)

    def solve(
        self, values: ArrayLike, *, start: ArrayLike | None = None, tol: float = TOLERANCE, cycles: int | None = None
    ) -> NDArray[np.float64]:
        """Reconstruct from known values.

        Parameters
        ----------
        values : (H, W) or (k, H, W) float, grey values 0-255
            Read at mask pixels only.
        start : like values, optional
            A reconstruction to start from (warm start).
        tol : float, grey levels
            Wanted largest error. The iteration ends with the first correction that changes no pixel by more than this;
            a cycle leaves less than half of the error.
        cycles : int, optional
            Run exactly this many multigrid cycles and no test. Without ``start`` the result is then a fixed linear
            function of the values, of which ``solve_adjoint`` with the same number is the exact adjoint (up to
            rounding in single precision); it reproduces constants. 0 gives a coarse-to-fine guess.

        Returns
        -------
        (H, W) or (k, H, W) float64, equal to ``values`` at mask pixels.

        Raises
        ------
        DinpError
            For arrays of the wrong shape and known values that are not finite.
        """
        values = self._checked(values, "values")
        start = None if start is None else self._checked(start, "start")
        if start is not None and start.shape != values.shape:
            raise DinpError(f"The warm start has shape {start.shape}, the values have {values.shape}.")
        out = np.empty(values.shape)
        for index in np.ndindex(values.shape[:-2]):
            self._solve(values[index][self.mask], None if start is None else start[index], tol, cycles, out[index])
        return out

    def solve_known(
        self, known: NDArray[np.float64], *, start: NDArray[np.float64] | None = None, tol: float = TOLERANCE
    ) -> NDArray[np.float64]:
        """As `solve`, from the values at mask pixels alone, (n,) in raster order: it takes less memory."""
        if start is not None:
            start = self._checked(start, "start")
        out = np.empty(self.shape)
        self._solve(known, start, tol, None, out)
        return out

    def _solve(
        self,
        known: NDArray[np.float64],
        start: NDArray[np.float64] | None,
        tol: float,
        cycles: int | None,
        x: NDArray[np.float64],
    ) -> None:
        """Write the reconstruction from values at mask pixels to x."""
        if not np.isfinite(known).all():
            raise DinpError("A known value is not finite.")
        x[...] = known.mean() if start is None else start
        x[self.mask] = known
        with self._lock:
            (self._barriers.improve if self._barriers else self._improve)(x, tol, cycles, nested=start is None)

    def solve_adjoint(
        self, residual: ArrayLike, *, tol: float = TOLERANCE, cycles: int | None = None
    ) -> NDArray[np.float64]:
        """Apply the transposed inpainting operator.

        With ``R`` the operator from known values to reconstructions: ``<R g, r> = <g, R^T r>`` for every ``g``.

        Parameters
        ----------
        residual : (H, W) or (k, H, W) float
        tol : float, grey levels
            Bound: ``<R g, r>`` and ``<g, R^T r>`` differ by less than ``tol`` times the sum of ``|r|``, for any ``g``
            with values of at most 255.
        cycles : int, optional
            Exact adjoint of ``solve`` with the same number of cycles and no start.

        Returns
        -------
        (H, W) or (k, H, W) float64, zero outside the mask.

        Raises
        ------
        DinpError
            For arrays of the wrong shape and residuals that are not finite.
        """
        residual = self._checked(residual, "residual")
        if not np.isfinite(residual).all():
            raise DinpError("The residual is not finite.")
        out = np.zeros(residual.shape)
        for index in np.ndindex(residual.shape[:-2]):
            r = residual[index]
            if self._barriers:
                with self._lock:
                    out[index][self.mask] = self._barriers.transposed(r, tol, cycles)
                continue
            with self._lock:
                y = self._potential(r, tol, cycles).ravel()
            # a known pixel receives the potential of its neighbours; in y's rows known pixels and the border hold 0
            row, at = self.shape[1] + 1, self._known_in_bordered
            out[index][self.mask] = r[self.mask] + (y[at - 1] + y[at + 1] + y[at - row] + y[at + row])
        return out

    @staticmethod
    def _cracks(given: ArrayLike | None, shape: tuple[int, int]) -> NDArray[np.bool_]:
        cracks = np.zeros(shape, np.bool_) if given is None else np.asarray(given)
        if cracks.shape != shape or cracks.dtype != np.bool_:
            raise DinpError(f"Cracks are a boolean array of shape {shape} here, not {cracks.dtype} of {cracks.shape}.")
        return cracks

    @property
    def has_barriers(self) -> bool:
        """Whether there are cracks."""
        return self._barriers is not None

    @cached_property
    def _known_in_bordered(self) -> NDArray[np.int64]:
        i, j = np.nonzero(self.mask)
        return (i + 1) * (self.shape[1] + 1) + j

    @cached_property
    def places(self) -> NDArray[np.int32]:
        """Where mask pixels, in raster order, stand in a field that is flattened; for a mask without cracks."""
        return self._hierarchy.finest.places(*np.nonzero(self.mask))

    def borrowed(self) -> AbstractContextManager[Iterations]:
        """The solver's iterations, to the exclusion of other threads; for a mask without cracks."""
        return _Borrowed(self._lock, self._iterations)

    def _checked(self, x: ArrayLike, name: str) -> NDArray[np.float64]:
        x = np.asarray(x, dtype=np.float64)
        if x.ndim not in (2, 3) or x.shape[-2:] != self.shape:
            raise DinpError(f"The {name} have shape {x.shape}, the inpainting mask has {self.shape}.")
        return x

    def _improve(self, x: NDArray[np.float64], tol: float, cycles: int | None, nested: bool) -> None:
        """Bring x, in place, nearer to the solution for its own values at mask pixels.

        Cycles run in single precision on a residual that is computed in double precision (iterative refinement): first
        to a loose tolerance, then at least once more. Only the first cycle on a new residual can end the iteration:
        where an unknown part is thousands of pixels long, rounding drowns conjugate gradients, and plain cycles, each
        on a new residual, finish the work.
        """
        if cycles is not None:
            self._load(x)
            self._iterations.chebyshev(cycles, nested)
            self._hierarchy.finest.add(self._iterations.x, x)
            return
        iterations, step = self._iterations, 0.0
        for n in range(_ROUNDS):
            self._load(x)
            if n < 2:
                steps, step = iterations.conjugate_gradients(_STEPS, nested and not n, step=tol if n else 4 * tol)
                done = n == 1 and steps <= 1 and step <= tol
            else:
                iterations.chebyshev(1, nested=False)
                before, step = step, iterations.largest()
                ratio = min(step / before, 0.95) if n > 2 else 0.8
                done = step * max(1.0, ratio / (1 - ratio)) <= tol  # the sum of all later steps
            self._hierarchy.finest.add(iterations.x, x)
            if done:
                break

    def _potential(self, r: NDArray[np.float64], tol: float, cycles: int | None) -> NDArray[np.float64]:
        """Solve A y = r on unknown pixels, with zero at known ones, until the sum of |r - A y| is small enough.

        The transpose of an inpainting sends what is left of r to known pixels, with weights that sum to 1, so that the
        error of the result is bounded by that sum.

        Returns y with a border of zeros: (H + 2, W + 1), y in rows 1 to H and columns 0 to W - 1.
        """
        bordered = np.zeros((self.shape[0] + 2, self.shape[1] + 1))
        y = bordered[1:-1, :-1]
        iterations, finest, limit = self._iterations, self._hierarchy.finest, 0.0
        if cycles is not None:
            self._load(None, r)
            finest.add(iterations.potential(iterations.b, cycles), y)
            return bordered
        for n in range(_ROUNDS):
            self._load(y if n else None, r)
            left = iterations.loaded()
            limit = left * tol / 255 if n == 0 else limit
            if left <= limit:
                break
            if n < 2:
                iterations.conjugate_gradients(_STEPS, nested=not n, residual=limit)
            else:
                iterations.chebyshev(1, nested=False)
            finest.add(iterations.x, y)
        return bordered

    def _load(self, x: NDArray[np.float64] | None, r: NDArray[np.float64] | None = None) -> None:
        """Hand the iterations the residual r - A x, in double precision; None stands for zero."""
        self._hierarchy.finest.load(x, r, self._iterations.b)


class _Borrowed(AbstractContextManager):
    def __init__(self, lock: threading.Lock, iterations: Iterations) -> None:
        self._lock, self._iterations = lock, iterations

    def __enter__(self) -> Iterations:
        self._lock.acquire()
        return self._iterations

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def inpaint(mask: ArrayLike, values: ArrayLike) -> NDArray[np.float64]:
    """Reconstruct from the values at the pixels of an inpainting mask: see `Inpainter.solve`."""
    return Inpainter(mask).solve(values)
