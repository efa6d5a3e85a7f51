"""The two-network system: the surrogate of the inpainting, the losses, joint training by the command, its masks."""

import json

import numpy as np
import pytest
import torch
from conftest import dinp_command, printed_by_two_processes, smooth_plane
from PIL import Image

from dinp.diffusion.inpaint import Inpainter
from dinp.errors import DinpError
from dinp.models.masks.analytic import analytic_mask, random_mask
from dinp.models.masks.binarise import best_of_samples, binarise, error_diffusion
from dinp.models.masks.surrogate import surrogate_mask
from dinp.models.networks.inpainting import InpaintingNetwork, laplacian, residual
from dinp.models.networks.mask import MaskNetwork
from dinp.models.training import run, surrogate_batches, surrogate_validation, train_surrogate
from dinp.models.training.surrogate_losses import masked_inpainting_loss, residual_loss, unevenness
from dinp.models.weights.hub import load_network
from dinp.models.weights.mask_model import load_mask_model


def tensor(*planes):
    return torch.from_numpy(np.stack(planes)[:, None].astype(np.float32))


def mean_error(plane, mask):
    return float(np.mean((Inpainter(mask).solve(plane) - plane) ** 2))


@pytest.fixture(scope="module")
def camera():
    from skimage.data import camera

    return camera().astype(np.float64)


def test_a_reconstruction_has_the_pictures_shape(shape):
    torch.manual_seed(0)
    network = InpaintingNetwork((4, 4, 4))
    confidence = tensor(np.random.default_rng(0).random(shape), np.ones(shape))
    u = network(100 * confidence, confidence).detach()
    assert (u.shape, u.dtype) == (confidence.shape, torch.float32)
    torch.testing.assert_close(u, torch.full_like(u, 100.0), atol=0.01, rtol=0)  # a flat picture stays flat


def test_known_pixels_are_kept_and_grey_values_may_be_scaled_and_shifted():
    torch.manual_seed(0)
    network = InpaintingNetwork((4, 4))
    for correction in network.corrections:
        torch.nn.init.normal_(correction.head.weight, std=0.1)
    plane = smooth_plane((40, 50), seed=1)
    mask = random_mask(plane, 0.1)
    f, c = tensor(plane), tensor(mask)
    with torch.no_grad():
        u, changed = network(c * f, c), network(c * (2 * f + 9), c)
    assert float((u - f)[c > 0].abs().max()) < 0.01
    torch.testing.assert_close(changed, 2 * u + 9, atol=0.3, rtol=0)


def test_a_solution_by_the_solver_leaves_no_residual():
    plane = smooth_plane((48, 70), seed=2)
    mask = random_mask(plane, 0.05)
    f, c = tensor(plane), tensor(mask)
    solution = tensor(Inpainter(mask).solve(plane, tol=1e-5))
    assert float(residual(solution, c * f, c).abs().max()) < 1e-3
    assert float(residual(solution + 1, c * f, c).abs().max()) > 0.9  # a constant is no error of the Laplacian's
    loss, part = residual_loss(solution, c * f, c, f)
    worse, worse_part = residual_loss(InpaintingNetwork().guess(c * f, c).detach(), c * f, c, f)
    assert loss < worse - 3
    assert part < 1e-6 < worse_part


def test_the_laplacian_reflects_at_the_boundary():
    assert laplacian(torch.full((1, 1, 3, 4), 7.0)).abs().max() == 0
    u = torch.arange(4.0).repeat(3, 1)[None, None]
    assert laplacian(u)[0, 0].tolist() == [[1, 0, 0, -1]] * 3


def test_the_residual_of_a_partly_known_pixel_weighs_both_equations():
    u, f = torch.tensor([[[[0.0, 8.0]]]]), torch.tensor([[[[4.0, 8.0]]]])
    c = torch.tensor([[[[0.25, 1.0]]]])
    torch.testing.assert_close(residual(u, c * f, c), torch.tensor([[[[0.75 * 8 + 0.25 * 4, 0.0]]]]))


def test_the_masked_inpainting_loss_rewards_small_errors_decisions_and_no_lattice():
    f = tensor(smooth_plane((64, 64)))
    density = torch.tensor([0.1])
    flat = torch.full_like(f, 0.1)
    decided = tensor(random_mask(np.zeros((64, 64)), 0.1))
    near, far = (masked_inpainting_loss(f + e, f, flat, density, 0.0)[0] for e in (1, 10))
    assert near < far
    soft, hard = (masked_inpainting_loss(f + 1, f, c, density, 1.0)[0] for c in (flat, decided))
    assert hard < soft
    lattice = torch.zeros_like(f)
    lattice[..., ::2, ::2] = 0.4
    assert unevenness(flat, density) < 1e-9 < 0.1 < unevenness(decided, density) + 0.1 < unevenness(lattice, density)


def test_the_error_is_differentiable_in_the_confidences():
    plane = smooth_plane((32, 32), seed=4)
    f = tensor(plane)
    c = tensor(random_mask(plane, 0.1)).requires_grad_(True)
    (InpaintingNetwork((4, 4))(c * f, c) - f).square().mean().backward()
    unknown = c.grad[c == 0]
    assert float((unknown < 0).float().mean()) > 0.4  # confidence where the error is large
    assert float(unknown.mean()) < 0


def test_error_diffusion_of_many_planes_is_that_of_each():
    confidence = np.random.default_rng(1).random((3, 20, 31)) * 0.3
    np.testing.assert_array_equal(error_diffusion(confidence), [error_diffusion(c) for c in confidence])


def test_the_best_of_many_samples_has_the_density_and_the_least_error():
    plane = smooth_plane((40, 48), seed=3)
    confidence = np.full(plane.shape, 0.05)
    masks = [best_of_samples(confidence, plane, 0.05, n, seed=1) for n in (1, 2, 12)]
    assert all(np.count_nonzero(mask) == round(0.05 * plane.size) for mask in masks)
    errors = [mean_error(plane, mask) for mask in masks]
    assert errors[2] < errors[0]
    assert errors[2] <= errors[1] <= errors[0]
    np.testing.assert_array_equal(masks[2], best_of_samples(confidence, plane, 0.05, 12, seed=1))


def test_cell_means_are_those_of_voronoi_cells():
    mask = np.zeros((1, 4, 6), dtype=bool)
    mask[0, 1, 1] = mask[0, 1, 4] = True
    error = torch.arange(24.0).reshape(1, 1, 4, 6)
    means = surrogate_batches.cell_means(error, mask)
    assert means[0, 0, :, :3].unique().tolist() == [error[..., :3].mean().item()]
    assert means[0, 0, :, 3:].unique().tolist() == [error[..., 3:].mean().item()]
    assert torch.equal(surrogate_batches.cell_means(error, np.zeros_like(mask)), torch.zeros_like(error))


def test_the_inpainting_network_learns_on_all_kinds_of_masks_whatever_the_batch():
    rng = np.random.default_rng(0)
    soft = torch.from_numpy(rng.uniform(0.05, 0.2, (1, 1, 32, 32)).astype(np.float32))
    _, binary = surrogate_batches.binarised(soft)
    same = less = soft_too = drawn = 0
    for _ in range(200):
        x = surrogate_batches.between(soft, binary, rng)
        points, others = x[binary > 0], x[binary == 0]
        same += torch.equal(x, binary)
        less += bool((points < 1).all() and not others.any())
        soft_too += bool((others > 0).all())
        drawn += bool(points.min() == 0 and others.max() == 1)
    assert min(same, less, soft_too, drawn) > 3


def test_samples_follow_the_confidences():
    confidence = np.zeros((30, 40))
    confidence[:, :20] = 0.1
    confidence[3, 30] = 1
    mask = best_of_samples(confidence, np.zeros((30, 40)), 61 / 1200, 1)
    assert mask[3, 30]
    assert np.count_nonzero(mask[:, :20]) == 60


@pytest.mark.parametrize(
    ("confidence", "image", "density", "n"),
    [
        (np.full((4, 4), 1.5), np.zeros((4, 4)), 0.5, 1),
        (np.full((4, 4), np.nan), np.zeros((4, 4)), 0.5, 1),
        (np.full((4, 4), 0.5), np.zeros((4, 5)), 0.5, 1),
        (np.full((4, 4), 0.5), np.zeros((4, 4)), 0.0, 1),
        (np.full((4, 4), 0.5), np.zeros((4, 4)), 0.5, 0),
    ],
)
def test_samples_that_cannot_be_drawn_are_refused(confidence, image, density, n):
    with pytest.raises(DinpError):
        best_of_samples(confidence, image, density, n)


@pytest.fixture
def folder(tmp_path, monkeypatch, camera):
    """Parts of one picture, to train on and to validate; smaller crops of one size, batches and a shorter lead."""
    monkeypatch.setattr(surrogate_batches, "CROPS", {64: 4})
    monkeypatch.setattr(train_surrogate, "LEAD", 15)
    monkeypatch.setattr(run, "WARM_UP", 20)
    monkeypatch.setattr(surrogate_validation, "SIZE", 64)
    parts = {"train/bsds/left.png": camera[:, :320], "tune/cid22/right.png": camera[100:200, 330:480]}
    for name, part in parts.items():
        (tmp_path / name).parent.mkdir(parents=True)
        Image.fromarray(part.astype(np.uint8)).save(tmp_path / name)
    return tmp_path


def command(folder, out, *more):
    small = ["--widths", "12,12,12,12,12", "--inpainting-widths", "8,8,8,8"]
    return dinp_command("train", "surrogate", "--data", folder, "--out", folder / out, "--device", "cpu", *small, *more)


def test_joint_training_teaches_the_surrogate_to_inpaint_and_the_mask_network_to_choose(folder, camera, monkeypatch):
    monkeypatch.setattr(surrogate_validation, "DENSITIES", (0.1,))
    assert command(folder, "run", "--steps", "10", "--seed", "3") == 0
    assert command(folder, "run", "--steps", "100", "--seed", "3", "--resume") == 0
    curve = json.loads((folder / "run/curve.json").read_text())
    assert [row["step"] for row in curve["curve"]] == [10, 100]
    assert curve["curve"][1]["inpainting"] < curve["curve"][0]["inpainting"] - 1

    plane = camera[100:200, 330:480]  # not trained on
    confidences = load_mask_model(folder / "run/surrogate.npz")
    assert np.isclose(confidences(plane, 0.1).mean(), 0.1, rtol=1e-3)
    error = mean_error(plane, binarise(confidences(plane, 0.1), density=0.1))
    least_random = min(mean_error(plane, random_mask(plane, 0.1, seed)) for seed in range(5))
    assert 10 * np.log10(least_random / error) > 1

    network = load_network("inpainting", folder / "run/inpainting.npz")
    mask = random_mask(plane, 0.1)
    f, c = tensor(plane), tensor(mask)
    solution = tensor(Inpainter(mask).solve(plane))
    with torch.no_grad():
        untrained, trained = ((n(c * f, c) - solution).square().mean() for n in (InpaintingNetwork(), network))
    assert trained < 0.3 * untrained


def test_weights_are_kept_while_masks_are_worse_than_before(tmp_path):
    make = {"masks": MaskNetwork, "inpainting": InpaintingNetwork}
    of_masks = run.Run.start("surrogate", make, 0, torch.device("cpu"))
    for tonal, written in ((20.0, True), (19.0, False), (20.5, True)):
        of_masks.curve.append({"valid_psnr": [[30 - tonal, tonal], [10.0, 10.0]]})
        train_surrogate.save_weights_of_both(of_masks, tmp_path)
        for name in ("surrogate.npz", "inpainting.npz"):
            assert (tmp_path / name).exists() == written
            (tmp_path / name).unlink(missing_ok=True)


@pytest.fixture
def one_thread():
    """Torch on one thread: the order of its sums, and so the weights, depend on the number of threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
def test_a_resumed_run_ends_where_an_undisturbed_one_does(folder, monkeypatch):
    # what depends on the part of the time that is over
    monkeypatch.setattr(train_surrogate, "LATE", 0)
    monkeypatch.setattr(train_surrogate, "VARIANCE_WEIGHT", 0)
    monkeypatch.setattr(train_surrogate, "LEAD", 1)
    monkeypatch.setattr(run, "learning_rate", lambda step, fraction, warm: 1e-3)
    for out, stops in {"whole": "4", "halves": "2"}.items():
        assert command(folder, out, "--steps", stops) == 0
    assert command(folder, "halves", "--steps", "4", "--resume") == 0
    states = [torch.load(folder / out / "checkpoint.pt", weights_only=True) for out in ("whole", "halves")]
    whole, halves = ({**state["networks"], "average": state["average"]} for state in states)
    for name in ("masks", "inpainting", "average"):
        assert all(torch.equal(whole[name][key], halves[name][key]) for key in whole[name])


def test_a_run_begins_with_the_weights_of_another(folder, monkeypatch):
    monkeypatch.setattr(train_surrogate, "LEAD", 1)
    assert command(folder, "first", "--steps", "3", "--seed", "7") == 0
    start = [folder / "first" / f"{name}.npz" for name in ("surrogate", "inpainting")]
    assert command(folder, "next", "--steps", "1", "--start", *start, "--corrected", "--peak", "1e-6") == 0
    for kind, path in zip(("mask", "inpainting"), start, strict=True):
        before, after = (load_network(kind, p).state_dict() for p in (path, folder / "next" / path.name))
        for key in before:
            torch.testing.assert_close(after[key], before[key], atol=1e-3, rtol=1e-3)  # files are in half precision
    assert command(folder, "next", "--steps", "2", "--start", *start, "--resume") == 1
    other = ["--data", folder, "--out", folder / "wide", "--steps", 1]
    assert dinp_command("train", "surrogate", *other, "--start", *start) == 1


def test_training_needs_pictures_and_something_to_resume(folder, capsys):
    assert command(folder, "new", "--steps", "1", "--resume") == 1
    assert "nothing to resume" in capsys.readouterr().err
    (folder / "new").mkdir(exist_ok=True)
    torch.save({"kind": "tree"}, folder / "new/checkpoint.pt")
    assert command(folder, "new", "--steps", "1", "--resume") == 1
    assert "belongs to a tree network" in capsys.readouterr().err
    assert command(folder / "none", "new", "--steps", "1") == 1
    assert "no pictures" in capsys.readouterr().err


PROCESS = """
import numpy, torch
from dinp.models.training.processes import agreed, processes
from dinp.models.training.run import Run
with processes("cpu") as (device, rank, world):
    run = Run.start("line", {"line": lambda: torch.nn.Linear(2, 1)}, rank, device)  # begins alike in all
    (run.model(torch.ones(1, 2)) * (1 + 2 * rank)).sum().backward()
    begun = agreed(*run.network.weight.detach()[0].tolist(), device=device) == run.network.weight.detach()[0].tolist()
    run.share()
    print(world, begun, run.network.weight.grad.tolist(), agreed(7.0 - rank, device=device))
    print(run.rng.random())
"""


def test_processes_share_gradients_and_numbers_and_draw_on_their_own():
    shared, drawn = zip(*(printed.strip().split("\n") for printed in printed_by_two_processes(PROCESS)), strict=True)
    assert shared == ("2 True [[2.0, 2.0]] [7.0]",) * 2
    assert drawn[0] != drawn[1]


@pytest.mark.parametrize("samples", [0, 2])
def test_the_shipped_masks_have_the_density_at_any_size(samples):
    plane = smooth_plane((45, 61), seed=5)
    mask = surrogate_mask(plane, 0.07, seed=2, samples=samples)
    assert (mask.shape, mask.dtype, np.count_nonzero(mask)) == (plane.shape, np.bool_, round(0.07 * plane.size))
    np.testing.assert_array_equal(mask, surrogate_mask(plane, 0.07, seed=2, samples=samples))


def test_the_shipped_masks_beat_random_and_analytic_ones(camera):
    plane = camera[60:252, 130:322]
    for density in (0.02, 0.05, 0.1):
        error = mean_error(plane, surrogate_mask(plane, density))
        assert error < 0.7 * mean_error(plane, random_mask(plane, density))
        assert error < mean_error(plane, analytic_mask(plane, density))


def test_the_shipped_surrogate_inpaints_like_the_solver(camera):
    plane = camera[60:252, 130:322]
    network = load_network("inpainting")
    mask = analytic_mask(plane, 0.05)
    f, c = tensor(plane), tensor(mask)
    solution = tensor(Inpainter(mask).solve(plane))
    with torch.no_grad():
        off = float((network(c * f, c) - solution).square().mean())
    assert off < 0.05 * float((solution - f).square().mean())
