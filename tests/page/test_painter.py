"""The script that paints previews: its size, and that it paints what the decoder decodes."""

import base64
import gzip

import numpy as np
import pytest

import dinp
from dinp.page.browser import Browser, chromium
from dinp.page.node import node, paint
from dinp.page.painter import gzipped_size, painter


def photograph():
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:48, :64] / 64
    grey = 120 + 70 * np.sin(9 * x + 4 * y) + 40 * (y > 0.4 + 0.2 * np.sin(8 * x)) + rng.normal(0, 4, (48, 64))
    return np.clip(np.dstack([grey, grey * 0.8 + 20, 200 - 0.5 * grey]), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def previews():
    flat = np.zeros((40, 60, 3), np.uint8)
    flat[8:30, 10:40] = (200, 40, 90)
    return [dinp.preview(photograph(), 200, side=48), dinp.preview(photograph()[..., 0], 90), dinp.preview(flat, 80)]


def test_its_size():
    assert gzipped_size() == len(gzip.compress(painter().encode(), 9, mtime=0))
    assert gzipped_size() <= 60_000
    assert "</script" not in painter()


@pytest.mark.skipif(node() is None, reason="there is no Node")
def test_it_paints_what_the_decoder_decodes(previews):
    for data, found in zip(previews, paint(previews, repeats=1), strict=True):
        wanted = np.asarray(dinp.decode(data).convert("RGBA")).astype(int)
        difference = np.abs(found["pixels"] - wanted)
        assert difference.max() <= 1
        assert (difference > 0).mean() <= 0.002


@pytest.mark.skipif(chromium() is None, reason="there is no Chromium")
def test_elements_of_a_page_are_painted(previews, tmp_path):
    texts = [base64.b64encode(data).decode() for data in [*previews, b"no preview"]]
    images = "".join(f'<img alt="" width="96" height="72" data-dinp="{text}">' for text in texts)
    waiting = f'<img alt="" width="96" height="72" src="missing.png" data-dinp="{texts[0]}">'
    page = tmp_path / "page.html"
    page.write_text(f"<!DOCTYPE html><title>previews</title>{images}{waiting}<script>{painter()}</script>")
    with Browser() as browser:
        browser.open(page)
        browser.wait_for("document.querySelectorAll('img[data-dinp]').length === 0")
        browser.wait_for("[...document.images].slice(0, 3).every((i) => i.naturalWidth > 0)")
        widths = browser.ask("[...document.images].map((i) => i.naturalWidth)")
        background = browser.ask("document.images[4].style.backgroundImage")
    assert widths == [*(dinp.decode(data).width for data in previews), 0, 0]
    assert background.startswith('url("data:image/png')
