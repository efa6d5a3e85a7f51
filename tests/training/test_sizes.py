"""Crops of one size that a mask network sees in several: what it is told, and what it is to answer."""

import numpy as np
import pytest
import torch

from dinp.models.networks.mask import NO_MARGINS, MaskNetwork, exact_mean, inner
from dinp.models.training import sizes, surrogate_batches
from dinp.models.training.imitation_losses import mask_imitation_loss
from dinp.models.training.sizes import framed


def test_crops_are_seen_in_several_sizes_with_their_own_densities():
    rng = np.random.default_rng(0)
    planes, density = torch.rand(2, 1, 96, 96) * 255, torch.tensor([0.1, 0.2])
    parts = torch.rand(2, 96, 96)
    placed, missing = (parts < 0.05).float(), (parts > 0.9).float()
    planes = planes.where(parts[:, None] <= 0.9, 300.0)  # where points are missing
    windows, around = set(), set()
    for _ in range(600):
        (seen, wanted, (known,), (others,)), margins = framed(planes, density, [placed], [missing], rng)
        assert known.shape == seen[:, 0].shape
        torch.testing.assert_close((inner(seen, margins)[:, 0] == 300).float(), others)
        if margins != NO_MARGINS:
            torch.testing.assert_close(inner(seen, margins), planes)
            torch.testing.assert_close(inner(known, margins), placed)
        if others.shape == missing.shape:
            torch.testing.assert_close(wanted, density)
            around.update(margins)
        else:
            torch.testing.assert_close(wanted, (known + others).mean(dim=(1, 2)))
            windows.add(others.shape[-2:])
    assert around == {0, 16, 32, 64}
    sides = (16, 32, 48, 64, 80)
    assert windows == {(height, width) for height in sides for width in sides}


def test_margins_are_mirrored_each_at_its_side(monkeypatch):
    monkeypatch.setattr(sizes, "OTHER_SIZES", 0.5)
    rng = np.random.default_rng(1)
    plane = torch.arange(48.0 * 48).reshape(1, 1, 48, 48)
    places = (np.s_[0, 0, 20, 0], np.s_[0, 0, 20, -1], np.s_[0, 0, 0, 20], np.s_[0, 0, -1, 20])
    for _ in range(40):
        (seen, *_), margins = framed(plane, torch.tensor([0.1]), [plane[:, 0]], [plane[:, 0]], rng)
        if margins == NO_MARGINS:
            continue
        left, _, above, _ = margins
        for side, (place, margin) in enumerate(zip(places, margins, strict=True)):
            row, column = (20 - above, margin if side == 0 else 47 - margin)
            if side > 1:
                row, column = (margin if side == 2 else 47 - margin), 20 - left
            row, column = abs(row), abs(column)  # mirrored themselves
            assert seen[place] == plane[0, 0, row, column]


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
    small = [np.zeros((130, 400), dtype=np.uint8)]
    found = {surrogate_batches.draw(small, rng)[0].shape[-1] for _ in range(60)}
    assert found == {64, 96, 128, 130}
