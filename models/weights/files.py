"""Files of weights: read without pickle and without torch."""

import io
import json
import math
import re
import zipfile
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import numpy as np

from dinp.errors import DinpError

CONFIG = "config"
_HEADER = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '(<f[24])', 'fortran_order': False, 'shape': \(([0-9, ]*)\), \} *\n", re.DOTALL
)
# what reading a file that is no file of weights, or of other shapes, may raise
FOREIGN = (OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError, EOFError, zipfile.BadZipFile)


@dataclass(frozen=True)
class Weights:
    """The weights of a network.

    Attributes
    ----------
    kind : str
        "mask", "tree", "restoration" or "inpainting".
    config : dict
        What the network's class is made with.
    arrays : dict of str to float32 array
        Kernels and biases by the names that they have in the network's class.
    """

    kind: str
    config: dict
    arrays: dict[str, np.ndarray]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each array."""
        return {name: array.shape for name, array in self.arrays.items()}


def shipped(name: str) -> Traversable:
    """A file that ships with the package, in the folder of weights."""
    return resources.files("dinp.models").joinpath("weights", name)


@cache
def shipped_config(name: str) -> dict:
    """What the class of a network that ships with the package is made with."""
    with shipped(f"{name}.npz").open("rb") as file, np.load(file, allow_pickle=False) as archive:
        config = json.loads(str(archive[CONFIG]))
        return {key: value for key, value in config.items() if key != "network"}


def _array(data: bytes) -> np.ndarray:
    """The array in a .npy file; the usual header is read here, as numpy takes ten times as long for it."""
    usual = _HEADER.match(data)
    if usual is None:
        return np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    shape = tuple(int(side) for side in usual[2].split(b",") if side.strip())
    return np.frombuffer(data, np.dtype(usual[1].decode()), math.prod(shape), usual.end()).reshape(shape)


def read_weights(kind: str, source: Path | Traversable) -> Weights:
    """The weights in a .npz file of `dinp.models.weights.hub.save_weights`.

    Raises
    ------
    DinpError
        The file is missing, is no file of weights, or holds another network.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(source.read_bytes())) as archive:
            found = {name.removesuffix(".npy"): _array(archive.read(name)) for name in archive.namelist()}
        config = json.loads(str(found.pop(CONFIG)))
        network = config.pop("network")
        arrays = {name: array.astype(np.float32) for name, array in found.items()}
    except FileNotFoundError:
        raise DinpError(f"the weights {source} are missing: give the path of a trained network") from None
    except FOREIGN as error:
        raise DinpError(f"{source} does not hold weights of a network: {error}") from None
    if network != kind:
        raise DinpError(f"{source} does not hold a {kind} network: give the weights of one")
    return Weights(kind, config, arrays)
