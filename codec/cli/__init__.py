"""The command `dinp`: one module a command, beside the pieces that they share. Of the face: it may import everything.

Data, and what is asked for, go to stdout, messages to stderr. Exit codes: 0 done, 1 bad input or failure, 2 usage.
What a command needs is imported when it is called.
"""

import gc
import os
import sys
from collections.abc import MutableMapping, Sequence

MEASURED = ("bench", "train")  # commands whose linear algebra is left as it is: others may be measured beside it
GARBAGE = (
    100_000  # objects; nearly all that imports make stays, and looking for garbage in it takes a tenth of the start
)


def main() -> None:
    """The command; what can end it from outside is seen to from the first import on."""
    from dinp.cli.endings import seen_to

    gc.set_threshold(GARBAGE)
    without_blas_threads(sys.argv[1:], os.environ)
    with seen_to():
        from dinp.cli.root import command

        command(prog_name="dinp")


def without_blas_threads(arguments: Sequence[str], environment: MutableMapping[str, str]) -> None:
    """Let OpenBLAS begin no threads, unless the user or a command that measures or trains wants them.

    numpy and scipy have an OpenBLAS each, whose threads wait for work in circles from the import on: up to a fifth of a
    second of a core. Coding shares out its work by `dinp.threads`, and linear algebra has one thread there.

    Parameters
    ----------
    arguments : sequence of str
        Of the command.
    environment : mapping of str to str
        That of the process, before numpy is imported; changed in place.
    """
    if not set(arguments[:1]) & set(MEASURED):
        environment.setdefault("OPENBLAS_NUM_THREADS", "1")
