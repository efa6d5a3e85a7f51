"""The losses of imitation, by hand."""

import numpy as np
import pytest
import torch

from dinp.models.networks.mask import MaskNetwork
from dinp.models.training import data, imitation_losses


def test_mask_imitation_loss_is_the_cross_entropy_per_pixel_of_the_exact_mean_layer():
    class Flat(MaskNetwork):
        def logits(self, planes, density, placed=None):
            return torch.full((1, 1, 2, 2), 9.0)

    label = torch.tensor([[[1.0, 0.0], [0.0, 0.0]]])
    loss, parts = imitation_losses.mask_imitation_loss(Flat(), torch.zeros(1), torch.tensor([0.25]), [label])
    expected = -(np.log(0.25) + 3 * np.log(0.75)) / 4
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    assert parts.tolist() == pytest.approx([expected], rel=1e-5)


def test_tree_loss_ignores_cells_that_do_not_exist():
    class Fixed(torch.nn.Module):
        def forward(self, planes, density):
            return [torch.tensor([[[2.0, -50.0]]])]

    labels = [torch.tensor([[[1.0, float(data.ABSENT)]]])]
    loss, parts = imitation_losses.tree_imitation_loss(Fixed(), torch.zeros(1), torch.zeros(1), labels)
    assert loss.item() == pytest.approx(np.log1p(np.exp(-2.0)), rel=1e-5)
    assert parts.tolist() == pytest.approx([loss.item()])


def test_base_rates_are_entropies():
    crops = data.Labelled(np.zeros((1, 2, 2)), [np.array([[[1, 0], [data.ABSENT, data.ABSENT]]])], np.array([0.5]))
    assert imitation_losses.base_rate("tree", crops) == [pytest.approx(np.log(2), abs=1e-5)]
    assert imitation_losses.base_rate("mask", crops) == [pytest.approx(np.log(2), abs=1e-5)]
