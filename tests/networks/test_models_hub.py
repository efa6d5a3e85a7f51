"""Weights and shipped models: files without pickle, plain numpy functions, quality above the baselines."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from skimage import data

from dinp.benchmarks.masks.command import measure
from dinp.entropy.tree import tree_from_scores
from dinp.errors import DinpError
from dinp.models import learned_mask, load_mask_model, load_tree_model
from dinp.models.masks.analytic import analytic_mask, random_mask
from dinp.models.networks.mask import MaskNetwork
from dinp.models.weights.hub import load_network, save_weights

PLANE = data.camera()[100:356, 120:376].astype(np.float64)


@pytest.fixture(scope="module")
def mask_model():
    return load_mask_model()


@pytest.fixture(scope="module")
def tree_model():
    return load_tree_model()


def test_importing_models_does_not_import_torch():
    code = "import sys, dinp.models; assert 'load_tree_model' in dir(dinp.models); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_unknown_name_is_an_attribute_error():
    import dinp.models

    with pytest.raises(AttributeError, match="no_such_model"):
        _ = dinp.models.no_such_model


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (37, 1), (50, 70)])
@pytest.mark.parametrize("density", [0.001, 0.05, 0.9, 1.0])
def test_shipped_models_take_any_size_and_density(mask_model, tree_model, shape, density):
    plane = PLANE[: shape[0], : shape[1]]
    c = mask_model(plane, density)
    assert (c.shape, c.dtype) == (shape, np.float32)
    assert c.mean(dtype=np.float64) == pytest.approx(density, rel=1e-5)
    levels = tree_model(plane, density)
    assert [level.shape for level in levels] == [(-(-shape[0] // s), -(-shape[1] // s)) for s in (32, 16, 8, 4, 2)]
    assert all(level.dtype == np.float32 and np.isfinite(level).all() for level in levels)


@pytest.mark.parametrize("density", [0.02, 0.05, 0.10])
def test_the_learned_mask_beats_random_and_analytic_masks(density):
    learned, analytic, random = (
        measure(PLANE, method(PLANE, density, 0)) for method in (learned_mask, analytic_mask, random_mask)
    )
    for kind in (0, 1):
        assert learned[kind] > analytic[kind]
        assert learned[kind] > random[kind] + 1


def test_the_learned_tree_beats_a_regular_grid(tree_model):
    from dinp.bitstream.structure import known_data_of_tree

    def plain(tree):
        known = known_data_of_tree(tree)
        return measure(PLANE, known.mask)[0]

    # 1024 leaves are a regular grid of side 8; about as many where the model wants them
    learned = tree_from_scores(tree_model(PLANE, 1 / 64), PLANE.shape, 1024)
    by_side = [np.full((256 // s, 256 // s), 1.0 if s > 8 else -1.0) for s in (32, 16, 8, 4, 2)]
    assert plain(learned) > plain(tree_from_scores(by_side, PLANE.shape, 1024)) + 1


def test_models_do_not_depend_on_the_number_of_threads(mask_model, tree_model):
    threads = torch.get_num_threads()
    results = []
    try:
        for n in (1, 2):
            torch.set_num_threads(n)
            results.append([mask_model(PLANE, 0.05), *tree_model(PLANE, 0.05)])
    finally:
        torch.set_num_threads(threads)
    for one, two in zip(*results, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("plane", "density", "message"),
    [
        (np.zeros((0, 4)), 0.1, "at least one pixel"),
        (np.zeros((2, 3, 4)), 0.1, "two dimensions"),
        (np.full((4, 4), np.nan), 0.1, "finite"),
        (np.zeros((4, 4)), 0.0, "density"),
        (np.zeros((4, 4)), 1.1, "density"),
        (np.zeros((4, 4)), float("nan"), "density"),
    ],
)
def test_bad_input_is_refused(mask_model, tree_model, plane, density, message):
    for model in (mask_model, tree_model):
        with pytest.raises(DinpError, match=message):
            model(plane, density)


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
