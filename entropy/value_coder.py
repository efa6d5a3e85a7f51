"""Coding of values: levels predicted from decoded neighbours in all directions, with learned integer distributions.

A value is its level times its step, in units of 1/16 grey level. Values are coded coarse to fine
(`dinp.entropy.order`). For each one:

1. The base prediction is the mean of its up to eight neighbours, weighted by the inverse squared distance; 128 grey
   levels where there is none.
2. Integer features of the neighbourhood (differences, distances, cell sides, how badly the neighbours themselves were
   predicted, all relative to the step) go through an integer network, which gives a mixture of three logistic
   distributions of the value around the base prediction.
3. The level, relative to the level nearest the mixture's mean, is a symbol 0..42: 1..41 are differences -20..20; 0 and
   42 are escapes below and above, followed by the excess in Exp-Golomb code.

All of it is integer arithmetic with the tables shipped in `tables/values.npz`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib import resources

import numpy as np

from dinp.entropy.coder import ONE, RangeDecoder, RangeEncoder
from dinp.entropy.fixed import FRACTION, UNIT, IntegerNetwork, log2_fixed, signed_log
from dinp.entropy.order import DIRECTIONS, Pass, passes
from dinp.errors import DinpError
from dinp.threads import in_parallel, single_blas

KIND = "values"
COMPONENTS = 3
RADIUS = 20
SYMBOLS = 2 * RADIUS + 3
MAX_LEVEL = 1 << 14
_GREY = 16  # units per grey level
_WEIGHT = 1 << 20
_ROWS = 1024  # of a pass that are described at a time: they stay in the cache
_FEATURES = 5 * len(DIRECTIONS) + 8


@dataclass
class _State:
    """What is known of the values while they are coded, in units of 1/16 grey level."""

    y: np.ndarray
    x: np.ndarray
    side_log2: np.ndarray
    step: np.ndarray
    value: np.ndarray
    surprise: np.ndarray  # |value - base prediction|


LevelsOf = Callable[[Pass, np.ndarray, np.ndarray], np.ndarray]  # see `walk_values`


def _state(y: np.ndarray, x: np.ndarray, side: np.ndarray, step: np.ndarray) -> _State:
    n = y.size
    side_log2 = np.frexp(side.astype(np.float64))[1].astype(np.int64) - 1
    return _State(y, x, side_log2, step.astype(np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64))


def features(state: _State, p: Pass) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, base prediction and local scale of the values of a pass.

    Returns
    -------
    features : (m, 48) int64, units of 2^-10
    base : (m,) int64, the base prediction, in 1/16 grey level
    scale : (m,) int64, the unit of the mixture's means and scales, in 1/16 grey level, >= 1
    """
    index, neighbour = p.index, p.neighbour
    present = neighbour >= 0
    at = np.where(present, neighbour, 0)
    step = state.step[index]
    d2 = (state.y[index, None] - state.y[at]) ** 2 + (state.x[index, None] - state.x[at]) ** 2
    weight = np.where(present, np.maximum(_WEIGHT // np.maximum(d2, 1), 1), 0)
    total = weight.sum(axis=1)
    some = total > 0
    total = np.maximum(total, 1)
    base = np.where(some, (weight * state.value[at]).sum(axis=1) // total, 128 * _GREY)
    difference = np.where(present, state.value[at] - base[:, None], 0)
    spread = (weight * np.abs(difference)).sum(axis=1) // total
    surprise = (weight * np.where(present, state.surprise[at], 0)).sum(axis=1) // total
    nearest = np.where(present, d2, 1 << 18).min(axis=1)
    scale = np.where(some, np.maximum((spread + surprise) // 2 + step // 4, 1), 48 * _GREY)

    column = step[:, None]
    side = state.side_log2[index]
    slots = [
        signed_log((difference << FRACTION) // column),
        (weight << FRACTION) // total[:, None],
        np.where(present, signed_log((state.surprise[at] << FRACTION) // column), 0),
        np.where(present, (state.side_log2[at] - side[:, None]) << FRACTION, 0),
        np.where(present, log2_fixed(np.maximum(d2, 1)) - (2 * p.spacing_log2 << FRACTION), 0),
    ]
    m = index.size
    single = [
        signed_log((spread << FRACTION) // step),
        signed_log((surprise << FRACTION) // step),
        log2_fixed(nearest) - (2 * p.spacing_log2 << FRACTION),
        side << FRACTION,
        np.full(m, p.spacing_log2 << FRACTION),
        np.full(m, p.half << FRACTION),
        log2_fixed(step) - (4 << FRACTION),
        present.sum(axis=1) << (FRACTION - 2),
    ]
    return np.concatenate([*slots, np.stack(single, axis=1)], axis=1), base, scale


@cache
def tables() -> dict[str, np.ndarray]:
    """Shipped tables: the network (w0, b0, ...), `exp2` (1024,) and `logistic` (4096,); see `tables/values.md`."""
    with resources.files("dinp.entropy").joinpath("tables/values.npz").open("rb") as file:
        return dict(np.load(file, allow_pickle=False))


@cache
def _network() -> IntegerNetwork:
    return IntegerNetwork.from_arrays(tables())


def exp2_fixed(x: np.ndarray, table: np.ndarray) -> np.ndarray:
    """2^x in units of 2^-16 for x in units of 2^-10, -16 <= x < 16; `table[f]` = 2^(16 + f / 1024), rounded."""
    whole = x >> FRACTION
    mantissa = table[x & (UNIT - 1)]
    return np.where(whole >= 0, mantissa << np.maximum(whole, 0), mantissa >> np.maximum(-whole, 0))


def frequencies(
    output: np.ndarray, base: np.ndarray, scale: np.ndarray, step: np.ndarray, table: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Symbol frequencies and the level that symbol RADIUS + 1 stands for.

    Parameters
    ----------
    output : (m, 9) int64
        The network's outputs, units of 2^-10: three log2 weights, three means and three log2 scales, both in units of
        `scale`.
    base, scale, step : (m,) int64, 1/16 grey level
    table : `tables()`

    Returns
    -------
    frequencies : (m, 43) int64, each >= 1, rows adding up to 2^16
    centre : (m,) int64
    """
    k = COMPONENTS
    logit = output[:, :k] - output[:, :k].max(axis=1, keepdims=True)
    weight = exp2_fixed(np.maximum(logit, -10 << FRACTION), table["exp2"])
    weight = (weight << 14) // weight.sum(axis=1, keepdims=True)
    weight[:, 0] += (1 << 14) - weight.sum(axis=1)
    # from here on in 1/256 grey level
    mean = (base[:, None] << 4) + ((np.clip(output[:, k : 2 * k], -8 << FRACTION, 8 << FRACTION) * scale[:, None]) >> 6)
    width = np.clip(output[:, 2 * k :], -6 << FRACTION, 4 << FRACTION)
    spread = np.maximum((exp2_fixed(width, table["exp2"]) * scale[:, None]) >> 12, 4)
    step256 = step << 4
    centre = ((weight * mean).sum(axis=1) >> 14) + (step256 >> 1)
    centre = np.clip(centre // step256, -MAX_LEVEL, MAX_LEVEL)
    edge = (2 * (centre[:, None] + np.arange(-RADIUS, RADIUS + 2)) - 1) * (step256[:, None] >> 1)
    cumulative = np.zeros(edge.shape, dtype=np.int64)
    for j in range(k):
        # the quotient of integers below 2^53, correctly rounded, has the floor of the exact one; and is several times
        # faster than a division of integers
        z = np.floor((edge - mean[:, j : j + 1]) * 128.0 / spread[:, j : j + 1])
        np.clip(z, -2048, 2047, out=z)
        cumulative += weight[:, j : j + 1] * table["logistic"][z.astype(np.int64) + 2048]
    cumulative >>= 14  # 0 .. 2^16
    free = ONE - SYMBOLS
    ends = ((cumulative * free) >> 16) + np.arange(1, SYMBOLS)
    counts = np.empty((edge.shape[0], SYMBOLS), dtype=np.int64)
    counts[:, 0] = ends[:, 0]
    np.subtract(ends[:, 1:], ends[:, :-1], out=counts[:, 1:-1])
    counts[:, -1] = ONE - ends[:, -1]
    return counts, centre


@single_blas()
def walk_values(
    y: np.ndarray,
    x: np.ndarray,
    side: np.ndarray,
    step: np.ndarray,
    shape: tuple[int, int],
    levels_of: LevelsOf,
) -> np.ndarray:
    """Go through the values in coding order; all that is known of a pass when it is coded is handed to `levels_of`.

    Parameters
    ----------
    y, x, side, step : (n,) int64
        Pixels of the values, sides of their cells in pixels, steps in 1/16 grey level.
    shape : (height, width)
    levels_of : callable
        (pass, frequencies (m, 43), centre (m,)) -> levels (m,) int64 of the values `pass.index`; see `frequencies`.

    Returns
    -------
    (n,) int64
        The levels that `levels_of` gave.
    """
    state = _state(y, x, side, step)
    levels = np.zeros(y.size, dtype=np.int64)
    for p in passes(y, x, shape):
        table = np.empty((p.index.size, SYMBOLS), dtype=np.int64)
        centre, base = (np.empty(p.index.size, dtype=np.int64) for _ in range(2))

        describe = partial(_describe, state, p, table, centre, base)
        in_parallel(describe, range(0, p.index.size, _ROWS))
        levels[p.index] = levels_of(p, table, centre)
        _store(state, p, levels[p.index], base)
    return levels


def _describe(state: _State, p: Pass, table: np.ndarray, centre: np.ndarray, base: np.ndarray, first: int) -> None:
    """Write frequencies, centre and base prediction of some rows of a pass to where they belong."""
    rows = slice(first, first + _ROWS)
    part = replace(p, index=p.index[rows], neighbour=p.neighbour[rows])
    inputs, base[rows], scale = features(state, part)
    table[rows], centre[rows] = frequencies(_network()(inputs), base[rows], scale, state.step[part.index], tables())


def symbols_of(levels: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Symbols 0..42 of levels, the outermost two for escapes."""
    return np.clip(levels - centre, -RADIUS - 1, RADIUS + 1) + RADIUS + 1


def encode_values(
    encoder: RangeEncoder,
    levels_of: LevelsOf,
    y: np.ndarray,
    x: np.ndarray,
    side: np.ndarray,
    step: np.ndarray,
    shape: tuple[int, int],
) -> np.ndarray:
    """Code the levels that `levels_of` gives, |level| <= 2^14, and return them, (n,) int64; see `walk_values`."""

    def encode(p: Pass, table: np.ndarray, centre: np.ndarray) -> np.ndarray:
        level = levels_of(p, table, centre)
        encoder.encode_symbols(symbols_of(level, centre), table, KIND)
        distance = np.abs(level - centre)
        encoder.encode_excess(distance[distance > RADIUS] - RADIUS - 1, KIND)
        return level

    return walk_values(y, x, side, step, shape, encode)


def decode_values(
    decoder: RangeDecoder,
    y: np.ndarray,
    x: np.ndarray,
    side: np.ndarray,
    step: np.ndarray,
    shape: tuple[int, int],
) -> np.ndarray:
    """Mirror of `encode_values`: levels (n,) int64.

    Raises
    ------
    DinpError
        If the data is damaged.
    """

    def decode(p: Pass, table: np.ndarray, centre: np.ndarray) -> np.ndarray:
        difference = decoder.decode_symbols(table, KIND) - RADIUS - 1
        escaped = np.abs(difference) > RADIUS
        excess = decoder.decode_excess(int(escaped.sum()), KIND)
        difference[escaped] += np.sign(difference[escaped]) * excess
        level = centre + difference
        if np.abs(level).max(initial=0) > MAX_LEVEL:
            raise DinpError("the coded data is damaged: a value is out of range")
        return level

    return walk_values(y, x, side, step, shape, decode)


def _store(state: _State, p: Pass, level: np.ndarray, base: np.ndarray) -> None:
    value = level * state.step[p.index]
    state.value[p.index] = value
    # a value without neighbours says nothing about how predictable its surroundings are
    alone = (p.neighbour < 0).all(axis=1)
    state.surprise[p.index] = np.where(alone, 16 * _GREY, np.abs(value - base))
