"""Which networks an effort asks for, by the size of a picture."""

from pathlib import Path

import numpy as np
import pytest
from conftest import smooth_plane

import dinp
from dinp import models, threads
from dinp.encoder import placement
from dinp.encoder.placement import EFFORTS, LARGE, is_for_lighter
from dinp.models.weights import predictors
from dinp.models.weights.runtime import OnnxNetwork

GOLDEN = Path(__file__).parents[1] / "bitstream" / "golden"


def test_large_pictures_have_a_lighter_model_at_low_efforts():
    assert 768 * 512 < LARGE < 1920 * 1080
    for number, effort in EFFORTS.items():
        assert not is_for_lighter(effort, LARGE - 1)
        assert is_for_lighter(effort, LARGE) == (number != 3)


@pytest.mark.parametrize(("effort", "lighter"), [(1, True), (3, False)])
def test_all_planes_of_a_picture_have_the_model_that_its_size_asks_for(effort, lighter, monkeypatch):
    asked, planes = [], []
    picture = np.dstack([smooth_plane((40, 48), seed) for seed in (1, 2, 3)]).astype(np.uint8)
    own = models.shipped_tree_model

    def shipped(*, large=False):
        asked.append(large)
        return lambda plane, density: planes.append(plane.shape) or own(large=large)(plane, density)

    monkeypatch.setattr(models, "shipped_tree_model", shipped, raising=False)
    small = dinp.encode(picture, effort=effort, quality=40, chroma="420")
    assert asked == [False]
    monkeypatch.setattr(placement, "LARGE", picture.shape[0] * picture.shape[1])
    assert sorted(set(planes)) == [(20, 24), (40, 48)]
    large = dinp.encode(picture, effort=effort, quality=40, chroma="420")
    assert asked == [False, lighter]
    assert (small != large) == lighter
    shown = [dinp.decode_array(data).astype(float) for data in (small, large)]
    assert np.square(shown[0] - shown[1]).mean() < 0.5 * np.square(shown[0] - picture).mean()


@pytest.mark.parametrize(("effort", "last"), [(1, []), (2, ["restoration_gradient"])])
def test_networks_are_made_ready_beside_other_work(effort, last, monkeypatch):
    """A mistake in that would not be told: nobody asks for its result."""
    made = []
    monkeypatch.setattr(OnnxNetwork, "prepare", lambda network: made.append(network.graph))
    monkeypatch.setattr(predictors, "_shipped", lambda version: predictors.load_tree_model(version=version))

    def at_once(work):
        result = work()
        return lambda: result

    monkeypatch.setattr(threads, "begun", at_once)
    dinp.encode(smooth_plane((40, 48), 1).astype(np.uint8), effort=effort, quality=40)
    assert made == ["tree", "restoration", *last]
    dinp.decode((GOLDEN / "v1.0_grey_quality_30.dinp").read_bytes())
    assert made[len(last) + 2 :] == ["restoration"]
