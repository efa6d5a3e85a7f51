"""Coding of values: levels predicted from decoded neighbours in all directions, with learned integer distributions.

A value is its level times its step, in units of 1/16 grey level. Values are coded coarse to fine, pass by pass
(`dinp.entropy.order`). For each one the context model (`dinp.entropy.value_model`) gives the frequencies of 43 symbols
from what is known before the pass. Symbols 1..41 are the levels centre - 20..centre + 20; 0 and 42 are escapes below
and above. After all symbols of a pass come the excesses of its escapes (`dinp.entropy.coder`), in the order of the
pass: an escape below (above) is the level centre - 21 - excess (centre + 21 + excess). A decoder must reject a level
beyond +-2^18.

Two ways lead through a pass, with the same integers: compiled kernels, which ask only for the frequencies that they
need, and numpy.
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import cache, cached_property
from typing import Protocol

import numpy as np

from dinp.entropy.coder import RangeDecoder, RangeEncoder
from dinp.entropy.order import Order, Pass
from dinp.entropy.region_order import GroupedOrder, Groups
from dinp.entropy.value_model import (
    GREY,
    MAX_LEVEL,
    RADIUS,
    SYMBOLS,
    ValueState,
    features,
    frequencies,
    network,
    side_log2,
    tables,
)
from dinp.errors import DinpError
from dinp.kernels import kernels
from dinp.threads import in_parallel, single_blas

KIND = "values"
PER_BIT = 1100  # values that a bit of the stream can make at most: no symbol is more probable than 1 - 42 / 2^16
_ROWS = 1024  # of a pass that are described at a time: they stay in the cache
_DESCRIPTION = 10  # 64-bit integers, see codec/kernels/values.c


class Distributions(Protocol):
    """What is known of the values of a pass when it is coded.

    Attributes
    ----------
    centre : (m,) int64
        The levels that the middle symbols stand for.
    """

    centre: np.ndarray

    def frequencies(self, levels: np.ndarray) -> np.ndarray:
        """How probable the symbols of levels (c, m) int64 are, (c, m) integers in units of 2^-16."""


LevelsOf = Callable[[Pass, Distributions], np.ndarray]  # see `walk_values`


def symbols_of(levels: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Symbols 0..42 of levels, the outermost two for escapes."""
    return np.clip(levels - centre, -RADIUS - 1, RADIUS + 1) + RADIUS + 1


class _Tables:
    """Distributions as tables of all frequencies, by numpy."""

    def __init__(self, table: np.ndarray, centre: np.ndarray, base: np.ndarray, neighbour: np.ndarray) -> None:
        self.table, self.centre, self.base, self.neighbour = table, centre, base, neighbour

    def frequencies(self, levels: np.ndarray) -> np.ndarray:
        return self.table[np.arange(self.centre.size), symbols_of(levels, self.centre)]

    def encode(self, encoder: RangeEncoder, levels: np.ndarray) -> None:
        encoder.encode_symbols(symbols_of(levels, self.centre), self.table, KIND)

    def decode(self, decoder: RangeDecoder) -> tuple[np.ndarray, np.ndarray]:
        difference = decoder.decode_symbols(self.table, KIND) - RADIUS - 1
        return self.centre + difference, np.where(np.abs(difference) > RADIUS, np.sign(difference), 0)


class _Values:
    """The values of a picture on their way through the passes, by numpy."""

    def __init__(
        self,
        y: np.ndarray,
        x: np.ndarray,
        side: np.ndarray,
        step: np.ndarray,
        shape: tuple[int, int],
        groups: Groups | None = None,
    ) -> None:
        self._state = ValueState.unknown(y, x, side, step)
        if groups is None:
            self.order = Order(y, x, shape)
        else:
            self.order = GroupedOrder(y, x, shape, groups)
            self._state.value[: groups.first.size] = groups.first
            self._state.surprise[: groups.first.size] = 16 * GREY

    def describe(self, p: Pass) -> _Tables:
        m = p.index.size
        table = np.empty((m, SYMBOLS), dtype=np.int64)
        centre, base = np.empty(m, dtype=np.int64), np.empty(m, dtype=np.int64)
        neighbour = self.order.neighbours(p)

        def part(first: int) -> None:
            rows = slice(first, first + _ROWS)
            some = replace(p, index=p.index[rows])
            inputs, base[rows], scale = features(self._state, some, neighbour[rows])
            outputs, step = network()(inputs), self._state.step[some.index]
            table[rows], centre[rows] = frequencies(outputs, base[rows], scale, step, tables())

        in_parallel(part, range(0, m, _ROWS))
        return _Tables(table, centre, base, neighbour)

    def settle(self, p: Pass, described: _Tables, levels: np.ndarray) -> None:
        self._state.settle(p, described.neighbour, levels, described.base)


@cache
def _kernel_tables() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The network, and the tables exp2 and logistic, as the kernels read them."""
    return network().packed, *(np.ascontiguousarray(tables()[name], dtype=np.int32) for name in ("exp2", "logistic"))


class _Descriptions:
    """Distributions as mixtures, by kernels."""

    def __init__(self, described: np.ndarray, base: np.ndarray) -> None:
        self.base = base
        self._described = described

    @cached_property
    def centre(self) -> np.ndarray:
        centre = np.empty(self.base.size, dtype=np.int64)
        kernels.value_centres(self._described, centre)
        return centre

    def frequencies(self, levels: np.ndarray) -> np.ndarray:
        levels = np.ascontiguousarray(levels, dtype=np.int64)
        found = np.empty(levels.shape, dtype=np.int32)
        kernels.value_frequencies(self._described, _kernel_tables()[2], levels, found)
        return found

    def encode(self, encoder: RangeEncoder, levels: np.ndarray) -> None:
        levels = np.ascontiguousarray(levels, dtype=np.int64)
        encoder.run(kernels.encode_values, levels.size, KIND, self._described, _kernel_tables()[2], levels)

    def decode(self, decoder: RangeDecoder) -> tuple[np.ndarray, np.ndarray]:
        levels, escapes = np.empty(self.base.size, dtype=np.int64), np.empty(self.base.size, dtype=np.int8)
        decoder.run(kernels.decode_values, KIND, self._described, _kernel_tables()[2], levels, escapes)
        return levels, escapes


class _CompiledValues:
    """The values of a picture on their way through the passes, by kernels."""

    def __init__(
        self, y: np.ndarray, x: np.ndarray, side: np.ndarray, step: np.ndarray, shape: tuple[int, int]
    ) -> None:
        self.order = Order(y, x, shape)
        self._positions = np.stack([self.order.y, self.order.x])
        self._steps = np.ascontiguousarray(step, dtype=np.int32)
        self._sides = side_log2(side).astype(np.uint8)
        self._values = np.zeros((2, y.size), dtype=np.int64)  # and their surprises

    def describe(self, p: Pass) -> _Descriptions:
        described = np.empty((p.index.size, _DESCRIPTION), dtype=np.int64)
        base = np.empty(p.index.size, dtype=np.int64)
        packed, exp2, _ = _kernel_tables()
        known = (self._positions, self._steps, self._sides, self.order.number, self._values, self.order.grids)

        def part(first: int) -> None:
            rows = slice(first, first + _ROWS)
            index = p.index[rows]
            kernels.describe_values(
                *known, *self.order.shape, p.number, index, packed, exp2, base[rows], described[rows]
            )

        in_parallel(part, range(0, p.index.size, _ROWS), blas=False)
        return _Descriptions(described, base)

    def settle(self, p: Pass, described: _Descriptions, levels: np.ndarray) -> None:
        levels = np.ascontiguousarray(levels, dtype=np.int64)
        kernels.settle_values(self._values, self._steps, p.index, levels, described.base)


def _values(
    y: np.ndarray,
    x: np.ndarray,
    side: np.ndarray,
    step: np.ndarray,
    shape: tuple[int, int],
    groups: Groups | None = None,
) -> _Values | _CompiledValues:
    if groups is not None:
        return _Values(y, x, side, step, shape, groups)
    compiled = kernels and network().packed is not None
    return (_CompiledValues if compiled else _Values)(y, x, side, step, shape)


def _walk(
    values: _Values | _CompiledValues, levels_of: Callable[[Pass, _Tables | _Descriptions], np.ndarray]
) -> np.ndarray:
    """The levels that `levels_of` gives, pass by pass."""
    levels = np.zeros(values.order.number.size, dtype=np.int64)
    with single_blas() if isinstance(values, _Values) else nullcontext():
        for p in values.order.passes():
            described = values.describe(p)
            found = levels_of(p, described)
            values.settle(p, described, found)
            levels[p.index] = found
    return levels


def walk_values(
    y: np.ndarray,
    x: np.ndarray,
    side: np.ndarray,
    step: np.ndarray,
    shape: tuple[int, int],
    levels_of: LevelsOf,
    groups: Groups | None = None,
) -> np.ndarray:
    """Go through the values in coding order; all that is known of a pass when it is coded is handed to `levels_of`.

    Parameters
    ----------
    y, x, side, step : (n,) int64
        Pixels of the values, sides of their cells in pixels, steps in 1/16 grey level.
    shape : (height, width)
    levels_of : callable
        (pass, its distributions) -> levels (m,) int64 of the values `pass.index`; see `Distributions`.
    groups : Groups, optional
        Values are predicted from those of their own group only, whose first value is known: see
        `dinp.entropy.region_order`. The levels of first values are 0.

    Returns
    -------
    (n,) int64
        The levels that `levels_of` gave.
    """
    return _walk(_values(y, x, side, step, shape, groups), levels_of)


def encode_values(
    encoder: RangeEncoder,
    levels_of: LevelsOf,
    y: np.ndarray,
    x: np.ndarray,
    side: np.ndarray,
    step: np.ndarray,
    shape: tuple[int, int],
    groups: Groups | None = None,
) -> np.ndarray:
    """Code the levels that `levels_of` gives, |level| <= 2^18, and return them, (n,) int64; see `walk_values`."""

    def encode(p: Pass, described: _Tables | _Descriptions) -> np.ndarray:
        level = levels_of(p, described)
        described.encode(encoder, level)
        distance = np.abs(level - described.centre)
        encoder.encode_excess(distance[distance > RADIUS] - RADIUS - 1, KIND)
        return level

    return _walk(_values(y, x, side, step, shape, groups), encode)


def decode_values(
    decoder: RangeDecoder,
    y: np.ndarray,
    x: np.ndarray,
    side: np.ndarray,
    step: np.ndarray,
    shape: tuple[int, int],
    groups: Groups | None = None,
) -> np.ndarray:
    """Mirror of `encode_values`: levels (n,) int64.

    Raises
    ------
    DinpError
        If the data is damaged.
    """
    decoder.expect(y.size - (0 if groups is None else groups.first.size), PER_BIT)

    def decode(_: Pass, described: _Tables | _Descriptions) -> np.ndarray:
        level, escape = described.decode(decoder)
        escaped = np.flatnonzero(escape)
        level[escaped] += escape[escaped] * decoder.decode_excess(escaped.size, KIND)
        if np.abs(level).max(initial=0) > MAX_LEVEL:
            raise DinpError("the coded data is damaged: a value is out of range")
        return level

    return _walk(_values(y, x, side, step, shape, groups), decode)
