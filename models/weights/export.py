"""The graphs of the networks that ship with the package, as onnxruntime takes them: made from the files of weights.

    dinp train graphs [--out FOLDER]

writes `NAME.onnx` for every network, and for the restoration `NAME_gradient.onnx`, by default beside the weights. A
graph names the weights and their shapes but does not hold them: it changes only where a network's form does.
"""

from collections.abc import Callable, Mapping

import onnx

from dinp.models.networks.restoration_graph import correction_graph, gradient_graph
from dinp.models.networks.unet_graph import mask_graph, tree_graph
from dinp.models.weights.files import Weights, read_weights, shipped
from dinp.models.weights.runtime import GRADIENT

KINDS = {"mask": "mask", "tree": "tree", "restoration": "restoration", "restoration2": "restoration"}
_MAKERS: dict[str, Callable[[Mapping[str, tuple[int, ...]]], onnx.ModelProto]] = {
    "mask": mask_graph,
    "tree": tree_graph,
    "restoration": correction_graph,
    f"restoration{GRADIENT}": gradient_graph,
}


def graph_for(name: str, weights: Weights) -> bytes:
    """The graph of a network, or of its gradient, for weights."""
    gradient = GRADIENT if name.endswith(GRADIENT) else ""
    return _MAKERS[weights.kind + gradient](weights.shapes).SerializeToString(deterministic=True)


def graphs() -> dict[str, bytes]:
    """Every graph by its name."""
    found = {}
    for name, kind in KINDS.items():
        weights = read_weights(kind, shipped(f"{name}.npz"))
        for full in (name, f"{name}{GRADIENT}")[: 1 + (f"{kind}{GRADIENT}" in _MAKERS)]:
            found[full] = graph_for(full, weights)
    return found
