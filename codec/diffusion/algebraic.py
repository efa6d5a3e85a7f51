"""Diffusion with barriers: the sparse system of the unknown pixels, by pyamg's algebraic set-up.

A crack between two pixels takes away their coupling. A geometric hierarchy, whose coarse cells straddle cracks, does
not converge then; algebraic multigrid (Ruge and Stueben) does not couple what is not coupled.

Chosen among pyamg's methods by CPU time on segmentations of photographs and disparities (165,000 to 260,000 pixels, 1 %
known): set-up .3 to .5 s, a solve .3 to .6 s in 9 to 11 steps. Smoothed aggregation sets up for twice as long and needs
13 to 18 steps; aggregates of 2x2 pixels within a region set up in .1 s, but need 16 to 40 steps, whatever the rule for
their conductances, and gain nothing.

Each part of the picture that cracks cut off starts from the mean of its known values, which is all where it holds but
one value.

References
----------
J. W. Ruge, K. Stueben: Algebraic multigrid, in: Multigrid Methods, SIAM 1987.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dinp.errors import DinpError

Floats = NDArray[np.float64]

MOST_STEPS = 200
HOW = {
    "max_coarse": 200,  # unknowns that are solved for directly
    "coarse_solver": "splu",
    "presmoother": ("gauss_seidel", {"sweep": "forward"}),  # one sweep each, for what takes two thirds of a cycle
    "postsmoother": ("gauss_seidel", {"sweep": "backward"}),
}


class AlgebraicSolver:
    """Approximate inverse of a symmetric, diagonally dominant sparse matrix: pyamg's cycles, conjugate gradients.

    Parameters
    ----------
    A : (n, n) float64 sparse array
        Any such matrix: of a graph of pixels, say.
    """

    def __init__(self, A: sp.csr_array) -> None:
        import pyamg

        A = sp.csr_array(A)
        A.indices, A.indptr = A.indices.astype(np.int32), A.indptr.astype(np.int32)  # what pyamg's kernels take
        self.A = A
        self.multilevel = pyamg.ruge_stuben_solver(A, **HOW) if A.shape[0] else None

    def solve(self, b: Floats, tol: float) -> Floats:
        """Conjugate gradients until two steps in turn change nothing by more than a quarter of ``tol``."""
        if not b.any():
            return np.zeros_like(b)
        return self.multilevel.solve(b, tol=tol / 4, maxiter=MOST_STEPS, accel=conjugate_gradients)

    def cycles(self, b: Floats, count: int) -> Floats:
        """A fixed number of V-cycles from zero: linear and symmetric in ``b``."""
        if not b.any():
            return np.zeros_like(b)
        return self.multilevel.solve(b, tol=0.0, maxiter=count)


def conjugate_gradients(
    A: sp.csr_array,
    b: Floats,
    x0: Floats | None = None,
    tol: float = 1e-5,
    maxiter: int | None = None,
    M: Any = None,  # noqa: ANN401
    callback: Any = None,  # noqa: ANN401
    residuals: list | None = None,
) -> tuple[Floats, int]:
    """Preconditioned conjugate gradients as pyamg calls them; ``tol`` bounds the last two steps, absolutely."""
    x = np.zeros_like(b) if x0 is None else x0.copy()
    r = b - A @ x
    p, rho, small = np.zeros_like(b), 0.0, 0
    for n in range(maxiter):
        z = M @ r
        before, rho = rho, float(np.sum(r * z))
        if not rho > 0:
            return x, 0
        p = z + (rho / before) * p if n else z
        Ap = A @ p
        alpha = rho / float(np.sum(p * Ap))
        x += alpha * p
        r -= alpha * Ap
        small = small + 1 if alpha * float(np.abs(p).max()) <= tol else 0
        if small == 2:
            return x, 0
    return x, maxiter


class ChessboardSolver:
    """`AlgebraicSolver` for pixels: the black ones of a chessboard, which are not coupled, are eliminated first.

    What is left has half of the unknowns and about as many entries, is what the first coarse level would be, and is
    coarsened four times faster from there on: set-up and cycles take half of the time.

    Parameters
    ----------
    A : (n, n) float64 sparse array
        Symmetric, diagonally dominant, without couplings among black pixels.
    black : (n,) bool
    """

    def __init__(self, A: sp.csr_array, black: NDArray[np.bool_]) -> None:
        self.A = A
        self.red, self.black = np.flatnonzero(~black), np.flatnonzero(black)
        diagonal = A.diagonal()
        self.share = 1.0 / diagonal[self.black]
        self.gathered = A[self.red][:, self.black].tocsr()  # to red pixels from black ones
        self.spread = A[self.black][:, self.red].tocsr()
        scaled = self.spread.copy()
        scaled.data *= np.repeat(self.share, np.diff(scaled.indptr))
        self.reduced = AlgebraicSolver((sp.diags_array(diagonal[self.red]) - self.gathered @ scaled).tocsr())

    def solve(self, b: Floats, tol: float) -> Floats:
        """As `AlgebraicSolver.solve`."""
        return self._whole(b, lambda reduced: self.reduced.solve(reduced, tol))

    def cycles(self, b: Floats, count: int) -> Floats:
        """As `AlgebraicSolver.cycles`."""
        return self._whole(b, lambda reduced: self.reduced.cycles(reduced, count))

    def _whole(self, b: Floats, solved: Callable[[Floats], Floats]) -> Floats:
        black = b[self.black] * self.share
        x = np.empty_like(b)
        x[self.red] = red = solved(b[self.red] - self.gathered @ black)
        x[self.black] = black - self.share * (self.spread @ red)
        return x


class BarrierOperator:
    """The inpainting operator of a mask with cracks, and its adjoint: what `dinp.diffusion.inpaint` asks of a solver.

    Parameters
    ----------
    mask : (H, W) bool
    right, down : (H, W-1), (H-1, W) bool
        True where a crack is.

    Raises
    ------
    DinpError
        If cracks cut off pixels from all known ones.
    """

    def __init__(self, mask: NDArray[np.bool_], right: NDArray[np.bool_], down: NDArray[np.bool_]) -> None:
        self.mask = mask
        self.known, self.unknown = np.flatnonzero(mask), np.flatnonzero(~mask)
        beside = np.zeros((4, *mask.shape), dtype=bool)  # above, left, right, below: is that coupled?
        beside[0, 1:] = beside[3, :-1] = ~down
        beside[1, :, 1:] = beside[2, :, :-1] = ~right
        self.part, count = _parts(mask.shape, beside)
        self.values = np.bincount(self.part[self.known], minlength=count)
        if not self.values.all():
            raise DinpError("Cracks cut off pixels from all known ones: each part of the picture needs a known pixel.")
        self.solved = self.unknown[self.values[self.part[self.unknown]] > 1]  # one value alone is everywhere
        coupled = beside.reshape(4, -1)[:, self.solved]
        offsets = np.array([-mask.shape[1], -1, 1, mask.shape[1]])
        number = np.empty(mask.size, dtype=np.int32)
        number[self.known] = np.arange(self.known.size)
        number[self.solved] = np.arange(self.solved.size)
        other = self.solved + offsets[:, None]
        is_known = np.zeros(coupled.shape, dtype=bool)
        is_known[coupled] = mask.reshape(-1)[other[coupled]]
        other[~coupled] = 0
        columns = number[other]
        self.B = _matrix(columns, np.ones(columns.shape), is_known, self.known.size)
        degree = coupled.sum(axis=0)
        inside = coupled & ~is_known
        order = [0, 1, 4, 2, 3]  # by column
        columns = np.concatenate([columns, np.arange(self.solved.size, dtype=np.int32)[None]])[order]
        entries = np.concatenate([-np.ones(inside.shape), degree[None].astype(np.float64)])[order]
        kept = np.concatenate([inside, np.ones((1, self.solved.size), dtype=bool)])[order]
        black = (self.solved // mask.shape[1] + self.solved % mask.shape[1]) % 2 == 1
        self.solver = ChessboardSolver(_matrix(columns, entries, kept, self.solved.size), black)

    def improve(self, x: Floats, tol: float, cycles: int | None, nested: bool) -> None:
        """Bring x (H, W), in place, nearer to the solution for its own values at mask pixels.

        With `nested` the values of unknown pixels are not a start: parts take the mean of their known values.
        """
        flat = x.reshape(-1)
        known, start = flat[self.known], flat[self.solved]
        means = np.bincount(self.part[self.known], weights=known, minlength=self.values.size) / self.values
        flat[self.unknown] = means[self.part[self.unknown]]
        u = flat[self.solved] if nested else start
        residual = self.B @ known - self.solver.A @ u
        if cycles is None:
            u += self.solver.solve(residual, tol)
        else:
            u += self.solver.cycles(residual, cycles + nested)
        flat[self.solved] = u

    def transposed(self, r: Floats, tol: float, cycles: int | None) -> Floats:
        """The transposed operator, (number of known pixels,): with fixed cycles that of `improve` with `nested`."""
        flat = r.reshape(-1).copy()
        u = flat[self.solved]
        y = self.solver.solve(u, tol / 255 / 4) if cycles is None else self.solver.cycles(u, cycles + 1)
        flat[self.solved] -= self.solver.A @ y
        left = np.bincount(self.part[self.unknown], weights=flat[self.unknown], minlength=self.values.size)
        return flat[self.known] + self.B.T @ y + (left / self.values)[self.part[self.known]]


def _parts(shape: tuple[int, int], beside: NDArray[np.bool_]) -> tuple[NDArray[np.int32], int]:
    """Part of the picture, cut by cracks, of each pixel, (H W,), and how many there are."""
    n = shape[0] * shape[1]
    index = np.arange(n, dtype=np.int32).reshape(shape)
    right, below = beside[2], beside[3]
    i = np.concatenate([index[right], index[below]])
    j = np.concatenate([index[right] + 1, index[below] + shape[1]])
    links = sp.coo_array((np.ones(i.size, dtype=np.int8), (i, j)), shape=(n, n))
    count, part = sp.csgraph.connected_components(links, directed=False)
    return part, count


def _matrix(columns: NDArray[np.int32], entries: Floats, kept: NDArray[np.bool_], width: int) -> sp.csr_array:
    """A sparse matrix from up to k entries for each of n rows, (k, n) each, in the order of their columns."""
    kept = kept.T
    starts = np.zeros(len(kept) + 1, dtype=np.int32)
    np.cumsum(kept.sum(axis=1), out=starts[1:])
    return sp.csr_array((entries.T[kept], columns.T[kept], starts), shape=(len(kept), width))
