"""Many files by one command, through dask, and by a shell loop: seconds, memory, bad files, a run interrupted.

    dinp bench many FOLDER --out benchmarks/results/many.json

Of the pictures of a folder 200 small pictures are made, and 200 label maps, as `dinp.benchmarks.speed.many_inputs`
tells. Pictures, with three files that are none among them, and label maps without loss are coded

- by one command, with some jobs;
- by one command through dask, a cluster on this machine with as many processes, its start in the time;
- by a loop of the shell, a process for each file: some of the files only, and as much more for all of them.

Then the label maps again, by one command that is interrupted (SIGINT) after half of the files, and run again with
--skip-existing. They are decoded by one command and compared. Memory is the most at one time that all
processes of a command have together, pages they share counted once where the system tells it (Linux); it is looked at
ten times a second. Needs `dinp[bench,dask]`. Of use on an idle machine only.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
from PIL import Image

from dinp.benchmarks.environment import environment, library
from dinp.benchmarks.rd.lossless_codecs import LOSSLESS
from dinp.benchmarks.speed.many_inputs import make_inputs
from dinp.cli.options import PATH
from dinp.cli.progress import counted
from dinp.errors import DinpError
from dinp.pictures.files import check_output, write_output

DINP = (sys.executable, "-P", "-m", "dinp")
LOOP = 'for file; do "$0" -P -m dinp encode $OPTIONS "$file" "$TARGET/$(basename "$file" .png).dinp" || exit 1; done'
OPTIONS = {"pictures": ("--effort", "1"), "labels": ("--lossless",)}
TOLD = ("failed: ", "Error: ")
PAUSE = 0.1  # seconds between two looks at memory
STEPS = 9  # of the bar


class Ended(NamedTuple):
    """What a command did: its exit code, seconds, most bytes of memory, and what it printed on stdout and stderr."""

    code: int
    seconds: float
    memory: int
    out: list[str]
    told: list[str]

    def count(self, status: str) -> int:
        """How many files have a status, by the lines of JSON on stdout."""
        return sum(json.loads(line)["status"] == status for line in self.out)


def _memory(process: object) -> int:
    """Bytes of a process of psutil and all that it has started."""
    psutil = library("psutil")
    total = 0
    with suppress(psutil.Error):
        for one in [process, *process.children(recursive=True)]:
            with suppress(psutil.Error):
                info = one.memory_full_info()
                total += getattr(info, "pss", info.rss)
    return total


def run(words: Sequence[str], folder: Path, stop_after: tuple[Path, int] | None = None, **variables: str) -> Ended:
    """Run a command in a folder; interrupt it as soon as another folder has so many dinp files."""
    psutil = library("psutil")
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as told:
        start, memory = time.perf_counter(), 0
        process = subprocess.Popen(words, cwd=folder, stdout=out, stderr=told, env=os.environ | variables)
        watched = psutil.Process(process.pid)
        while process.returncode is None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(PAUSE)
                break
            memory = max(memory, _memory(watched))
            if stop_after is not None and len(list(stop_after[0].glob("*.dinp"))) >= stop_after[1]:
                process.send_signal(signal.SIGINT)
                stop_after = None
        seconds = time.perf_counter() - start
        lines = []
        for stream in (out, told):
            stream.seek(0)
            lines.append(stream.read().splitlines())
    return Ended(process.returncode, seconds, memory, *lines)


def _row(files: str, way: str, ended: Ended, target: Path, count: int) -> dict:
    coded = sorted(target.glob("*.dinp"))
    return {
        "files": files,
        "way": way,
        "measured": count,
        "done": len(coded),
        "failed": count - len(coded),
        "exit_code": ended.code,
        "seconds": round(ended.seconds, 2),
        "peak_megabytes": round(ended.memory / 1e6),
        "bytes": sum(path.stat().st_size for path in coded),
        "told": [line.replace(f"{target.parent}/", "") for line in ended.told if line.startswith(TOLD)],
    }


def by_one_command(folder: Path, files: str, target: str, *options: str) -> tuple[Ended, int]:
    """Code a kind of files, the pictures with those that are bad; and how many these are."""
    folders = ("pictures", "bad") if files == "pictures" else (files,)
    sources = [path for name in folders for path in sorted((folder / name).iterdir())]
    words = [*DINP, "encode", "--json", *OPTIONS[files], *options]
    return run([*words, *(str(path.relative_to(folder)) for path in sources), target], folder), len(sources)


def by_loop(folder: Path, files: str, target: str, count: int) -> tuple[Ended, int]:
    """Code the first files of a kind, a process each."""
    (folder / target).mkdir()
    sources = [str(path.relative_to(folder)) for path in sorted((folder / files).iterdir())]
    sources = sources[:: max(1, len(sources) // count)][:count]
    words = ["sh", "-c", LOOP, sys.executable, *sources]
    return run(words, folder, OPTIONS=" ".join(OPTIONS[files]), TARGET=target), len(sources)


def interrupted(folder: Path, whole: str, jobs: int) -> dict:
    """Interrupt a run on the label maps after half of them, run it again, and compare with what `whole` holds."""
    target, half = folder / "again", len(list((folder / "labels").iterdir())) // 2
    words = [*DINP, "encode", *OPTIONS["labels"], "--jobs", str(jobs), "labels", target.name]
    first = run(words, folder, stop_after=(target, half))
    names = [path.name for path in target.iterdir()]
    complete = sum(name.endswith(".dinp") for name in names)
    second = run([*words[:-2], "--json", "--skip-existing", *words[-2:]], folder)
    made = {path.name: path.read_bytes() for path in target.iterdir()}
    return {
        "exit_code": first.code,
        "told": first.told[-1:],
        "seconds": round(first.seconds, 2),
        "complete": complete,
        "partial": len(names) - complete,
        "again_exit_code": second.code,
        "again_skipped": second.count("skipped"),
        "again_done": second.count("done"),
        "again_seconds": round(second.seconds, 2),
        "same_files": made == {path.name: path.read_bytes() for path in (folder / whole).glob("*.dinp")},
    }


def label_bytes(folder: Path, coded: str, back: str) -> dict:
    """Bytes of the label maps by dinp, PNG and WebP; on how many dinp's is the smallest; how many came back exactly."""
    sizes, smallest, exact = {"dinp": 0, "png": 0, "webp": 0}, 0, 0
    for path in sorted((folder / "labels").iterdir()):
        labels = np.asarray(Image.open(path))
        own = (folder / coded / f"{path.stem}.dinp").stat().st_size
        others = {name: len(LOSSLESS[name].encode(labels, 0)) for name in ("png", "webp")}
        for name, size in {"dinp": own, **others}.items():
            sizes[name] += size
        smallest += own < min(others.values())
        exact += np.array_equal(labels, np.asarray(Image.open(folder / back / path.name)))
    return {"bytes": sizes, "smallest_by_dinp": smallest, "exact": exact}


@click.command()
@click.argument("source", metavar="FOLDER", type=PATH)
@click.option("--out", type=PATH, required=True, metavar="FILE", help="JSON file for the results; replaced.")
@click.option("--count", type=click.IntRange(min=4), default=200, show_default=True, help="Of pictures, of label maps.")
@click.option("--loop", type=click.IntRange(min=1), default=20, show_default=True, help="Files of the shell loops.")
@click.option("--jobs", type=click.IntRange(min=1), default=2, show_default=True)
def many(source: Path, out: Path, count: int, loop: int, jobs: int) -> None:
    """Time many files by one command, dask and a loop."""
    check_output(str(out), force=True)
    library("psutil")
    library("distributed")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in the background of a script; commands would inherit it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    load = round(os.getloadavg()[0], 1)
    rows, share = [], ("--jobs", str(jobs))
    ways = {f"one command, {jobs} jobs": share, f"dask, {jobs} processes": (*share, "--scheduler", "local")}
    with tempfile.TemporaryDirectory() as name, counted("many", STEPS) as one:
        folder = Path(name)
        make_inputs(source, folder, count)
        one()
        for files in OPTIONS:
            for number, (way, options) in enumerate(ways.items()):
                ended, measured = by_one_command(folder, files, f"{files}_{number}", *options)
                rows.append(_row(files, way, ended, folder / f"{files}_{number}", measured))
                one()
            ended, measured = by_loop(folder, files, f"{files}_loop", loop)
            rows.append(_row(files, "shell loop", ended, folder / f"{files}_loop", measured))
            one()
        again = interrupted(folder, "labels_0", jobs)
        one()
        ended = run([*DINP, "decode", *share, "labels_0", "back"], folder)
        if ended.code:
            raise DinpError(f"the label maps cannot be decoded: {' '.join(ended.told[-1:])}")
        compared = label_bytes(folder, "labels_0", "back") | {"decode_seconds": round(ended.seconds, 2)}
        one()
    head = {"benchmark": "many", **environment(["dinp", "numpy", "pillow", "distributed"])}
    head |= {"count": count, "jobs": jobs, "folder": source.resolve().name, "load": load}
    content = head | {"results": rows, "interrupted": again, "labels": compared}
    write_output(str(out), (json.dumps(content, indent=1) + "\n").encode(), force=True)
