"""Grids of the diffusion operator and what is done on them: compiled kernels, or numpy where there are none.

A grid of 2h x 2w cells is held as 2x2 blocks: each position in the block is a colour with a plane of its own, so that
every relaxation and transfer is a pass over contiguous rows. A *field* has one value for each cell: planes of the
colours in the order of `COLOURS`, black before red, each with a border of zeros on the side where a neighbour may lie
outside. Black values alone are the first half of a field.

Kernels and numpy do the same sums in the same order, so that their results are the same to the last bit, and do not
depend on how many threads share the rows.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dinp.kernels import kernels
from dinp.threads import in_parallel

Array = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Doubles = NDArray[np.float64]

COLOURS = ((0, 1), (1, 0), (0, 0), (1, 1))
BLACK, RED = (0, 1), (2, 3)  # indices of colours
ABOVE = (3, 2, 1, 0)  # the colour of the cells above and below
BESIDE = (2, 3, 0, 1)  # left and right
BAND = 32  # rows of blocks whose products share a row of sums
SHARED = 1 << 17  # blocks from which on threads share the work


class Grid:
    """h x w blocks, and how the rows of them are shared out."""

    def __init__(self, h: int, w: int) -> None:
        self.h, self.w = h, w
        rows = max(BAND, h // 8 // BAND * BAND) if h * w >= SHARED else h
        self.parts = [(first, min(first + rows, h)) for first in range(0, h, rows)]

    def field(self, colours: int = 4) -> Array:
        """Zeros."""
        return np.zeros((colours, self.h + 1, self.w + 1), np.float32)

    def field_of(self, x: Array) -> Array:
        """A vector, as pyamg has it, or a field: as planes."""
        return x.reshape(-1, self.h + 1, self.w + 1)

    def sums(self) -> Doubles:
        """Room for sums of products, band by band: see `add_products`."""
        return np.zeros((-(-self.h // BAND), self.w))

    def inner(self, x: NDArray, c: int) -> NDArray:
        """The cells of a colour, (h, w), a view of a field."""
        a, b = COLOURS[c]
        return x[c, a : a + self.h, b : b + self.w]

    def neighbours(self, x: NDArray, c: int) -> tuple[NDArray, NDArray, NDArray, NDArray]:
        """The cells above, below, left and right of those of a colour, (h, w) each, views of a field."""
        (a, b), h, w = COLOURS[c], self.h, self.w
        above, beside = x[ABOVE[c]], x[BESIDE[c]]
        return above[:h, b : b + w], above[1:, b : b + w], beside[a : a + h, :w], beside[a : a + h, 1:]

    def run(self, kernel: Callable, *arguments: object) -> list:
        """A kernel on all rows; what it returns for each part of them."""
        if len(self.parts) == 1:
            return [kernel(*arguments, *self.parts[0])]
        return in_parallel(lambda part: kernel(*arguments, *part), self.parts)

    def add_products(self, sums: Doubles, *pairs: tuple[Array, Array]) -> None:
        """Add the products of planes (h, w), summed over the pairs, to the sums of their bands, row by row."""
        total, *rest = (a * b for a, b in pairs)
        for product in rest:
            total += product
        add_rows(sums, total)


def add_rows(sums: Doubles, plane: Array) -> None:
    """Add the rows of a plane (h, w) to the sums of their bands, in order."""
    for k in range(BAND):
        rows = plane[k::BAND]
        sums[: len(rows)] += rows


class Finest(Grid):
    """The pixels: conductances are 1, and dead cells (known pixels, cells outside the picture) hold 0.

    Red pixels are eliminated: cycles start from black residuals, red ones being zero.

    Parameters
    ----------
    known : (H, W) bool
    """

    def __init__(self, known: NDArray[np.bool_]) -> None:
        H, W = self.shape = known.shape
        super().__init__((H + 1) // 2, (W + 1) // 2)
        self.count = np.zeros((4, self.h, self.w), np.uint8)  # the diagonal: neighbours in the picture, 0 for dead
        for c, (a, b) in enumerate(COLOURS):
            part = known[a::2, b::2]
            count = self.count[c, : part.shape[0], : part.shape[1]]
            np.multiply(~part, np.uint8(4), out=count)
            if not a:
                count[:1] -= count[:1] > 0
            if not b:
                count[:, :1] -= count[:, :1] > 0
            if a == (H - 1) % 2:
                count[-1:] -= count[-1:] > 0
            if b == (W - 1) % 2:
                count[:, -1:] -= count[:, -1:] > 0
        if kernels is None:
            self.live = (self.count > 0).astype(np.float32)
            self.diagonal = self.count[:2].astype(np.float32)
            self.inverse = self.live / np.maximum(self.count, 1).astype(np.float32)

    def neighbour_sum(self, x: Array, c: int) -> Array:
        """Sum over the four neighbours of each cell of a colour."""
        up, down, left, right = self.neighbours(x, c)
        s = up + down
        s += left
        s += right
        return s

    def descend(self, b: Array, coarse: Array, coarsest: bool) -> None:
        """Relax black from zero; what this does to the residual of red is restricted to `coarse`."""
        if kernels:
            self.run(kernels.multigrid_finest, 0, b, self.count, coarse, coarsest, None, None, None, self.h, self.w)
            return
        x = self.field()
        for c in BLACK:
            self.inner(x, c)[...] = self.inverse[c] * self.inner(b, c)
        residual = self.neighbour_sum(x, 2) * self.live[2]
        residual += self.neighbour_sum(x, 3) * self.live[3]
        write_coarse(residual, coarse, coarsest)

    def ascend(self, b: Array, coarse: Array, coarsest: bool, x: Array, sums: Doubles | None = None) -> None:
        """Black of the approximation, written to `x`: red takes the coarse correction, black is relaxed.

        Products of b and x are added to `sums`, where they are wanted.
        """
        if kernels:
            arguments = (1, b, self.count, coarse, coarsest, None, x, sums, self.h, self.w)
            self.run(kernels.multigrid_finest, *arguments)
            return
        corrected = self.field()
        step = read_coarse(coarse, coarsest, self)
        for c in RED:
            self.inner(corrected, c)[...] = step * self.live[c]
        for c in BLACK:
            s = self.neighbour_sum(corrected, c)
            s += self.inner(b, c)
            self.inner(x, c)[...] = s * self.inverse[c]
        if sums is not None:
            self.add_products(sums, *((self.inner(b, c), self.inner(x, c)) for c in BLACK))

    def ascend_transposed(self, b: Array, coarse: Array, coarsest: bool, loss: Array, x: Array) -> None:
        """Add to all of `x` what the transpose of nested iteration gives: relaxed black, and the coarse correction."""
        if kernels:
            arguments = (2, b, self.count, coarse, coarsest, loss, x, None, self.h, self.w)
            self.run(kernels.multigrid_finest, *arguments)
            return
        step = read_coarse(coarse, coarsest, self) * loss
        for c in range(4):
            correction = step * self.live[c]
            if c in BLACK:
                correction += self.inverse[c] * self.inner(b, c)
            self.inner(x, c)[...] += correction

    def restrict(self, b: Array, loss: Array, coarse: Array, coarsest: bool) -> None:
        """Sums of right-hand sides over blocks, times `loss`."""
        restrict(self, b, loss, coarse, coarsest)

    def direction(
        self, z: Array, old: Array | None, keep: float, gain: float, p: Array, Sp: Array, sums: Doubles
    ) -> float:
        """p = keep * old + gain * z on black, and Sp, S being the Schur complement on black; the largest ``|p|``.

        Products of p and Sp are added to `sums`.
        """
        if kernels:
            arguments = (z, old, keep, gain, p, Sp, self.count, sums, self.h, self.w)
            return max(self.run(kernels.krylov_direction, *arguments))
        full = self.field()
        for c in BLACK:
            part = self.inner(full, c)
            if old is None:
                part[...] = self.inner(z, c) * np.float32(gain)
            else:
                part[...] = self.inner(old, c) * np.float32(keep)
                part += self.inner(z, c) * np.float32(gain)
        p[...] = full[:2]
        for c in RED:
            self.inner(full, c)[...] = self.neighbour_sum(full, c) * self.inverse[c]
        for c in BLACK:
            s = self.neighbour_sum(full, c) * self.live[c]
            self.inner(Sp, c)[...] = self.diagonal[c] * self.inner(p, c) - s
        self.add_products(sums, *((self.inner(Sp, c), self.inner(p, c)) for c in BLACK))
        return float(max(p.max(), -p.min()))

    def advance(
        self,
        x: Array,
        p: Array,
        alpha: float,
        r: Array | None = None,
        Sp: Array | None = None,
        sums: Doubles | None = None,
    ) -> None:
        """x += alpha p and r -= alpha Sp on black; absolute values of r are added to `sums`, where they are wanted."""
        if kernels:
            self.run(kernels.krylov_advance, x, p, alpha, r, Sp, sums, self.h, self.w)
            return
        alpha = np.float32(alpha)
        x[:2] += p[:2] * alpha
        if r is not None:
            r -= Sp * alpha
            if sums is not None:
                add_rows(sums, np.abs(self.inner(r, 0)) + np.abs(self.inner(r, 1)))

    def eliminate(self, x: Array | None, b: Array, residual: Array) -> None:
        """The residual on black that is left when red is relaxed; no `x` stands for zero."""
        if kernels:
            self.run(kernels.krylov_eliminate, x, b, self.count, residual, self.h, self.w)
            return
        full = self.field()
        if x is not None:
            full[:2] = x[:2]
        self.relax_red(full, b)
        for c in BLACK:
            s = self.neighbour_sum(full, c)
            s += self.inner(b, c)
            self.inner(residual, c)[...] = s * self.live[c] - self.diagonal[c] * self.inner(full, c)

    def relax_red(self, x: Array, b: Array) -> None:
        """Red of x, in place, from its black."""
        if kernels:
            self.run(kernels.krylov_relax_red, x, b, self.count, self.h, self.w)
            return
        for c in RED:
            s = self.neighbour_sum(x, c)
            s += self.inner(b, c)
            self.inner(x, c)[...] = s * self.inverse[c]

    def load(self, x: Doubles | None, r: Doubles | None, b: Array) -> None:
        """b = r + sums of differences of x to its neighbours, in double precision; x, r (H, W), None is zero."""
        if kernels:
            x, r = (None if u is None else np.ascontiguousarray(u) for u in (x, r))
            self.run(kernels.krylov_load, x, r, self.count, b, *self.shape, self.h, self.w)
            return
        total = np.zeros(self.shape) if r is None else np.array(r, np.float64)
        if x is not None:
            total[1:] += x[:-1] - x[1:]
            total[:-1] += x[1:] - x[:-1]
            across = x[:, 1:] - x[:, :-1]
            total[:, :-1] += across
            total[:, 1:] -= across
        for c, (i, j) in enumerate(COLOURS):
            part = total[i::2, j::2]
            live = self.live[c, : part.shape[0], : part.shape[1]]
            self.inner(b, c)[: part.shape[0], : part.shape[1]] = part.astype(np.float32) * live

    def split(self, plane: Doubles) -> Array:
        """A plane (H, W) as a field."""
        field = self.field()
        if kernels:
            arguments = (None, np.ascontiguousarray(plane), None, field, *self.shape, self.h, self.w)
            self.run(kernels.krylov_load, *arguments)
            return field
        for c, (i, j) in enumerate(COLOURS):
            part = plane[i::2, j::2]
            self.inner(field, c)[: part.shape[0], : part.shape[1]] = part
        return field

    def places(self, i: NDArray[np.int64], j: NDArray[np.int64]) -> NDArray[np.int32]:
        """Where pixels (i, j) stand in a field that is flattened."""
        colour = np.array([[2, 0], [1, 3]])[i & 1, j & 1]
        at = (colour * (self.h + 1) + (i >> 1) + (i & 1)) * (self.w + 1) + (j >> 1) + (j & 1)
        return at.astype(np.int32)

    def add(self, x: Array, y: Doubles, gain: float = 1.0) -> None:
        """y += gain * x, in place; y (H, W)."""
        if kernels and y.flags.c_contiguous:
            self.run(kernels.krylov_add, x, gain, y, *self.shape, self.h, self.w)
            return
        for c, (i, j) in enumerate(COLOURS):
            part = y[i::2, j::2]
            part += gain * self.inner(x, c)[: part.shape[0], : part.shape[1]].astype(np.float64)


class Coarse(Grid):
    """A coarser grid: conductances for each edge, and masses for the coupling to known pixels.

    Parameters
    ----------
    H, V, m : (2h, 2w-1), (2h-1, 2w), (2h, 2w) float32
        Conductances of horizontal and vertical edges, and masses.

    Attributes
    ----------
    held : (2h, 2w) float32
        Mass over diagonal: 1 for a cell that known data hold in place.
    """

    def __init__(self, H: Array, V: Array, m: Array) -> None:
        super().__init__(m.shape[0] // 2, m.shape[1] // 2)
        diagonal = m.copy()
        diagonal[1:] += V
        diagonal[:-1] += V
        diagonal[:, 1:] += H
        diagonal[:, :-1] += H
        inverse = np.divide(1, diagonal, out=np.zeros_like(diagonal), where=diagonal > 0)
        self.held = m * inverse
        self.inverse = np.empty((4, self.h, self.w), np.float32)
        self.up = np.zeros((4, self.h + 1, self.w), np.float32)
        self.left = np.zeros((4, self.h, self.w + 1), np.float32)
        for c, (a, b) in enumerate(COLOURS):
            self.inverse[c] = inverse[a::2, b::2]
            self.up[c, 1 - a : self.h] = V[1 - a :: 2, b::2]
            self.left[c, :, 1 - b : self.w] = H[a::2, 1 - b :: 2]

    def neighbour_sum(self, x: Array, c: int) -> Array:
        """Sum of conductance times value over the four neighbours of each cell of a colour."""
        (a, b), h, w = COLOURS[c], self.h, self.w
        up, down, left, right = self.neighbours(x, c)
        s = self.up[c, :h] * up
        s += self.up[ABOVE[c], a : a + h] * down
        s += self.left[c, :, :w] * left
        s += self.left[BESIDE[c], :, b : b + w] * right
        return s

    def _relax(self, x: Array, colours: tuple[int, int], b: Array) -> None:
        for c in colours:
            s = self.neighbour_sum(x, c)
            s += self.inner(b, c)
            self.inner(x, c)[...] = s * self.inverse[c]

    def _from_zero(self, b: Array) -> Array:
        """Red relaxed from zero, then black."""
        x = self.field()
        for c in RED:
            self.inner(x, c)[...] = self.inverse[c] * self.inner(b, c)
        self._relax(x, BLACK, b)
        return x

    def _run(self, task: int, b: Array, coarse: Array, coarsest: bool, loss: Array | None, x: Array | None) -> None:
        arguments = (self.inverse, self.up, self.left, b, coarse, coarsest, loss, x, self.h, self.w)
        self.run(kernels.multigrid_coarse, task, *arguments)

    def descend(self, b: Array, coarse: Array, coarsest: bool) -> None:
        """Relax red, then black from zero; the residual that is left of red is restricted to `coarse`."""
        if kernels:
            self._run(0, b, coarse, coarsest, None, None)
            return
        x = self._from_zero(b)
        write_coarse(self.neighbour_sum(x, 2) + self.neighbour_sum(x, 3), coarse, coarsest)

    def ascend(self, b: Array, coarse: Array, coarsest: bool, x: Array, nested: bool = False) -> None:
        """The approximation, written to `x`: red takes the coarse correction; black is relaxed, then red.

        In nested iteration there is no approximation yet to correct.
        """
        if kernels:
            self._run(2 if nested else 1, b, coarse, coarsest, None, x)
            return
        x = x.reshape(4, self.h + 1, self.w + 1)
        step = read_coarse(coarse, coarsest, self)
        for c in RED:
            self.inner(x, c)[...] = step if nested else self.inverse[c] * self.inner(b, c) + step
        self._relax(x, BLACK, b)
        self._relax(x, RED, b)

    def ascend_transposed(self, b: Array, coarse: Array, coarsest: bool, loss: Array, x: Array) -> None:
        """What the transpose of nested iteration gives, written to `x`."""
        if kernels:
            self._run(3, b, coarse, coarsest, loss, x)
            return
        start = self._from_zero(b)
        step = read_coarse(coarse, coarsest, self) * loss
        for c in range(4):
            self.inner(x, c)[...] = self.inner(start, c) + step

    def restrict(self, b: Array, loss: Array, coarse: Array, coarsest: bool) -> None:
        """Sums of right-hand sides over blocks, times `loss`."""
        restrict(self, b, loss, coarse, coarsest)


def restrict(grid: Grid, b: Array, loss: Array, coarse: Array, coarsest: bool) -> None:
    """Sums of a field over blocks, times `loss`, written to the grid above."""
    if kernels:
        arguments = (3, b, None, coarse, coarsest, loss, None, None, grid.h, grid.w)
        grid.run(kernels.multigrid_finest, *arguments)
        return
    s = grid.inner(b, 2) + grid.inner(b, 3)
    s += grid.inner(b, 0)
    s += grid.inner(b, 1)
    s *= loss
    write_coarse(s, coarse, coarsest)


def write_coarse(cells: Array, coarse: Array, coarsest: bool) -> None:
    """Values of blocks (h, w) to the field of the next grid, whose cells they are; the coarsest grid is no field."""
    if coarsest:
        coarse.reshape(cells.shape)[...] = cells
        return
    for c, view in _coarse_views(coarse, *cells.shape):
        a, b = COLOURS[c]
        view[...] = cells[a::2, b::2]


def read_coarse(coarse: Array, coarsest: bool, grid: Grid) -> Array:
    """Values of blocks (h, w) from the field of the next grid."""
    if coarsest:
        return coarse.reshape(grid.h, grid.w)
    cells = np.empty((grid.h, grid.w), np.float32)
    for c, view in _coarse_views(coarse, grid.h, grid.w):
        a, b = COLOURS[c]
        cells[a::2, b::2] = view
    return cells


def _coarse_views(coarse: Array, rows: int, columns: int) -> list[tuple[int, Array]]:
    h, w = (rows + 1) // 2, (columns + 1) // 2
    field = coarse.reshape(4, h + 1, w + 1)
    return [
        (c, field[c, a : a + (rows - a + 1) // 2, b : b + (columns - b + 1) // 2]) for c, (a, b) in enumerate(COLOURS)
    ]
