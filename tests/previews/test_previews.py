"""Previews: few bytes, of any picture; the command, and the benchmark beside BlurHash, ThumbHash and WebP."""

import base64
import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import photograph
from PIL import Image
from thumbhash import rgba_to_thumb_hash

import dinp
from dinp.benchmarks.previews.thumbhash_decoder import decode as decode_thumbhash
from dinp.cli.root import command
from dinp.page.node import node


@pytest.mark.parametrize("size", [100, 200, 500])
def test_a_preview_has_at_most_so_many_bytes_and_shows_the_picture(size):
    grey = photograph()
    colours = np.dstack([grey, grey // 2 + 40, 255 - grey])
    for picture in (grey, colours):
        data = dinp.preview(picture, size)
        assert 0.5 * size < len(data) <= size
        report = dinp.info(data)
        assert (report["mode"], report["width"] % 16) == ("L" if picture.ndim == 2 else "RGB", 0)
        assert not any(plane["restoration"] for plane in report["planes"])
        shown = dinp.decode(data)
        wanted = Image.fromarray(picture).resize(shown.size, Image.Resampling.BOX)
        assert np.abs(np.asarray(shown).astype(float) - np.asarray(wanted)).mean() < 25


def test_small_and_transparent_pictures_have_previews():
    assert dinp.decode(dinp.preview(Image.new("RGB", (3, 1), "red"))).size == (3, 1)
    assert dinp.decode(dinp.preview(Image.new("RGBA", (300, 30), (255, 0, 0, 99)))).size == (48, 5)
    assert dinp.decode(dinp.preview(photograph(), 200, side=20)).size == (20, 15)
    assert dinp.decode(dinp.preview(photograph(), np.int64(200), side=np.uint8(20))).size == (20, 15)


def test_what_cannot_be_is_told():
    for size in (0, 59, True, "200", 99.5):
        with pytest.raises(dinp.DinpError, match="at least 60 bytes"):
            dinp.preview(photograph(), size)
    for side in (0, 129, "9"):
        with pytest.raises(dinp.DinpError, match="1 to 128 pixels"):
            dinp.preview(photograph(), side=side)
    with pytest.raises(dinp.DinpError, match="Pillow image or an array"):
        dinp.preview("name.png")


def test_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(photograph()).save("a&b.png")
    result = CliRunner().invoke(command, ["preview", "-b", "150", "a&b.png"])
    assert result.exit_code == 0, result.output
    data = base64.b64decode(result.stdout, validate=False)
    assert data == dinp.preview(photograph(), 150)
    assert f"{len(data)} bytes, 48 x 36 pixels" in result.stderr
    html = CliRunner().invoke(command, ["preview", "-b", "150", "--html", "a&b.png"]).stdout
    assert (
        re.fullmatch(
            r'<img src="a&amp;b.png" width="256" height="192" alt="" data-dinp="([A-Za-z0-9+/=]+)">\n', html
        ).group(1)
        == base64.b64encode(data).decode()
    )
    Path("a&b.png").rename("c:#d%20.png")
    html = CliRunner().invoke(command, ["preview", "-b", "150", "--html", "c:#d%20.png"]).stdout
    assert html.startswith('<img src="c%3A%23d%2520.png" ')


def test_the_benchmark(tmp_path):
    pytest.importorskip("blurhash")
    pytest.importorskip("thumbhash")
    Image.fromarray(np.dstack([photograph()] * 3)).save(tmp_path / "one.png")
    out, html = tmp_path / "previews.json", tmp_path / "previews.html"
    words = ["bench", "previews", str(tmp_path / "one.png"), "--out", str(out), "--page", str(html)]
    result = CliRunner().invoke(command, words)
    assert result.exit_code == 0, result.output
    rows = {row["preview"]: row for row in json.loads(out.read_text())["results"]}
    assert rows["dinp, 500 bytes"]["psnr"] > rows["dinp, 200 bytes"]["psnr"] > rows["ThumbHash"]["psnr"]
    assert rows["dinp, 500 bytes"]["bytes"] <= 500
    assert 10 < rows["BlurHash 4x3"]["psnr"] < 40
    assert "| dinp, 200 bytes | 1 |" in result.stdout
    made = [name for name, row in rows.items() if row["bytes"] is not None]
    dinps = [name for name in made if name.startswith("dinp")]
    assert html.read_text().count("<figure>") == 1 + len(made) + len(dinps)
    assert html.read_text().count("<img data-dinp=") == len(dinps) == 3
    assert json.loads(out.read_text())["script_bytes"] < 60_000
    assert all((rows[name]["script_ms"] is None) == (node() is None) for name in dinps)


def test_thumbhash_is_decoded_as_it_is_meant():
    y, x = np.mgrid[:60, :90]
    ramp = np.stack([40 + 2 * x, 220 - 2 * y, 60 + x], axis=2).astype(np.uint8)
    rgba = Image.fromarray(ramp).convert("RGBA")
    for turned in (rgba, rgba.transpose(Image.Transpose.ROTATE_90)):
        shown = decode_thumbhash(rgba_to_thumb_hash(turned.width, turned.height, list(turned.tobytes())))
        assert max(shown.shape[:2]) == 32
        wanted = np.asarray(turned.convert("RGB").resize(shown.shape[1::-1], Image.Resampling.BOX)).astype(int)
        assert np.abs(shown - wanted).mean() < 8
