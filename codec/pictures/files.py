"""Reading inputs and writing outputs of the command: "-" means stdin or stdout, and no file is overwritten by accident.

An output file appears under its name complete or not at all: it is written to a temporary file in the same folder,
which is then renamed. Through a symbolic link the file that it points to is replaced. Devices and pipes are written to
directly.
"""

import os
import secrets
import stat
import sys
from io import BufferedReader, RawIOBase
from typing import BinaryIO

from dinp.bitstream.container import MAGIC, check_magic
from dinp.errors import DinpError
from dinp.limits import MAX_PIXELS, most_bytes

CHUNK = 1 << 16
MOST_BYTES = most_bytes(MAX_PIXELS)


def open_input(name: str, *, most: int = MOST_BYTES) -> BinaryIO:
    """A seekable binary stream of the file, or of stdin if `name` is "-"; DinpError if it cannot be opened or read.

    Of a pipe no more is read than is asked for, and at most so many bytes.
    """
    try:
        if name == "-" and sys.stdin is None:
            raise DinpError("cannot read standard input: it is closed")
        stream = sys.stdin.buffer if name == "-" else open(name, "rb")  # noqa: SIM115 (the caller closes it)
        return stream if stream.seekable() else BufferedReader(_Kept(stream, most))
    except OSError as error:
        raise DinpError(f"cannot read {display(name)}: {_reason(error)}") from error


class _Kept(RawIOBase):
    """What a pipe gives, kept so that one can go back in it."""

    def __init__(self, stream: BinaryIO, most: int) -> None:
        self._stream, self._most = stream, most
        self._data = bytearray()
        self._place = 0
        self._ended = False

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, target: "memoryview") -> int:
        self._have(self._place + len(target))
        found = self._data[self._place : self._place + len(target)]
        target[: len(found)] = found
        self._place += len(found)
        return len(found)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_END:
            self._have(None)
        self._place = max(0, offset + (0, self._place, len(self._data))[whence])
        return self._place

    def tell(self) -> int:
        return self._place

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()

    def _have(self, size: int | None) -> None:
        """Read on until there are so many bytes, or all."""
        while not self._ended and (size is None or len(self._data) < size):
            part = self._stream.read1(CHUNK)
            self._ended = not part
            self._data += part
            if len(self._data) > self._most:
                raise DinpError(f"the input goes on after {self._most:,} bytes, more than a picture may have")


def read_dinp(name: str, *, most: int = MOST_BYTES) -> bytes:
    """All bytes of a dinp file, read no further than its first bytes if they are not those of one, or than `most`.

    Raises
    ------
    DinpError
        It cannot be read, is no dinp file, or has more bytes than `most`.
    """
    with open_input(name, most=most) as stream:
        try:
            head = stream.read(len(MAGIC))
            check_magic(head)
            data = head + stream.read(most + 1 - len(head))
        except OSError as error:
            raise DinpError(f"cannot read {display(name)}: {_reason(error)}") from error
    if len(data) > most:
        raise DinpError(f"{display(name)} has more than {most:,} bytes, more than a picture may have")
    return data


def check_output(name: str, *sources: str, force: bool) -> None:
    """Raise DinpError, before the work, if the output `name` must not or cannot be written (`sources`: inputs)."""
    if name == "-":
        if sys.stdout is None:
            raise DinpError("cannot write to standard output: it is closed")
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
        for source in sources:
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
        if sys.stdout is None:
            raise DinpError("cannot write to standard output: it is closed")
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
