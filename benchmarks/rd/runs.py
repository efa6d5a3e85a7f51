"""Runs of the rate-distortion benchmark: what is to be measured, measuring it, and the JSON file that keeps it.

The file holds the `runs` (date, commit, processor, versions; more than one if a run was continued) and `series`: what
one codec did to one picture in one mode, as lists with one entry a setting. A run that was stopped is continued by the
same command: what the file has already is left out, except where the codec has changed since.

A series, `{"codec", "mode", "picture", "width", "height", "run", "settings", "bytes", "psnr", ...}`, is one line of the
file. Modes are "grey" (colour pictures are converted as Pillow's "L" does) and "colour" (grey pictures are left out).
"""

import json
import os
import secrets
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from dinp.benchmarks.environment import environment
from dinp.benchmarks.rd.codec import Codec
from dinp.benchmarks.rd.codecs import prepared_codec
from dinp.benchmarks.rd.metrics import METRICS, measure
from dinp.benchmarks.rd.own import Dinp
from dinp.benchmarks.result_files import load_results
from dinp.cli.progress import counted, say
from dinp.errors import DinpError
from dinp.pictures.modes import picture_from_image

MODES = ("grey", "colour")
MAX_PIXELS = 2**28
PACKAGES = (
    "dinp",
    "numpy",
    "scipy",
    "torch",
    "constriction",
    "pillow",
    "imagecodecs",
    "pillow-heif",
    "scikit-image",
    "pytorch-msssim",
    "ssimulacra2",
)
UNITS = "bytes of whole files, psnr in dB over decoded 8-bit samples (colour: of R, G and B), seconds wall-clock"


@dataclass(frozen=True)
class Task:
    """One codec, one picture, one mode; `settings` in rising order of file size.

    `max_bpp`: settings after the first one with a larger file are left out; None: every setting is measured.
    """

    codec: str
    mode: str
    path: Path
    settings: tuple[float, ...]
    metrics: tuple[str, ...]
    max_bpp: float | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """What identifies the series in a file."""
        return self.codec, self.mode, self.path.name


def tasks_of(
    codecs: Sequence[Codec],
    mode: str,
    paths: Sequence[Path],
    metrics: tuple[str, ...],
    *,
    qualities: Sequence[float] | None = None,
    max_bpp: float,
) -> list[Task]:
    """What each codec is to do with each picture.

    Parameters
    ----------
    codecs : sequence of Codec
    mode : str
    paths : sequence of Path
    metrics : tuple of str
    qualities : sequence of float, optional
        Settings of dinp, in any order; all of them are measured. By default its own, as for the others.
    max_bpp : float
        See `Task`, of the other codecs.
    """
    tasks = []
    for codec in codecs:
        own = isinstance(codec, Dinp)
        settings = tuple(sorted(set(qualities))) if own and qualities else codec.settings
        tasks += [Task(codec.name, mode, path, settings, metrics, None if own else max_bpp) for path in paths]
    return tasks


def pictures_in(folder: Path, limit: int | None = None) -> list[Path]:
    """The first `limit` pictures of a folder, by name.

    Raises
    ------
    DinpError
        There is no such folder, or no picture in it.
    """
    endings = Image.registered_extensions()
    if not folder.is_dir():
        raise DinpError(f"there is no folder {folder}")
    found = sorted(path for path in folder.iterdir() if endings.get(path.suffix.lower()) in Image.OPEN)[:limit]
    if not found:
        raise DinpError(f"there are no pictures in {folder}")
    return found


def load_picture(path: Path, mode: str) -> np.ndarray | None:
    """The picture (H, W) uint8 for mode "grey", (H, W, 3) for "colour", None for a grey picture in mode "colour".

    Raises
    ------
    DinpError
        It cannot be read.
    """
    try:
        with Image.open(path) as image:
            picture, _ = picture_from_image(image, max_pixels=MAX_PIXELS)
    except (UnidentifiedImageError, OSError) as error:
        raise DinpError(f"{path} cannot be read: {error}") from error
    if mode == "grey":
        return picture if picture.ndim == 2 else np.asarray(Image.fromarray(picture).convert("L"))
    return picture if picture.ndim == 3 else None


def measure_task(task: Task) -> dict | None:
    """The series of a task, without the number of its run; None if the picture has no such mode."""
    picture = load_picture(task.path, task.mode)
    if picture is None:
        return None
    codec = prepared_codec(task.codec)
    height, width = picture.shape[:2]
    series: dict = {"codec": task.codec, "mode": task.mode, "picture": task.path.name, "width": width, "height": height}
    columns: dict[str, list] = {}
    for setting in task.settings:
        coded = codec.run(picture, setting)
        row = {"settings": setting, "bytes": len(coded.data), **measure(picture, coded.decoded, task.metrics)}
        row |= {"encode_s": round(coded.encode_seconds, 4), "decode_s": round(coded.decode_seconds, 4)}
        row |= {name: round(value, 5) for name, value in coded.details.items()}
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
        if task.max_bpp is not None and coded.bpp > task.max_bpp:
            break
    return series | columns


class Results:
    """A result file: continued if it exists, written after every series.

    Parameters
    ----------
    path : Path
    name : str
        Name of the set of pictures.
    codecs : list of Codec
        What will be measured: series of other versions of these codecs are dropped.
    jobs : int

    Raises
    ------
    DinpError
        The file is of another benchmark or another set.
    """

    def __init__(self, path: Path, name: str, codecs: Sequence[Codec], jobs: int) -> None:
        self.path = path
        self.content: dict = {"benchmark": "rd", "set": name, "units": UNITS, "runs": [], "series": []}
        if path.exists():
            self.content = load_results(path, "rd")
            if self.content["set"] != name:
                raise DinpError(f"{path} holds results of the set {self.content['set']}, not of {name}")
        versions = {codec.name: codec.version() for codec in codecs}
        kept = [
            series
            for series in self.content["series"]
            if versions.get(series["codec"]) in (None, self.content["runs"][series["run"]]["codecs"][series["codec"]])
        ]
        self.dropped = len(self.content["series"]) - len(kept)
        self.content["series"] = kept
        self.content["runs"].append({**environment(PACKAGES), "jobs": jobs, "codecs": versions})

    def pending(self, tasks: Iterable[Task]) -> Iterator[Task]:
        """What is still to be done: tasks with the settings that the file does not have."""
        done: dict[tuple[str, str, str], dict[float, float]] = {}
        metrics: dict[tuple[str, str, str], set[str]] = {}
        for series in self.content["series"]:
            pixels = series["width"] * series["height"]
            rates = done.setdefault(series_key(series), {})
            metrics[series_key(series)] = metrics.get(series_key(series), set(METRICS)) & set(series)
            for setting, size in zip(series["settings"], series["bytes"], strict=True):
                rates[setting] = 8 * size / pixels
        for task in tasks:
            if not metrics.get(task.key, set(task.metrics)) >= set(task.metrics):
                self.content["series"] = [series for series in self.content["series"] if series_key(series) != task.key]
                done.pop(task.key, None)
            rates = done.get(task.key, {})
            limit = min((s for s, bpp in rates.items() if task.max_bpp and bpp > task.max_bpp), default=np.inf)
            settings = tuple(setting for setting in task.settings if setting not in rates and setting <= limit)
            if settings:
                yield Task(task.codec, task.mode, task.path, settings, task.metrics, task.max_bpp)

    def add(self, series: dict) -> None:
        """Take a series in and write the file."""
        self.content["series"].append(series | {"run": len(self.content["runs"]) - 1})
        self.write()

    def write(self) -> None:
        """Write the file, complete or not at all; series in the order of set, mode, codec, picture."""
        content = dict(self.content)
        series = sorted(content.pop("series"), key=lambda s: (s["mode"], s["codec"], s["picture"], s["settings"]))
        used = sorted({one["run"] for one in series})
        content["runs"] = [content["runs"][run] for run in used]
        series = [one | {"run": used.index(one["run"])} for one in series]
        lines = ",\n".join("  " + json.dumps(one, separators=(",", ":")) for one in series)
        text = json.dumps(content, indent=1).removesuffix("\n}") + f',\n "series": [\n{lines}\n ]\n}}\n'
        part = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}")
        try:
            part.write_text(text, encoding="utf-8")
            os.replace(part, self.path)
        finally:
            part.unlink(missing_ok=True)


def series_key(series: dict) -> tuple[str, str, str]:
    """Codec, mode and picture of a series."""
    return series["codec"], series["mode"], series["picture"]


def run_tasks(tasks: Sequence[Task], results: Results, jobs: int, done: Callable[[], object]) -> list[str]:
    """Measure tasks, in `jobs` processes, and keep each series as soon as it is there; `done` is called after each.

    Processes are started afresh rather than forked: torch's threads do not survive a fork.

    Returns
    -------
    list of str
        What went wrong: tasks that failed are left out of the file.
    """
    failures = []

    def keep(task: Task, outcome: Callable[[], dict | None]) -> None:
        try:
            series = outcome()
        except DinpError as error:
            failures.append(f"{task.path.name}, {task.mode}: {error}")
        else:
            if series is not None:
                results.add(series)
        done()

    if jobs == 1:
        for task in tasks:
            keep(task, lambda task=task: measure_task(task))
        return failures
    with _one_thread(), ProcessPoolExecutor(jobs, get_context("spawn"), _end_with_parent) as pool:
        futures = {pool.submit(measure_task, task): task for task in tasks}
        try:
            for future in as_completed(futures):
                keep(futures[future], future.result)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return failures


def measure_pending(tasks: Sequence[Task], results: Results, jobs: int) -> None:
    """Measure the tasks that the results lack, with a progress bar; what failed is told, and ends with exit code 1."""
    if results.dropped:
        say(f"{results.dropped} series of other versions of the codecs are measured anew")
    pending = list(results.pending(tasks))
    if len(pending) < len(tasks):
        say(f"{len(tasks) - len(pending)} of {len(tasks)} series are there already")
    if not pending:
        return
    try:
        with counted("measuring", len(pending)) as done:
            failures = run_tasks(pending, results, jobs, done)
    except KeyboardInterrupt:
        raise DinpError("interrupted; the same command goes on from here") from None
    for failure in failures:
        say(f"Error: {failure}")
    if failures:
        sys.exit(1)


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, however that ended."""

    def watch() -> None:
        wait([parent_process().sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Processes started meanwhile use one thread each: they are as many as the user wants cores busy."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
