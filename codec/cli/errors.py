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
        except DinpError as error:
            message = str(error)
        except KeyboardInterrupt:
            message = "interrupted"
        except MemoryError:
            message = _NO_MEMORY
        except BrokenPipeError:
            message = "the output was closed before everything was written"
            _discard_stdout()
        except OSError as error:
            message = f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"
            _discard_stdout()
        except RuntimeError as error:
            if "allocate memory" not in str(error):  # torch's way of saying MemoryError
                raise
            message = _NO_MEMORY
        raise click.ClickException(message)


def _discard_stdout() -> None:
    """Keep what is still buffered from being flushed, and failing again, when the interpreter exits."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
