"""Residuals: to bytes and back, at little more than their information, and damaged data."""

import numpy as np
import pytest

from dinp.bitstream.sidecars import read_residual, residual_body
from dinp.entropy.coder import RangeEncoder
from dinp.entropy.residual_coder import MAX_RESIDUAL, encode_residual
from dinp.errors import DinpError


@pytest.mark.parametrize("scale", [0, 0.1, 1, 40, 3000])
def test_residuals_mirror(shape, scale):
    residual = np.rint(np.random.default_rng(0).laplace(0, max(scale, 1e-9), shape)).astype(int)
    unit, again = read_residual(residual_body(residual, 3), shape)
    assert unit == 3
    assert np.array_equal(again, residual)


def test_zeros_cost_next_to_nothing():
    assert len(residual_body(np.zeros((400, 300), int), 1)) < 40


def test_independent_residuals_cost_their_entropy():
    residual = np.rint(np.random.default_rng(1).laplace(0, 1, (200, 200))).astype(int)
    _, counts = np.unique(residual, return_counts=True)
    share = counts / residual.size
    entropy = -(share * np.log2(share)).sum() * residual.size / 8
    assert len(residual_body(residual, 1)) < 1.05 * entropy


def test_smooth_residuals_cost_less_than_their_entropy():
    y, x = np.mgrid[:100, :100]
    residual = np.rint(60 * np.sin(x / 15) * np.cos(y / 20)).astype(int)
    _, counts = np.unique(residual, return_counts=True)
    share = counts / residual.size
    assert len(residual_body(residual, 1)) < 0.6 * -(share * np.log2(share)).sum() * residual.size / 8


def test_residuals_out_of_range_are_refused():
    with pytest.raises(DinpError, match="larger"):
        encode_residual(RangeEncoder(), np.full((2, 2), MAX_RESIDUAL))


def test_damaged_residuals_raise_only_dinp_errors():
    residual = np.rint(np.random.default_rng(2).laplace(0, 2, (30, 40))).astype(int)
    data = residual_body(residual, 1)
    rng = np.random.default_rng(3)
    bad = [data[:n] for n in range(0, len(data), 20)] + [data[:1] + rng.bytes(n) for n in range(60)]
    refused = 0
    for body in bad:
        try:
            assert read_residual(body, residual.shape)[1].shape == residual.shape
        except DinpError:
            refused += 1
    assert refused >= 15


@pytest.mark.parametrize("body", [b"", b"\0"], ids=["no unit", "unit 0"])
def test_units_must_be_positive(body):
    with pytest.raises(DinpError, match="unit"):
        read_residual(body, (4, 4))
