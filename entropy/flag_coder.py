"""Coding of hierarchical flags: one bit per cell of a pyramid, for the cells whose parent's flag is set.

Both mask structures are such pyramids. For a tree, the flag says that a cell is split (sides root, ..., 2); for a
free mask, that it holds a mask pixel (sides 32, ..., 1). In a tree, a cell of one pixel has no flag. In a free mask
every cell within the picture whose parent's flag is 1 has one, also when its three siblings are 0: nothing is implied,
and a cell whose flag is 1 though all its children's are 0 is legal.

Levels are coded from the largest side down, each in four passes over the cells at (even row, even column), (odd, odd),
(even, odd) and (odd, even) places, so that later passes know their neighbours on all sides; within a pass, row by row
from left to right. An integer network (`dinp.entropy.fixed`, tables in `tables/tree.npz` and `tables/mask.npz`) turns
what is known before the pass into the probability of each flag.

The state of a cell is -1 where there is no flag (outside of the picture, parent's flag 0, or a tree's cell of one
pixel), 0 where its flag is not yet coded, 1 for flag 0, 2 for flag 1. The 95 inputs, in units of 2^-10, with W = the 24
offsets (dy, dx), |dy|, |dx| <= 2, without (0, 0), row by row, and R = the 8 of them with |dy|, |dx| <= 1:

    0-23   for each W: 1 if the state there is >= 0, else 0
    24-47  for each W: -1 if the flag there is 0, +1 if it is 1, 0 where it is unknown or there is none
    48-71  for each W around the parent, on its level: +1 flag 1, 0 flag 0, -1 no flag; all 0 on the first level
    72-79  for each R around the grandparent likewise; all 0 on the first two levels
    80-87  1 at 80 + log2(side), else 0
    88-91  1 at 88 + pass, else 0
    92, 93 floor(1024 * ones / flags) of the level before and of the one before that; 512 each where there is none
           (ones: flags that are 1; flags: all flags of the level, at least 1): this is in units of 2^-10 already
    94     1 if the cell is in the last row and H mod side > 0, or in the last column and W mod side > 0

With the output z, log-odds in units of 2^-10 nats, the frequency of a 1, of 2^16, is

    ones = clip(logistic[clip(floor((z + 1) / 2), -4096, 4095) + 4096], 16, 2^16 - 16)

A level without flags (no parent's flag is 1) is not looked at, and all its flags are 0.
"""

from collections.abc import Callable
from functools import cache
from importlib import resources

import numpy as np

from dinp.entropy.coder import ONE
from dinp.entropy.fixed import FRACTION, UNIT, IntegerNetwork
from dinp.entropy.tree import children_of, grid_shape, splittable
from dinp.kernels import kernels
from dinp.threads import in_parallel

PHASES = [(0, 0), (1, 1), (0, 1), (1, 0)]
MAX_SIDE_LOG2 = 7
PER_BIT = 2900  # flags that a bit of the stream can make at most: no flag is more probable than 1 - 16 / 2^16
_ROWS = 2048  # flags that are described at a time
_BORDER = 2
_WINDOW = [(dy, dx) for dy in range(-2, 3) for dx in range(-2, 3) if (dy, dx) != (0, 0)]
_RING = [(dy, dx) for dy in range(-1, 2) for dx in range(-1, 2) if (dy, dx) != (0, 0)]

# (level, cells, probabilities of a 1) -> flags (m,) bool: codes or decodes the flags of a pass. Cells (m,) are indices
# into the level's grid, row by row; probabilities (m,) int64 are in units of 2^-16.
Code = Callable[[int, np.ndarray, np.ndarray], np.ndarray]
Expect = Callable[[int], None]  # told how many flags a level has, before they are looked at


@cache
def load_tables(name: str) -> dict[str, np.ndarray]:
    """Shipped tables `tables/<name>.npz` of a flag model: the network (w0, b0, ...) and `logistic` (8192,)."""
    with resources.files("dinp.entropy").joinpath(f"tables/{name}.npz").open("rb") as file:
        return dict(np.load(file, allow_pickle=False))


@cache
def load_network(name: str) -> IntegerNetwork:
    """The network of the flag model `name`."""
    return IntegerNetwork.from_arrays(load_tables(name))


def probability(log_odds: np.ndarray, name: str) -> np.ndarray:
    """Probability of a 1 in units of 2^-16, within 16..2^16 - 16, for log-odds in units of 2^-10 nats."""
    table = load_tables(name)["logistic"].astype(np.int64)
    return np.clip(table[np.clip((log_odds + 1) >> 1, -4096, 4095) + 4096], 16, ONE - 16)


class _Level:
    """The flags of a level while they are coded.

    `states` are those of the docstring above, (rows + 4, columns + 4) int8, with a border in which there are no flags.
    """

    def __init__(self, shape: tuple[int, int], side: int, above: "_Level | None", *, tree: bool) -> None:
        self.side = side
        self.above = above
        self.grid = grid_shape(shape, side)
        self.clipped = (shape[0] % side > 0, shape[1] % side > 0)
        self.states = np.empty(tuple(count + 2 * _BORDER for count in self.grid), dtype=np.int8)
        if kernels:
            last = not tree or any(
                count - (cells - 1) * side > 1 for count, cells in zip(shape, self.grid, strict=True)
            )
            parents = above.states if above else b""
            self.count = kernels.flag_level(parents, last, *self.grid, self.states)
        else:
            parents = above.flags() if above else None
            exists = np.ones(self.grid, dtype=bool) if parents is None else children_of(parents, shape, side)
            if tree:
                exists = exists & splittable(shape, side)
            self.states[:] = -1
            self._inner()[:] = exists.astype(np.int8) - 1
            self.count = int(exists.sum())
        self.ones = 0

    def _inner(self) -> np.ndarray:
        return self.states[_BORDER:-_BORDER, _BORDER:-_BORDER]

    def flags(self) -> np.ndarray:
        """(rows, columns) bool."""
        return self._inner() == 2

    def cells(self, phase: int) -> np.ndarray:
        """The cells of a pass."""
        py, px = PHASES[phase]
        if kernels:
            cells = np.empty(-(-self.grid[0] // 2) * -(-self.grid[1] // 2), dtype=np.int32)
            return cells[: kernels.flag_cells(self.states, *self.grid, py, px, cells)]
        y, x = np.nonzero(self._inner()[py::2, px::2] == 0)
        return (2 * y + py) * self.grid[1] + 2 * x + px

    def settle(self, cells: np.ndarray, flags: np.ndarray) -> None:
        """Take in the flags of a pass."""
        if kernels:
            self.ones += kernels.settle_flags(self.states, *self.grid, cells, np.ascontiguousarray(flags, dtype=bool))
        else:
            y, x = np.divmod(cells, self.grid[1])
            self._inner()[y, x] = 1 + flags
            self.ones += int(flags.sum())

    def ratio(self) -> int:
        """Share of ones in units of 2^-10."""
        return (self.ones << FRACTION) // max(self.count, 1)

    def features(self, cells: np.ndarray, phase: int, ratios: tuple[int, int]) -> np.ndarray:
        """The inputs of the network, (m, 95) int64."""
        y, x = np.divmod(cells, self.grid[1])
        near = _around(self.states, y, x, _WINDOW)
        columns = [np.where(near >= 0, UNIT, 0), np.where(near >= 1, (2 * near - 3) << FRACTION, 0)]
        level = self
        for up, window in ((1, _WINDOW), (2, _RING)):
            level = level and level.above
            if level:
                near = _around(level.states, y >> up, x >> up, window)
                columns.append(np.where(near >= 1, near - 1, -1) << FRACTION)
            else:
                columns.append(np.zeros((cells.size, len(window)), dtype=np.int64))
        single = np.zeros((cells.size, MAX_SIDE_LOG2 + 1 + 4 + 3), dtype=np.int64)
        single[:, self.side.bit_length() - 1] = UNIT
        single[:, MAX_SIDE_LOG2 + 1 + phase] = UNIT
        single[:, -3:-1] = ratios
        for place, last, clipped in zip((y, x), self.grid, self.clipped, strict=True):
            single[clipped & (place == last - 1), -1] = UNIT
        return np.concatenate([*columns, single], axis=1)

    def describe(self, cells: np.ndarray, phase: int, ratios: tuple[int, int], name: str) -> np.ndarray:
        """Probability of a 1 for each cell, (m,) int64, in units of 2^-16, by the flag model `name`."""
        if not kernels:
            return probability(load_network(name)(self.features(cells, phase, ratios))[:, 0], name)
        ones = np.empty(cells.size, dtype=np.int64)
        above = [self.above.states if self.above else b"", b""]
        if self.above and self.above.above:
            above[1] = self.above.above.states
        context = (self.states, *above, *self.grid, self.side.bit_length() - 1, phase, *self.clipped, *ratios)
        tables = _kernel_tables(name)

        def part(first: int) -> None:
            rows = slice(first, first + _ROWS)
            kernels.describe_flags(*context, cells[rows], *tables, ones[rows])

        in_parallel(part, range(0, cells.size, _ROWS), blas=False)
        return ones


def _around(states: np.ndarray, y: np.ndarray, x: np.ndarray, window: list[tuple[int, int]]) -> np.ndarray:
    """States around cells, (m, len(window)) int64."""
    return np.stack([states[y + dy + _BORDER, x + dx + _BORDER] for dy, dx in window], axis=1).astype(np.int64)


@cache
def _kernel_tables(name: str) -> tuple[np.ndarray, np.ndarray]:
    """The network and its logistic table as the kernels read them."""
    return load_network(name).packed, np.ascontiguousarray(load_tables(name)["logistic"], dtype=np.int32)


def _walk(
    shape: tuple[int, int],
    sides: list[int],
    code: Callable[[int, _Level, np.ndarray, int, tuple[int, int]], np.ndarray],
    expect: Expect,
) -> list[np.ndarray]:
    """Go through the passes; `code` is asked for the flags of each: (number, level, cells, phase, ratios)."""
    flags: list[np.ndarray] = []
    ratios = (UNIT // 2, UNIT // 2)
    level = None
    for number, side in enumerate(sides):
        if level and not level.ones:  # nothing below has flags
            flags.append(np.zeros(grid_shape(shape, side), dtype=bool))
            continue
        if level is None:
            expect(int(np.prod(grid_shape(shape, side))) - 1)  # a cell of one pixel has no flag
        level = _Level(shape, side, level, tree=sides[-1] > 1)
        expect(level.count)
        for phase in range(len(PHASES)):
            cells = level.cells(phase)
            if cells.size:
                level.settle(cells, code(number, level, cells, phase, ratios))
        flags.append(level.flags())
        ratios = (level.ratio(), ratios[0])
    return flags


def code_flags(
    shape: tuple[int, int], sides: list[int], name: str, code: Code, expect: Expect = lambda _: None
) -> list[np.ndarray]:
    """Walk the pyramid in coding order; the same walk serves encoder and decoder.

    Parameters
    ----------
    shape : (int, int)
        Height and width of the picture.
    sides : list of int
        Cell sides of the levels, falling powers of two.
    name : str
        The flag model, "tree" or "mask".
    code : callable
        See `Code`.
    expect : callable
        See `Expect`.

    Returns
    -------
    list of (ceil(H/s), ceil(W/s)) bool arrays
    """

    def code_pass(number: int, level: _Level, cells: np.ndarray, phase: int, ratios: tuple[int, int]) -> np.ndarray:
        return code(number, cells, level.describe(cells, phase, ratios, name))

    return _walk(shape, sides, code_pass, expect)


def flag_samples(flags: list[np.ndarray], shape: tuple[int, int], sides: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Features (m, 95) int16 and flags (m,) bool of all cells of one pyramid, as the coder sees them."""
    features, targets = [], []

    def look(number: int, level: _Level, cells: np.ndarray, phase: int, ratios: tuple[int, int]) -> np.ndarray:
        features.append(level.features(cells, phase, ratios).astype(np.int16))
        targets.append(flags[number].ravel()[cells])
        return targets[-1]

    _walk(shape, sides, look, lambda _: None)
    return np.concatenate(features), np.concatenate(targets)
