"""A process that works on files for another one: a line of JSON in for each, one out when it is done.

    python -m dinp.many.worker

It ends when its input does. What libraries print on stdout goes to stderr.
"""

import json
import os
import signal
import sys


def packed(values: dict) -> bytes:
    """A line."""
    return json.dumps(values).encode("ascii") + b"\n"


def unpacked(line: bytes) -> dict:
    """Mirror of `packed`."""
    return json.loads(line)


def main() -> None:
    """Work until there is no more."""
    from dinp.cli.endings import seen_to

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who asks is told
    with seen_to():
        channel = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        from dinp.many.work import perform

        for line in sys.stdin.buffer:
            result = perform(unpacked(line))
            try:
                channel.write(packed(vars(result)))
                channel.flush()
            except BrokenPipeError:  # nobody waits any more
                os._exit(1)


if __name__ == "__main__":
    main()
