"""The graphs of the networks that ship with the package, as onnxruntime takes them: made from the files of weights.

    dinp train graphs [--out FOLDER]

writes `NAME.onnx` for every network, and for the restoration `NAME_gradient.onnx`, by default beside the weights. A
graph names the weights and their shapes but does not hold them: it changes only where a network's form does. The mask
network has three, for its parts, and three more for the passes in which it is told what is placed already; those of
one pass serve any mask network of the same widths, that of the surrogate too.
"""

from collections.abc import Callable, Mapping
from functools import partial

import onnx

from dinp.models.networks.restoration_graph import correction_graph, gradient_graph
from dinp.models.networks.unet_graph import mask_graph, tree_graph
from dinp.models.weights.files import Weights, read_weights, shipped
from dinp.models.weights.runtime import GRADIENT, LATER, PARTS

KINDS = {"mask": "mask", **dict.fromkeys(("tree", "tree2"), "tree")}
KINDS |= dict.fromkeys(("restoration", "restoration2", "restoration3"), "restoration")
_MAKERS: dict[str, Callable[[Mapping[str, tuple[int, ...]]], onnx.ModelProto]] = {
    **{f"mask_{part}": partial(mask_graph, part=part) for part in PARTS},
    **{f"mask_{LATER}{part}": partial(mask_graph, part=part, later=True) for part in PARTS},
    "tree": tree_graph,
    "restoration": correction_graph,
    f"restoration{GRADIENT}": gradient_graph,
}


def graph_for(name: str, weights: Weights) -> bytes:
    """The graph of a network, of a part of it, or of its gradient, for weights."""
    gradient = GRADIENT if name.endswith(GRADIENT) else ""
    maker = _MAKERS[name if weights.kind == "mask" else weights.kind + gradient]
    return maker(weights.shapes).SerializeToString(deterministic=True)


def _graphs_of(name: str, weights: Weights) -> list[str]:
    """Names of all graphs of a network."""
    if weights.kind == "mask":
        passes = ("", LATER) if weights.config.get("passes") else ("",)
        return [f"{name}_{which}{part}" for which in passes for part in PARTS]
    return [name, f"{name}{GRADIENT}"] if f"{weights.kind}{GRADIENT}" in _MAKERS else [name]


def graphs() -> dict[str, bytes]:
    """Every graph by its name."""
    found = {}
    for name, kind in KINDS.items():
        weights = read_weights(kind, shipped(f"{name}.npz"))
        for full in _graphs_of(name, weights):
            found[full] = graph_for(full, weights)
    return found
