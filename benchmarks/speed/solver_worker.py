"""One repetition of what the solver does, in an installation of whatever version: run as a script, asked by lines.

Each line of its input is ``width height density``; each line of its output the seconds of that repetition, as JSON.
Knows the modules of this version and those of earlier ones; needs nothing else of the package that it measures.
"""

import json
import sys
import time
from collections.abc import Callable

import numpy as np

try:
    from dinp.bitstream.structure import known_data_of_mask
    from dinp.diffusion.inpaint import Inpainter
    from dinp.diffusion.tonal import tonal_optimisation
except ImportError:  # before the rooms
    from dinp.inpaint import Inpainter
    from dinp.structure import known_data_of_mask
    from dinp.tonal import tonal_optimisation

STEPS = 3  # of tonal optimisation


def scene(width: int, height: int, density: float) -> tuple[np.ndarray, np.ndarray]:
    """A random mask, and grey values: smooth parts, an edge and noise."""
    rng = np.random.default_rng(0)
    mask = rng.random((height, width)) < density
    mask[height // 2, width // 2] = True
    y, x = np.mgrid[:height, :width]
    picture = 120 + 60 * np.sin(x / 17) * np.cos(y / 11) + 50 * (x + 2 * y > width)
    return mask, np.clip(picture + rng.normal(0, 5, mask.shape), 0, 255)


def timed(work: Callable[[], object]) -> tuple[object, dict[str, float]]:
    """Result, and seconds of wall clock and of all cores."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


def repetition(width: int, height: int, density: float) -> dict[str, dict[str, float]]:
    """Seconds of set-up, a full solve, and tonal optimisation."""
    mask, plane = scene(width, height, density)
    known = known_data_of_mask(mask, side=1)
    values = known.mean(plane)
    spread = known.spread(values)
    inpainter, setup = timed(lambda: Inpainter(mask))
    reconstruction, solve = timed(lambda: inpainter.solve(spread))
    _, tonal = timed(
        lambda: tonal_optimisation(
            inpainter, known, plane, values, steps=STEPS, cycles=1, reconstruction=reconstruction
        )
    )
    return {"setup": setup, "solve": solve, "tonal": tonal}


if __name__ == "__main__":
    for line in sys.stdin:
        size = line.split()
        sys.stdout.write(json.dumps(repetition(int(size[0]), int(size[1]), float(size[2]))) + "\n")
        sys.stdout.flush()
