"""Crops of one size that a mask network sees in several: what it is told, and what it is to answer."""

import numpy as np
import pytest
import torch
from conftest import smooth_plane

from dinp.diffusion.inpaint import Inpainter
from dinp.models.masks.analytic import random_mask
from dinp.models.networks.mask import NO_MARGINS, MaskNetwork, exact_mean, inner
from dinp.models.training import surrogate_batches
from dinp.models.training.imitation_losses import mask_imitation_loss
from dinp.models.training.sizes import framed, mirrored


def test_crops_are_seen_in_several_sizes_with_their_own_densities():
    rng = np.random.default_rng(0)
    planes, density = torch.rand(2, 1, 96, 96) * 255, torch.tensor([0.1, 0.2])
    parts = torch.rand(2, 96, 96)
    placed, missing = (parts < 0.05).float(), (parts > 0.9).float()
    planes = planes.where(parts[:, None] <= 0.9, 300.0).where(parts[:, None] >= 0.05, 400.0)  # where points are
    windows, around = set(), set()
    for _ in range(600):
        (seen, wanted, (known,), (others,)), margins = framed(planes, density, [placed], [missing], rng)
        torch.testing.assert_close((seen[:, 0] == 400).float(), known)
        torch.testing.assert_close((inner(seen, margins)[:, 0] == 300).float(), others)
        if margins != NO_MARGINS:
            torch.testing.assert_close(inner(seen, margins), planes)
            around.update(margins)
        if others.shape == missing.shape:
            torch.testing.assert_close(wanted, density)
        else:
            torch.testing.assert_close(wanted, (known + others).mean(dim=(1, 2)))
            windows.add(others.shape[-2:])
    assert around == {0, 16, 32, 64}
    sides = (16, 32, 48, 64, 80)
    assert windows == {(height, width) for height in sides for width in sides}


def test_a_mirrored_crop_has_the_inpainting_of_the_crop():
    plane, mask = smooth_plane((40, 48), seed=1), random_mask(np.zeros((40, 48)), 0.1)
    margins = (8, 24, 0, 40)
    wide, known = (mirrored(torch.from_numpy(a.astype(np.float64)), margins) for a in (plane, mask))
    assert wide.shape == known.shape == (80, 80)
    alone, within = Inpainter(mask).solve(plane), Inpainter(known.numpy() > 0).solve(wide.numpy())
    np.testing.assert_allclose(inner(within, margins), alone, atol=0.1)
    np.testing.assert_array_equal(wide, np.pad(plane, ((0, 40), (8, 24)), mode="symmetric"))


def test_it_can_be_made_sure_that_a_size_is_another():
    rng = np.random.default_rng(0)
    plane = torch.rand(1, 1, 48, 48)
    same = 0
    for _ in range(100):
        (_, _, _, (wanted,)), margins = framed(plane, torch.tensor([0.1]), [], [plane[:, 0]], rng, share=0.5)
        same += wanted.shape == (1, 48, 48) and margins == NO_MARGINS
    assert same <= 3  # no margin at any of the four sides


def test_imitation_judges_what_is_inside_the_margins():
    torch.manual_seed(0)
    network = MaskNetwork((4, 4, 4, 4, 4)).eval()
    plane, density, label = torch.rand(1, 1, 40, 48) * 255, torch.tensor([0.1]), (torch.rand(1, 20, 40) < 0.1).float()
    with torch.inference_mode():
        loss, _ = mask_imitation_loss(network, plane, density, [label], (0, 8, 4, 16))
        c = exact_mean(network.logits(plane, density)[..., 4:24, :40], density)[:, 0]
    expected = torch.nn.functional.binary_cross_entropy(c, label)
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=0)


def test_pictures_alone_are_cropped_in_several_sizes_of_equal_cost():
    rng = np.random.default_rng(0)
    planes = [np.zeros((300, 280), dtype=np.uint8), np.zeros((260, 400), dtype=np.uint8)]
    found = {surrogate_batches.draw(planes, rng)[0].shape for _ in range(60)}
    assert {shape[-1] for shape in found} == {64, 96, 128, 192, 256}
    assert all(np.prod(shape) == pytest.approx(8 * 128**2, rel=0.15) for shape in found)
    mixed = [np.zeros((130, 400), dtype=np.uint8), np.ones((200, 200), dtype=np.uint8)]
    found = {(crops.shape[-1], crops.max()) for crops, _ in (surrogate_batches.draw(mixed, rng) for _ in range(60))}
    assert {side for side, _ in found} == {64, 96, 128, 192}  # 256 fits in none of them, 192 in one
    assert (192, 1.0) in found
    assert (192, 0.0) not in found
