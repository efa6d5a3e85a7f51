"""Golden files: what every later version must decode (golden/), and what every version must refuse (golden_errors/).

The name of a file says the case. `golden/NAME.png` or `NAME.npy` is what NAME.dinp decodes to: samples of 8 bits at
most 1 off, at at most 0.2 % of the values; other integers at most 1 off, floats by 0.01 / 255 of their spread. The
files are made once per format version by `python tests/bitstream/make_golden.py` and never changed.
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
    assert len(GOLDEN) >= 40
    assert len(ERRORS) >= 20


@pytest.mark.parametrize("path", GOLDEN, ids=lambda p: p.stem)
@pytest.mark.filterwarnings("ignore::dinp.DinpNotice")
def test_golden_files_decode(path):
    data = path.read_bytes()
    if path.with_suffix(".npy").exists():
        decoded, expected = dinp.decode_array(data), np.load(path.with_suffix(".npy"))
        assert decoded.dtype == expected.dtype
    else:
        decoded = np.asarray(dinp.decode(data))
        with Image.open(path.with_suffix(".png")) as image:
            expected = np.asarray(image)
    assert decoded.shape == expected.shape
    np.testing.assert_array_equal(np.isnan(decoded), np.isnan(expected))
    difference = np.nan_to_num(np.abs(decoded.astype(float) - expected.astype(float)))
    if expected.dtype.kind == "f":
        assert difference.max() <= (np.nanmax(expected) - np.nanmin(expected)) * 0.01 / 255
    else:
        assert difference.max() <= 1
    if expected.dtype == np.uint8:
        assert (difference > 0).mean() <= 0.002


@pytest.mark.parametrize("path", ERRORS, ids=lambda p: p.stem)
def test_golden_errors_are_refused(path):
    with pytest.raises(dinp.DinpError):
        dinp.decode(path.read_bytes())
    with pytest.raises(dinp.DinpError):
        dinp.info(path.read_bytes())
