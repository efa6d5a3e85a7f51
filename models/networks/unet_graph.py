"""The mask network and the tree network as ONNX graphs.

    tree        padded (1, 1, H', W'), level (1, 2), hint_2, ..., hint_32 (1, 1, H' / s, W' / s)
                -> split_2, ..., split_32 (1, 1, H' / s, W' / s)
    mask_fine   padded (1, 1, H', W'), level (1, 2) -> finest (1, C, H' / 2, W' / 2), coarser (1, C', H' / 4, W' / 4)
    mask_coarse coarser, level -> back (1, C, H' / 4, W' / 4)
    mask_last   finest, back, plane (1, 1, H, W) -> logits (1, 1, H, W)

The mask network is cut into three: what is done at half and at full resolution sees a few pixels only, so that a large
plane is done in small parts, and what is coarser, which sees far, as a whole. In a later pass (mask_later_fine, ...) it
is told points, too: `placed` (1, 1, H', W') for the first and the last part, and `share_2`, ..., `share_32`
(1, 1, H' / s, W' / s), the finest for the first part and the others for the second.

`plane` is standardised and `padded` the same, continued to multiples of 32; `level` is where the logarithm of the
density lies in its range, from -1 to 1, and its square; `placed` is not 0 where a point is, and shares tell how many
of those expected in each cell are (`dinp.models.networks.shares`); hints, which a tree network may do without, and
split logits go by the side of the cells.
"""

from collections.abc import Mapping

import onnx

from dinp.models.networks.graph import Graph

SIDES = (2, 4, 8, 16, 32)
FIELD = ["height", "width"]
GIVEN = {"padded": [1, 1, "padded_height", "padded_width"], "level": [1, 2]}


def mask_graph(shapes: Mapping[str, tuple[int, ...]], part: str, *, later: bool = False) -> onnx.ModelProto:
    """A part of the mask network before its exact mean, from the shapes of its weights: fine, coarse or last."""
    graph = Graph(shapes)
    trunk = _Trunk(graph, hints="share" if later else None)
    fields = {side: [1, 1, f"height_{side}", f"width_{side}"] for side in SIDES}
    features = {side: [1, shapes["trunk.stem.weight"][0], *fields[side][2:]] for side in SIDES}
    coarser = {"coarser": [1, shapes["trunk.down.0.weight"][0], *fields[4][2:]]}
    finest, back = {"finest": features[2]}, {"back": features[4]}
    shares = {side: {f"share_{side}": field} for side, field in fields.items() if later}
    if part == "fine":
        x = trunk.stem("padded", "placed" if later else None)
        x = trunk.encoded(x, 0, output="finest")
        trunk.down(x, 1, output="coarser")
        given = GIVEN | ({"placed": GIVEN["padded"]} | shares[2] if later else {})
        return graph.model(given, finest | coarser)
    if part == "coarse":
        skips = [trunk.encoded("coarser", 1)]
        for i in (2, 3, 4):
            skips.append(trunk.encoded(trunk.down(skips[-1], i), i))
        x = skips[-1]
        for i in (3, 2, 1):
            x = trunk.decoded(graph.convolution(x, f"trunk.up.{i}"), skips[i - 1], i)
        graph.convolution(x, "trunk.up.0", output="back")
        given = coarser | {"level": GIVEN["level"]}
        for side in SIDES[1:]:
            given |= shares.get(side, {})
        return graph.model(given, back)
    x = graph.node("Relu", trunk.decoded("back", "finest", 0))
    x = graph.unfolded(x, "unfold")
    size = graph.node("Shape", "plane", start=2, end=4)
    x = graph.node("Slice", x, graph.constant([0, 0], int), size, graph.constant([2, 3], int))
    width = shapes["second.weight"][1]
    x = graph.node("Relu", graph.field(x, width, 0))
    x = graph.joint_convolution({x: width, graph.field("plane", 1, 0): 1}, "first")
    given = finest | back | {"plane": [1, 1, *FIELD]}
    if later:
        placed = graph.node("Slice", "placed", graph.constant([0, 0], int), size, graph.constant([2, 3], int))
        x = graph.node("Add", x, graph.convolution(graph.field(placed, 1, 0), "tell", bias=False))
        given |= {"placed": GIVEN["padded"]}
    graph.convolution_to_one(graph.node("Relu", x), "second", output="logits")
    return graph.model(given, {"logits": [1, 1, *FIELD]})


def tree_graph(shapes: Mapping[str, tuple[int, ...]]) -> onnx.ModelProto:
    """The tree network, from the shapes of its weights."""
    graph = Graph(shapes)
    hinted = "trust" in shapes
    features = _trunk(graph, "hint" if hinted else None)
    for level, side in enumerate(reversed(SIDES)):  # roots first
        x = graph.convolution(graph.node("Relu", features[-1 - level]), f"hidden.{level}")
        x = graph.convolution(graph.node("Relu", x), f"split.{level}", output=None if hinted else f"split_{side}")
        if hinted:
            trust = graph.node("Gather", graph.weight("trust"), graph.constant([level], int))
            graph.node("Add", x, graph.node("Mul", f"hint_{side}", trust), name=f"split_{side}")
    fields = {side: [1, 1, f"height_{side}", f"width_{side}"] for side in SIDES}
    given = GIVEN | {f"hint_{side}": shape for side, shape in fields.items() if hinted}
    return graph.model(given, {f"split_{side}": shape for side, shape in fields.items()})


def _trunk(graph: Graph, hints: str | None) -> list[str]:
    """Features at strides 2, 4, 8, 16 and 32."""
    trunk = _Trunk(graph, hints)
    x = trunk.stem("padded")
    features = []
    for i in range(len(SIDES)):
        x = trunk.encoded(trunk.down(x, i) if i else x, i)
        features.append(x)
    for i in (3, 2, 1, 0):
        x = trunk.decoded(graph.convolution(x, f"trunk.up.{i}"), features[i], i)
        features[i] = x
    return features


class _Trunk:
    """The pieces of the trunk; `hints` is what the inputs are called that every scale has, if any."""

    def __init__(self, graph: Graph, hints: str | None) -> None:
        self.graph, self.hints = graph, hints

    def stem(self, padded: str, placed: str | None = None) -> str:
        """What the encoder begins with."""
        graph = self.graph
        x = graph.convolution(graph.node("SpaceToDepth", padded, blocksize=2), "trunk.stem")
        if placed is None:
            return x
        told = graph.convolution(graph.node("SpaceToDepth", placed, blocksize=2), "trunk.tell", bias=False)
        return graph.node("Add", x, told)

    def down(self, x: str, i: int, output: str | None = None) -> str:
        """From the features of scale i - 1 to what the next begins with."""
        return self.graph.convolution(x, f"trunk.down.{i - 1}", stride=2, output=output)

    def encoded(self, x: str, i: int, output: str | None = None) -> str:
        """Features of scale i on the way down."""
        graph = self.graph
        x = graph.node("Add", x, self._conditions(x, i))
        return graph.block(x, f"trunk.encode.{i}", output=output)

    def decoded(self, x: str, skip: str, i: int) -> str:
        """Features of scale i on the way up, from those of the coarser one and those on the way down."""
        x = self.graph.node("Add", self.graph.doubled(x), skip)
        return self.graph.block(x, f"trunk.decode.{i}")

    def _conditions(self, x: str, i: int) -> str:
        """What the density, and a hint, add to features of scale i: a convolution of the three, as fields.

        Added as a vector, the density would have onnxruntime lay out all channels anew, see
        `Graph.divided_convolution`.
        """
        graph, hint = self.graph, f"{self.hints}_{SIDES[i]}" if self.hints else None
        weight = graph.node("Unsqueeze", graph.weight(f"trunk.condition.{i}.weight"), graph.constant([2, 3], int))
        field = graph.node("Unsqueeze", "level", graph.constant([2, 3], int))
        size = graph.node("Shape", hint or x, start=2, end=4)
        field = graph.node("Expand", field, graph.node("Concat", graph.constant([1, 2], int), size, axis=0))
        if hint:
            field = graph.node("Concat", field, hint, axis=1)
            weight = graph.node("Concat", weight, graph.weight(f"trunk.hint.{i}.weight"), axis=1)
        return graph.node("Conv", field, weight, graph.weight(f"trunk.condition.{i}.bias"), kernel_shape=[1, 1])
