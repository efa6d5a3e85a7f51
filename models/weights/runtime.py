"""Networks run by onnxruntime: a graph of `dinp.models.weights.export` and weights of a file, made one on first use.

Networks of the form of those that ship with the package need neither torch nor onnx; graphs of others are made here.

Results do not depend on the number of threads, which is `dinp.threads.thread_count`.
"""

import os
from collections.abc import Sequence
from functools import cache, cached_property
from threading import Lock
from typing import TYPE_CHECKING
from weakref import WeakSet

import numpy as np

from dinp.errors import DinpError
from dinp.models.weights.files import Weights, shipped, shipped_config
from dinp.threads import thread_count

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, RunOptions

GRADIENT = "_gradient"
PARTS, LATER = ("fine", "coarse", "last"), "later_"  # of the mask network, and its later passes: `unet_graph`
_ERRORS_ONLY = 3
LARGE = 1 << 20  # numbers of an input: what such runs need is not kept for others
_run = Lock()  # a run has all cores, and two at a time would take twice the memory
_sharing = Lock()
_shared: bool | None = None  # whether all networks take their memory from one place; None until there is one
_networks: WeakSet = WeakSet()
_inherited: list[object] = []  # sessions of a process that forked this one: their threads are not here to be joined


def _begin_anew() -> None:
    """In a forked process: who held the locks is not here, nor who may just have taken of the shared memory."""
    global _run, _sharing, _shared
    _run, _sharing = Lock(), Lock()
    _shared = False if _shared else None
    for network in _networks:
        network.make = Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


class OnnxNetwork:
    """A network as a function of numpy arrays.

    Parameters
    ----------
    graph : str
        Name of a graph that ships with the package, without its ending; where the weights are of another form than the
        shipped ones, a graph like that is made.
    weights : Weights
    """

    def __init__(self, graph: str, weights: Weights) -> None:
        self.graph = graph
        self._weights = weights
        self.make = Lock()  # held while the session is made
        self._made: tuple[tuple[int, int], InferenceSession] | None = None
        _networks.add(self)

    def __call__(self, outputs: Sequence[str], /, *, more: bool = False, **given: np.ndarray) -> list[np.ndarray]:
        """The named outputs for the given inputs, float32 arrays all.

        Memory that a large run took is given back, which takes up to a quarter of its time, unless `more` follow.

        Raises
        ------
        DinpError
            The graph cannot be read, or the weights do not fit it.
        """
        inputs = {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in given.items()}
        session = self._session()
        large = max(value.size for value in inputs.values()) > LARGE
        options = _giving_back() if large and not more else None
        with _run:
            return session.run(list(outputs), inputs, options)

    def prepare(self) -> None:
        """Make what the first call would make; raises as it."""
        self._session()

    def _session(self) -> "InferenceSession":
        """The session of this process and number of threads."""
        key = os.getpid(), thread_count()
        with self.make:
            if self._made is None or self._made[0] != key:
                if self._made is not None and self._made[0][0] != key[0]:
                    _inherited.append(self._made)
                self._made = key, self._make(key[1])
            return self._made[1]

    def _make(self, threads: int) -> "InferenceSession":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        if _shares_memory():
            options.add_session_config_entry("session.use_env_allocators", "1")
        options.enable_mem_pattern = False  # which takes twice the memory, where sizes differ from call to call
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # others may need the cores
        try:
            graph = graph_of(self.graph, self._weights)
            values = {name: value for name, value in self._values.items() if _names(graph, name)}
            options.add_external_initializers(list(values), list(values.values()))
            return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        except DinpError:
            raise
        except Exception as error:  # the runtime has a dozen classes of its own
            raise DinpError(f"the network {self.graph} cannot be made: {str(error).splitlines()[0]}") from None

    @cached_property
    def _values(self) -> dict:
        from onnxruntime import OrtValue

        return {name: OrtValue.ortvalue_from_numpy(array) for name, array in self._weights.arrays.items()}


def _names(graph: bytes, weight: str) -> bool:
    """Whether a graph takes a weight: a part of a network takes some, and the runtime refuses others.

    Looks for the field `name` (8, of bytes) of a TensorProto, as protobuf writes it.
    """
    return bytes((8 << 3 | 2, len(weight))) + weight.encode() in graph


def _shares_memory() -> bool:
    """Whether networks take their memory from one place: what one of them has had, the next need not ask for."""
    global _shared
    import onnxruntime

    with _sharing:
        if _shared is None:
            kinds = onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
            try:
                onnxruntime.create_and_register_allocator(
                    onnxruntime.OrtMemoryInfo("Cpu", *kinds), onnxruntime.OrtArenaCfg({})
                )
                _shared = True
            except Exception:  # others in this process have registered one, for their own ends
                _shared = False
        return _shared


@cache
def _giving_back() -> "RunOptions":
    """Options for a run that gives its memory back to the system."""
    from onnxruntime import RunOptions

    options = RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options


def graph_of(name: str, weights: Weights) -> bytes:
    """The graph of a shipped network, or one like it for weights of another form.

    Raises
    ------
    DinpError
        The graph cannot be read, or has to be made, which needs the package onnx.
    """
    network = "mask" if name.startswith("mask_") else name.removesuffix(GRADIENT)
    # the first pass is alike in mask networks of one pass and of several
    apart = {"passes"} if network == "mask" and not name.startswith(f"mask_{LATER}") else set()
    one, other = ({k: v for k, v in c.items() if k not in apart} for c in (weights.config, shipped_config(network)))
    if one == other:
        return shipped(f"{name}.onnx").read_bytes()
    try:
        from dinp.models.weights.export import graph_for
    except ModuleNotFoundError as error:
        if error.name != "onnx":
            raise
        raise DinpError(
            "networks of another form than the shipped ones need the package onnx: pip install 'dinp[train]'"
        ) from None
    return graph_for(name, weights)
