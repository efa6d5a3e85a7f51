"""Files of weights: read without pickle and without torch."""

import io
import json
import zipfile
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import numpy as np

from dinp.errors import DinpError

CONFIG = "config"
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


def read_weights(kind: str, source: Path | Traversable) -> Weights:
    """The weights in a .npz file of `dinp.models.weights.hub.save_weights`.

    Raises
    ------
    DinpError
        The file is missing, is no file of weights, or holds another network.
    """
    try:
        with np.load(io.BytesIO(source.read_bytes()), allow_pickle=False) as archive:
            config = json.loads(str(archive[CONFIG]))
            found = config.pop("network")
            arrays = {name: archive[name].astype(np.float32) for name in archive.files if name != CONFIG}
    except FileNotFoundError:
        raise DinpError(f"the weights {source} are missing: give the path of a trained network") from None
    except FOREIGN as error:
        raise DinpError(f"{source} does not hold weights of a network: {error}") from None
    if found != kind:
        raise DinpError(f"{source} does not hold a {kind} network: give the weights of one")
    return Weights(kind, config, arrays)
