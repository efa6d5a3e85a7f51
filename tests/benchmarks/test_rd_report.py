"""What is made of result files: tables, plots, and a page that needs nothing but itself."""

import base64
import io
import json
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
from conftest import dinp_command
from PIL import Image
from skimage import data

import dinp
from dinp.benchmarks.rd.codecs import CODECS
from dinp.benchmarks.rd.curves import load_measured
from dinp.benchmarks.rd.report import chosen_pictures, code_at, inpainting_mask, make_page, shown_codecs
from dinp.benchmarks.rd.tables import tables
from dinp.errors import DinpError

RATES = np.array([0.04, 0.1, 0.2, 0.3, 0.6])
ROUND_HALF = 8000  # bytes of a picture of 200 x 320 pixels at 1 bit per pixel


def series(codec, picture, rates, psnr, **more):
    one = {"codec": codec, "mode": "grey", "picture": picture, "width": 320, "height": 200, "run": 0}
    one |= {"settings": list(range(10, 10 + len(rates))), "bytes": [round(ROUND_HALF * rate) for rate in rates]}
    one |= {"psnr": [float(value) for value in psnr], "encode_s": [0.5] * len(rates), "decode_s": [0.25] * len(rates)}
    return one | {name: [value] * len(rates) for name, value in more.items()}


@pytest.fixture
def results(tmp_path):
    """Two pictures; dinp has half of JPEG's bytes at equal PSNR on one, 0.8 of them on the other."""
    known = {"density": 0.02, "points": 100, "mask_bits_per_point": 0.5, "value_bits_per_point": 2.0}
    psnr = 30 + 10 * np.log10(RATES)
    found = [series("jpeg", name, RATES, psnr) for name in ("a.png", "b.png")]
    found += [series("dinp", "a.png", RATES / 2, psnr, **known)]
    known |= {"points": 300, "mask_bits_per_point": 0.9}
    found += [series("dinp", "b.png", 0.8 * RATES, [*psnr[:3], psnr[2], psnr[4]], **known)]
    run = {"date": "2026-01-02T03:04:05", "commit": "0123456789abcdef", "modified": False, "cpu": "a CPU", "cpus": 2}
    run |= {"jobs": 1, "codecs": {"jpeg": "Pillow 1, jpeg 2", "dinp": "3"}}
    path = tmp_path / "rd.json"
    path.write_text(json.dumps({"benchmark": "rd", "set": "two", "runs": [run], "series": found}))
    return path


def cells(table, first):
    """The row of a table that begins with a word, by column."""
    (row,) = [row for row in table.rows if row[0] == first]
    return dict(zip(table.head, row, strict=True))


def test_quality_table(results):
    table = tables(load_measured([results]))[0]
    assert table.title == "two, grey: dinp by quality, mean over 2 pictures"
    row = cells(table, "11")
    assert (row["bpp"], row["PSNR"], row["density"]) == ("0.0650", "20.00", "2.00 %")
    assert (row["mask bits"], row["value bits"]) == ("0.80", "2.00")  # of all points, not a mean of means
    assert (row["encode s"], row["decode s"]) == ("0.50", "0.25")
    assert [line[-2] for line in table.rows] == ["", *["2 of 2"] * 4]
    assert [line[-1] for line in table.rows] == ["", "2 of 2", "2 of 2", "1 of 2", "2 of 2"]
    listed = tables(load_measured([results]), qualities=[10, 13])[0]
    assert [line[0] for line in listed.rows] == ["10", "13"]
    assert listed.rows[1][-2:] == ("2 of 2", "2 of 2")


def test_rate_table_leaves_out_what_not_all_pictures_reach(results):
    row = cells(tables(load_measured([results]))[1], "dinp")
    assert row["0.50"] == "– (0)"
    assert row["0.30"] == f"{30 + 10 * np.log10(0.3) + (10 * np.log10(2) + 10 * np.log10(1.25)) / 2:.2f}"
    content = json.loads(results.read_text())
    for values in content["series"][3].values():
        if isinstance(values, list):
            del values[3:]
    results.write_text(json.dumps(content))
    assert cells(tables(load_measured([results]))[1], "dinp")["0.30"] == "– (1)"


def test_bd_table(results):
    *_, table, by_picture = tables(load_measured([results]), per_picture=True)
    row = cells(table, "dinp")
    assert row["against JPEG"] == "−35.0 %"
    assert row["lowest to highest"] == "−50.0 % to −20.0 %"
    assert row["mean curve"] == f"{100 * (np.sqrt(0.4) - 1):+.1f} %".replace("-", "−")  # of half the dB each
    assert cells(table, "JPEG")["against JPEG"] == "–"
    assert [line for line in by_picture.rows] == [("a.png", "−50.0 %"), ("b.png", "−20.0 %")]


def test_table_goes_into_a_readme(results, tmp_path, capsys):
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- rd tables -->\nold\n<!-- end -->\nafter\n")
    assert dinp_command("bench", "rd", "table", results) == 0
    printed = capsys.readouterr().out
    assert "| dinp | −35.0 % | −50.0 % to −20.0 % |" in printed
    assert "Measured 2026-01-02, commit 0123456789 on a CPU (2 cores); Pillow 1, jpeg 2." in printed
    assert dinp_command("bench", "rd", "table", results, "--readme", readme) == 0
    assert readme.read_text() == f"before\n<!-- rd tables -->\n{printed}<!-- end -->\nafter\n"


def test_plots_are_written(results, tmp_path):
    assert dinp_command("bench", "rd", "plot", results, "--out", tmp_path / "plots") == 0
    (path,) = (tmp_path / "plots").iterdir()
    assert path.name == "rd_two_grey_psnr.png"
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
    assert (pixels == [0xE8, 0x59, 0x0C]).all(axis=1).any()  # the curve of dinp


def test_without_matplotlib_nothing_is_left(results, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert dinp_command("bench", "rd", "plot", results, "--out", tmp_path / "plots") == 1
    assert "pip install 'dinp[bench]'" in capsys.readouterr().err
    assert not (tmp_path / "plots").exists()


@pytest.mark.parametrize("name", ["jpeg", "jpeg2000", "webp"])
def test_code_at_a_rate(name):
    picture = data.camera()[::3, ::3]
    coded = code_at(CODECS[name], picture, 0.8)
    assert coded.bpp == pytest.approx(0.8, rel=0.05)
    smallest = code_at(CODECS[name], picture, 1e-6)
    assert smallest.bpp < coded.bpp
    assert code_at(CODECS[name], picture, 100).bpp > coded.bpp


def test_mask_of_a_file():
    encoded = dinp.encode_with_report(data.camera()[200:240, 200:232], quality=30)
    mask = inpainting_mask(encoded.data)
    assert mask.shape == (40, 32)
    assert set(np.unique(mask)) == {0, 255}


class Page(HTMLParser):
    """Collects what a page refers to, and how often a tag stands in it."""

    def __init__(self, text):
        super().__init__()
        self.links, self.tags, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [value for name, value in attributes if name in ("src", "href", "xlink:href", "srcset")]
        if tag not in ("meta", "link", "img", "input", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_page_stands_alone(results, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    picture = data.camera()[200:232, 200:248]
    for name in ("a", "b"):
        Image.fromarray(picture).save(folder / f"{name}.png")
    out = tmp_path / "report" / "index.html"
    assert dinp_command("bench", "rd", "report", results, "--pictures", folder, "--show", "b", "--out", out) == 0
    text = out.read_text(encoding="utf-8")
    found = Page(text)
    assert found.open == []
    assert all(link.startswith(("data:", "#")) for link in found.links)
    assert "url(http" not in text
    assert "@import" not in text
    assert (found.tags.count("svg"), found.tags.count("table"), found.tags.count("section")) == (2, 3, 1)
    shown = [link for link in found.links if link.startswith("data:image/webp;base64,")]
    assert len(shown) == 4  # original, dinp, JPEG, mask
    with Image.open(io.BytesIO(base64.b64decode(shown[0].partition(",")[2]))) as image:
        np.testing.assert_array_equal(np.asarray(image.convert("L")), picture)


def test_page_refuses_what_cannot_be_shown(results, tmp_path):
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    Image.fromarray(data.camera()[:32, :32]).save(paths[0])
    assert chosen_pictures(paths, []) == paths
    assert chosen_pictures(paths, ["b", "a.png"]) == paths[::-1]
    with pytest.raises(DinpError, match="no picture c"):
        chosen_pictures(paths, ["c"])
    measured = load_measured([results])
    assert [codec.name for codec in shown_codecs(measured, "grey")] == ["dinp", "jpeg"]
    with pytest.raises(DinpError, match="nothing was measured"):
        shown_codecs(measured, "colour")
    with pytest.raises(DinpError, match="is grey"):
        make_page(measured, paths[:1], "colour", [0.2], lambda: None)


@pytest.mark.parametrize("verb", [[], ["run"], ["table"], ["plot"], ["report"]])
def test_help(verb, capsys):
    assert dinp_command("bench", "rd", *verb, "--help") == 0
    assert "dinp bench rd" in capsys.readouterr().out
