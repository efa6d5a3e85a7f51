"""The search for the smallest file that keeps a largest error."""

import math

import numpy as np
import pytest

from dinp.encoder.coded import CodedPlane, CodedPlanes
from dinp.encoder.picture import CodedPicture, for_error
from dinp.limits import MAX_PIXELS
from dinp.pictures.intake import picture_of


@pytest.mark.parametrize(
    ("plain", "rival", "tried"),
    [
        (None, 1000, [8, 2, 1, 0.5]),  # with barriers finer steps are next, and no coarser ones after them
        (None, 40, [8, 2]),  # far from what rivals take even then
        (lambda: None, 1000, [8, 16, 4, 2, 1, 0.5]),
        (lambda: None, 40, [8]),
    ],
)
def test_which_steps_are_tried(plain, rival, tried):
    """Finer steps make smaller files here, down to the finest but one."""
    picture = picture_of(np.arange(4000, dtype=np.uint16).reshape(50, 80) + 500, max_pixels=MAX_PIXELS)
    depth = picture.format.depth
    seen = []

    def code(quality, _):
        steps = 2.0 ** (6 - quality * (6 + depth) / 100) * (3999 / 255) / 8
        seen.append(round(steps, 3))
        size = round(100 + 10 * math.log2(steps)) if steps > 0.75 else 200
        plane = CodedPlane(b"", lambda: None, 1, {}, plain)
        return CodedPicture(bytes(size), None, CodedPlanes([plane], 1.0))

    found = for_error(code, picture, 8, rival)
    assert seen == pytest.approx(tried, rel=0.01)
    assert len(found.data) == min(round(100 + 10 * math.log2(steps)) for steps in tried if steps > 0.75)
