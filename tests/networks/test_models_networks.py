"""The networks: any size, exact mean, levels that are the tree's, and what optimal masks are invariant to."""

import math

import pytest
import torch

from dinp.models.networks.mask import MaskNetwork, exact_mean
from dinp.models.networks.tree import SIDES, TreeNetwork
from dinp.models.networks.unet import STRIDES, UNet, standardised

SHAPES = [(1, 1), (1, 40), (37, 1), (32, 64), (33, 65)]


@pytest.fixture(scope="module")
def mask_network():
    torch.manual_seed(0)
    return _stirred(MaskNetwork(widths=(8, 8, 8, 8, 8), refine=4)).eval()


@pytest.fixture(scope="module")
def tree_network():
    torch.manual_seed(1)
    return _stirred(TreeNetwork(widths=(8, 8, 8, 8, 8), hidden=8)).eval()


def _stirred(network):
    """Residual blocks start as the identity; this makes them take part."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return network


def _planes(shape, count=2, seed=0):
    return 255 * torch.rand((count, 1, *shape), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", SHAPES)
def test_confidences_have_the_wanted_mean_at_any_size(mask_network, shape):
    density = torch.tensor([0.02, 0.6])
    c = mask_network(_planes(shape), density)
    assert c.shape == (2, 1, *shape)
    assert ((c >= 0) & (c <= 1)).all()
    torch.testing.assert_close(c.double().mean(dim=(1, 2, 3)), density.double(), rtol=1e-5, atol=0)


@pytest.mark.parametrize("scale", [0.0, 1.0, 30.0, 1000.0])
@pytest.mark.parametrize("density", [1e-4, 0.05, 0.5, 0.999])
def test_exact_mean_holds_for_flat_and_extreme_logits(scale, density):
    z = scale * torch.randn((3, 1, 20, 30), generator=torch.Generator().manual_seed(3))
    c = exact_mean(z, torch.full((3,), density))
    assert c.double().mean(dim=(1, 2, 3)).tolist() == pytest.approx([density] * 3, rel=1e-4)


def test_exact_mean_keeps_the_order_of_the_logits():
    z = torch.linspace(-3, 3, 50)[None]
    assert (exact_mean(z, torch.tensor([0.1])).diff() > 0).all()


def test_exact_mean_has_the_gradient_of_the_implicit_function():
    z = torch.randn((2, 3, 4), dtype=torch.float64, generator=torch.Generator().manual_seed(4), requires_grad=True)
    density = torch.tensor([0.1, 0.7], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(exact_mean, (z, density), atol=1e-5)


def test_every_weight_of_both_networks_gets_a_gradient(mask_network, tree_network):
    planes, density = _planes((64, 64)), torch.tensor([0.03, 0.08])
    mask_network.zero_grad()
    tree_network.zero_grad()
    mask_network(planes, density).square().sum().backward()
    sum(level.square().sum() for level in tree_network(planes, density)).backward()
    for network in (mask_network, tree_network):
        silent = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
        assert not silent


@pytest.mark.parametrize("shape", SHAPES)
def test_split_logits_have_one_entry_per_cell(tree_network, shape):
    levels = tree_network(_planes(shape), torch.tensor([0.02, 0.1]))
    expected = [(2, math.ceil(shape[0] / side), math.ceil(shape[1] / side)) for side in SIDES]
    assert [tuple(level.shape) for level in levels] == expected
    assert SIDES == (32, 16, 8, 4, 2)


def test_a_cell_is_judged_by_its_own_pixels(tree_network):
    plane = torch.zeros((1, 1, 256, 256))
    plane[..., 64:96, 128:160] = _planes((32, 32), 1)[0]
    levels = tree_network(plane, torch.tensor([0.05]))
    flat = tree_network(plane.roll((128, -96), (-2, -1)), torch.tensor([0.05]))
    for side, level, moved in zip(SIDES, levels, flat, strict=True):
        shifted = level.roll((128 // side, -96 // side), (-2, -1))
        inside = (slice(None), slice(192 // side, 224 // side), slice(32 // side, 64 // side))
        torch.testing.assert_close(moved[inside], shifted[inside], rtol=0.2, atol=0.05)


@pytest.mark.parametrize("change", [lambda x: 0.5 * x, lambda x: x + 90, lambda x: 3 * x - 1000])
def test_confidences_do_not_change_with_scale_and_offset_of_grey_values(mask_network, change):
    planes, density = _planes((48, 48)), torch.tensor([0.02, 0.1])
    torch.testing.assert_close(
        mask_network(change(planes), density), mask_network(planes, density), rtol=0.01, atol=1e-4
    )


def test_the_density_conditions_the_network_and_is_clamped():
    torch.manual_seed(2)
    trunk = _stirred(UNet((8, 8, 8, 8, 8), (0.01, 0.1)))
    planes = _planes((32, 32), 1)
    features = [trunk(planes, torch.tensor([d]))[0] for d in (0.03, 0.05, 0.1, 0.5)]
    assert not torch.allclose(features[0], features[1])
    assert torch.equal(features[2], features[3])


def test_features_come_at_the_strides_of_the_padded_picture():
    features = UNet((4, 5, 6, 7, 8), (0.01, 0.1))(_planes((33, 70), 1), torch.tensor([0.05]))
    assert [tuple(f.shape) for f in features] == [
        (1, width, 64 // stride, 96 // stride) for width, stride in zip((4, 5, 6, 7, 8), STRIDES, strict=True)
    ]


def test_a_flat_plane_stays_flat():
    assert torch.equal(standardised(torch.full((1, 1, 8, 8), 77.0)), torch.zeros((1, 1, 8, 8)))
