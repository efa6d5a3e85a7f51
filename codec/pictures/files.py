"""Reading inputs and writing outputs of the command: "-" means stdin or stdout, and no file is overwritten by accident.

An output file appears under its name complete or not at all: it is written to a temporary file in the same folder,
which is then renamed. Through a symbolic link the file that it points to is replaced. Devices and pipes are written to
directly.
"""

import os
import secrets
import stat
import sys
from io import BytesIO
from typing import BinaryIO

from dinp.bitstream.container import MAGIC, check_magic
from dinp.errors import DinpError


def open_input(name: str) -> BinaryIO:
    """A seekable binary stream of the file, or of stdin if `name` is "-"; DinpError if it cannot be opened or read."""
    try:
        stream = sys.stdin.buffer if name == "-" else open(name, "rb")  # noqa: SIM115 (the caller closes it)
        return stream if stream.seekable() else BytesIO(stream.read())
    except OSError as error:
        raise DinpError(f"cannot read {display(name)}: {_reason(error)}") from error


def read_dinp(name: str) -> bytes:
    """All bytes of a dinp file; the rest is not read if its first bytes are not those of a dinp file (DinpError)."""
    with open_input(name) as stream:
        try:
            head = stream.read(len(MAGIC))
            check_magic(head)
            return head + stream.read()
        except OSError as error:
            raise DinpError(f"cannot read {display(name)}: {_reason(error)}") from error


def check_output(name: str, *, force: bool, source: str) -> None:
    """Raise DinpError, before the work, if the output `name` must not or cannot be written; `source` is the input."""
    if name == "-":
        if sys.stdout.isatty():
            raise DinpError("binary data does not go to a terminal: redirect stdout or give an output file")
        return
    path = os.path.realpath(name)
    folder = os.path.dirname(path)
    if os.path.isdir(path):
        raise DinpError(f"cannot write {display(name)}: it is a folder")
    if not os.path.isdir(folder):
        raise DinpError(f"cannot write {display(name)}: there is no folder {folder}")
    if is_special(name):
        return
    if os.path.exists(path):
        if source != "-" and os.path.exists(source) and os.path.samefile(source, path):
            raise DinpError("input and output are the same file: give the output another name")
        if not force:
            raise DinpError(f"{display(name)} exists already: use --force to overwrite it")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise DinpError(f"cannot write {display(name)}: no permission to create files in {folder}")


def check_folder(name: str) -> None:
    """Raise DinpError, before the work, if a folder for results can neither be used nor made; it is not made yet."""
    found = os.path.abspath(name)
    while not os.path.lexists(found):
        found = os.path.dirname(found)
    if not os.path.isdir(found):
        raise DinpError(f"{display(name)} cannot be made a folder: {found} is a file")
    if not os.access(found, os.W_OK | os.X_OK):
        raise DinpError(f"{display(name)} cannot be made a folder: no permission to write in {found}")


def write_output(name: str, data: bytes, *, force: bool) -> None:
    """Write `data` to the file, or to stdout if `name` is "-".

    Raises
    ------
    DinpError
        It cannot be written, or there is such a file and `force` is false. No file is left behind then.
    BrokenPipeError
        The reader of a pipe has gone.
    """
    if name == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    try:
        if is_special(name):
            with open(name, "wb") as stream:
                stream.write(data)
        else:
            _replace(os.path.realpath(name), data, force=force)
    except BrokenPipeError:
        raise
    except FileExistsError:
        raise DinpError(f"{display(name)} exists already: use --force to overwrite it") from None
    except OSError as error:
        raise DinpError(f"cannot write {display(name)}: {_reason(error)}") from error


def is_special(name: str) -> bool:
    """Whether the name is that of a device, pipe or socket, which cannot be replaced by renaming."""
    try:
        mode = os.stat(name).st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def display(name: str) -> str:
    """The name for messages."""
    return {"-": "standard input", "": "a file without a name"}.get(name, name)


def _replace(path: str, data: bytes, *, force: bool) -> None:
    """Put a complete file at `path`: with the permissions of the file it replaces, otherwise as the umask says."""
    part = os.path.join(os.path.dirname(path), f".dinp-{secrets.token_hex(8)}.part")
    try:
        with open(part, "xb") as stream:
            stream.write(data)
        if os.path.exists(path):
            if not force:
                raise FileExistsError
            os.chmod(part, stat.S_IMODE(os.stat(path).st_mode))
        os.replace(part, path)
    except BaseException:
        if os.path.exists(part):
            os.unlink(part)
        raise


def _reason(error: OSError) -> str:
    return (error.strerror or str(error) or type(error).__name__).lower()
