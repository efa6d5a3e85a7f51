"""Options that say what form a network is to have."""

from collections.abc import Callable
from typing import TypeVar

import click

from dinp.cli.options import Listed

F = TypeVar("F", bound=Callable[..., object])

_CHANNELS = click.IntRange(min=1)
_INSIDE = click.IntRange(min=0)
_RESTORATION = (
    ("--widths", _CHANNELS, 4, "Channels of the network at strides 2, 4, 8 and 16."),
    ("--encode", _INSIDE, 4, "Channels inside the blocks on the way down; 0: no block."),
    ("--decode", _INSIDE, 3, "Channels inside the blocks on the way up."),
)


def restoration_form(function: F) -> F:
    """Options of a restoration network's form."""
    function = click.option("--head", type=click.IntRange(1, 3), default=3, help="Side of the last kernel.")(function)
    for name, kind, count, text in reversed(_RESTORATION):
        function = click.option(name, type=Listed(kind, count), metavar="N,N,...", help=text)(function)
    return function
