"""How commands end: one sentence and exit code 1 on all but mistakes in the program."""

import os
import sys
from contextlib import suppress

import click

from dinp.cli.lazy import LazyGroup
from dinp.errors import DinpError

_NO_MEMORY = "there is not enough memory for a picture of this size"


class Commands(LazyGroup):
    """The group of all commands: each ends with one sentence on what a person can meet."""

    def invoke(self, ctx: click.Context) -> object:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except BaseException as error:
            message = sentence_of(error)
            if message is None:
                raise
            if isinstance(error, OSError):
                _discard_stdout()
        raise click.ClickException(message)


def sentence_of(error: BaseException) -> str | None:
    """What to say of an error that a person can meet; None of others."""
    if isinstance(error, DinpError):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    # the second is torch's way of saying the first
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "allocate memory" in str(error)):
        return _NO_MEMORY
    if isinstance(error, BrokenPipeError):
        return "the output was closed before everything was written"
    if isinstance(error, OSError):
        return f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"
    return None


def _discard_stdout() -> None:
    """Keep what is still buffered from being flushed, and failing again, when the interpreter exits."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
