"""Weights of the networks: files without pickle, and the shipped models as plain numpy functions."""

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import nn

from dinp.errors import DinpError
from dinp.models.networks.inpainting import InpaintingNetwork
from dinp.models.networks.mask import MaskNetwork
from dinp.models.networks.restoration import RestorationNetwork
from dinp.models.networks.tree import TreeNetwork
from dinp.models.weights.files import CONFIG, FOREIGN, read_weights, shipped

NETWORKS: dict[str, type[nn.Module]] = {
    "inpainting": InpaintingNetwork,
    "mask": MaskNetwork,
    "restoration": RestorationNetwork,
    "tree": TreeNetwork,
}

MaskModel = Callable[[np.ndarray, float], np.ndarray]
TreeModel = Callable[[np.ndarray, float], list[np.ndarray]]


@contextmanager
def _one_thread() -> Iterator[None]:
    """Run torch on one thread: results do not depend on the machine's cores, and a busy machine costs no waiting.

    The order of sums in convolutions changes with the number of threads (by 1e-6 of a logit: enough to move a point).
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def save_weights(path: Path, kind: str, config: dict, state: dict[str, torch.Tensor]) -> None:
    """Write a network to a .npz file: one float16 array per tensor, and its kind and configuration as a JSON string."""
    arrays = {name: tensor.detach().cpu().numpy().astype(np.float16) for name, tensor in state.items()}
    arrays[CONFIG] = np.array(json.dumps({"network": kind, **config}))
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    Path(path).write_bytes(buffer.getvalue())


def load_network(kind: str, path: Path | None = None) -> nn.Module:
    """A network in evaluation mode, from a file of `save_weights`, or the shipped one.

    Parameters
    ----------
    kind : str
        "mask", "tree", "restoration" or "inpainting".
    path : Path, optional
        Weights; without it those that ship with the package.

    Raises
    ------
    DinpError
        The file is missing, is no file of weights, or holds another network.
    """
    source = shipped(f"{kind}.npz") if path is None else Path(path)
    weights = read_weights(kind, source)
    try:
        network = NETWORKS[kind](**weights.config)
        network.load_state_dict({name: torch.from_numpy(array) for name, array in weights.arrays.items()})
    except FOREIGN as error:
        raise DinpError(f"{source} does not hold weights of a network: {error}") from None
    return network.eval().to(memory_format=torch.channels_last)


def load_mask_model(path: Path | None = None) -> MaskModel:
    """The mask network as a function of numpy arrays.

    Returns
    -------
    callable
        (plane, density) -> confidences. `plane`: (H, W), grey values 0-255, any size; `density`: wanted mean,
        in (0, 1]. Confidences: (H, W) float32 in [0, 1] with mean `density`. Raises DinpError for other input.
    """
    network = load_network("mask", path)

    @torch.inference_mode()
    @_one_thread()
    def confidences(plane: np.ndarray, density: float) -> np.ndarray:
        x, d = _input(plane, density)
        if density == 1:
            return np.ones(x.shape[-2:], dtype=np.float32)
        return network(x, d)[0, 0].numpy()

    return confidences


def load_tree_model(path: Path | None = None) -> TreeModel:
    """The tree network as a function of numpy arrays.

    Returns
    -------
    callable
        (plane, density) -> split logits. `plane`: (H, W), grey values 0-255, any size; `density`: wanted leaves per
        pixel, in (0, 1]. Logits: for the cell sides 32, 16, 8, 4, 2 one (ceil(H / side), ceil(W / side)) float32 array,
        the logit that a cell, given that it exists, is split into four. Raises DinpError for other input.
    """
    network = load_network("tree", path)

    @torch.inference_mode()
    @_one_thread()
    def splits(plane: np.ndarray, density: float) -> list[np.ndarray]:
        return [level[0].numpy() for level in network(*_input(plane, density))]

    return splits


def _input(plane: np.ndarray, density: float) -> tuple[torch.Tensor, torch.Tensor]:
    plane = np.ascontiguousarray(plane, dtype=np.float32)
    if plane.ndim != 2 or plane.size == 0:
        raise DinpError(f"a plane must have two dimensions and at least one pixel, not the shape {plane.shape}")
    if not np.isfinite(plane).all():
        raise DinpError("a plane must hold finite grey values")
    if not 0 < density <= 1:
        raise DinpError(f"density must be above 0 and at most 1, not {density!r}")
    return torch.from_numpy(plane.copy())[None, None], torch.tensor([density], dtype=torch.float32)
