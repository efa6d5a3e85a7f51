"""Options that say what form a network is to have."""

from collections.abc import Callable
from typing import TypeVar

import click

from dinp.cli.options import Listed

F = TypeVar("F", bound=Callable[..., object])

_CHANNELS = click.IntRange(min=1)
_INSIDE = click.IntRange(min=0)
_WIDTHS = ("--widths", _CHANNELS, 4, "Channels of the network at strides 2, 4, 8 and 16.")


def inside(scales: int) -> Callable[[F], F]:
    """Options of the channels inside the blocks of a network of so many scales."""

    def decorated(function: F) -> F:
        function = _listed("--decode", _INSIDE, scales - 1, "Channels inside the blocks on the way up.")(function)
        return _listed("--encode", _INSIDE, scales, "Channels inside the blocks on the way down; 0: no block.")(
            function
        )

    return decorated


def restoration_form(function: F) -> F:
    """Options of a restoration network's form."""
    function = click.option("--head", type=click.IntRange(1, 3), default=3, help="Side of the last kernel.")(function)
    return _listed(*_WIDTHS)(inside(4)(function))


def _listed(name: str, kind: click.IntRange, count: int, text: str) -> Callable[[F], F]:
    return click.option(name, type=Listed(kind, count), metavar="N,N,...", help=text)
