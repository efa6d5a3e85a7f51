"""What ends the command from outside: signals, closed descriptors, pipes without an end."""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dinp
from dinp.bitstream.container import MAGIC
from dinp.pictures import files

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals, descriptors and pipes of POSIX")

SIGNALLED = """
import os, signal, sys, time
from dinp.cli import main
number = signal.Signals[sys.argv[1]]
def send(*arguments, **options):
    os.kill(os.getpid(), number)
    time.sleep(60)
{where}
sys.argv = ["dinp", "encode", "picture.png", "new.dinp"]
main()
"""
WHERE = {
    "before the file is renamed": "os.replace = send",
    "while the work is done": "import dinp; dinp.encode_with_report = send",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    picture = (4 * np.arange(30) + 2 * np.arange(20)[:, None]).astype(np.uint8)
    Image.fromarray(picture).save("picture.png")
    Path("coded.dinp").write_bytes(dinp.encode(picture, effort=1))
    return tmp_path


def process(*arguments):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("where", WHERE.values(), ids=WHERE)
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_signals_leave_nothing_behind(folder, name, where):
    done = process("-c", SIGNALLED.format(where=where), name)
    if name == "SIGINT":
        assert (done.returncode, done.stderr) == (1, "Error: interrupted\n")
    else:
        assert (done.returncode, done.stderr) == (128 + signal.Signals[name], "")
    assert sorted(os.listdir()) == ["coded.dinp", "picture.png"]


def test_signals_that_are_ignored_stay_so(folder):
    code = SIGNALLED.replace("number = ", "signal.signal(signal.SIGHUP, signal.SIG_IGN); number = ").format(
        where="import dinp; real = dinp.encode_with_report\n"
        "def work(*a, **k):\n    os.kill(os.getpid(), number)\n    return real(*a, **k)\ndinp.encode_with_report = work"
    )
    assert process("-c", code, "SIGHUP").returncode == 0
    assert Path("new.dinp").exists()


IMPORTING = """
import importlib.abc, os, signal, sys, time
class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == {module!r}:
            {what}
sys.meta_path.insert(0, Finder())
from dinp.cli import main
sys.argv = ["dinp", "info", "coded.dinp"]
main()
"""
SWALLOWED = """
            try:
                os.kill(os.getpid(), signal.SIGINT); time.sleep(60)
            except KeyboardInterrupt:
                raise ImportError("a compiled module cannot be loaded") from None"""


@pytest.mark.parametrize("what", ["os.kill(os.getpid(), signal.SIGINT); time.sleep(60)", SWALLOWED])
@pytest.mark.parametrize("module", ["click", "dinp.cli.root", "numpy", "dinp.cli.info"])
def test_ctrl_c_while_importing_is_one_word(folder, module, what):
    done = process("-c", IMPORTING.format(module=module, what=what))
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "Error: interrupted\n")


def shell(line):
    return subprocess.run(["sh", "-c", line, sys.executable], capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('"$0" -m dinp decode coded.dinp - >&-', "cannot write to standard output: it is closed"),
        ('"$0" -m dinp encode picture.png - >&-', "cannot write to standard output: it is closed"),
        ('"$0" -m dinp info coded.dinp >&-', "cannot write to standard output: it is closed"),
        ('"$0" -m dinp info - <&-', "cannot read standard input: it is closed"),
        ('"$0" -m dinp encode - new.dinp <&-', "cannot read standard input: it is closed"),
    ],
)
def test_closed_descriptors_are_one_sentence(folder, line, sentence):
    done = shell(line)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"Error: {sentence}\n")
    assert sorted(os.listdir()) == ["coded.dinp", "picture.png"]


def test_files_do_not_take_the_place_of_what_is_closed(folder):
    done = shell('"$0" -m dinp encode -e 1 picture.png new.dinp >&- 2>&- <&-')
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert Path("new.dinp").read_bytes() == Path("coded.dinp").read_bytes()
    assert shell('"$0" -m dinp decode missing.dinp new.png 2>&-').returncode == 1


@pytest.mark.parametrize("command", ["decode - new.png", "encode - new.dinp", "info -", "mask - new.png"])
def test_pipes_without_an_end_are_refused(folder, command):
    done = shell(f'yes | "$0" -m dinp {command}')
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    assert sorted(os.listdir()) == ["coded.dinp", "picture.png"]


class Endless(io.RawIOBase):
    """A pipe that begins in some way and then goes on for ever; knows how much was read."""

    def __init__(self, begin):
        self.begin, self.given = begin, 0

    def readable(self):
        return True

    def readinto(self, target):
        part = (self.begin + b"y" * len(target))[: len(target)]
        self.begin = self.begin[len(target) :]
        target[:] = part
        self.given += len(part)
        return len(part)


@pytest.mark.parametrize("begin", [b"", MAGIC])
def test_no_more_is_read_of_a_pipe_than_a_picture_may_have(monkeypatch, begin):
    pipe = Endless(begin)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(pipe)))
    with pytest.raises(dinp.DinpError, match="more than a picture" if begin else "not a dinp file"):
        files.read_dinp("-", most=200_000)
    assert pipe.given < (500_000 if begin else 100_000)


def test_a_pipe_can_be_read_again(monkeypatch):
    read, write = os.pipe()
    os.write(write, bytes(range(100)))
    os.close(write)
    with open(read) as pipe:
        monkeypatch.setattr(sys, "stdin", pipe)
        check_reading_again()


def check_reading_again():
    with files.open_input("-") as stream:
        assert stream.read(3) == b"\0\1\2"
        assert stream.seek(0) == 0
        assert stream.read(5) == b"\0\1\2\3\4"
        assert stream.seek(-2, os.SEEK_END) == 98
        assert stream.read() == b"\x62\x63"
        assert stream.seek(50) == stream.tell() == 50
        assert len(stream.read()) == 50


def test_the_first_import_is_light():
    code = "import dinp, dinp.cli, sys; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = set(process("-c", code).stdout.split())
    assert "dinp" in loaded
    assert not loaded & {"numpy", "PIL", "click"}
