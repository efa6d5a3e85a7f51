"""The context model of values: from decoded neighbours to a distribution of levels, in integers.

A value is its level times its step s, in units of 1/16 grey level, as is everything here that has no other unit. Its
neighbours j (`dinp.entropy.order`) have values v_j and surprises e_j: e = |value - base| of a coded value, 256 for one
that had no neighbours. Spacing 2^k and half are those of its pass; // is the floor of a quotient.

    d2_j = squared distance in pixels;  w_j = max(2^20 // d2_j, 1), 0 where there is no neighbour;  T = max(sum w_j, 1)
    base = (sum w_j v_j) // T, 2048 without neighbours
    spread = (sum w_j |v_j - base|) // T;  surprise = (sum w_j e_j) // T
    scale = max((spread + surprise) // 2 + s // 4, 1), 768 without neighbours

The 48 inputs of the network (`dinp.entropy.fixed`), clipped to +-(2^15 - 1):

    0-7    signed_log(1024 (v_j - base) // s)          0 where there is no neighbour, as in 16-39
    8-15   1024 w_j // T
    16-23  signed_log(1024 e_j // s)
    24-31  1024 (log2 side_j - log2 side)
    32-39  log2_fixed(max(d2_j, 1)) - 2048 k
    40     signed_log(1024 spread // s)
    41     signed_log(1024 surprise // s)
    42     log2_fixed(least d2_j, 2^18 without neighbours) - 2048 k
    43-45  1024 log2 side, 1024 k, 1024 half
    46     log2_fixed(s) - 4096
    47     256 times the number of neighbours

Its outputs o_0..o_8 are a mixture of three logistic distributions. exp2(x) is exp2[x mod 1024] of the table, shifted
left by floor(x / 1024), or right (floor) where that is negative.

    W_i = exp2(max(o_i - max(o_0, o_1, o_2), -10240)), i = 0, 1, 2;  W_i = 2^14 W_i // sum W;  W_0 += 2^14 - sum W
    m_i = 16 base + floor(clip(o_(3+i), -8192, 8192) scale / 64)                          (1/256 grey level)
    r_i = max(floor(exp2(clip(o_(6+i), -6144, 4096)) scale / 4096), 4)
    S = 16 s;  centre = clip((floor(sum W_i m_i / 2^14) + S // 2) // S, -2^18, 2^18)
    for t = 0..41: edge_t = (2 (centre - 20 + t) - 1) S / 2
        F_t = floor(sum W_i logistic[clip(floor(128 (edge_t - m_i) / r_i), -2048, 2047) + 2048] / 2^14)
        E_t = floor(F_t (2^16 - 43) / 2^16) + t + 1
    frequencies of the symbols 0..42: E_0, E_1 - E_0, ..., E_41 - E_40, 2^16 - E_41

The level is centre + symbol - 21; the outermost symbols are escapes (`dinp.entropy.value_coder`). The tables exp2 and
logistic and the network are shipped in `tables/values.npz`.
"""

from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np

from dinp.entropy.coder import ONE
from dinp.entropy.fixed import FRACTION, UNIT, IntegerNetwork, log2_fixed, signed_log
from dinp.entropy.order import Pass

COMPONENTS = 3
RADIUS = 20
SYMBOLS = 2 * RADIUS + 3
MAX_LEVEL = 1 << 18
GREY = 16  # units per grey level
_WEIGHT = 1 << 20


@dataclass
class ValueState:
    """What is known of the values while they are coded, in units of 1/16 grey level: (n,) int64 each."""

    y: np.ndarray
    x: np.ndarray
    side_log2: np.ndarray
    step: np.ndarray
    value: np.ndarray
    surprise: np.ndarray  # |value - base prediction|

    @classmethod
    def unknown(cls, y: np.ndarray, x: np.ndarray, side: np.ndarray, step: np.ndarray) -> "ValueState":
        """The state in which no value is known yet."""
        n = y.size
        return cls(y, x, side_log2(side), step.astype(np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64))

    def settle(self, p: Pass, neighbour: np.ndarray, level: np.ndarray, base: np.ndarray) -> None:
        """Take in the levels of a pass."""
        value = level * self.step[p.index]
        self.value[p.index] = value
        # a value without neighbours says nothing about how predictable its surroundings are
        alone = (neighbour < 0).all(axis=1)
        self.surprise[p.index] = np.where(alone, 16 * GREY, np.abs(value - base))


def side_log2(side: np.ndarray) -> np.ndarray:
    """Logarithms of powers of two, int64."""
    return np.frexp(side.astype(np.float64))[1].astype(np.int64) - 1


def features(state: ValueState, p: Pass, neighbour: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, base prediction and local scale of the values of a pass, or a part of one.

    Returns
    -------
    features : (m, 48) int64, units of 2^-10
    base : (m,) int64, the base prediction, in 1/16 grey level
    scale : (m,) int64, the unit of the mixture's means and scales, in 1/16 grey level, >= 1
    """
    index = p.index
    present = neighbour >= 0
    at = np.where(present, neighbour, 0)
    step = state.step[index]
    d2 = (state.y[index, None] - state.y[at]) ** 2 + (state.x[index, None] - state.x[at]) ** 2
    weight = np.where(present, np.maximum(_WEIGHT // np.maximum(d2, 1), 1), 0)
    total = weight.sum(axis=1)
    some = total > 0
    total = np.maximum(total, 1)
    base = np.where(some, (weight * state.value[at]).sum(axis=1) // total, 128 * GREY)
    difference = np.where(present, state.value[at] - base[:, None], 0)
    spread = (weight * np.abs(difference)).sum(axis=1) // total
    surprise = (weight * np.where(present, state.surprise[at], 0)).sum(axis=1) // total
    nearest = np.where(present, d2, 1 << 18).min(axis=1)
    scale = np.where(some, np.maximum((spread + surprise) // 2 + step // 4, 1), 48 * GREY)

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
    """Shipped tables: the network (w0, b0, ...), `exp2` (1024,) and `logistic` (4096,); see `tables/README.md`."""
    with resources.files("dinp.entropy").joinpath("tables/values.npz").open("rb") as file:
        return dict(np.load(file, allow_pickle=False))


@cache
def network() -> IntegerNetwork:
    """The shipped network: 48 inputs, 9 outputs."""
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
