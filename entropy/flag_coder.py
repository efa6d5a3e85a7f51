"""Coding of hierarchical flags: one bit per cell of a pyramid, for the cells whose parent's flag is set.

Both mask structures are such pyramids. For a tree, the flag says that a cell is split (sides root, ..., 2); for a
free mask, that it holds a mask pixel (sides root, ..., 1). Levels are coded from the largest side down, each in four
passes over the cells at (even, even), (odd, odd), (even, odd) and (odd, even) places, so that all cells of a pass are
coded at once and later passes know their neighbours on all sides. An integer network turns the flags around a cell,
on its level and on the two levels above, into the probability of its own flag.
"""

from collections.abc import Callable
from functools import cache
from importlib import resources

import numpy as np

from dinp.entropy.coder import ONE
from dinp.entropy.fixed import FRACTION, UNIT, IntegerNetwork
from dinp.entropy.tree import children_of, grid_shape, splittable

PHASES = [(0, 0), (1, 1), (0, 1), (1, 0)]
MAX_SIDE_LOG2 = 7
_WINDOW = [(dy, dx) for dy in range(-2, 3) for dx in range(-2, 3) if (dy, dx) != (0, 0)]
_RING = [(dy, dx) for dy in range(-1, 2) for dx in range(-1, 2) if (dy, dx) != (0, 0)]
_FEATURES = 3 * len(_WINDOW) + len(_RING) + (MAX_SIDE_LOG2 + 1) + 4 + 3

Code = Callable[[np.ndarray, np.ndarray], np.ndarray]  # (cell indices (m, 2), probability of 1 (m,)) -> flags (m,) bool


def _state(exists: np.ndarray) -> np.ndarray:
    """Known state of a level's cells with a border of 2: -1 no such cell, 0 flag unknown, 1 flag 0, 2 flag 1."""
    return np.pad(exists.astype(np.int8) - 1, 2, constant_values=-1)


def _features(
    cells: np.ndarray, states: list[np.ndarray], side_log2: int, phase: int, clipped: np.ndarray, ratios: list[int]
) -> np.ndarray:
    """Features (m, 95) int64 of cells (m, 2) of the last of `states`, units of 2^-10."""
    y, x = cells[:, 0] + 2, cells[:, 1] + 2
    near = np.stack([states[-1][y + dy, x + dx] for dy, dx in _WINDOW], axis=1).astype(np.int64)
    columns = [np.where(near >= 0, UNIT, 0), np.where(near >= 1, (2 * near - 3) << FRACTION, 0)]
    for up, window in ((1, _WINDOW), (2, _RING)):
        if len(states) > up:
            y, x = (cells[:, 0] >> up) + 2, (cells[:, 1] >> up) + 2
            above = np.stack([states[-1 - up][y + dy, x + dx] for dy, dx in window], axis=1).astype(np.int64)
            columns.append(np.where(above >= 1, above - 1, -1) << FRACTION)
        else:
            columns.append(np.zeros((cells.shape[0], len(window)), dtype=np.int64))
    single = np.zeros((cells.shape[0], MAX_SIDE_LOG2 + 1 + 4 + 3), dtype=np.int64)
    single[:, side_log2] = UNIT
    single[:, MAX_SIDE_LOG2 + 1 + phase] = UNIT
    single[:, -3] = ratios[-1]
    single[:, -2] = ratios[-2]
    single[:, -1] = clipped[cells[:, 0], cells[:, 1]] * UNIT
    return np.concatenate([*columns, single], axis=1)


def code_flags(
    shape: tuple[int, int],
    sides: list[int],
    network: Callable[[np.ndarray], np.ndarray],
    code: Callable[[int, np.ndarray, np.ndarray], np.ndarray],
) -> list[np.ndarray]:
    """Walk the pyramid in coding order; the same walk serves encoder, decoder and training.

    Parameters
    ----------
    shape : (int, int)
        Height and width of the picture.
    sides : list of int
        Cell sides of the levels, falling powers of two.
    network : callable
        Features (m, 95) int64 -> (m, 1) int64, log-odds that the flag is 1 in units of 2^-10 nats.
    code : callable
        (level, cells (m, 2), log-odds (m,)) -> flags (m,) bool: codes or decodes the flags of a pass.

    Returns
    -------
    list of (ceil(H/s), ceil(W/s)) bool arrays
    """
    flags: list[np.ndarray] = []
    states: list[np.ndarray] = []
    ratios = [UNIT // 2, UNIT // 2]
    for level, side in enumerate(sides):
        exists = children_of(flags[-1], shape, side) if level else np.ones(grid_shape(shape, side), dtype=bool)
        if side > 1 and sides[-1] > 1:
            exists = exists & splittable(shape, side)
        flag = np.zeros_like(exists)
        states.append(_state(exists))
        clipped = np.zeros(exists.shape, dtype=np.int64)
        clipped[-1, :] |= shape[0] % side > 0
        clipped[:, -1] |= shape[1] % side > 0
        for phase, (py, px) in enumerate(PHASES):
            cells = np.argwhere(exists[py::2, px::2]) * 2 + (py, px)
            if cells.size == 0:
                continue
            x = _features(cells, states, side.bit_length() - 1, phase, clipped, ratios)
            bits = code(level, cells, network(x)[:, 0])
            flag[cells[:, 0], cells[:, 1]] = bits
            states[-1][cells[:, 0] + 2, cells[:, 1] + 2] = 1 + bits
        flags.append(flag)
        ratios.append((int(flag.sum()) << FRACTION) // max(int(exists.sum()), 1))
    return flags


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
