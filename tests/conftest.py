"""Pictures and trees that tests share: made here, or shipped with scikit-image."""

import contextlib
import os
import socket
import subprocess
import sys

import numpy as np
import pytest

from dinp.cli.root import command
from dinp.entropy.tree import Tree, grid_shape, tree_from_scores
from dinp.kernels import kernels


def random_tree(shape: tuple[int, int], points: int, seed: int, root_log2: int = 5) -> Tree:
    """A random tree of about `points` leaves."""
    rng = np.random.default_rng(seed)
    scores = [rng.normal(size=grid_shape(shape, 1 << k)) + 0.3 * k for k in range(root_log2, 0, -1)]
    return tree_from_scores(scores, shape, points)


def smooth_plane(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    """A plane of a few smooth waves and one edge, (H, W) float64, grey values 0-255."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]] / max(shape)
    plane = 0.0
    for _ in range(5):
        phase = rng.uniform(0, 3) * y + rng.uniform(0, 3) * x + rng.uniform()
        plane = plane + rng.normal() * np.sin(2 * np.pi * phase)
    plane = 128 + 25 * plane + 60 * (x + 0.5 * y > 0.6)
    return np.clip(plane, 0, 255)


def photograph() -> np.ndarray:
    """A part of a photograph, (192, 256) uint8."""
    from skimage.data import camera

    return camera()[40:232, 120:376].copy()


@contextlib.contextmanager
def without_kernels():
    """As where no compiler was at hand: modules of dinp that are loaded run their counterparts in numpy."""
    with pytest.MonkeyPatch.context() as patch:
        for name, module in list(sys.modules.items()):
            if name.startswith("dinp.") and name != "dinp.kernels" and getattr(module, "kernels", None) is kernels:
                patch.setattr(module, "kernels", None)
        yield


with_kernels = pytest.mark.skipif(kernels is None, reason="the kernels are not built")


@pytest.fixture(params=[(1, 1), (1, 40), (40, 1), (33, 65), (64, 96), (100, 37)], ids=lambda s: f"{s[0]}x{s[1]}")
def shape(request):
    return request.param


def printed_by_two_processes(code, *arguments):
    """What each of two connected processes, as torchrun would start them, prints when it runs the code."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    setting = os.environ | {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            env=setting | {"RANK": rank, "LOCAL_RANK": rank},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    ]
    return [process.communicate(timeout=120)[0] for process in running]


def dinp_command(*arguments):
    """Exit code of the command in this process."""
    with pytest.raises(SystemExit) as stop:
        command([str(argument) for argument in arguments], prog_name="dinp")
    return stop.value.code
