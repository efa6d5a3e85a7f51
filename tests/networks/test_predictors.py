"""The mask and the tree model: plain numpy functions, as torch has them, quality above the baselines."""

import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import torch
from skimage import data

from dinp.benchmarks.masks.measuring import measure
from dinp.entropy.tree import tree_from_scores
from dinp.errors import DinpError
from dinp.models import learned_mask, load_mask_model, load_tree_model
from dinp.models.masks.analytic import analytic_mask, random_mask
from dinp.models.weights import mask_model as masks
from dinp.models.weights import planes, predictors
from dinp.models.weights.files import shipped
from dinp.models.weights.hub import NETWORKS, load_network, save_weights

PLANE = data.camera()[100:356, 120:376].astype(np.float64)

LOADERS = {"mask": load_mask_model, "tree": load_tree_model, "tree2": partial(load_tree_model, version=2)}
SIDES = (32, 16, 8, 4, 2)
SMALL = {
    "mask": {"widths": [8, 8, 12, 8, 8], "refine": 4},
    "tree": {"widths": [8, 8, 12, 8, 8], "hidden": 8, "hinted": False},
}


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


def outputs(model, plane, density):
    """What a model gives, in a list."""
    found = model(plane, density)
    return found if isinstance(found, list) else [found]


def test_models_do_not_depend_on_the_number_of_threads(monkeypatch):
    results = []
    for count in ("1", "2", "3", "8"):
        monkeypatch.setenv("OMP_NUM_THREADS", count)
        results.append([found for load in LOADERS.values() for found in outputs(load(), PLANE[:100, :171], 0.05)])
    for result in results[1:]:
        assert all(np.array_equal(one, two) for one, two in zip(result, results[0], strict=True))


def by_torch(network, plane, density):
    with torch.inference_mode():
        found = network(torch.from_numpy(plane.astype(np.float32))[None, None], torch.tensor([density]))
    return [level[0].numpy() for level in found] if isinstance(found, list) else [found[0, 0].numpy()]


@pytest.mark.parametrize("kind", LOADERS)
@pytest.mark.parametrize(("shape", "density"), [((200, 171), 0.05), ((33, 95), 0.001), ((1, 40), 0.5)])
def test_models_agree_with_torch(kind, shape, density):
    plane = PLANE[: shape[0], : shape[1]]
    wanted = by_torch(load_network(kind.removesuffix("2"), shipped(f"{kind}.npz")), plane, density)
    for one, two in zip(outputs(LOADERS[kind](), plane, density), wanted, strict=True):
        np.testing.assert_allclose(one, two, atol=1e-4 if kind == "mask" else 1e-3)


@pytest.mark.parametrize(("version", "most"), [(1, 0.1), (2, 1.0)])
def test_tiles_of_the_tree_network_hardly_show(version, most, monkeypatch):
    """Its margin is less than what it sees."""
    plane = np.tile(data.camera(), (1, 2))[40:392, :600].astype(np.float64)
    model = load_tree_model(version=version)
    whole = model(plane, 0.04)
    monkeypatch.setattr(predictors, "TILE", 64)
    shown = [np.abs(one - two).max() for one, two in zip(whole, model(plane, 0.04), strict=True)]
    assert 0 < max(shown) < most


def test_the_lighter_tree_network_says_nearly_what_the_other_does(tree_model):
    plane = np.kron(PLANE, np.ones((2, 2)))
    one, two = (tree_from_scores(model(plane, 0.02), plane.shape, 5000) for model in (tree_model, LOADERS["tree2"]()))
    same = [np.mean(a == b) for a, b in zip(one.splits, two.splits, strict=True)]
    assert min(same) > 0.97
    assert any(share < 1 for share in same)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (37, 1), (50, 71), (130, 64)])
def test_planes_are_seen_at_half_their_resolution(shape, tree_model):
    plane, doubled = PLANE[: shape[0], : shape[1]], PLANE[: shape[0], : shape[1]].repeat(2, axis=0).repeat(2, axis=1)
    found = predictors.halved(tree_model)(doubled, 0.01)
    assert [level.shape for level in found] == [(-(-2 * shape[0] // s), -(-2 * shape[1] // s)) for s in SIDES]
    for one, two in zip(found[:4], tree_model(plane, 0.04)[1:], strict=True):
        assert np.array_equal(one, two)
    odd = predictors.halved(tree_model)(plane, 0.4)
    assert [level.shape for level in odd] == [(-(-shape[0] // s), -(-shape[1] // s)) for s in SIDES]
    assert all(np.isfinite(level).all() for level in odd)


def test_cells_of_side_two_are_split_where_the_plane_itself_has_detail(tree_model):
    plane = np.full((128, 128), 90.0)
    plane[51, 70] = 250
    finest = predictors.halved(tree_model)(plane, 0.003)[-1]
    assert np.unravel_index(finest.argmax(), finest.shape) == (25, 35)
    assert np.count_nonzero(finest == finest.max()) == 1


def test_large_pictures_are_seen_at_half_their_resolution_where_few_leaves_are_wanted():
    asked = []

    def model(name):
        def splits(plane, density):
            asked.append((name, plane.shape, density))
            return [np.zeros(tuple(-(-n // side) for n in plane.shape), dtype=np.float32) for side in SIDES]

        splits.prepare = lambda: None
        return splits

    large = predictors.for_large_pictures(model("one"), model("lighter"))
    for density in (predictors.SPARSE, 1.1 * predictors.SPARSE):
        assert [level.shape for level in large(PLANE, density)] == [(256 // side, 256 // side) for side in SIDES]
    assert asked == [
        ("one", (128, 128), pytest.approx(4 * predictors.SPARSE)),
        ("lighter", (256, 256), pytest.approx(1.1 * predictors.SPARSE)),
    ]


@pytest.mark.parametrize("limits", [{"PART": (32, 64)}, {"TILE": (128, 192)}, {"PART": (64, 256), "TILE": (256, 608)}])
def test_neither_parts_nor_tiles_of_the_mask_network_show(limits, mask_model, monkeypatch):
    plane = np.tile(data.camera(), (1, 2))[40:330, :590].astype(np.float64)
    placed = np.random.default_rng(0).random(plane.shape) < 0.02
    of = mask_model.of(plane, 0.04)
    whole = of(), of(placed)
    for name, value in limits.items():
        monkeypatch.setattr(masks, name, value)
    for one, two in zip(whole, (of(), of(placed)), strict=True):
        assert np.abs(one - two).max() < 1e-4


@pytest.mark.parametrize(("shape", "density"), [((120, 171), 0.05), ((33, 95), 0.01), ((1, 40), 0.5)])
def test_later_passes_agree_with_torch_and_know_what_is_placed(mask_model, shape, density):
    plane = PLANE[: shape[0], : shape[1]]
    placed = np.random.default_rng(1).random(shape) < density / 2
    found = mask_model.of(plane, density)(placed)
    told = torch.from_numpy(placed.astype(np.float32))[None, None]
    with torch.inference_mode():
        wanted = load_network("mask")(
            torch.from_numpy(plane.astype(np.float32))[None, None], torch.tensor([density]), told
        )
    np.testing.assert_allclose(found, wanted[0, 0].numpy(), atol=1e-4)
    assert not found[placed].any()
    assert found.sum(dtype=np.float64) == pytest.approx(density * plane.size - placed.sum(), rel=1e-4)


def test_a_network_of_one_pass_is_told_nothing():
    model = load_mask_model(shipped("surrogate.npz"))
    assert not model.passes
    with pytest.raises(DinpError, match="in one pass"):
        model.of(PLANE, 0.05)(np.zeros(PLANE.shape, dtype=bool))


def test_planes_are_cut_in_parts_that_differ_by_a_root_at_most():
    for side in (32, 1280, 1312, 3840, 4000):
        for most in (predictors.TILE, 1024):
            parts = planes.parts(side, most)
            assert parts[0].start == 0
            assert parts[-1].stop == side
            sizes = [part.stop - part.start for part in parts]
            assert max(sizes) <= most
            assert max(sizes) - min(sizes) <= 32
            assert all(size % 32 == 0 for size in sizes)


@pytest.mark.parametrize(("kind", "config"), SMALL.items())
def test_networks_of_another_form_are_run_too(kind, config, tmp_path):
    torch.manual_seed(2)
    network = NETWORKS[kind](**config)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, 0, 0.2)
    save_weights(tmp_path / "weights.npz", kind, network.config, network.state_dict())
    plane = PLANE[:70, :50]
    wanted = by_torch(load_network(kind, tmp_path / "weights.npz"), plane, 0.05)
    for one, two in zip(outputs(LOADERS[kind](tmp_path / "weights.npz"), plane, 0.05), wanted, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-3, atol=1e-3)


def test_networks_of_another_form_need_onnx(tmp_path, monkeypatch):
    network = NETWORKS["mask"](**SMALL["mask"])
    save_weights(tmp_path / "weights.npz", "mask", network.config, network.state_dict())
    monkeypatch.delitem(sys.modules, "dinp.models.weights.export", raising=False)
    monkeypatch.delitem(sys.modules, "dinp.models.networks.graph", raising=False)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(DinpError, match="need the package onnx"):
        load_mask_model(tmp_path / "weights.npz")(PLANE, 0.05)


def test_models_are_run_without_torch():
    code = "import numpy, sys, dinp.models as m; plane = 9 * numpy.eye(64); m.load_tree_model()(plane, 0.1)"
    code += "; m.learned_mask(plane, 0.1); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


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
