"""Iterations on the black pixels of an inpainting problem: conjugate gradients, and a fixed Chebyshev polynomial.

Red pixels of ``A x = b`` are eliminated: a red pixel's equation couples it to black ones only, so that the iterations
run on half of the pixels, with the Schur complement ``S = D - W inv(D_red) W^T``. One multigrid cycle with vanishing
red residual is its preconditioner. All in single precision: `dinp.diffusion.inpaint` refines in double precision around
it.

References
----------
Y. Saad: Iterative Methods for Sparse Linear Systems, 2nd ed., SIAM 2003, chapters 9 and 12.3.
"""

import numpy as np

from dinp.diffusion.multigrid import BLACK, COLOURS, RED, Array, Colour, Field, Hierarchy

# Most eigenvalues of (cycle times S) lie between these; the few outside, down to 0.4 and up to 1.5, are still reduced.
SPECTRUM = (0.65, 1.25)


class Iterations:
    """Approximate solutions for the right-hand side in ``b``; they are left in ``x``. One call at a time.

    Parameters
    ----------
    hierarchy : Hierarchy

    Attributes
    ----------
    b : dict from colour to float32 plane
        Right-hand side, to be filled by the caller; zero for known pixels and outside the image.
    x : Field
    """

    def __init__(self, hierarchy: Hierarchy) -> None:
        self.hierarchy = hierarchy
        self._fine = fine = hierarchy.finest
        self.b = {c: np.zeros(fine.shape, np.float32) for c in COLOURS}
        self.x = Field(fine.shape)
        self._p = Field(fine.shape)
        self._Sp = {c: np.empty(fine.shape, np.float32) for c in BLACK}
        self._term = np.empty(fine.shape, np.float32)

    def chebyshev(self, cycles: int, nested: bool) -> None:
        """A fixed number of cycles, from zero or from nested iteration.

        From zero, black values are a polynomial in (cycle times S), applied to the cycle: symmetric, as the cycle is.
        ``residual`` is then up to date.
        """
        low, high = SPECTRUM
        centre, radius = (high + low) / 2, (high - low) / 2
        self._start(nested)
        step = {c: self._p.inner[c] for c in BLACK}
        keep, gain, rho = 0.0, 1 / centre, radius / centre
        for n in range(cycles):
            z = self._correction()
            for c in BLACK:
                if n:
                    np.multiply(step[c], np.float32(keep), out=step[c])
                    np.add(step[c], np.multiply(z[c], np.float32(gain), out=self._term), out=step[c])
                else:
                    np.multiply(z[c], np.float32(gain), out=step[c])
                np.add(self.x.inner[c], step[c], out=self.x.inner[c])
            self._eliminate()
            following = 1 / (2 * centre / radius - rho)
            keep, gain, rho = following * rho, 2 * following / radius, following

    def conjugate_gradients(
        self, steps: int, nested: bool, *, step: float = -1.0, residual: float = -1.0
    ) -> tuple[int, float]:
        """Conjugate gradients until one of two limits is met; returns the number of steps and the size of the last.

        The step that changes no black pixel by more than ``step`` is the last, or the one that leaves a sum of absolute
        residuals of at most ``residual``. A red pixel changes by no more than black ones: by their average. Where
        rounding breaks the iteration the returned size is infinite.
        """
        self._start(nested)
        r, p = self.residual, {c: self._p.inner[c] for c in BLACK}
        rho, size = 0.0, 0.0
        n = 0
        for n in range(1, steps + 1):  # noqa: B007
            z = self._correction()
            before, rho = rho, _dot(r, z)
            if not rho > 0:
                size = 0.0 if rho == 0 else np.inf
                break
            for c in BLACK:
                if before:
                    np.multiply(p[c], np.float32(rho / before), out=p[c])
                    np.add(p[c], z[c], out=p[c])
                else:
                    np.copyto(p[c], z[c])
            curvature = _dot(self._apply(), p)
            if not curvature > 0:
                size = np.inf
                break
            alpha = np.float32(rho / curvature)
            for c in BLACK:
                np.add(self.x.inner[c], np.multiply(p[c], alpha, out=self._term), out=self.x.inner[c])
                np.subtract(r[c], np.multiply(self._Sp[c], alpha, out=self._term), out=r[c])
            size = max(float(alpha), 1.0) * self._p.largest()  # 1: rounding may have made alpha far too small
            if size <= step or (residual >= 0 and self._sum(r, BLACK) <= residual):
                break
        self._fine.relax(self.x, RED, self.b)
        return n, size

    def loaded(self) -> float:
        """Sum of the absolute values of the right-hand side."""
        return self._sum(self.b, COLOURS)

    def _sum(self, planes: dict[Colour, Array], colours: tuple[Colour, ...]) -> float:
        return sum(float(np.abs(planes[c], out=self._term).sum(dtype=np.float64)) for c in colours)

    @property
    def residual(self) -> dict[Colour, Array]:
        """Residual on black: what the next cycle starts from."""
        return self._fine.b

    def _start(self, nested: bool) -> None:
        if nested:
            self.hierarchy.nested(self.b)
        for c in BLACK:
            if nested:
                np.copyto(self.x.inner[c], self._fine.x.inner[c])
            else:
                self.x.inner[c].fill(0)
        self._eliminate()

    def _correction(self) -> dict[Colour, Array]:
        """One multigrid cycle for the residual: views, valid until the next cycle."""
        self.hierarchy.cycle()
        return {c: self._fine.x.inner[c] for c in BLACK}

    def _eliminate(self) -> None:
        """Relax red, and bring the residual up to date."""
        fine = self._fine
        fine.relax(self.x, RED, self.b)
        for c in BLACK:
            r = fine.neighbour_sum(self.x, c, self.residual[c])
            np.add(r, self.b[c], out=r)
            np.multiply(r, fine.live[c], out=r)
            np.subtract(r, np.multiply(fine.diagonal[c], self.x.inner[c], out=self._term), out=r)

    def _apply(self) -> dict[Colour, Array]:
        """S p on black."""
        fine = self._fine
        fine.relax(self._p, RED, None)
        for c in BLACK:
            s = fine.neighbour_sum(self._p, c, self._Sp[c])
            np.multiply(s, fine.live[c], out=s)
            np.subtract(np.multiply(fine.diagonal[c], self._p.inner[c], out=self._term), s, out=s)
        return self._Sp


def _dot(x: dict[Colour, Array], y: dict[Colour, Array]) -> float:
    return sum(float(np.einsum("ij,ij", x[c], y[c])) for c in BLACK)
