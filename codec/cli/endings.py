"""What ends the command from outside: signals, and descriptors that are closed when it begins.

Imports no more than it needs, because Ctrl-C may come while all else is still being imported.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn


@contextmanager
def seen_to() -> Iterator[None]:
    """The work inside ends with a word on Ctrl-C, and tidies up, as at an error, when it is to terminate."""
    _occupy_descriptors()
    interrupted = False

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        nonlocal interrupted
        interrupted = True
        raise KeyboardInterrupt

    def terminate(number: int, frame: FrameType | None) -> NoReturn:
        signal.signal(number, signal.SIG_IGN)  # a second one must not disturb the tidying up
        raise SystemExit(128 + number)

    # a signal that is ignored, as by nohup, stays so
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupt)
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, terminate)
    try:
        yield
    except (KeyboardInterrupt, ImportError, SystemError) as error:
        # what is interrupted while it loads a compiled module may say so by another error
        if not interrupted and not isinstance(error, KeyboardInterrupt):
            raise
        sys.stderr.write("Error: interrupted\n")
        sys.exit(1)


def _occupy_descriptors() -> None:
    """Open what is closed of the descriptors 0 to 2 on nothing, so that no file that is opened later takes their place.

    Python's own `sys.stdin` and `sys.stdout` stay None: who uses them has to say that they are closed. There is nobody
    to tell where stderr is closed.
    """
    with suppress(OSError):
        while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
            pass
        os.close(descriptor)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 (as long as the process)
