"""The mask network and the tree network as ONNX graphs.

    mask   padded (1, 1, H', W'), plane (1, 1, H, W), level (1, 2) -> logits (1, 1, H, W)
    tree   padded (1, 1, H', W'), level (1, 2), hint_2, ..., hint_32 (1, 1, H' / s, W' / s)
           -> split_2, ..., split_32 (1, 1, H' / s, W' / s)

`plane` is standardised and `padded` the same, continued to multiples of 32; `level` is where the logarithm of the
density lies in its range, from -1 to 1, and its square; hints, which a tree network may do without, and split logits go
by the side of the cells.
"""

from collections.abc import Mapping

import onnx

from dinp.models.networks.graph import Graph

SIDES = (2, 4, 8, 16, 32)
FIELD = ["height", "width"]
GIVEN = {"padded": [1, 1, "padded_height", "padded_width"], "level": [1, 2]}


def mask_graph(shapes: Mapping[str, tuple[int, ...]]) -> onnx.ModelProto:
    """The mask network before its exact mean, from the shapes of its weights."""
    graph = Graph(shapes)
    finest = graph.node("Relu", _trunk(graph, hinted=False)[0])
    x = graph.node("DepthToSpace", graph.convolution(finest, "unfold"), blocksize=2, mode="CRD")
    size = graph.node("Shape", "plane", start=2, end=4)
    x = graph.node("Slice", x, graph.constant([0, 0], int), size, graph.constant([2, 3], int))
    x = graph.convolution(graph.node("Concat", graph.node("Relu", x), "plane", axis=1), "first")
    graph.convolution(graph.node("Relu", x), "second", output="logits")
    return graph.model(GIVEN | {"plane": [1, 1, *FIELD]}, {"logits": [1, 1, *FIELD]})


def tree_graph(shapes: Mapping[str, tuple[int, ...]]) -> onnx.ModelProto:
    """The tree network, from the shapes of its weights."""
    graph = Graph(shapes)
    hinted = "trust" in shapes
    features = _trunk(graph, hinted=hinted)
    for level, side in enumerate(reversed(SIDES)):  # roots first
        x = graph.convolution(graph.node("Relu", features[-1 - level]), f"hidden.{level}")
        x = graph.convolution(graph.node("Relu", x), f"split.{level}", output=None if hinted else f"split_{side}")
        if hinted:
            trust = graph.node("Gather", graph.weight("trust"), graph.constant([level], int))
            graph.node("Add", x, graph.node("Mul", f"hint_{side}", trust), name=f"split_{side}")
    fields = {side: [1, 1, f"height_{side}", f"width_{side}"] for side in SIDES}
    given = GIVEN | {f"hint_{side}": shape for side, shape in fields.items() if hinted}
    return graph.model(given, {f"split_{side}": shape for side, shape in fields.items()})


def _conditions(graph: Graph, i: int, side: int, x: str, *, hinted: bool) -> str:
    """What the density, and a hint, add to features at a stride: a convolution of the three, as fields.

    Added as a vector, the density would have onnxruntime lay out all channels anew, see `Graph.divided_convolution`.
    """
    weight = graph.node("Unsqueeze", graph.weight(f"trunk.condition.{i}.weight"), graph.constant([2, 3], int))
    field = graph.node("Unsqueeze", "level", graph.constant([2, 3], int))
    size = graph.node("Shape", f"hint_{side}" if hinted else x, start=2, end=4)
    field = graph.node("Expand", field, graph.node("Concat", graph.constant([1, 2], int), size, axis=0))
    if hinted:
        field = graph.node("Concat", field, f"hint_{side}", axis=1)
        weight = graph.node("Concat", weight, graph.weight(f"trunk.hint.{i}.weight"), axis=1)
    return graph.node("Conv", field, weight, graph.weight(f"trunk.condition.{i}.bias"), kernel_shape=[1, 1])


def _trunk(graph: Graph, *, hinted: bool) -> list[str]:
    """Features at strides 2, 4, 8, 16 and 32."""
    x = graph.convolution(graph.node("SpaceToDepth", "padded", blocksize=2), "trunk.stem")
    features = []
    for i, side in enumerate(SIDES):
        x = graph.convolution(x, f"trunk.down.{i - 1}", stride=2) if i else x
        x = graph.node("Add", x, _conditions(graph, i, side, x, hinted=hinted))
        x = graph.block(x, f"trunk.encode.{i}")
        features.append(x)
    for i in (3, 2, 1, 0):
        x = graph.node("Add", graph.doubled(graph.convolution(x, f"trunk.up.{i}")), features[i])
        x = graph.block(x, f"trunk.decode.{i}")
        features[i] = x
    return features
