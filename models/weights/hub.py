"""Weights of the networks in torch: files without pickle."""

import io
import json
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
