"""Golden files: what every later version must decode (golden/), and what every version must refuse (golden_errors/).

The name of a file says the case. `golden/NAME.png` is what NAME.dinp decodes to: at most 1 grey level off, at at most
0.2 % of the values. The files are made once per format version by `python tests/bitstream/make_golden.py` and never
changed.
"""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dinp

FOLDER = Path(__file__).parent
GOLDEN = sorted((FOLDER / "golden").glob("*.dinp"))
ERRORS = sorted((FOLDER / "golden_errors").glob("*.dinp"))


def test_there_are_golden_files():
    assert len(GOLDEN) >= 6
    assert len(ERRORS) >= 6


@pytest.mark.parametrize("path", GOLDEN, ids=lambda p: p.stem)
def test_golden_files_decode(path):
    decoded = np.asarray(dinp.decode(path.read_bytes())).astype(int)
    with Image.open(path.with_suffix(".png")) as image:
        expected = np.asarray(image).astype(int)
    assert decoded.shape == expected.shape
    difference = np.abs(decoded - expected)
    assert difference.max() <= 1
    assert (difference > 0).mean() <= 0.002


@pytest.mark.parametrize("path", ERRORS, ids=lambda p: p.stem)
def test_golden_errors_are_refused(path):
    with pytest.raises(dinp.DinpError):
        dinp.decode(path.read_bytes())
    with pytest.raises(dinp.DinpError):
        dinp.info(path.read_bytes())
