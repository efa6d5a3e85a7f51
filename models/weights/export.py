"""The graphs of the networks that ship with the package, as onnxruntime takes them: made from the files of weights.

    python -m dinp.models.weights.export [--out FOLDER]

writes `NAME.onnx` for every network, and for the restoration `NAME_gradient.onnx`, by default beside the weights. A
graph names the weights and their shapes but does not hold them: it changes only where a network's form does.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import onnx

from dinp.errors import DinpError
from dinp.models.networks.restoration_graph import correction_graph, gradient_graph
from dinp.models.weights.files import Weights, read_weights, shipped


def restoration_graphs(name: str, weights: Weights) -> dict[str, onnx.ModelProto]:
    """Graphs of a restoration network, by their names."""
    shapes = {key: array.shape for key, array in weights.arrays.items()}
    return {name: correction_graph(shapes), f"{name}_gradient": gradient_graph(shapes)}


NETWORKS: dict[str, tuple[str, Callable[[str, Weights], dict[str, onnx.ModelProto]]]] = {
    "restoration": ("restoration", restoration_graphs),
    "restoration2": ("restoration", restoration_graphs),
}


def graphs() -> dict[str, bytes]:
    """The bytes of every graph by its name."""
    found: dict[str, onnx.ModelProto] = {}
    for name, (kind, make) in NETWORKS.items():
        found |= make(name, read_weights(kind, shipped(f"{name}.npz")))
    return {name: graph.SerializeToString(deterministic=True) for name, graph in found.items()}


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dinp.models.weights.export", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder (default: that of the weights)")
    args = parser.parse_args(argv)
    try:
        args.out.mkdir(parents=True, exist_ok=True)
        for name, graph in graphs().items():
            (args.out / f"{name}.onnx").write_bytes(graph)
    except (DinpError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
