"""The solver of this version and of another installation, side by side in one run.

    dinp bench solver --before OTHER/bin/python --out solver_before.json

Set-up, a full solve and steps of tonal optimisation, by turns in processes of their own (`solver_worker`), with one
thread and with as many as there are cores; of each the least of some repetitions, in seconds of CPU and of wall clock.
The largest error is measured against a sparse direct solve, or, where that would not fit into memory, against a solve
to a tolerance a thousand times finer.
"""

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO

import click
import numpy as np

from dinp.benchmarks.environment import environment
from dinp.benchmarks.speed import solver_worker
from dinp.cli.options import PATH, Listed
from dinp.cli.progress import say
from dinp.diffusion.inpaint import TOLERANCE, Inpainter
from dinp.errors import DinpError
from dinp.pictures.files import check_output, write_output
from dinp.threads import thread_count

PACKAGES = ("dinp", "numpy", "scipy", "pyamg")
SIZES = ((768, 512), (3840, 2160))
PARTS = ("setup", "solve", "tonal")
DIRECT = 1_000_000  # pixels that are solved for directly at most


class Worker:
    """A process of an installation that repeats what it is asked for."""

    def __init__(self, python: str, threads: int) -> None:
        # a script outside any package, so that the installation's own modules are imported
        source = Path(solver_worker.__file__).read_text(encoding="utf-8")
        environ = os.environ | {"OMP_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen(
            [python, "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ, cwd="/"
        )

    def ask(self, width: int, height: int, density: float) -> dict:
        """Seconds of a repetition."""
        assert self.process.stdin
        assert self.process.stdout
        return _answer(self.process.stdin, self.process.stdout, f"{width} {height} {density}\n")

    def close(self) -> None:
        """End the process."""
        for pipe in (self.process.stdin, self.process.stdout):
            with suppress(BrokenPipeError):
                pipe.close()
        self.process.wait()


def _answer(to: IO[str], back: IO[str], question: str) -> dict:
    try:
        to.write(question)
        to.flush()
    except BrokenPipeError:
        raise DinpError("the other installation has no solver that this benchmark knows") from None
    line = back.readline()
    if not line:
        raise DinpError("the other installation has no solver that this benchmark knows")
    return json.loads(line)


def measure(before: str, size: tuple[int, int], density: float, threads: int, repeats: int) -> dict:
    """Least seconds of both, by part, and their ratios."""
    workers = {"before": Worker(before, threads), "now": Worker(sys.executable, threads)}
    try:
        seen: dict[str, list[dict]] = {name: [] for name in workers}
        for _ in range(repeats + 1):  # the first warms up
            for name, worker in workers.items():
                seen[name].append(worker.ask(*size, density))
    finally:
        for worker in workers.values():
            worker.close()
    row: dict = {"size": "{}x{}".format(*size), "density": density, "threads": threads}
    for part in PARTS:
        least = {
            name: {clock: round(min(one[part][clock] for one in found[1:]), 5) for clock in ("cpu", "wall")}
            for name, found in seen.items()
        }
        ratio = {clock: round(least["now"][clock] / least["before"][clock], 3) for clock in ("cpu", "wall")}
        row[part] = least | {"ratio": ratio}
    return row


def largest_error(size: tuple[int, int], density: float) -> dict:
    """Largest error of this version's solve, in grey levels, and against what."""
    mask, plane = solver_worker.scene(*size, density)
    inpainter = Inpainter(mask)
    found = inpainter.solve(plane)
    if mask.size <= DIRECT:
        from scipy.sparse.linalg import splu

        from dinp.benchmarks.speed.pyamg_solvers import assemble

        A, b = assemble(mask, plane)
        error = float(np.abs(splu(A.tocsc()).solve(b) - found[~mask]).max())
        return {"error": round(error, 5), "reference": "direct solve"}
    error = float(np.abs(inpainter.solve(plane, tol=TOLERANCE / 1000) - found).max())
    return {"error": round(error, 5), "reference": "solve to a thousandth of the tolerance"}


@click.command()
@click.option("--before", type=PATH, required=True, metavar="PYTHON", help="Interpreter of the other installation.")
@click.option("--commit", metavar="TEXT", help="What the other installation is, for the record.")
@click.option("--out", type=PATH, required=True, metavar="FILE", help="JSON file for the results; replaced.")
@click.option("--densities", type=Listed(click.FloatRange(0, 1)), default="0.01,0.05", show_default=True)
@click.option("--repeats", type=click.IntRange(min=1), default=5, show_default=True)
@click.option("--small", is_flag=True, help="Only the smaller size.")
def solver(
    before: Path, commit: str | None, out: Path, densities: tuple[float, ...], repeats: int, small: bool
) -> None:
    """Time the solver, beside another installation."""
    check_output(str(out), str(before), force=True)
    head = {"benchmark": "solver_before", **environment(PACKAGES), "before": commit, "repeats": repeats}
    head["units"] = "seconds, the least of the repetitions; ratios now / before; errors in grey levels"
    rows: list[dict] = []
    for size in SIZES[:1] if small else SIZES:
        for density in densities:
            error = largest_error(size, density)
            for threads in sorted({1, thread_count()}):
                rows.append(measure(str(before), size, density, threads, repeats) | error)
                say(json.dumps(rows[-1]))
                write_output(str(out), (json.dumps(head | {"results": rows}, indent=1) + "\n").encode(), force=True)
