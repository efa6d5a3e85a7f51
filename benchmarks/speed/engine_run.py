"""One measurement of `dinp.benchmarks.speed.engine`, in a process of its own, for any version of dinp on its path.

    python engine_run.py '{"job": "decode", "file": "picture.dinp", "repeats": 3, "parts": false}'

It imports nothing of dinp but what is measured, by names that older versions have, too. What is loaded lazily is loaded
before time is taken. Prints JSON: the least CPU and wall seconds of the repeats, and the peak memory of the process.
"""

import importlib
import json
import resource
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

# Functions whose CPU time, less that of others below them, makes a part. Some names are those of older versions.
PARTS = {
    "solver and tonal": [
        "dinp.inpaint:Inpainter.__init__",
        "dinp.inpaint:Inpainter.solve",
        "dinp.inpaint:Inpainter.solve_adjoint",
        "dinp.tonal:tonal_optimisation",
        "dinp.diffusion.inpaint:Inpainter.__init__",
        "dinp.diffusion.inpaint:Inpainter.solve",
        "dinp.diffusion.inpaint:Inpainter.solve_known",
        "dinp.diffusion.inpaint:Inpainter.solve_adjoint",
        "dinp.diffusion.tonal:tonal_optimisation",
        "dinp.diffusion.tonal:Tuning.__init__",
        "dinp.diffusion.tonal:Tuning.optimise",
        "dinp.diffusion.tonal:Tuning.reconstruction",
    ],
    "restoration": [
        "dinp.restoration:Restoration.__call__",
        "dinp.restoration:Restoration.with_gradient",
    ],
    "tree network": ["dinp.encoder.placement:first_tree", "dinp.placement:first_tree"],
    "values, flags, range coding": [
        "dinp.section:encode_stream",
        "dinp.section:decode_section",
        "dinp.bitstream.section:encode_stream",
        "dinp.bitstream.section:decode_section",
    ],
    "planes": [
        "dinp.planes:split_planes",
        "dinp.planes:merge_planes",
        "dinp.pictures.colour_transform:split_planes",
        "dinp.pictures.colour_transform:merge_planes",
    ],
}


def is_own(module: str) -> bool:
    """Whether this version has a module: an installation beside it, of another one, may offer modules that it lacks."""
    import dinp

    return any(Path(folder, *module.split(".")[1:]).with_suffix(".py").is_file() for folder in dinp.__path__)


class Clock:
    """CPU time by part, each without that of the parts below it. For one thread."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._running: list[str] = ["rest"]
        self._since = time.process_time()

    def switch(self, running: list[str]) -> None:
        now = time.process_time()
        self.seconds[self._running[-1]] += now - self._since
        self._running, self._since = running, now

    def wrap(self, part: str, work: Callable) -> Callable:
        def timed(*args: object, **options: object) -> object:
            before = self._running
            self.switch([*before, part])
            try:
                return work(*args, **options)
            finally:
                self.switch(before)

        return timed

    def install(self) -> list[str]:
        """Wrap all functions of `PARTS` that this version has, wherever they were imported; the names found."""
        found = []
        for part, names in PARTS.items():
            for name in names:
                path, _, attribute = name.partition(":")
                if not is_own(path):
                    continue
                owner = importlib.import_module(path)
                *outer, last = attribute.split(".")
                for step in outer:
                    owner = getattr(owner, step, None)
                work = getattr(owner, last, None)
                if work is None:
                    continue
                found.append(name)
                timed = self.wrap(part, work)
                setattr(owner, last, timed)
                for module in list(sys.modules.values()):
                    if getattr(module, "__name__", "").startswith("dinp") and getattr(module, last, None) is work:
                        setattr(module, last, timed)
        return found


def peak_memory() -> int:
    """Of this process, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def run(task: dict) -> dict:
    """What the task asks for."""
    import numpy as np

    import dinp

    small = (np.arange(64 * 64).reshape(64, 64) // 19).astype(np.uint8)
    if task["job"] == "encode":
        picture = np.load(task["picture"])
        options = {"quality": task["quality"], "effort": task["effort"]}

        def work() -> bytes:
            return dinp.encode(picture, **options)

        dinp.encode(small if picture.ndim == 2 else np.dstack([small, small.T, small]), **options)
    else:
        data = Path(task["file"]).read_bytes()

        def work() -> bytes:
            return np.asarray(dinp.decode(data))

        np.asarray(dinp.decode(dinp.encode(small, quality=35, effort=1)))  # restored, as most files are
    clock = Clock()
    names = clock.install() if task.get("parts") else []
    before = peak_memory()
    cpu, wall = [], []
    for _ in range(task["repeats"]):
        clock.switch(["rest"])
        clock.seconds.clear()
        start = time.process_time(), time.perf_counter()
        result = work()
        cpu.append(time.process_time() - start[0])
        wall.append(time.perf_counter() - start[1])
    clock.switch(["rest"])
    if task["job"] == "encode":
        Path(task["file"]).write_bytes(result)
    report = {"cpu": min(cpu), "wall": min(wall), "peak": peak_memory(), "before": before}
    if names:
        report |= {"parts": dict(clock.seconds), "names": names}
    return report


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps(run(json.loads(sys.argv[1]))))
