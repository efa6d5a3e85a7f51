"""Geometric multigrid for the diffusion operator of an inpainting mask, in pyamg's frame.

The operator ``A`` is the 5-point Laplacian on the unknown pixels, known pixels being Dirichlet data and the image
boundary reflecting. Every level is a grid of cells with a conductance for each edge and a mass for the coupling to
known pixels:

- A coarse cell is a 2x2 block of cells. Its edges have half the conductance of the two edges they replace, because
  they are twice as long, unless they lead to a cell that known data hold in place (mass over diagonal near 1): there
  the length is that of the fine edge. Its mass is the sum of the four masses, in series with a resistance `SERIES` for
  the way from the known pixels to the cell's centre. Transfer is piecewise constant.
- Smoothing is red-black Gauss-Seidel: red, black before; black, red after; so a cycle is a symmetric operator.

The two corrections keep the eigenvalues of (cycle times operator) between 0.4 and 1.5 for all sorts of masks (points,
walls, lattices, clusters), where plain sums and halves reach from 0.3 to above 1.8.

On the finest level red pixels are eliminated: the iterations of `dinp.diffusion.krylov` run on the black pixels only,
and a cycle starts with vanishing red residual.

The levels are those of a `pyamg.multilevel.MultilevelSolver`: pyamg goes down and up, and drives the acceleration; the
smoothers and transfers are ours (`dinp.diffusion.stencils`). So that nothing is computed twice, they work together:
a cycle starts from zero, hence relaxation on the way down need not be kept, and is done where its residual is
restricted; and the coarse correction is added where relaxation on the way up reads it.

References
----------
W. L. Briggs, V. E. Henson, S. F. McCormick: A Multigrid Tutorial, SIAM 2000 (red-black smoothing, nested iteration).
D. Braess: Towards algebraic multigrid for elliptic problems of second order, Computing 55, 1995 (scaled aggregation).
N. Bell, L. N. Olson, J. Schroder, B. Southworth: PyAMG: Algebraic Multigrid Solvers in Python, JOSS 8 (87), 2023.
"""

import operator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyamg.multilevel import MultilevelSolver

from dinp.diffusion.stencils import COLOURS, Array, Coarse, Doubles, Finest

SERIES = np.float32(0.07)  # from spectra: more hurts points and thin walls, less hurts the edges of large empty parts
COARSEST = 192  # cells; solved by a dense inverse


class Level(MultilevelSolver.Level):
    """A grid as pyamg knows it: operator A, smoothers, and transfers R and P to the next level.

    Parameters
    ----------
    grid : Finest or Coarse
    coarse_size : int
        Length of the next level's vectors.
    coarsest : bool
        The next level is the coarsest.
    loss : (h, w) float32
        Of the next level: its mass over the sum of the four masses below.
    """

    def __init__(self, grid: Finest | Coarse, coarse_size: int, coarsest: bool, loss: Array) -> None:
        self.grid, self.coarsest, self.loss = grid, coarsest, loss
        self.A = Operator(grid)
        self.residual = np.zeros(coarse_size, np.float32)  # restricted
        self.correction: Array = self.residual  # what P takes up
        self.product: Doubles | None = (
            None  # of a right-hand side and what the cycle makes of it, see `Grid.add_products`
        )

    @property
    def R(self) -> "Restriction":  # noqa: N802 (pyamg's names; kept, they would hold on to what holds them)
        return Restriction(self)

    @property
    def P(self) -> "Prolongation":  # noqa: N802
        return Prolongation(self)

    def presmoother(self, A: "Operator", x: Array, b: Array) -> None:
        """Nothing: what it would do from zero is done when the residual is restricted."""

    def postsmoother(self, A: "Operator", x: Array, b: Array) -> None:
        """Take the coarse correction, and relax."""
        shaped = self.grid.field_of(b)
        if self.product is not None:
            self.product.fill(0)
            self.grid.ascend(shaped, self.correction, self.coarsest, self.grid.field_of(x), self.product)
        else:
            self.grid.ascend(shaped, self.correction, self.coarsest, self.grid.field_of(x))


class Operator:
    """The A of a level. Its product with the approximation is only ever subtracted from the right-hand side."""

    dtype = np.dtype(np.float32)

    def __init__(self, grid: Finest | Coarse) -> None:
        size = (2 if isinstance(grid, Finest) else 4) * (grid.h + 1) * (grid.w + 1)
        self.shape = (size, size)
        self.nnz = 5 * size

    def __matmul__(self, x: Array) -> "Product":
        return Product()


class Product:
    """A @ x, which is not computed: of ``b - A @ x`` it makes the residual of b."""

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:  # noqa: ANN401
        if ufunc is not np.subtract or method != "__call__" or inputs[1] is not self:
            return NotImplemented
        return Residual(inputs[0])


class Residual:
    """What presmoothing from zero leaves of a right-hand side, for `Restriction`.

    pyamg asks for its norm after every cycle; as it is told how many cycles to run, nothing depends on the answer.
    """

    def __init__(self, b: Array) -> None:
        self.b = b

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:  # noqa: ANN401
        return np.nan if function is np.linalg.norm else NotImplemented


class Restriction:
    """The R of a level: relaxation from zero, and the residual that is left, restricted."""

    def __init__(self, level: Level) -> None:
        self.level = level

    def __matmul__(self, residual: Residual) -> Array:
        level = self.level
        level.grid.descend(level.grid.field_of(residual.b), level.residual, level.coarsest)
        return level.residual


class Prolongation:
    """The P of a level: hands the coarse correction to the postsmoother, which adds it."""

    def __init__(self, level: Level) -> None:
        self.level = level

    def __matmul__(self, coarse: Array) -> "Prolongation":
        self.level.correction = coarse
        return self

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:  # noqa: ANN401
        if ufunc is not np.add or method != "__call__" or inputs[1] is not self:
            return NotImplemented
        return inputs[0]


class Inverse(np.ndarray):
    """A dense matrix that says, as sparse ones do, that it is not empty."""

    nnz = 1


class Hierarchy:
    """All levels of a mask, in pyamg's `MultilevelSolver`, and nested iteration on them.

    The methods use the arrays of the levels: one call at a time.

    Parameters
    ----------
    mask : (H, W) bool, at least one True

    Attributes
    ----------
    solver : MultilevelSolver
        For black values: see `dinp.diffusion.krylov`.
    finest : Finest
    """

    def __init__(self, mask: NDArray[np.bool_]) -> None:
        self.finest = grid = Finest(mask)
        grids: list[Finest | Coarse] = [grid]
        self.loss: list[Array] = []
        H, V, m = _first_coarsening(mask, self.finest)
        while True:
            self.loss.append(1 / (1 + SERIES * m))
            m = m * self.loss[-1]
            if m.size <= COARSEST:
                break
            h, w = m.shape[0] + m.shape[0] % 2, m.shape[1] + m.shape[1] % 2
            H, V, m = _padded(H, h, w - 1), _padded(V, h - 1, w), _padded(m, h, w)
            grid = Coarse(H, V, m)
            grids.append(grid)
            held = grid.held
            H = H + H * np.maximum(held[:, 1:], held[:, :-1])
            V = V + V * np.maximum(held[1:], held[:-1])
            H = np.float32(0.5) * (H[::2, 1::2] + H[1::2, 1::2])
            V = np.float32(0.5) * (V[1::2, ::2] + V[1::2, 1::2])
            m = m[::2, ::2] + m[1::2, ::2] + m[::2, 1::2] + m[1::2, 1::2]
            del grid.held
        self.coarsest_inverse = _inverse(H, V, m)
        sizes = [4 * (grid.h + 1) * (grid.w + 1) for grid in grids[1:]] + [m.size]
        last = len(grids) - 1
        self.levels = [
            Level(grid, size, k == last, loss)
            for k, (grid, size, loss) in enumerate(zip(grids, sizes, self.loss, strict=True))
        ]
        self.levels[0].product = self.finest.sums()
        coarsest = MultilevelSolver.Level()
        coarsest.A = self.coarsest_inverse.view(Inverse)
        # which pyamg keeps in a class, and classes are kept until garbage is looked for: it must not know the hierarchy
        self.solver = MultilevelSolver([*self.levels, coarsest], coarse_solver=operator.matmul)
        self.solver.symmetric_smoothing = True

    def nested(self, b: Array, x: Array) -> None:
        """Nested iteration: solve for ``b`` on the coarsest grid, and up the levels with one relaxation on each.

        Black of ``x`` is written. Linear in ``b``, and exact for right-hand sides that come from constant known data:
        the loss of mass on coarse levels is applied to the right-hand side too.
        """
        sides = [b]
        for level in self.levels:
            level.grid.restrict(level.grid.field_of(sides[-1]), level.loss, level.residual, level.coarsest)
            sides.append(level.residual)
        coarse = self.coarsest_inverse @ sides.pop()
        for k in range(len(self.levels) - 1, 0, -1):
            level = self.levels[k]
            field = level.grid.field()
            level.grid.ascend(level.grid.field_of(sides[k]), coarse, level.coarsest, field, nested=True)
            coarse = field
        self.finest.ascend(b, coarse, self.levels[0].coarsest, x)

    def nested_transposed(self, b: Array, x: Array) -> None:
        """Add to all of ``x`` the transpose of `nested` followed by restriction to black, for black values ``b``."""
        sides = [b]
        for level in self.levels:
            level.grid.descend(level.grid.field_of(sides[-1]), level.residual, level.coarsest)
            sides.append(level.residual)
        coarse = self.coarsest_inverse @ sides.pop()
        for k in range(len(self.levels) - 1, 0, -1):
            level = self.levels[k]
            field = level.grid.field()
            level.grid.ascend_transposed(level.grid.field_of(sides[k]), coarse, level.coarsest, level.loss, field)
            coarse = field
        self.finest.ascend_transposed(b, coarse, self.levels[0].coarsest, self.levels[0].loss, x)


def _padded(x: Array, h: int, w: int) -> Array:
    if x.shape == (h, w):
        return x
    out = np.zeros((h, w), np.float32)
    out[: x.shape[0], : x.shape[1]] = x
    return out


def _first_coarsening(mask: NDArray[np.bool_], finest: Finest) -> tuple[Array, Array, Array]:
    """Conductances and masses of the first coarse level.

    Edges between unknown pixels have conductance 1; the mass of an unknown pixel is the number of its known neighbours.
    """
    known = np.zeros((4, finest.h + 1, finest.w + 1), np.uint8)
    for c, (a, b) in enumerate(COLOURS):
        part = mask[a::2, b::2]
        finest.inner(known, c)[: part.shape[0], : part.shape[1]] = part
    u01, u10, u00, u11 = finest.count > 0
    H = np.float32(0.5) * ((u01[:, :-1] & u00[:, 1:]).view(np.uint8) + (u11[:, :-1] & u10[:, 1:]).view(np.uint8))
    V = np.float32(0.5) * ((u10[:-1] & u00[1:]).view(np.uint8) + (u11[:-1] & u01[1:]).view(np.uint8))
    m = np.zeros((finest.h, finest.w), np.uint8)
    for c, unknown in enumerate((u01, u10, u00, u11)):
        up, down, left, right = finest.neighbours(known, c)
        m += (up + down + left + right) * unknown
    return H, V, m.astype(np.float32)


def _inverse(H: Array, V: Array, m: Array) -> Array:
    """Dense inverse of the coarsest operator, zero for dead cells."""
    index = np.arange(m.size).reshape(m.shape)
    A = np.zeros((m.size, m.size))
    for conductance, i, j in ((H, index[:, 1:], index[:, :-1]), (V, index[1:], index[:-1])):
        A[i, j] = A[j, i] = -conductance
    diagonal = m.ravel() - A.sum(axis=1)
    dead = diagonal <= 0
    np.fill_diagonal(A, np.where(dead, 1, diagonal))
    inverse = np.linalg.inv(A)
    inverse[dead, dead] = 0
    return (0.5 * (inverse + inverse.T)).astype(np.float32)
