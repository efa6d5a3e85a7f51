"""Speed and memory of two versions of dinp, side by side in one run.

    git worktree add ../before df9b3f7
    dinp bench engine kodak/*.png --before ../before --large uhd.jpg --out engine.json
    dinp bench engine --table engine.json [--each]

Measured are: coding of grey pictures by quality and effort; of a large colour picture; the whole command on a tiny
picture, with its start; and how time and memory grow with the picture, enlarged or reduced to so many megapixels. Each
version decodes what it encoded. Every measurement has a process of its own; the versions take turns, and the least of
the repeats counts. By part: one more run on one thread, in CPU seconds.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import click
import numpy as np
from PIL import Image

from dinp.benchmarks.environment import environment, revision
from dinp.benchmarks.readme import markdown_table
from dinp.cli.options import NUMBER_LIST, PATH, Listed
from dinp.cli.progress import say
from dinp.errors import DinpError
from dinp.pictures.files import check_output, write_output
from dinp.threads import thread_count

PACKAGES = ("dinp", "numpy", "scipy", "pyamg", "onnxruntime", "constriction", "torch")
LARGE = (3840, 2160)
QUALITY = 35.0  # of large pictures
ROOMS = ("models", "entropy", "benchmarks")  # folders of a checkout that are rooms of dinp; codec is dinp itself
VERSIONS = ("before", "after")


def settings_of(folder: Path) -> dict[str, str]:
    """The environment of a version in a folder: modules are compiled once, as those of an installation are."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPATH": str(folder), "PYTHONPYCACHEPREFIX": str(folder / "compiled")}


def link_package(checkout: Path, folder: Path) -> Path:
    """A folder that makes a checkout importable as `dinp`, without an installation."""
    if not (checkout / "codec" / "__init__.py").is_file():
        raise DinpError(f"{checkout} is no checkout of dinp")
    package = folder / "dinp"
    package.mkdir(parents=True)
    for path in (checkout / "codec").iterdir():
        (package / path.name).symlink_to(path.resolve())
    for room in ROOMS:
        (package / room).symlink_to((checkout / room).resolve())
    return folder


def measured(folder: Path, task: dict, threads: int | None = None) -> dict:
    """What `engine_run` reports of a task for the version in a folder."""
    settings = settings_of(folder) | ({"OMP_NUM_THREADS": str(threads)} if threads else {})
    command = [sys.executable, str(Path(__file__).with_name("engine_run.py")), json.dumps(task)]
    done = subprocess.run(command, env=settings, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DinpError(f"a measurement failed: {(done.stderr.strip() or 'no message').splitlines()[-1]}")
    return json.loads(done.stdout.splitlines()[-1])


def started(folder: Path, arguments: Sequence[str]) -> float:
    """CPU seconds of the command `dinp` as a whole process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "dinp.cli", *arguments]
    done = subprocess.run(command, env=settings_of(folder), capture_output=True, text=True, check=False)
    if done.returncode:
        raise DinpError(f"the command failed: {(done.stderr.strip() or 'no message').splitlines()[-1]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def merged(runs: list[dict]) -> dict:
    """The least times of some runs, and the most memory, rounded."""
    return {
        "cpu": round(min(run["cpu"] for run in runs), 3),
        "wall": round(min(run["wall"] for run in runs), 3),
        "peak": max(run["peak"] for run in runs),
    }


class Comparison:
    """Measures tasks for all versions by turns."""

    def __init__(self, folders: dict[str, Path], work: Path, repeats: int, *, parts: bool) -> None:
        self._folders, self._work, self._repeats, self._parts = folders, work, repeats, parts

    def code(
        self, picture: np.ndarray, name: str, quality: float, effort: int, versions: Sequence[str] = VERSIONS
    ) -> Iterator[dict]:
        """Rows for encoding a picture, and for decoding the file."""
        path = self._work / "picture.npy"
        np.save(path, picture)
        files = {version: self._work / f"{version}.dinp" for version in versions}
        tasks: dict[str, dict[str, Any]] = {
            "encode": {"picture": str(path), "quality": quality, "effort": effort},
            "decode": {},
        }
        for job, task in tasks.items():
            runs: dict[str, list[dict]] = {version: [] for version in versions}
            for _ in range(self._repeats):
                for version in versions:
                    full = task | {"job": job, "file": str(files[version]), "repeats": 1}
                    runs[version].append(measured(self._folders[version], full))
            row = {
                "job": job,
                "picture": name,
                "size": f"{picture.shape[1]}x{picture.shape[0]}",
                "colour": picture.ndim == 3,
                "quality": quality,
                "effort": effort,
            }
            for version in versions:
                row[version] = merged(runs[version]) | {"bytes": files[version].stat().st_size}
                if self._parts:
                    full = task | {"job": job, "file": str(files[version]), "repeats": 1, "parts": True}
                    parts = measured(self._folders[version], full, threads=1)["parts"]
                    row[version]["parts"] = {part: round(seconds, 3) for part, seconds in parts.items()}
            yield row

    def start(self) -> Iterator[dict]:
        """Rows for the whole command on a tiny picture."""
        y, x = np.mgrid[:64, :64]
        picture = self._work / "tiny.png"
        Image.fromarray((2 * x + y).astype(np.uint8)).save(picture)
        for job in ("encode", "decode"):
            row: dict[str, Any] = {"job": job, "picture": "tiny", "size": "64x64", "whole_process": True}
            for version, folder in self._folders.items():
                data, out = str(self._work / f"tiny_{version}.dinp"), str(self._work / "tiny_out.png")
                arguments = ["encode", "-f", str(picture), data] if job == "encode" else ["decode", "-f", data, out]
                row[version] = {"cpu": round(min(started(folder, arguments) for _ in range(self._repeats + 2)), 3)}
            yield row


def picture_of(path: Path, mode: str, size: tuple[int, int] | None = None) -> np.ndarray:
    """A picture as uint8, brought to a size (width, height)."""
    with Image.open(path) as file:
        image = file.convert(mode)
    return np.asarray(image.resize(size, Image.Resampling.LANCZOS) if size and size != image.size else image)


def measure_small(
    comparison: Comparison, paths: Sequence[Path], qualities: Sequence[float], efforts: Sequence[int]
) -> Iterator[dict]:
    """Rows for the start, and for pictures in grey."""
    yield from comparison.start()
    for path in paths:
        for effort in efforts:
            for quality in qualities:
                yield from comparison.code(picture_of(path, "L"), path.name, quality, effort)


def measure_large(comparison: Comparison, path: Path, efforts: Sequence[int]) -> Iterator[dict]:
    """Rows for a colour picture of 3840x2160."""
    for effort in efforts:
        yield from comparison.code(picture_of(path, "RGB", LARGE), path.name, QUALITY, effort)


def measure_growth(
    comparison: Comparison, path: Path, megapixels: Sequence[float], versions: Sequence[str]
) -> Iterator[dict]:
    """Rows for a colour picture in many sizes, at effort 1."""
    for size in megapixels:
        height = int((size * 1e6 * LARGE[1] / LARGE[0]) ** 0.5)
        picture = picture_of(path, "RGB", (height * LARGE[0] // LARGE[1], height))
        for row in comparison.code(picture, path.name, QUALITY, 1, versions):
            yield row | {"growth": size}


def line(row: dict) -> str:
    """A row for people."""
    told = [f"{row['job']} {row['picture']} {row['size']}"]
    if "quality" in row:
        told.append(f"q{row['quality']:g} e{row['effort']}")
    for version in VERSIONS:
        if version in row:
            found = row[version]
            told.append(f"{version} {found['cpu']:.2f} s CPU")
            if "wall" in found:
                told.append(f"{found['wall']:.2f} s, {found['peak'] / 1e6:.0f} MB")
            if "parts" in found:
                told.append(", ".join(f"{part} {seconds:.2f}" for part, seconds in found["parts"].items()))
    if all(version in row for version in VERSIONS):
        told.append(f"ratio {ratio(row):.2f}")
    return " | ".join(told)


def ratio(row: dict) -> float:
    """How many times less time it takes after: by the wall clock, CPU time where there is no other."""
    kind = "wall" if "wall" in row["before"] else "cpu"
    return row["before"][kind] / row["after"][kind]


def table(result: dict) -> str:
    """The result as Markdown: times side by side, parts, growth."""
    both = [row for row in result["results"] if all(version in row for version in VERSIONS) and "growth" not in row]
    groups: dict[tuple, list[dict]] = {}
    for row in both:
        kind = "colour " + row["size"] if row.get("colour") else "whole process" if "whole_process" in row else "grey"
        groups.setdefault((row["job"], kind, row.get("effort"), row.get("quality")), []).append(row)
    lines = [
        "| | effort | quality | CPU s before | after | wall s before | after | ratio |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for (job, kind, effort, quality), rows in groups.items():
        cells = [f"{job}, {kind}", str(effort or ""), f"{quality:g}" if quality else ""]
        for measure_of in ("cpu", "wall"):
            for version in VERSIONS:
                seconds = [row[version][measure_of] for row in rows if measure_of in row[version]]
                cells.append(f"{np.mean(seconds):.2f}" if seconds else "")
        cells.append(f"{np.exp(np.mean(np.log([ratio(row) for row in rows]))):.1f}")
        lines.append("| " + " | ".join(cells) + " |")
    parted = [(key, rows) for key, rows in groups.items() if all("parts" in row["after"] for row in rows)]
    if parted:
        names = sorted({part for _, rows in parted for row in rows for v in VERSIONS for part in row[v]["parts"]})
        lines += [
            "",
            "| CPU s, one thread | effort | quality | " + " | ".join(names) + " |",
            "|---" * (3 + len(names)) + "|",
        ]
        for (job, kind, effort, quality), rows in parted:
            for version in VERSIONS:
                means = (np.mean([row[version]["parts"].get(name, 0) for row in rows]) for name in names)
                cells = [f"{job}, {kind}, {version}", str(effort), f"{quality:g}", *(f"{mean:.2f}" for mean in means)]
                lines.append("| " + " | ".join(cells) + " |")
    growth = [row for row in result["results"] if "growth" in row]
    if growth:
        lines += [
            "",
            "| megapixels | job | version | CPU s | wall s | peak MB | bytes a pixel |",
            "|---|---|---|---|---|---|---|",
        ]
        for row in growth:
            width, height = map(int, row["size"].split("x"))
            for version in VERSIONS:
                if version in row:
                    found = row[version]
                    cells = [f"{width * height / 1e6:.1f}", row["job"], version]
                    cells += [f"{found['cpu']:.2f}", f"{found['wall']:.2f}", f"{found['peak'] / 1e6:.0f}"]
                    cells.append(f"{found['peak'] / (width * height):.0f}")
                    lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def picture_table(result: dict) -> str:
    """The result as Markdown, a line for each picture, quality and effort: bytes, and CPU seconds side by side."""
    pictures: dict[tuple, dict[str, dict]] = {}
    for row in result["results"]:
        if "quality" in row and "growth" not in row:
            pictures.setdefault((row["picture"], row["size"], row["quality"], row["effort"]), {})[row["job"]] = row
    lines: list[tuple[str, ...]] = []
    ratios: dict[str, list[float]] = {"encode": [], "decode": []}
    for (name, *_), jobs in pictures.items():
        cells = [f"{jobs['encode'][version]['bytes']:,}" for version in VERSIONS]
        for job, found in ratios.items():
            before, after = (jobs[job][version]["cpu"] for version in VERSIONS)
            found.append(before / after)
            cells += [f"{before:.2f}", f"{after:.2f}", f"{before / after:.1f}"]
        lines.append((Path(name).stem, *cells))
    cells = ["", ""]
    for found in ratios.values():
        cells += ["", "", f"{np.exp(np.mean(np.log(found))):.1f}"]
    lines.append((f"mean of {len(lines)}", *cells))
    head = ["picture", "bytes before", "after"]
    for job in ratios:
        head += [f"{job} CPU s before", "after", "ratio"]
    return markdown_table(head, lines)


@click.command()
@click.argument("pictures", type=PATH, nargs=-1)
@click.option("--before", type=PATH, metavar="CHECKOUT", help="The version to compare with.")
@click.option("--out", type=PATH, metavar="FILE", help="JSON file for the results; replaced.")
@click.option("--table", "earlier", type=PATH, metavar="FILE", help="Print tables of an earlier run.")
@click.option("--each", is_flag=True, help="With --table: a line for each picture.")
@click.option("--qualities", type=NUMBER_LIST, default="20,35,65", show_default=True)
@click.option("--efforts", type=Listed(click.IntRange(1, 3)), default="1,2", show_default=True)
@click.option("--large", type=PATH, metavar="PICTURE", help="Coded in colour as 3840x2160, and in all sizes.")
@click.option("--megapixels", type=NUMBER_LIST, default="0.1,0.4,1.6,8.3,24", show_default=True, help="Of these sizes.")
@click.option("--grow-both", is_flag=True, help="Measure growth for both versions, not only for this one.")
@click.option("--parts", is_flag=True, help="Measure by part, too.")
@click.option("--repeats", type=click.IntRange(min=1), default=3, show_default=True, help="Of small pictures.")
def engine(
    pictures: tuple[Path, ...],
    before: Path | None,
    out: Path | None,
    earlier: Path | None,
    each: bool,
    qualities: tuple[float, ...],
    efforts: tuple[int, ...],
    large: Path | None,
    megapixels: tuple[float, ...],
    grow_both: bool,
    parts: bool,
    repeats: int,
) -> None:
    """Time two versions side by side."""
    if earlier is not None:
        click.echo((picture_table if each else table)(json.loads(earlier.read_text())))
        return
    if before is None or out is None:
        raise DinpError("a measurement needs --before and --out")
    check_output(str(out), force=True)
    root = Path(__file__).resolve().parents[2]
    result: dict[str, Any] = {
        "benchmark": "engine",
        **environment(PACKAGES),
        "before": revision(before),
        "threads": thread_count(),
        "repeats": repeats,
        "units": "seconds, the least of the repeats; peak memory of the process in bytes",
        "results": [],
    }
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        folders = {
            version: link_package(path, work / version) for version, path in zip(VERSIONS, (before, root), strict=True)
        }

        def comparison(repeats: int, *, parts: bool) -> Comparison:
            return Comparison(folders, work, repeats, parts=parts)

        rows = [measure_small(comparison(repeats, parts=parts), pictures, qualities, efforts)]
        if large is not None:
            rows.append(measure_large(comparison(1, parts=parts), large, efforts))
            versions = VERSIONS if grow_both else VERSIONS[1:]
            rows.append(measure_growth(comparison(1, parts=False), large, megapixels, versions))
        for row in chain(*rows):
            say(line(row))
            result["results"].append(row)
            write_output(str(out), (json.dumps(result, indent=1) + "\n").encode(), force=True)
