"""The script that paints previews: its size, and that it paints what the decoder decodes."""

import base64
import gzip
from pathlib import Path

import numpy as np
import pytest

import dinp
from dinp.errors import DinpError
from dinp.page.browser import Browser, chromium
from dinp.page.node import node, paint
from dinp.page.painter import gzipped_size, painter

GOLDEN = Path(__file__).parents[1] / "bitstream" / "golden"
in_node = pytest.mark.skipif(node() is None, reason="there is no Node")


def photograph():
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:48, :64] / 64
    grey = 120 + 70 * np.sin(9 * x + 4 * y) + 40 * (y > 0.4 + 0.2 * np.sin(8 * x)) + rng.normal(0, 4, (48, 64))
    return np.clip(np.dstack([grey, grey * 0.8 + 20, 200 - 0.5 * grey]), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def previews():
    flat = np.zeros((40, 60, 3), np.uint8)
    flat[8:30, 10:40] = (200, 40, 90)
    drawn = [dinp.preview(photograph(), 200, side=48), dinp.preview(photograph()[..., 0], 90), dinp.preview(flat, 80)]
    return [*drawn, dinp.preview(np.full((40, 60, 3), (200, 3, 77), np.uint8), 60)]  # the last has steps of its own


def test_its_size():
    assert gzipped_size() == len(gzip.compress(painter().encode(), 9, mtime=0))
    assert gzipped_size() <= 60_000
    assert "</script" not in painter()


@in_node
def test_it_paints_what_the_decoder_decodes(previews):
    for data, found in zip(previews, paint(previews, repeats=1), strict=True):
        wanted = np.asarray(dinp.decode(data).convert("RGBA")).astype(int)
        difference = np.abs(found["pixels"] - wanted)
        assert difference.max() <= 1
        assert (difference > 0).mean() <= 0.002
        assert found["unrestored"] == []


@in_node
def test_it_leaves_restoration_out_and_says_so():
    names = ["v1.0_grey_quality_30", "v1.0_grey_quality_30_earlier", "v1.0_alpha"]
    files = [(GOLDEN / f"{name}.dinp").read_bytes() for name in names]
    painted = paint(files, repeats=1)
    assert [found["unrestored"] for found in painted] == [[1], [2], [1]]
    plain = np.asarray(dinp.decode(files[0], restore=False).convert("RGBA")).astype(int)
    assert np.abs(painted[0]["pixels"] - plain).max() <= 1


@in_node
@pytest.mark.parametrize("name", ["lossless_grey", "grey_free_mask", "colour_residual", "alpha_of_contours"])
def test_it_refuses_what_is_no_preview(name):
    with pytest.raises(DinpError, match="the file is no preview"):
        paint([(GOLDEN / f"v1.0_{name}.dinp").read_bytes()], repeats=1)


@pytest.mark.skipif(chromium() is None, reason="there is no Chromium")
def test_elements_of_a_page_are_painted(previews, tmp_path):
    restored = (GOLDEN / "v1.0_grey_quality_30.dinp").read_bytes()
    texts = [base64.b64encode(data).decode() for data in [*previews, restored, b"no preview"]]
    images = "".join(f'<img alt="" width="96" height="72" data-dinp="{text}">' for text in texts)
    waiting = f'<img alt="" width="96" height="72" src="missing.png" data-dinp="{texts[0]}">'
    page = tmp_path / "page.html"
    page.write_text(f"<!DOCTYPE html><title>previews</title>{images}{waiting}<script>{painter()}</script>")
    with Browser() as browser:
        browser.open(page)
        browser.wait_for("document.querySelectorAll('img[data-dinp]').length === 0")
        browser.wait_for("[...document.images].slice(0, 5).every((i) => i.naturalWidth > 0)")
        widths = browser.ask("[...document.images].map((i) => i.naturalWidth)")
        background = browser.ask("document.images[6].style.backgroundImage")
        told = browser.ask("[...document.images].map((i) => i.dataset.dinpUnrestored ?? '')")
    assert widths == [*(dinp.decode(data).width for data in [*previews, restored]), 0, 0]
    assert told == ["", "", "", "", "1", "", ""]
    assert background.startswith('url("data:image/png')
