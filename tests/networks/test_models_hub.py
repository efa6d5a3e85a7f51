"""Files of weights: written and read without pickle; what is none is refused."""

import json

import numpy as np
import pytest
import torch

from dinp.errors import DinpError
from dinp.models.networks.mask import MaskNetwork
from dinp.models.weights.hub import load_network, save_weights


def test_weights_survive_their_file(tmp_path):
    network = MaskNetwork(widths=(4, 4, 4, 4, 4), refine=2)
    path = tmp_path / "weights.npz"
    save_weights(path, "mask", network.config, network.state_dict())
    again = load_network("mask", path)
    assert again.config == network.config
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], tensor, rtol=1e-3, atol=1e-4)
    with pytest.raises(DinpError, match="tree network"):
        load_network("tree", path)


def test_files_without_weights_are_refused(tmp_path):
    with pytest.raises(DinpError, match="missing"):
        load_network("mask", tmp_path / "none.npz")
    foreign = tmp_path / "foreign.npz"
    foreign.write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(DinpError, match="does not hold"):
        load_network("mask", foreign)
    np.savez(foreign, config=json.dumps([1]))
    with pytest.raises(DinpError, match="does not hold"):
        load_network("mask", foreign)
    np.savez(foreign, config=json.dumps({"network": "mask", "widths": [4] * 5}))
    with pytest.raises(DinpError, match="does not hold"):
        load_network("mask", foreign)
