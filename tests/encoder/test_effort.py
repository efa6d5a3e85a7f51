"""Which networks an effort asks for, by the size of a picture."""

import numpy as np
import pytest
from conftest import smooth_plane

import dinp
from dinp import models
from dinp.encoder import placement
from dinp.encoder.placement import EFFORTS, LARGE, is_for_lighter


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
