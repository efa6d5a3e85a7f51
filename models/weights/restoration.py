"""The shipped restoration networks, run by onnxruntime: what decoding needs of this package."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from dinp.errors import DinpError
from dinp.models.weights.files import Weights, read_weights, shipped
from dinp.models.weights.runtime import GRADIENT, OnnxNetwork
from dinp.restoration import VERSIONS, Restoration

FILES = {1: "restoration", 2: "restoration2", 3: "restoration3"}


class OnnxRestoration:
    """A restoration network, see `dinp.restoration.Network`.

    Parameters
    ----------
    graph : str
        Name of the graph, see `OnnxNetwork`; that of the gradient is made when it is first asked for.
    weights : Weights
    """

    def __init__(self, graph: str, weights: Weights) -> None:
        self._forward = OnnxNetwork(graph, weights)
        self._backward = OnnxNetwork(f"{graph}{GRADIENT}", weights)

    def prepare(self, *, gradient: bool = False) -> None:
        """Make what the first calls would make: for corrections, and for gradients where they are asked for."""
        self._forward.prepare()
        if gradient:
            self._backward.prepare()

    def correction(self, x: np.ndarray, *, more: bool = False) -> np.ndarray:
        return self._forward(["correction"], more=more, input=x[None])[0][0]

    def gradient(
        self, x: np.ndarray, wanted: np.ndarray, covered: np.ndarray, *, more: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        given = {"input": x[None], "wanted": wanted[None], "covered": covered[None]}
        correction, gradient = self._backward(["correction", "gradient"], more=more, **given)
        return correction[0], gradient[0]


def load_restoration(version: int, path: Path | None = None) -> Restoration:
    """A version of the restoration, with the weights of a file in place of those that ship with the package.

    Raises
    ------
    DinpError
        There is no such version, the file is missing, or holds no restoration network.
    """
    if version not in VERSIONS:
        raise DinpError(f"this program does not have the restoration that the file names, version {version}")
    name = FILES[version]
    try:
        weights = read_weights("restoration", shipped(f"{name}.npz") if path is None else Path(path))
    except DinpError as error:
        raise DinpError(f"the weights of the restoration network cannot be read: {error}") from None
    return Restoration(OnnxRestoration(name, weights), version)


@cache
def shipped_restoration(version: int) -> Restoration:
    """A version with the weights that ship with the package, loaded once; raises as `load_restoration`."""
    return load_restoration(version)


def ready_restoration(version: int) -> Restoration:
    """As `shipped_restoration`, ready to run."""
    restoration = shipped_restoration(version)
    get_ready(None, restoration)
    return restoration


def get_ready(tree_model: Callable | None, restoration: Restoration | None, *, gradient: bool = False) -> None:
    """Make what the first calls of shipped networks would make, in the order in which an encoder calls them."""
    if tree_model is not None:
        tree_model.prepare()
    if restoration is not None:
        restoration.network.prepare(gradient=gradient)
