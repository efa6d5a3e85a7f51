"""The classical pruning inside the tree network is the codec's, batched and differentiable around."""

import numpy as np
import pytest
import torch
from skimage import data

from dinp.encoder.pyramid import detail_gains, pruned_tree_of_size
from dinp.models.networks import hints as numpy_hints
from dinp.models.networks.pruning import critical_costs, gains, hints
from dinp.models.networks.tree import TreeNetwork
from dinp.models.networks.unet import standardised

PLANES = np.stack([data.camera()[y : y + 128, 150:278] for y in (80, 250)]).astype(np.float64)
TENSOR = torch.from_numpy(PLANES)[:, None].float()


def test_gains_are_the_detail_energies_of_the_codec():
    for i, plane in enumerate(PLANES):
        for mine, theirs in zip(gains(TENSOR, 5)[::-1], detail_gains(plane, 5), strict=True):
            np.testing.assert_allclose(mine[i, 0], theirs, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("density", [0.01, 0.04, 0.12])
def test_hints_are_positive_where_the_pruned_tree_of_that_size_splits(density):
    clues = hints(standardised(TENSOR), torch.tensor([density, density]))[::-1]
    for i, plane in enumerate(PLANES):
        tree = pruned_tree_of_size(detail_gains(plane, 5), plane.shape, round(density * plane.size))
        exists = np.ones(tree.splits[0].shape, dtype=bool)
        same, cells = 0, 0
        for clue, split in zip(clues, tree.splits, strict=True):
            same += np.count_nonzero(((clue[i, 0].numpy() > 0) == split) & exists)
            cells += np.count_nonzero(exists)
            exists = split.repeat(2, axis=0).repeat(2, axis=1)
        assert same > 0.96 * cells


@pytest.mark.parametrize("density", [0.002, 0.04, 0.3])
def test_hints_are_the_same_in_numpy(density, monkeypatch):
    monkeypatch.setattr(numpy_hints, "STRIP", 32 * 128)  # some rows of roots at a time
    planes = standardised(TENSOR)
    wanted = hints(planes, torch.tensor([density, density]))
    for i in range(len(PLANES)):
        for one, two in zip(numpy_hints.hints(planes[i, 0].numpy(), density), wanted, strict=True):
            np.testing.assert_allclose(one, two[i, 0].numpy(), atol=2e-4)


@pytest.mark.parametrize("shape", [(32, 32), (32, 320), (352, 64), (96, 128)])
def test_the_kernel_gives_the_numbers_of_numpy(shape, monkeypatch):
    if numpy_hints.kernels is None:
        pytest.skip("the kernels are not built")
    plane = np.resize(PLANES[0], shape).astype(np.float32) / 50
    plane[: shape[0] // 3] *= 1e-4  # costs below the grid, others above
    plane[-8:] *= 20
    found = numpy_hints.hints(plane, 0.04)
    monkeypatch.setattr(numpy_hints, "kernels", None)
    for one, two in zip(found, numpy_hints.hints(plane, 0.04), strict=True):
        assert one.dtype == two.dtype == np.float32
        assert np.array_equal(one, two)


def test_a_cell_without_grandchildren_is_split_while_its_gain_pays_three_leaves():
    gain = [torch.tensor([[[[3.0, 12.0]]]])]
    costs = 2 ** critical_costs(gain)[0].flatten()
    assert costs[0] == pytest.approx(1, rel=0.15)
    assert costs[1] == pytest.approx(4, rel=0.15)


def test_a_worthless_cell_is_split_for_the_sake_of_its_children():
    gain = [torch.full((1, 1, 2, 2), 3.0), torch.zeros((1, 1, 1, 1))]
    costs = 2 ** critical_costs(gain)[1].flatten()
    assert costs[0] == pytest.approx(12 / 15, rel=0.15)  # 12 of energy for 15 leaves


def test_critical_costs_fall_when_the_gain_does():
    gain = gains(standardised(TENSOR), 5)
    more, less = (critical_costs([factor * g for g in gain]) for factor in (1.0, 0.3))
    for a, b in zip(more, less, strict=True):
        assert (b <= a + 1e-4).all()


@pytest.mark.parametrize("value", [0.0, 255.0])
def test_a_flat_plane_has_finite_hints(value):
    clues = hints(torch.full((1, 1, 64, 64), value), torch.tensor([0.05]))
    assert all(torch.isfinite(clue).all() for clue in clues)


def test_an_untrained_network_follows_the_hints():
    torch.manual_seed(0)
    network = TreeNetwork(widths=(8, 8, 8, 8, 8), hidden=8)
    density = torch.tensor([0.05, 0.05])
    plain = TreeNetwork(widths=(8, 8, 8, 8, 8), hidden=8, hinted=False)
    clue = hints(standardised(TENSOR), density)[0][:, 0].flatten()
    logits, without = (n(TENSOR, density)[-1].detach().flatten() for n in (network, plain))
    correlation = [float(torch.corrcoef(torch.stack((clue, x)))[0, 1]) for x in (logits, without)]
    assert correlation[0] > 0.9
    assert correlation[0] > correlation[1]
