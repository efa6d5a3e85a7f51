"""The inpainting as a layer: solution and gradient; training of a mask network through it by the command."""

import json
from functools import partial

import numpy as np
import pytest
import torch
from conftest import dinp_command, printed_by_two_processes, smooth_plane
from PIL import Image

from dinp.diffusion.inpaint import Inpainter
from dinp.errors import DinpError
from dinp.models.masks.analytic import random_mask
from dinp.models.masks.binarise import binarise
from dinp.models.networks.inpainting_layer import LARGEST, inpaint
from dinp.models.networks.mask import MaskNetwork
from dinp.models.training import data, run, surrogate_batches, surrogate_validation, train, train_solver
from dinp.models.weights.hub import load_network
from dinp.models.weights.mask_model import load_mask_model


def tensor(*planes):
    return torch.from_numpy(np.stack(planes)[:, None].astype(np.float32))


@pytest.mark.parametrize("density", [0.01, 0.05, 0.3])
def test_binary_confidences_give_the_inpainting_of_the_solver(density):
    planes = [smooth_plane((70, 90), seed=seed) for seed in (1, 2)]
    masks = [random_mask(plane, density, seed) for seed, plane in enumerate(planes)]
    u = inpaint(tensor(*masks), tensor(*planes), tolerance=1e-5)
    assert (u.shape, u.dtype) == ((2, 1, 70, 90), torch.float32)
    for found, plane, mask in zip(u[:, 0].numpy(), planes, masks, strict=True):
        np.testing.assert_allclose(found, Inpainter(mask).solve(plane), atol=0.1)


def test_values_that_are_not_known_do_not_matter_and_grey_values_may_be_scaled_and_shifted():
    plane = smooth_plane((40, 50), seed=1)
    mask = random_mask(plane, 0.1)
    c, f, other = tensor(mask), tensor(plane), tensor(np.where(mask, plane, 17))
    u = inpaint(c, f, tolerance=1e-5)
    torch.testing.assert_close(inpaint(c, other, tolerance=1e-5), u)
    torch.testing.assert_close(inpaint(c, 2 * f + 9, tolerance=1e-5), 2 * u + 9, atol=0.05, rtol=0)


def test_masks_of_everything_and_of_nothing():
    plane = smooth_plane((20, 30), seed=1)
    full, empty = np.ones_like(plane), np.zeros_like(plane)
    masks = tensor(full, empty).requires_grad_()
    u = inpaint(masks, tensor(plane, plane))
    np.testing.assert_allclose(u[0, 0].detach(), plane, atol=0.1)
    assert not u[1].any()
    u.square().sum().backward()
    assert torch.isfinite(masks.grad).all()


def dense_solution(c, g):
    """The inpainting by a dense matrix in double precision."""
    height, width = c.shape
    w = np.minimum(c, LARGEST) / (1 - np.minimum(c, LARGEST))
    matrix = np.diag(w.ravel())
    number = np.arange(c.size).reshape(c.shape)
    for a, b in ((number[1:], number[:-1]), (number[:, 1:], number[:, :-1])):
        for i, j in zip(a.ravel(), b.ravel(), strict=True):
            matrix[i, i] += 1
            matrix[j, j] += 1
            matrix[i, j] -= 1
            matrix[j, i] -= 1
    return np.linalg.solve(matrix, (w * g).ravel()).reshape(height, width)


def test_the_gradient_is_that_of_the_solution():
    rng = np.random.default_rng(0)
    soft = rng.uniform(0, 0.3, (9, 11))
    c = np.stack([soft, (soft > 0.24) * LARGEST, np.where(soft > 0.2, 0.9, soft)])
    g, wanted = rng.uniform(0, 255, (2, 3, 9, 11))
    c_, g_ = tensor(*c).requires_grad_(), tensor(*g).requires_grad_()
    (inpaint(c_, g_, tolerance=1e-7) - tensor(*wanted)).square().sum().backward()
    for i, y, x in [(i, y, x) for i in range(3) for y, x in ((0, 0), (3, 4), (8, 10), (5, 2))]:
        known = c[i, y, x] > 0.5
        step = (-1e-6 if known else 1e-6) * (1 - c[i, y, x] if known else 1)
        for array, gradient, change in ((c, c_.grad, step), (g, g_.grad, 1e-3)):
            moved = array.copy()
            moved[i, y, x] += change
            errors = [
                np.sum((dense_solution(*(a[i] for a in pair)) - wanted[i]) ** 2)
                for pair in ((c, g), (moved, g) if array is c else (c, moved))
            ]
            expected = (errors[1] - errors[0]) / change
            assert float(gradient[i, 0, y, x]) == pytest.approx(expected, rel=5e-3, abs=1)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Parts of one picture, to train on and to validate; smaller crops and batches."""
    from skimage.data import camera

    picture = camera()
    monkeypatch.setattr(surrogate_batches, "CROPS", {24: 16, 48: 4, 96: 1})
    monkeypatch.setattr(run, "WARM_UP", 20)
    monkeypatch.setattr(surrogate_validation, "SIZE", 64)
    monkeypatch.setattr(surrogate_validation, "DENSITIES", (0.1,))
    parts = {"train/bsds/left.png": picture[:, :320], "tune/cid22/right.png": picture[100:200, 330:480]}
    for name, part in parts.items():
        (tmp_path / name).parent.mkdir(parents=True)
        Image.fromarray(part).save(tmp_path / name)
    return tmp_path


def command(folder, out, *more):
    small = ["--widths", "12,12,12,12,12", "--device", "cpu"]
    return dinp_command("train", "solver", "--data", folder, "--out", folder / out, *small, *more)


def test_a_mask_network_learns_through_the_solver(folder):
    assert command(folder, "run", "--steps", "10", "--seed", "3") == 0
    assert command(folder, "run", "--steps", "70", "--seed", "3", "--resume") == 0
    curve = json.loads((folder / "run/curve.json").read_text())
    assert [row["step"] for row in curve["curve"]] == [0, 10, 70]
    assert curve["curve"][-1]["valid_psnr"][0][1] > curve["curve"][0]["valid_psnr"][0][1] + 1

    plane = np.asarray(Image.open(folder / "tune/cid22/right.png")).astype(np.float64)  # not trained on
    confidences = load_mask_model(folder / "run/weights.npz")
    masks = [binarise(confidences(plane, 0.1), density=0.1), *(random_mask(plane, 0.1, seed) for seed in range(5))]
    errors = [float(np.mean((Inpainter(mask).solve(plane) - plane) ** 2)) for mask in masks]
    assert 10 * np.log10(min(errors[1:]) / errors[0]) > 0.5


@pytest.mark.parametrize("solver_first", [True, False])
def test_trainings_of_different_kinds_are_not_mixed(folder, monkeypatch, solver_first):
    curve = [{"valid_psnr": []} if solver_first else {"valid": 1.0}]
    begun = run.Run.start("mask", {"mask": MaskNetwork}, 1, torch.device("cpu"))
    begun.curve = curve
    begun.save(folder, {})
    crops = data.Labelled(np.zeros((1, 8, 8), np.uint8), [np.zeros((1, 8, 8), np.uint8)], np.ones(1, np.float32))
    monkeypatch.setitem(train.LOADERS, "mask", lambda *_: (crops, crops))
    resume = partial(train.train, "mask") if solver_first else train_solver.train
    with pytest.raises(DinpError, match="through the solver, not" if solver_first else "by imitation, not"):
        resume(folder, folder, steps=1, resume=True)


PROCESS = """
import sys
from pathlib import Path
from dinp.models.training import surrogate_batches
from dinp.models.training import surrogate_validation
from dinp.models.training import train_solver
surrogate_batches.CROPS = {64: 2}
surrogate_validation.SIZE, surrogate_validation.DENSITIES = 64, (0.1,)
folder = Path(sys.argv[1])
run = train_solver.train(folder, folder / "run", steps=3, device="cpu", masks={"widths": (8, 8, 8, 8, 8)})
print(*(p.double().sum().item() for p in run.network.parameters()))
print(run.rng.random())
"""


def test_several_processes_train_one_network_on_crops_of_their_own(folder):
    (first, drawn), (second, other) = (
        printed.split("\n")[:2] for printed in printed_by_two_processes(PROCESS, str(folder))
    )
    assert len(first.split()) > 10
    assert first == second
    assert drawn != other
    curve = json.loads((folder / "run/curve.json").read_text())
    assert (curve["processes"], curve["crops"], curve["step"]) == (2, {"64": 4}, 3)


def test_training_can_begin_with_weights(folder, capsys):
    assert command(folder, "first", "--steps", "2") == 0
    assert command(folder, "second", "--steps", "1", "--start", str(folder / "first/weights.npz")) == 0
    tuning = [surrogate_validation.centre(np.asarray(Image.open(folder / "tune/cid22/right.png")))]
    network = load_network("mask", folder / "first/weights.npz").eval()
    before = json.loads((folder / "second/curve.json").read_text())["curve"][0]
    assert before["valid_psnr"] == surrogate_validation.validate(network, tuning, torch.device("cpu"))
    assert command(folder, "second", "--steps", "3", "--resume", "--start", str(folder / "first/weights.npz")) == 1
    assert "either --resume or --start" in capsys.readouterr().err
    assert command(folder / "none", "new", "--steps", "1") == 1
    assert "no pictures" in capsys.readouterr().err
