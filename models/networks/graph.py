"""Networks as ONNX graphs without their weights, which a runtime is given by name from the files of weights.

So every weight is kept once, and a graph takes a few kilobytes. Weights are widened from 16 to 32 bits when they are
read; all arithmetic is in float32.
"""

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8  # the oldest for this opset: any runtime since 2022 reads it
FIELD = ["height", "width"]
STEEP = 1e37  # slope of a ramp that is a step
ELSEWHERE = "weights"  # where the graph says that the weights are; nothing is read from there


class Graph:
    """Nodes of a network under construction; values are named by strings.

    Parameters
    ----------
    shapes : mapping of str to tuple
        Shape of each weight, by its name in the file of weights.
    """

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.shapes = shapes
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._used: dict[str, None] = {}
        self._fields: dict[str, tuple[int, int]] = {}  # channels and scale of those that are known

    def node(self, kind: str, *inputs: str, name: str | None = None, **attributes: object) -> str:
        """One operation; returns the name of what it gives."""
        out = name or f"{kind.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [out], **attributes))
        known = [self._fields[x] for x in inputs if x in self._fields]
        if known:
            self._fields[out] = known[0]
        return out

    def field(self, x: str, channels: int, scale: int) -> str:
        """Tell the shape of a field: its channels, and that its sides are the network's, halved `scale` times.

        Operations hand this on, but for those that change it. Where onnxruntime cannot tell that two fields have one
        shape it rearranges both before it multiplies them, and adds them in a pass of its own.
        """
        self._fields[x] = channels, scale
        return x

    def scale(self, x: str) -> int:
        """How many times the sides of a field were halved."""
        return self._fields[x][1]

    def constant(self, value: object, kind: type = np.float32) -> str:
        """A small tensor, kept in the graph."""
        array = np.asarray(value, dtype=kind)
        name = f"{array.dtype.name}_{'_'.join(map(str, array.ravel().tolist()))}_{array.ndim}"
        self._constants.setdefault(name, numpy_helper.from_array(array, name))
        return name

    def weight(self, name: str) -> str:
        """A weight as it is."""
        self._used[name] = None
        return name

    def convolution(self, x: str, name: str, output: str | None = None, *, bias: bool = True, stride: int = 1) -> str:
        """A layer of a square kernel over a border of zeros, or of disjoint blocks."""
        side = self.shapes[f"{name}.weight"][2]
        parts = [self.weight(f"{name}.{part}") for part in ("weight", "bias")[: 1 + bias]]
        pads = [side // 2] * 4 if side % 2 else [0] * 4
        out = self.node("Conv", x, *parts, name=output, kernel_shape=[side, side], pads=pads, strides=[stride] * 2)
        if x in self._fields:
            self.field(out, self.shapes[f"{name}.weight"][0], self.scale(x) + stride // 2)
        return out

    def divided_convolution(self, x: str, name: str, first: int) -> str:
        """A layer, as the sum of what its first inputs and its other inputs make.

        onnxruntime lays channels out in blocks of 8 where a convolution has fewer inputs or a multiple of 4, and
        rearranges them before and after all others, which takes as long as the layer.
        """
        count = self.shapes[f"{name}.weight"][1]
        parts = []
        for start, end in ((first, count), (0, first)):
            given = self._slice(x, [start], [end], [1], [1])
            parts.append(self._part(given, name, start, end, bias=start > 0))
        return self.node("Add", *parts)

    def joint_convolution(self, inputs: Mapping[str, int], name: str) -> str:
        """A layer of two inputs of full resolution, of so many channels each, as the sum of what each of them makes.

        So they need not be put together, nor laid out alike, see `divided_convolution`.
        """
        parts, start = [], 0
        for x, count in inputs.items():
            parts.append(self._part(x, name, start, start + count, bias=start == 0))
            start += count
        return self.node("Add", *parts)

    def _part(self, x: str, name: str, start: int, end: int, *, bias: bool) -> str:
        """What a layer of full resolution makes of some of its inputs."""
        side = self.shapes[f"{name}.weight"][2]
        weight = self._slice(self.weight(f"{name}.weight"), [start], [end], [1], [1])
        more = [self.weight(f"{name}.bias")] if bias else []
        made = self.node("Conv", x, weight, *more, kernel_shape=[side, side], pads=[side // 2] * 4)
        return self.field(made, self.shapes[f"{name}.weight"][0], 0)

    def unfolded(self, x: str, name: str) -> str:
        """A layer of single pixels, and its features four by four as the pixels of 2x2 blocks.

        As one transposed convolution, in a third of the time, which has no bias of its own for each of the four: so it
        is the weight of one more input that is 1.
        """
        count, inputs = self.shapes[f"{name}.weight"][:2]
        parts = []
        for part, length in (("weight", inputs), ("bias", 1)):
            folded = self.node("Reshape", self.weight(f"{name}.{part}"), self.constant([count // 4, 4, length], int))
            parts.append(self.node("Transpose", folded, perm=[2, 0, 1]))
        weight = self.node("Concat", *parts, axis=0)
        weight = self.node("Reshape", weight, self.constant([inputs + 1, count // 4, 2, 2], int))
        size = self.node("Shape", x, start=2, end=4)
        size = self.node("Concat", self.constant([1, 1], int), size, axis=0)
        ones = self.node("Expand", self.constant([[[[1.0]]]]), size)
        x = self.node("Concat", x, ones, axis=1)
        return self.node("ConvTranspose", x, weight, kernel_shape=[2, 2], strides=[2, 2])

    def convolution_to_one(self, x: str, name: str, output: str | None = None) -> str:
        """A layer of full resolution with one output: each channel by itself, then their sum, not 8 outputs at once."""
        _, count, side, _ = self.shapes[f"{name}.weight"]
        weight = self.node("Transpose", self.weight(f"{name}.weight"), perm=[1, 0, 2, 3])
        how = {"kernel_shape": [side, side], "pads": [side // 2] * 4, "group": count}
        x = self.field(self.node("Conv", x, weight, **how), count, 0)
        ones = f"sum_{count}"
        self._constants.setdefault(ones, numpy_helper.from_array(np.ones((1, count, 1, 1), np.float32), ones))
        return self.node("Conv", x, ones, self.weight(f"{name}.bias"), name=output, kernel_shape=[1, 1])

    def transposed(
        self, x: str, name: str, inputs: int | None = None, output: str | None = None, factor: float = 1.0
    ) -> str:
        """The transpose of a layer of odd kernel and stride 1, without its bias; to its first `inputs` channels."""
        side = self.shapes[f"{name}.weight"][2]
        weight = self.weight(f"{name}.weight")
        if factor != 1:
            weight = self.node("Mul", weight, self.constant([factor]))
        if inputs is not None:
            weight = self._slice(weight, [0], [inputs], [1], [1])
        weight = self.node("Transpose", weight, perm=[1, 0, 2, 3])
        if side > 1:
            weight = self._slice(weight, [side - 1] * 2, [-side - 1] * 2, [2, 3], [-1] * 2)
        out = self.node("Conv", x, weight, name=output, kernel_shape=[side, side], pads=[side // 2] * 4)
        return self.field(out, inputs or self.shapes[f"{name}.weight"][1], self.scale(x))

    def _slice(self, x: str, starts: list[int], ends: list[int], axes: list[int], steps: list[int]) -> str:
        return self.node("Slice", x, *(self.constant(part, np.int64) for part in (starts, ends, axes, steps)))

    def doubled(self, x: str) -> str:
        """Every sample repeated in a 2x2 block."""
        how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        out = self.node("Resize", x, "", self.constant([1, 1, 2, 2]), **how)
        if x in self._fields:
            channels, scale = self._fields[x]
            self.field(out, channels, scale - 1)
        return out

    def positive(self, x: str, channels: int) -> str:
        """1 where a field is above 0 (by more than 1e-37), elsewhere 0.

        A steep ramp behind a convolution by 1: onnxruntime rearranges the channels for a comparison, but not for these.
        """
        same = f"ones_{channels}"
        self._constants.setdefault(same, numpy_helper.from_array(np.ones((channels, 1, 1, 1), np.float32), same))
        y = self.node("Conv", x, same, kernel_shape=[1, 1], group=channels)
        return self.node("HardSigmoid", y, alpha=STEEP, beta=0.0)

    def block(self, x: str, name: str, tape: list[str] | None = None, output: str | None = None) -> str:
        """A residual block, if there is one; where its rectified features are positive goes on the tape."""
        if f"{name}.first.weight" not in self.shapes:
            return x if output is None else self.node("Identity", x, name=output)
        y = self.convolution(self.node("Relu", x), f"{name}.first")
        if tape is not None:
            tape += [self.positive(part, self.shapes[f"{name}.first.weight"][1 - k]) for k, part in enumerate((x, y))]
        return self.node("Add", self.convolution(self.node("Relu", y), f"{name}.second"), x, name=output)

    def model(self, inputs: Mapping[str, list[int | str]], outputs: Mapping[str, list[int | str]]) -> onnx.ModelProto:
        """The graph between inputs and outputs of some shapes, float32 all."""

        def values(shapes: Mapping[str, list[int | str]]) -> list[onnx.ValueInfoProto]:
            return [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]

        fields = {}
        for name, (channels, scale) in self._fields.items():
            if name not in inputs and name not in outputs:
                fields[name] = [1, channels, *(f"{side}_{scale}" if scale else side for side in FIELD)]
        tensors = [*self._constants.values(), *map(self._elsewhere, self._used)]
        graph = helper.make_graph(
            self._nodes, "network", values(inputs), values(outputs), tensors, value_info=values(fields)
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="dinp")
        made.ir_version = IR_VERSION
        return made

    def _elsewhere(self, name: str) -> onnx.TensorProto:
        tensor = onnx.TensorProto(name=name, dims=self.shapes[name], data_type=TensorProto.FLOAT)
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=ELSEWHERE)
        return tensor
