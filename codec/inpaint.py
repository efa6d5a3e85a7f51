"""Homogeneous diffusion inpainting: rebuild a picture from the known data at the pixels of an inpainting mask.

The reconstruction solves the Laplace equation (5-point stencil, reflecting image boundary) on the unknown pixels, the
mask pixels being Dirichlet data. It is linear in the known values; its transpose is what tonal optimisation needs.

Everything is deterministic: no random numbers, and no sums whose order depends on the machine's load.
"""

import threading

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dinp.errors import DinpError
from dinp.multigrid import BLACK, RED, Array, Colour, Field, Hierarchy, pack, unpack

TOLERANCE = 0.002  # grey levels
_ROUNDS = 12
_STEPS = 40

# Interval of the eigenvalues of (cycle times operator) for which the fixed number of cycles is accelerated.
_SPECTRUM = (0.6, 1.2)


class Inpainter:
    """The inpainting operator of a mask: one multigrid hierarchy for every channel and every right-hand side.

    Calls from several threads are safe, but wait for each other.

    Parameters
    ----------
    mask : (H, W) bool
        The inpainting mask: True where values are known.

    Raises
    ------
    DinpError
        For a mask that has not two dimensions, or no known pixel.

    Examples
    --------
    >>> mask = np.zeros((4, 4), bool)
    >>> mask[0, 0] = True
    >>> bool(np.all(Inpainter(mask).solve(np.full((4, 4), 7.0)) == 7.0))
    True
    """

    def __init__(self, mask: ArrayLike) -> None:
        mask = np.asarray(mask)
        if mask.ndim != 2 or mask.dtype != np.bool_:
            raise DinpError(f"An inpainting mask is a two-dimensional boolean array, not {mask.ndim}-D {mask.dtype}.")
        if not mask.any():
            raise DinpError("The inpainting mask is empty: at least one pixel must be known.")
        self.mask = mask.copy()
        self.mask.flags.writeable = False
        self.shape: tuple[int, int] = mask.shape
        self._unknown = ~mask
        self._hierarchy = Hierarchy(mask)
        self._lock = threading.Lock()

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
            known = values[index][self.mask]
            if not np.isfinite(known).all():
                raise DinpError("A known value is not finite.")
            x = out[index]
            x[...] = known.mean() if start is None else start[index]
            x[self.mask] = known
            with self._lock:
                self._improve(x, tol, cycles, nested=start is None)
        return out

    def solve_adjoint(
        self, residual: ArrayLike, *, tol: float = TOLERANCE, cycles: int | None = None
    ) -> NDArray[np.float64]:
        """Apply the transposed inpainting operator.

        With ``R`` the operator from known values to reconstructions: ``<R g, r> = <g, R^T r>`` for every ``g``.

        Parameters
        ----------
        residual : (H, W) or (k, H, W) float
        tol : float
            As in `solve`, for a potential whose largest absolute value is 255 or less, else relative to that.
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
        out = np.empty(residual.shape)
        for index in np.ndindex(residual.shape[:-2]):
            r = residual[index]
            with self._lock:
                y = self._potential(r, tol, cycles)
            into = r.copy()
            into[1:] += y[:-1]
            into[:-1] += y[1:]
            into[:, 1:] += y[:, :-1]
            into[:, :-1] += y[:, 1:]
            np.multiply(into, self.mask, out=out[index])
        return out

    def _checked(self, x: ArrayLike, name: str) -> NDArray[np.float64]:
        x = np.asarray(x, dtype=np.float64)
        if x.ndim not in (2, 3) or x.shape[-2:] != self.shape:
            raise DinpError(f"The {name} have shape {x.shape}, the inpainting mask has {self.shape}.")
        return x

    def _laplacian(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum of differences to the neighbours, on unknown pixels: minus A x, in double precision."""
        r = np.zeros(self.shape)
        d = x[1:] - x[:-1]
        r[:-1] += d
        r[1:] -= d
        d = x[:, 1:] - x[:, :-1]
        r[:, :-1] += d
        r[:, 1:] -= d
        r *= self._unknown
        return r

    def _improve(self, x: NDArray[np.float64], tol: float, cycles: int | None, nested: bool) -> None:
        """Bring x, in place, nearer to the solution for its own values at mask pixels.

        Cycles run in single precision on the residual, which is computed in double precision (iterative refinement):
        once to a loose tolerance, then at least once more, so that the last test is of a true residual.
        """
        if cycles is not None:
            b = pack(self._laplacian(x), self._hierarchy.finest.shape)
            x += unpack(self._fixed(b, cycles, nested)[0], self.shape)
            return
        for round_ in range(_ROUNDS):
            b = pack(self._laplacian(x), self._hierarchy.finest.shape)
            correction, step = self._conjugate_gradients(b, tol if round_ else 8 * tol, nested and not round_)
            x += unpack(correction, self.shape)
            if round_ and step <= tol:
                break

    def _potential(self, r: NDArray[np.float64], tol: float, cycles: int | None) -> NDArray[np.float64]:
        """Solve A y = r on unknown pixels, with zero at known ones."""
        r = np.where(self._unknown, r, 0)
        shape = self._hierarchy.finest.shape
        if cycles is not None:
            X, remaining = self._fixed(pack(r, shape), cycles, nested=False)
            y = unpack(X, self.shape)
            self._hierarchy.finest.b.update(remaining)
            self._hierarchy.nested_transposed()
            return y + unpack(self._hierarchy.finest.x, self.shape)
        y = np.zeros(self.shape)
        for round_ in range(_ROUNDS):
            limit = tol * max(1.0, float(np.abs(y).max()) / 255)
            b = pack(r + self._laplacian(y), shape)
            correction, step = self._conjugate_gradients(b, limit if round_ else 8 * limit, nested=False)
            y += unpack(correction, self.shape)
            if round_ and step <= limit:
                break
        return y

    # What follows works on the Schur complement S of the black pixels, in single precision.

    def _apply(self, p: Field) -> dict[Colour, Array]:
        """S p on black; the red pixels of p are set to their elimination."""
        fine = self._hierarchy.finest
        fine.relax(p, RED, None)
        out = {}
        for c in BLACK:
            s = fine.neighbour_sum(p, c, np.empty(fine.shape, np.float32))
            s *= fine.live[c]
            out[c] = np.subtract(fine.diagonal[c] * p.inner[c], s, out=s)
        return out

    def _reduced_residual(self, X: Field, b: dict[Colour, Array]) -> dict[Colour, Array]:
        """Residual on black after relaxing red of X."""
        fine = self._hierarchy.finest
        fine.relax(X, RED, b)
        out = {}
        for c in BLACK:
            s = fine.neighbour_sum(X, c, np.empty(fine.shape, np.float32))
            s += b[c]
            s *= fine.live[c]
            s -= fine.diagonal[c] * X.inner[c]
            out[c] = s
        return out

    def _start(self, b: dict[Colour, Array], nested: bool) -> Field:
        X = Field(self._hierarchy.finest.shape)
        if nested:
            self._hierarchy.nested(b)
            for c in BLACK:
                X.inner[c][...] = self._hierarchy.finest.x.inner[c]
        return X

    def _cycle(self, r: dict[Colour, Array]) -> dict[Colour, Array]:
        """Multigrid correction for residuals on black: views, valid until the next cycle."""
        fine = self._hierarchy.finest
        for c in BLACK:
            fine.b[c][...] = r[c]
        self._hierarchy.cycle()
        return {c: fine.x.inner[c] for c in BLACK}

    def _fixed(self, b: dict[Colour, Array], cycles: int, nested: bool) -> tuple[Field, dict[Colour, Array]]:
        """A fixed number of cycles with Chebyshev acceleration: a polynomial in (cycle S), so symmetric like the cycle.

        Returns the approximation and the residual it leaves on black.
        """
        low, high = _SPECTRUM
        centre, radius = (high + low) / 2, (high - low) / 2
        X = self._start(b, nested)
        step = {c: np.zeros_like(b[c]) for c in BLACK}
        keep, gain = 0.0, 1 / centre
        rho = radius / centre
        for _ in range(cycles):
            z = self._cycle(self._reduced_residual(X, b))
            for c in BLACK:
                step[c] *= np.float32(keep)
                step[c] += np.float32(gain) * z[c]
                X.inner[c][...] += step[c]
            following = 1 / (2 * centre / radius - rho)
            keep, gain, rho = following * rho, 2 * following / radius, following
        return X, self._reduced_residual(X, b)

    def _conjugate_gradients(self, b: dict[Colour, Array], tol: float, nested: bool) -> tuple[Field, float]:
        """Conjugate gradients preconditioned by a cycle, until a step changes no black pixel by more than tol.

        Red pixels are averages of black ones, so that their changes are no larger. Returns the approximation and the
        size of the last step.
        """
        X = self._start(b, nested)
        r = self._reduced_residual(X, b)
        p = Field(self._hierarchy.finest.shape)
        rho, size = 0.0, 0.0
        for _ in range(_STEPS):
            z = self._cycle(r)
            before, rho = rho, _dot(r, z)
            if rho <= 0:
                size = 0.0
                break
            for c in BLACK:
                p.inner[c][...] *= np.float32(rho / before if before else 0)
                p.inner[c][...] += z[c]
            Sp = self._apply(p)
            curvature = _dot(Sp, {c: p.inner[c] for c in BLACK})
            if curvature <= 0:
                break
            alpha = np.float32(rho / curvature)
            for c in BLACK:
                X.inner[c][...] += alpha * p.inner[c]
                r[c] -= np.multiply(Sp[c], alpha, out=Sp[c])
            size = float(alpha) * max(float(max(p.inner[c].max(), -p.inner[c].min())) for c in BLACK)
            if size <= tol:
                break
        self._hierarchy.finest.relax(X, RED, b)
        return X, size


def inpaint(mask: ArrayLike, values: ArrayLike) -> NDArray[np.float64]:
    """Reconstruct from the values at the pixels of an inpainting mask: see `Inpainter.solve`."""
    return Inpainter(mask).solve(values)


def _dot(x: dict[Colour, Array], y: dict[Colour, Array]) -> float:
    return sum(float(np.einsum("ij,ij", x[c], y[c])) for c in BLACK)
