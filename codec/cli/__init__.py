"""The command `dinp`: one module a command, beside the pieces that they share. Of the face: it may import everything.

Data, and what is asked for, go to stdout, messages to stderr. Exit codes: 0 done, 1 bad input or failure, 2 usage.
What a command needs is imported when it is called.
"""

import gc

GARBAGE = (
    100_000  # objects; nearly all that imports make stays, and looking for garbage in it takes a tenth of the start
)


def main() -> None:
    """The command; what can end it from outside is seen to from the first import on."""
    from dinp.cli.endings import seen_to

    gc.set_threshold(GARBAGE)
    with seen_to():
        from dinp.cli.root import command

        command(prog_name="dinp")
