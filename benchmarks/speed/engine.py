"""Speed and memory of two versions of dinp, side by side in one run.

    git worktree add ../before df9b3f7
    python -m dinp.benchmarks.speed.engine --before ../before --pictures kodak/*.png --large uhd.jpg --out engine.json
    python -m dinp.benchmarks.speed.engine --table engine.json

Measured are: coding of grey pictures by quality and effort; of a large colour picture; the whole command on a tiny
picture, with its start; and how time and memory grow with the picture, enlarged or reduced to so many megapixels. Each
version decodes what it encoded. Every measurement has a process of its own; the versions take turns, and the least of
the repeats counts. By part: one more run on one thread, in CPU seconds.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dinp.benchmarks.environment import environment, revision
from dinp.errors import DinpError
from dinp.pictures.files import check_output, write_output
from dinp.threads import thread_count

PACKAGES = ("dinp", "numpy", "scipy", "pyamg", "onnxruntime", "constriction", "torch")
QUALITIES = (20.0, 35.0, 65.0)
MEGAPIXELS = (0.1, 0.4, 1.6, 8.3, 24.0)
ROOMS = ("models", "entropy", "benchmarks")  # folders of a checkout that are rooms of dinp; codec is dinp itself
VERSIONS = ("before", "after")


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
    settings = os.environ | {"PYTHONPATH": str(folder)} | ({"OMP_NUM_THREADS": str(threads)} if threads else {})
    command = [sys.executable, str(Path(__file__).with_name("engine_run.py")), json.dumps(task)]
    done = subprocess.run(command, env=settings, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DinpError(f"a measurement failed: {(done.stderr.strip() or 'no message').splitlines()[-1]}")
    return json.loads(done.stdout.splitlines()[-1])


def started(folder: Path, arguments: Sequence[str]) -> float:
    """CPU seconds of the command `dinp` as a whole process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "dinp.cli", *arguments]
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": str(folder)}, capture_output=True, text=True, check=False
    )
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


def measure(args: argparse.Namespace, folders: dict[str, Path], work: Path) -> Iterator[dict]:
    """All rows, one by one."""
    comparison = Comparison(folders, work, args.repeats, parts=args.parts)
    if args.pictures or args.large:
        yield from comparison.start()
    for path in args.pictures:
        for effort in args.efforts:
            for quality in args.qualities:
                yield from comparison.code(picture_of(path, "L"), path.name, quality, effort)
    if args.large:
        rarely = Comparison(folders, work, 1, parts=args.parts)
        for effort in args.efforts:
            yield from rarely.code(picture_of(args.large, "RGB", (3840, 2160)), args.large.name, 35.0, effort)
        once = Comparison(folders, work, 1, parts=False)
        versions = VERSIONS if args.grow_both else VERSIONS[1:]
        for megapixels in args.megapixels:
            height = int((megapixels * 1e6 * 9 / 16) ** 0.5)
            picture = picture_of(args.large, "RGB", (height * 16 // 9, height))
            for row in once.code(picture, args.large.name, 35.0, 1, versions):
                yield row | {"growth": megapixels}


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


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dinp.benchmarks.speed.engine", description=__doc__.splitlines()[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--out", type=Path, help="measure, and write this JSON file")
    what.add_argument("--table", type=Path, help="JSON file of an earlier run: print its tables")
    parser.add_argument("--before", type=Path, help="checkout of the version to compare with")
    parser.add_argument("--pictures", type=Path, nargs="*", default=[], help="coded in grey")
    parser.add_argument("--qualities", type=float, nargs="+", default=list(QUALITIES))
    parser.add_argument("--efforts", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--large", type=Path, help="coded in colour as 3840x2160, and in all sizes")
    parser.add_argument(
        "--megapixels", type=float, nargs="*", default=list(MEGAPIXELS), help="sizes of the large picture"
    )
    parser.add_argument(
        "--grow-both", action="store_true", help="measure growth for both versions, not only for this one"
    )
    parser.add_argument("--parts", action="store_true", help="also by part")
    parser.add_argument("--repeats", type=int, default=3, help="of small pictures")
    args = parser.parse_args(argv)
    try:
        if args.table:
            print(table(json.loads(args.table.read_text())))
            return 0
        if args.before is None or args.repeats < 1:
            raise DinpError("a measurement needs --before, and at least one repeat")
        check_output(str(args.out), force=True, source="-")
        root = Path(__file__).resolve().parents[2]
        result: dict[str, Any] = {
            "benchmark": "engine",
            **environment(PACKAGES),
            "before": revision(args.before),
            "threads": thread_count(),
            "repeats": args.repeats,
            "units": "seconds, the least of the repeats; peak memory of the process in bytes",
            "results": [],
        }
        with tempfile.TemporaryDirectory() as name:
            work = Path(name)
            checkouts = {"before": args.before, "after": root}
            folders = {version: link_package(path, work / version) for version, path in checkouts.items()}
            for row in measure(args, folders, work):
                sys.stderr.write(line(row) + "\n")
                result["results"].append(row)
                write_output(str(args.out), (json.dumps(result, indent=1) + "\n").encode(), force=True)
    except (DinpError, OSError) as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
