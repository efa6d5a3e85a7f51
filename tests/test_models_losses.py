"""The losses of imitation, by hand."""

import numpy as np
import pytest
import torch

from dinp.models import data, losses
from dinp.models.mask_network import CERTAIN, KNOWN


def test_mask_loss_is_the_cross_entropy_per_pixel_of_the_exact_mean_layer():
    class Flat:
        def logits(self, planes, density, given):
            assert given is None
            return torch.full((1, 1, 2, 2), 9.0)

    label = torch.tensor([[[1.0, 0.0], [0.0, 0.0]]])
    loss, parts = losses.mask_loss(Flat(), torch.zeros(1), torch.tensor([0.25]), [label])
    expected = -(np.log(0.25) + 3 * np.log(0.75)) / 4
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    assert parts.tolist() == pytest.approx([expected], rel=1e-5)


def test_mask_loss_leaves_out_the_pixels_that_are_given():
    class Told:
        def logits(self, planes, density, given):
            return torch.where(given[:, KNOWN, None] > 0, CERTAIN, 0.0)

    label = torch.tensor([[[1.0, 0.0], [1.0, 0.0]]])
    given = torch.zeros((1, 3, 2, 2))
    given[0, KNOWN, 0, 0] = 1
    loss, _ = losses.mask_loss(Told(), torch.zeros(1), torch.tensor([0.5]), [label, given])
    assert loss.item() == pytest.approx(-(np.log(1 / 3) + 2 * np.log(2 / 3)) / 4, rel=1e-5)


def test_tree_loss_ignores_cells_that_do_not_exist():
    class Fixed(torch.nn.Module):
        def forward(self, planes, density):
            return [torch.tensor([[[2.0, -50.0]]])]

    labels = [torch.tensor([[[1.0, float(data.ABSENT)]]])]
    loss, parts = losses.tree_loss(Fixed(), torch.zeros(1), torch.zeros(1), labels)
    assert loss.item() == pytest.approx(np.log1p(np.exp(-2.0)), rel=1e-5)
    assert parts.tolist() == pytest.approx([loss.item()])


def test_base_rates_are_entropies():
    crops = data.Labelled(np.zeros((1, 2, 2)), [np.array([[[1, 0], [data.ABSENT, data.ABSENT]]])], np.array([0.5]))
    assert losses.base_rate("tree", crops) == [pytest.approx(np.log(2), abs=1e-5)]
    blind, completing = losses.base_rate("mask", crops)
    assert blind == pytest.approx(np.log(2), abs=1e-5)
    # with 0 to 100 % of the points given, half of the pixels known at most, the mean entropy lies well below
    assert 0.2 * blind < completing < 0.6 * blind
