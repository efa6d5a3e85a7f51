"""dinp as a codec under test: at each effort, with and without restoration."""

import hashlib
import re
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from PIL import Image

from dinp.benchmarks.rd.codec import Codec, Coded
from dinp.benchmarks.rd.metrics import psnr

PSNR_CAP = 100.0  # dB; stands for equal pictures, where that of a plainly decoded file is infinite
# What no coded picture depends on: the rest of the three packages is what a version stands for.
UNCODED_FOLDERS = {"__pycache__", "cli", "masks", "training"}
UNCODED_WEIGHTS = {"inpainting.npz", "mask.npz", "surrogate.npz"}
BARRIER_PARTS = ("regions", "cracks", "crack_bits", "division_bits", "first_bits")  # of `dinp.info`, 0 for trees
UNCODED_ENDINGS = {".md", ".patch", ".so", ".pyd"}  # compiled code is made from the sources beside it


def _codes(path: Path) -> bool:
    """Whether coding could depend on this path, which begins at its package."""
    curve = re.search(r"_curve(_\d+)?$", path.stem)
    weights = path.parent.name == "weights" and path.name in UNCODED_WEIGHTS
    return not (weights or curve or path.suffix in UNCODED_ENDINGS or UNCODED_FOLDERS & set(path.parts))


class Dinp(Codec):
    """This package."""

    name = "dinp"
    effort: ClassVar[int] = 2
    restore: ClassVar[bool] = True
    settings = (0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 65, 80, 95)

    def version(self) -> str:
        """Version, and a hash over the code, weights and tables that coding could depend on."""
        import dinp
        import dinp.entropy
        import dinp.models

        digest = hashlib.sha256()
        for package in (dinp, dinp.models, dinp.entropy):
            folder = Path(package.__file__).parent
            paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
            for path in sorted(path for path in paths if _codes(path)):
                digest.update(path.as_posix().encode() + b"\0" + (folder / path).read_bytes())
        return f"{dinp.__version__} {digest.hexdigest()[:16]}"

    def encode(self, picture: np.ndarray, setting: float) -> bytes:
        """As `dinp.encode`."""
        import dinp

        return dinp.encode(picture, quality=setting, effort=self.effort, restore=self.restore)

    def decode(self, data: bytes) -> Image.Image:
        """As `dinp.decode`."""
        import dinp

        return dinp.decode(data)

    def details(self, data: bytes) -> dict[str, float]:
        """Density of the first plane; over all planes points, mask and value bits per point, and parts of barriers."""
        import dinp

        planes = dinp.info(data)["planes"]
        points = sum(plane["points"] for plane in planes)
        return {
            "density": planes[0]["density"],
            "points": points,
            "mask_bits_per_point": sum(plane["mask_bits"] for plane in planes) / points,
            "value_bits_per_point": sum(plane["value_bits"] for plane in planes) / points,
        } | {name: sum(plane.get(name, 0) for plane in planes) for name in BARRIER_PARTS}

    def run(self, picture: np.ndarray, setting: float) -> Coded:
        """As every codec's, with the PSNR of the same file without its restoration among the details."""
        import dinp

        coded = super().run(picture, setting)
        if not self.restore:
            return coded
        plain = psnr(picture, np.asarray(dinp.decode(coded.data, restore=False)))
        return replace(coded, details=coded.details | {"plain_psnr": min(plain, PSNR_CAP)})


class DinpNetwork(Dinp):
    """This package, the network alone placing the points."""

    name = "dinp1"
    effort = 1


class DinpBest(Dinp):
    """This package at its highest effort."""

    name = "dinp3"
    effort = 3


class DinpPlain(Dinp):
    """This package without restoration."""

    name = "dinp-plain"
    restore = False


class DinpNetworkPlain(DinpNetwork):
    """This package, the network alone placing the points, without restoration."""

    name = "dinp1-plain"
    restore = False


class DinpBestPlain(DinpBest):
    """This package at its highest effort, without restoration."""

    name = "dinp3-plain"
    restore = False
