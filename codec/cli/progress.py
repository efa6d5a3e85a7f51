"""What a command prints, and what it tells on stderr while it works, and after."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from dinp.errors import DinpError

_WIDTH = 30
_LOG_SECONDS = 60


def out(text: object) -> None:
    """Print on stdout what was asked for; DinpError if it is closed."""
    if sys.stdout is None:
        raise DinpError("cannot write to standard output: it is closed")
    click.echo(text)


def say(message: object) -> None:
    """Tell a line on stderr."""
    click.echo(message, err=True)


@contextmanager
def progress(label: str, *, log: bool = False) -> Iterator[Callable[[float], None] | None]:
    """A function that draws a bar on stderr when given a fraction, from the second second on.

    Where stderr is no terminal nobody looks, and it is None; with `log`, for work of hours, it writes a line a minute.
    """
    seen = sys.stderr.isatty()
    if not seen and not log:
        yield None
        return
    start = shown = time.monotonic()

    def draw(fraction: float) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - start < 1 or now - shown < (0.1 if seen else _LOG_SECONDS):
            return
        shown = now
        if not seen:
            say(f"{label} {100 * fraction:3.0f} %")
            return
        done = round(_WIDTH * min(max(fraction, 0.0), 1.0))
        bar = "#" * done + "." * (_WIDTH - done)
        click.echo(f"\r{label} [{bar}] {100 * fraction:3.0f} %", err=True, nl=False)

    try:
        yield draw
    finally:
        if seen and shown > start:
            click.echo("\r" + " " * (len(label) + _WIDTH + 12) + "\r", err=True, nl=False)


@contextmanager
def counted(label: str, count: int) -> Iterator[Callable[..., None]]:
    """A function to be called, with anything, after each of `count` pieces of long work: draws `progress`."""
    done = 0
    with progress(label, log=True) as draw:

        def one(*_: object) -> None:
            nonlocal done
            done += 1
            draw(done / count)

        yield (lambda *_: None) if draw is None else one
