"""The shipped restoration network, without torch: what decoding needs of this package."""

import json
import zipfile
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np

from dinp.errors import DinpError
from dinp.restoration import Restoration

_FOREIGN = (OSError, ValueError, LookupError, TypeError, EOFError, zipfile.BadZipFile)


def load_restoration(path: Path | None = None) -> Restoration:
    """A restoration network, from a file of `dinp.models.weights.hub.save_weights`, or the shipped one.

    Raises
    ------
    DinpError
        The file is missing, or holds no restoration network.
    """
    source = resources.files("dinp.models").joinpath("weights", "restoration.npz") if path is None else Path(path)
    try:
        with source.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            if json.loads(str(archive["config"]))["network"] != "restoration":
                raise ValueError("it holds another network")
            return Restoration({name: archive[name] for name in archive.files if name != "config"})
    except _FOREIGN as error:
        raise DinpError(f"the weights of the restoration network cannot be read: {error}") from None


@cache
def shipped_restoration() -> Restoration:
    """The network that ships with the package, loaded once."""
    return load_restoration()
