"""Training of the restoration network: data made by the real encoder, a few steps by the command, resuming."""

import json
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import dinp_command
from PIL import Image
from restoration_reference import NumpyNetwork

import dinp
from dinp.errors import DinpError
from dinp.models.networks.restoration import RestorationNetwork
from dinp.models.training import restoration_crops, restoration_data, train_restoration
from dinp.models.training.optimisers import OPTIMISERS
from dinp.restoration import DecodedPlane, Restoration

NEEDS_MUON = pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="torch has no Muon")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two training pictures and one for tuning, coded as they are in a real run."""
    from skimage.data import astronaut

    root = tmp_path_factory.mktemp("data")
    for k, place in enumerate(("train/bsds/a.png", "train/cid22/b.png", "tune/cid22/c.png")):
        (root / place).parent.mkdir(parents=True)
        Image.fromarray(astronaut()[100 * k : 100 * k + 150, 120:280]).save(root / place)
    for name in ("train", "tune"):
        arguments = ["--data", str(root), "--set", name, "--seed", "3", "--out", str(root / f"{name}.npz")]
        assert dinp_command("train", "restoration-data", *arguments) == 0
    return root


def run(folder, out, *more):
    arguments = [folder / "train.npz", "--data", folder, "--tune", folder / "tune.npz", "--out", out]
    return dinp_command("train", "restoration", *arguments, "--widths", "8,8,8,8", "--no-bf16", *more)


def test_qualities_and_the_share_of_colour_may_be_chosen(folder, tmp_path):
    arguments = ["--data", folder, "--set", "tune", "--out", tmp_path / "files.npz", "--qualities", "30,30"]
    for share in (0, 1):
        assert dinp_command("train", "restoration-data", *arguments, "--colour", share) == 0
        ((turn, file),) = zip(*restoration_data.load(tmp_path / "files.npz"), strict=True)
        assert turn.colour == bool(share)
        luma = dinp.info(file)["planes"][0]
        assert luma["step"] == pytest.approx(2.0 ** (6 * 0.7), rel=0.05)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--qualities", "40,30"], 1, "qualities go from"),
        (["--qualities", "nan,30"], 2, "'nan' is not a number from 0 to 100"),
        (["--qualities", "30"], 2, "2 values"),
        (["--colour", "30"], 2, "'30' is not a number from 0 to 1"),
        (["--colour", "nan"], 2, "'nan' is not a number from 0 to 1"),
    ],
)
def test_qualities_and_shares_out_of_range_are_an_error(folder, tmp_path, arguments, code, message, capsys):
    given = ["--data", folder, "--set", "tune", "--out", tmp_path / "files.npz", *arguments]
    assert dinp_command("train", "restoration-data", *given) == code
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_planes_with_barriers_are_no_examples():
    drawing = np.full((40, 50), 40, dtype=np.uint8)
    drawing[8:30, 12:40] = 200
    data = dinp.encode(drawing, quality=50)
    assert dinp.info(data)["planes"][0]["structure"] == "barriers"
    assert restoration_data.examples(drawing, data) == []


def test_examples_are_what_the_decoder_has(folder):
    names, examples = restoration_data.load_examples(folder, [folder / "train.npz"])
    assert set(names) == {"train/bsds/a.png", "train/cid22/b.png"}
    for example in examples:
        assert example.original.shape == example.decoded.mask.shape
        error = np.mean((example.original - example.decoded.reconstruction) ** 2)
        assert 0 < error < 0.5 * np.var(example.original.astype(float))


def test_pictures_may_be_coded_with_the_shipped_restoration_in_view(folder, tmp_path):
    arguments = ["--data", folder, "--set", "tune", "--seed", 3, "--out", tmp_path / "files.npz", "--restore"]
    assert dinp_command("train", "restoration-data", *arguments) == 0
    (turn, plain), (again, restored) = (
        next(zip(*restoration_data.load(path), strict=True)) for path in (folder / "tune.npz", tmp_path / "files.npz")
    )
    assert turn == again
    named = [[plane["restoration"] for plane in dinp.info(file)["planes"]] for file in (plain, restored)]
    assert not any(named[0])
    assert any(named[1])
    _, (example, *_) = restoration_data.load_examples(folder, [tmp_path / "files.npz"])
    assert np.isfinite(example.decoded.reconstruction).all()


def test_training_lowers_the_loss_and_writes_weights(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(train_restoration, "PIXELS", 4 * 128**2)
    assert run(folder, tmp_path, "--steps", "60") == 0
    curve = json.loads((tmp_path / "curve.json").read_text())
    assert curve["step"] == 60
    assert curve["config"] == {"widths": [8, 8, 8, 8]}
    crops = train_restoration.Crops(restoration_data.load_examples(folder, [folder / "train.npz"])[1])
    x, target, weight = train_restoration.to_tensors(*crops.draw(16, np.random.default_rng(0)), "cpu")
    from dinp.models.weights.hub import load_network

    network = load_network("restoration", tmp_path / "weights.npz")
    losses = [((y - target).square().mean(dim=(1, 2, 3)) * weight).mean() for y in (network(x).detach(), 0 * target)]
    assert losses[0] < losses[1]


@pytest.mark.parametrize("optimiser", ["adamw", pytest.param("muon", marks=NEEDS_MUON)])
def test_training_goes_on_from_a_checkpoint(folder, tmp_path, optimiser, capsys):
    which = ["--optimiser", optimiser]
    assert run(folder, tmp_path, "--steps", "2", *which) == 0
    assert run(folder, tmp_path, "--steps", "3", "--resume", *which) == 0
    assert [row["step"] for row in json.loads((tmp_path / "curve.json").read_text())["curve"]] == [2, 3]
    if optimiser == "muon":
        assert run(folder, tmp_path, "--steps", "4", "--resume") == 1
        assert "another optimiser" in capsys.readouterr().err
    assert run(folder, tmp_path, "--steps", "4", "--resume", *which, "--widths", "8,8,8,16") == 1
    assert "other widths" in capsys.readouterr().err


def test_a_wider_network_begins_with_what_a_narrower_one_has_learned(folder, tmp_path):
    from dinp.models.weights.hub import load_network, save_weights

    torch.manual_seed(0)
    narrow, wide = RestorationNetwork((8, 8, 8, 8)), RestorationNetwork((8, 12, 16, 10))
    with torch.no_grad():
        for tensor in narrow.parameters():
            tensor.copy_(0.1 * torch.randn_like(tensor))
    x = torch.randn(1, 10, 16, 24)
    save_weights(tmp_path / "narrow.npz", "restoration", narrow.config, narrow.state_dict())
    stored = load_network("restoration", tmp_path / "narrow.npz")
    weights = {name: tensor.numpy() for name, tensor in stored.state_dict().items()}
    train_restoration.widen(wide, weights)
    with torch.inference_mode():
        assert stored(x).abs().mean() > 0.01
        assert torch.allclose(wide(x), stored(x), atol=1e-5)
    arguments = ["--steps", "1", "--crop", "64", "--start", str(tmp_path / "narrow.npz")]
    assert run(folder, tmp_path / "out", *arguments) == 0
    assert json.loads((tmp_path / "out" / "curve.json").read_text())["crop"] == 64
    assert run(folder, tmp_path / "out", *arguments, "--resume") == 1
    with pytest.raises(DinpError, match="wider"):
        train_restoration.widen(RestorationNetwork((8, 8, 8, 4)), weights)


def test_crops_lie_as_the_cells_of_whole_planes_do(folder):
    crops = train_restoration.Crops(restoration_data.load_examples(folder, [folder / "train.npz"])[1], 64)
    for x in crops.inputs:  # the place of each of the network's pixels in its blocks of stride 16
        x[0], x[3] = np.mgrid[: x.shape[1], : x.shape[2]] % 8
    x, _, _ = train_restoration.to_tensors(*crops.draw(16, np.random.default_rng(0)), "cpu")
    place = np.sort(x[:, [0, 3]].numpy(), axis=1)  # a transposed crop has them in exchange
    assert np.array_equal(place, np.broadcast_to(np.sort(np.mgrid[:32, :32] % 8, axis=0), place.shape))


def test_planes_of_low_rates_may_be_drawn_more_often(folder):
    found = restoration_data.load_examples(folder, [folder / "train.npz"])[1]
    low, high = restoration_crops.LOW_RATES
    found = [
        replace(e, decoded=replace(e.decoded, step=step)) for e in found for step in (low / 2, low, high, high * 2)
    ]
    even, more = (train_restoration.Crops(found, 64, factor).share for factor in (1.0, 3.0))
    ratio = (more / even).reshape(-1, 4)
    assert np.allclose(ratio[:, 1:3] / ratio[:, [0, 3]], 3.0)


@NEEDS_MUON
def test_muon_goes_on_where_it_stopped():
    def network():
        torch.manual_seed(1)
        return RestorationNetwork((8, 8, 8, 8)).to(memory_format=torch.channels_last)

    def step(network, optimiser):
        torch.manual_seed(2)
        network(torch.randn(1, 10, 16, 16)).sub(1).square().sum().backward()
        optimiser.step()
        optimiser.zero_grad()

    first, second = network(), network()
    one, two = (OPTIMISERS["muon"](n, lr=1e-2, weight_decay=0.1) for n in (first, second))
    step(first, one)
    step(first, one)
    second.load_state_dict(first.state_dict())
    two.load_state_dict(deepcopy(one.state_dict()))
    step(first, one)
    step(second, two)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


@NEEDS_MUON
def test_muon_needs_a_network_that_is_channels_last():
    with pytest.raises(RuntimeError, match="view"):
        OPTIMISERS["muon"](RestorationNetwork((8, 8, 8, 8)), lr=1e-3, weight_decay=0.0)


def test_a_torch_without_muon_says_so(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.delattr(torch.optim, "Muon", raising=False)
    assert run(folder, tmp_path, "--steps", "1", "--optimiser", "muon") == 1
    assert "muon needs torch 2.9" in capsys.readouterr().err


def test_the_network_may_be_compiled(folder, tmp_path, monkeypatch):
    compiled = []

    def compile_(network):
        compiled.append(network)
        return network

    monkeypatch.setattr(torch, "compile", compile_)
    assert run(folder, tmp_path, "--steps", "1", "--compile") == 0
    assert len(compiled) == 1
    assert json.loads((tmp_path / "curve.json").read_text())["compiled"] is True


def test_without_a_compiler_that_is_an_error(folder, tmp_path, monkeypatch, capsys):
    def compile_(network):
        def call(x):
            raise RuntimeError("no compiler\nmore about it")

        return call

    monkeypatch.setattr(torch, "compile", compile_)
    assert run(folder, tmp_path, "--steps", "1", "--compile") == 1
    assert capsys.readouterr().err == "Error: torch cannot compile the network here: no compiler\n"


@pytest.mark.parametrize("factor", ["0", "inf", "nan", "-1"])
def test_low_rates_are_a_factor(folder, tmp_path, factor, capsys):
    assert run(folder, tmp_path, "--low-rates", factor) == 2
    assert f"Invalid value for '--low-rates': '{factor}' is not a number above 0" in capsys.readouterr().err


@NEEDS_MUON
def test_muon_makes_steps_of_one_size_in_all_directions():
    torch.manual_seed(0)
    network = RestorationNetwork((8, 8, 8, 8)).to(memory_format=torch.channels_last)
    before = {name: tensor.clone() for name, tensor in network.named_parameters()}
    optimiser = OPTIMISERS["muon"](network, lr=1e-3, weight_decay=0.0)
    kernel = network.encode[0].first.weight
    gradient = torch.randn(8, 1) @ torch.randn(1, 72) + 0.01 * torch.randn(8, 72)
    kernel.grad = gradient.reshape(8, 3, 3, 8).permute(0, 3, 1, 2)
    network.stem.bias.grad = torch.ones(8)
    optimiser.step()
    change = (kernel - before["encode.0.first.weight"]).detach().permute(0, 2, 3, 1).reshape(8, 72)
    sizes = torch.linalg.svdvals(change)
    assert sizes[-1] > 0.5 * sizes[0]  # of the gradient: less than a tenth
    assert (change * gradient).sum() < 0
    assert torch.allclose(network.stem.bias - before["stem.bias"], torch.full((8,), -1e-3), atol=1e-6)
    same = [name for name, tensor in network.named_parameters() if torch.equal(tensor, before[name])]
    assert len(same) == len(before) - 2
    optimiser.zero_grad()
    assert all(p.grad is None for p in network.parameters())


def test_transposed_crops_are_crops_of_the_transposed_plane():
    rng = np.random.default_rng(0)
    x = rng.random((10, 6, 6)).astype(np.float32)
    x[8], x[9] = 1, 2
    block = np.zeros((12, 12))
    block[0::2, 0::2], block[0::2, 1::2], block[1::2, 0::2], block[1::2, 1::2] = x[:4]
    turned = x[restoration_crops.TRANSPOSED].transpose(0, 2, 1)
    assert np.array_equal(turned[1], block.T[0::2, 1::2])
    assert np.array_equal(turned[2], block.T[1::2, 0::2])


def test_missing_files_are_an_error(tmp_path, capsys):
    with pytest.raises(DinpError, match="no pictures"):
        restoration_data.pictures(tmp_path)
    with pytest.raises(DinpError, match="holds no coded"):
        restoration_data.load(tmp_path / "none.npz")
    assert run(tmp_path, tmp_path / "out") == 1
    assert "holds no coded" in capsys.readouterr().err


def test_the_network_starts_without_an_effect():
    network = RestorationNetwork((8, 8, 8, 8))
    weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    mask = np.eye(20, dtype=bool)
    plane = DecodedPlane(np.full((20, 20), 77.0), mask, np.full((20, 20), 3, np.uint8), 4.0)
    assert np.array_equal(Restoration(NumpyNetwork(weights), 1)(plane), plane.reconstruction)
