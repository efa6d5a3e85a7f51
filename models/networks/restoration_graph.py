"""The restoration networks as ONNX graphs: the correction, and the transpose of its derivative.

    correction   input (1, 10, h, w) -> correction (1, 4, h, w)
    gradient     input (1, 10, h, w), wanted (1, 4, h, w), covered (1, 4, h, w) -> correction, gradient (1, 4, h, w)

h and w are multiples of 8. `gradient` is the transpose of the correction's derivative by the first four input channels
(the grey values), applied to wanted - covered * correction: to what is left of an error where `covered` is 1, or, where
it is 0 everywhere, to what is given.
"""

from collections.abc import Mapping

import onnx

from dinp.models.networks.graph import FIELD, Graph
from dinp.restoration import INPUTS


def correction_graph(shapes: Mapping[str, tuple[int, ...]]) -> onnx.ModelProto:
    """The network, from the shapes of its weights."""
    graph = Graph(shapes)
    _corrected(graph, _trunk(graph, "input"))
    return graph.model({"input": [1, INPUTS, *FIELD]}, {"correction": [1, 4, *FIELD]})


def gradient_graph(shapes: Mapping[str, tuple[int, ...]]) -> onnx.ModelProto:
    """The network and the transpose of its derivative."""
    graph, tape = Graph(shapes), []
    for given in ("wanted", "covered"):
        graph.field(given, 4, 0)
    x = _trunk(graph, "input", tape)
    tape.append(graph.positive(x, shapes["head.weight"][1]))
    change = graph.node("Sub", "wanted", graph.node("Mul", "covered", _corrected(graph, x)))
    _adjoint(graph, change, tape)
    four = [1, 4, *FIELD]
    given = {"input": [1, INPUTS, *FIELD], "wanted": four, "covered": four}
    return graph.model(given, {"correction": four, "gradient": four})


def _trunk(graph: Graph, x: str, tape: list[str] | None = None) -> str:
    """The field that the last layer takes, before it is rectified."""
    encoded = []
    for i in range(4):
        x = graph.convolution(x, f"down.{i - 1}", stride=2) if i else graph.divided_convolution(x, "stem", 8)
        x = graph.block(x, f"encode.{i}", tape)
        encoded.append(x)
    for i in (2, 1, 0):
        x = graph.node("Add", encoded[i], graph.doubled(graph.convolution(x, f"up.{i}")))
        x = graph.block(x, f"decode.{i}", tape)
    return x


def _corrected(graph: Graph, x: str) -> str:
    return graph.convolution(graph.node("Relu", x), "head", output="correction")


def _adjoint(graph: Graph, change: str, tape: list[str]) -> str:
    """The transpose of the derivative of all layers at the state on the tape."""
    x = graph.node("Mul", graph.transposed(change, "head"), tape.pop())
    below = []
    for i in range(3):
        x = _block_adjoint(graph, x, f"decode.{i}", tape)
        below.append(x)
        sums = graph.node("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
        graph.field(sums, graph.shapes[f"up.{i}.weight"][0], i + 1)
        x = graph.transposed(sums, f"up.{i}", factor=4)  # sums of 2x2, not means
    for i in (3, 2, 1):
        x = _block_adjoint(graph, x, f"encode.{i}", tape)
        outputs, inputs, _, _ = graph.shapes[f"down.{i - 1}.weight"]  # to 2x2 blocks of the inputs
        turned = graph.node("Transpose", graph.weight(f"down.{i - 1}.weight"), perm=[2, 3, 1, 0])
        turned = graph.node("Reshape", turned, graph.constant([4 * inputs, outputs, 1, 1], int))
        y = graph.node("Conv", x, turned, kernel_shape=[1, 1])
        graph.field(y, 4 * inputs, i)
        y = graph.field(graph.node("DepthToSpace", y, blocksize=2), inputs, i - 1)
        x = graph.node("Add", y, below[i - 1])
    return graph.transposed(_block_adjoint(graph, x, "encode.0", tape), "stem", inputs=4, output="gradient")


def _block_adjoint(graph: Graph, x: str, name: str, tape: list[str]) -> str:
    if f"{name}.first.weight" not in graph.shapes:
        return x
    y = graph.node("Mul", graph.transposed(x, f"{name}.second"), tape.pop())
    y = graph.node("Mul", graph.transposed(y, f"{name}.first"), tape.pop())
    return graph.node("Add", y, x)
