"""The page of `dinp view`: what it is made of, and what Chromium shows."""

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import dinp
from dinp.bitstream.container import pack, unpack
from dinp.cli.root import command
from dinp.errors import DinpError
from dinp.page import browser as browsers
from dinp.page.browser import Browser, chromium
from dinp.page.document import needed_versions, page

FOLDER = Path(__file__).parents[1] / "bitstream"
GOLDEN, ERRORS = FOLDER / "golden", FOLDER / "golden_errors"
ENDED = "[...document.querySelectorAll('article')].every((a) => ['done', 'failed'].includes(a.dataset.state))"
COLOUR = "v1.0_colour_quality_10.dinp"
RESTORED = "v1.0_grey_quality_30.dinp"


def embedded(text, name):
    return json.loads(re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', text).group(1))


def test_a_page_has_only_the_networks_that_its_files_need():
    plain = {"a.dinp": (GOLDEN / "v1.0_grey_quality_30_plain.dinp").read_bytes()}
    restored = {"b.dinp": (GOLDEN / RESTORED).read_bytes(), "c.dinp": b"damaged"}
    assert needed_versions(plain) == ()
    (version,) = needed_versions(restored)
    assert len(page(plain)) < 250_000 < len(page(restored))
    assert list(embedded(page(restored), "assets")["weights"]) == [str(version)]
    assert list(embedded(page(plain, versions=(1, 2)), "assets")["weights"]) == ["1", "2"]


def test_names_are_never_markup():
    text = page({'</script><img src="x">.dinp': b"x", "&lt;": b"y"})
    assert "<img" not in text
    assert [file["name"] for file in embedded(text, "files")] == ['</script><img src="x">.dinp', "&lt;"]


def test_names_that_are_no_text_do_not_end_it():
    text = page({"\udcff.dinp": b"x"}).encode().decode()
    assert "<title>?.dinp</title>" in text
    assert embedded(text, "files")[0]["name"] == "\udcff.dinp"


def test_a_page_needs_nothing_else():
    text = page({})
    assert not re.findall(r"""(?:src|href)=["'](?!data:)""", text)
    assert "default-src 'none'" in text


def test_the_command(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    path = str(GOLDEN / "v1.0_flat.dinp")
    target = tmp_path / "page.html"
    result = CliRunner().invoke(command, ["view", path, "--out", str(target)])
    assert result.exit_code == 0, result.output
    assert "no restoration" in result.stderr
    assert embedded(target.read_text(), "files")[0]["name"] == "v1.0_flat.dinp"
    assert not opened
    assert CliRunner().invoke(command, ["view", path, "--out", str(target)]).exit_code == 1
    result = CliRunner().invoke(command, ["view", path])
    assert result.exit_code == 0, result.output
    assert opened == [Path(result.stdout.strip()).as_uri()]
    Path(result.stdout.strip()).unlink()


def test_files_of_the_same_name_are_all_shown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = (GOLDEN / "v1.0_flat.dinp").read_bytes()
    Path("b").mkdir()
    for name in ("b/a.dinp", "a.dinp", "b/c.dinp"):
        Path(name).write_bytes(data)
    words = ["view", "b/a.dinp", "a.dinp", "b/c.dinp", "a.dinp", "--out"]
    result = CliRunner().invoke(command, [*words, "page.html"])
    assert result.exit_code == 0, result.output
    assert [file["name"] for file in embedded(Path("page.html").read_text(), "files")] == [
        "b/a.dinp",
        "a.dinp",
        "c.dinp",
    ]
    result = CliRunner().invoke(command, [*words, "a.dinp", "--force"])
    assert "same file" in result.stderr
    assert Path("a.dinp").read_bytes() == data


def canvas(browser, number):
    """What is on the canvas of a card, (H, W, 4)."""
    shown = browser.ask(
        f"""(() => {{
            const c = document.querySelectorAll('article')[{number}].querySelector('canvas');
            const copy = Object.assign(document.createElement('canvas'), {{ width: c.width, height: c.height }});
            const context = copy.getContext('2d', {{ willReadFrequently: true }});
            context.drawImage(c, 0, 0);
            const {{ data }} = context.getImageData(0, 0, c.width, c.height);
            return [c.width, c.height, ...data];
        }})()"""
    )
    return np.array(shown[2:]).reshape(shown[1], shown[0], 4)


def same(shown, image):
    difference = np.abs(shown - np.asarray(image.convert("RGBA")).astype(int))
    return difference.max() <= 1 and (difference > 0).mean() <= 0.002


def test_a_file_that_cannot_be_shown_is_named(tmp_path):
    good, bad = GOLDEN / "v1.0_flat.dinp", tmp_path / "bad.dinp"
    bad.write_bytes(b"no dinp file")
    target = tmp_path / "page.html"
    result = CliRunner().invoke(command, ["view", str(good), str(bad), "--out", str(target)])
    assert result.exit_code == 1
    assert result.stderr == f"Error: {bad}: this is not a dinp file\n"
    result = CliRunner().invoke(command, ["view", str(good), str(tmp_path / "none"), "--out", str(target)])
    assert result.stderr.count("none") == 1
    assert not target.exists()


@pytest.mark.parametrize("answers", ["exec sleep 60", "exit 1"])  # never, and not any more
def test_a_browser_that_does_not_start_is_ended(tmp_path, monkeypatch, answers):
    program = tmp_path / "chromium"
    program.write_text(f"#!/bin/sh\n{answers}\n")
    program.chmod(0o755)
    monkeypatch.setattr(browsers, "chromium", lambda: str(program))
    monkeypatch.setattr(browsers.tempfile, "tempdir", str(tmp_path))
    started, begin = [], subprocess.Popen

    def popen(*arguments, **settings):
        started.append(begin(*arguments, **settings))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", popen)
    with pytest.raises(DinpError, match="Chromium"):
        Browser(timeout=0.3)
    (process,) = started
    assert process.poll() is not None
    assert list(tmp_path.iterdir()) == [program]


def of_two_restorations():
    """A file whose chroma names another restoration than its luma."""
    container = unpack((GOLDEN / COLOUR).read_bytes())
    first, *others = container.sections
    assert first[0] >> 5 == 1
    return pack(replace(container, sections=[first, *(bytes([s[0] & 31 | 2 << 5]) + s[1:] for s in others)]))


@pytest.mark.skipif(chromium() is None, reason="there is no Chromium")
def test_what_is_not_restored_is_told(tmp_path):
    target = tmp_path / "page.html"
    files = {"two.dinp": of_two_restorations(), "one.dinp": (GOLDEN / RESTORED).read_bytes()}
    notes = "[...document.querySelectorAll('article')].map((a) => a.querySelector('.note')?.textContent ?? '')"
    told = []
    with Browser() as browser:
        for versions in ((1,), ()):
            target.write_text(page(files, versions=versions), encoding="utf-8")
            browser.open(target)
            browser.wait_for(f"document.querySelectorAll('article').length === 2 && {ENDED}")
            told.append(browser.ask(notes))
        assert browser.complaints == []
    assert told[0][0].startswith("Cb and Cr shown without restoration 2,")
    assert told[0][1] == ""
    assert told[1][0].startswith("Y shown without restoration 1,")
    assert told[1][1].startswith("Shown without restoration 1,")


@pytest.mark.skipif(chromium() is None, reason="there is no Chromium")
def test_pictures_too_long_for_a_canvas_are_told_and_keep_no_others_waiting(tmp_path):
    target, long = tmp_path / "page.html", dinp.encode(np.zeros((1, 70_000), np.uint8), lossless=True)
    flat = (GOLDEN / "v1.0_flat.dinp").read_bytes()
    target.write_text(page({f"{k}.dinp": long for k in range(5)} | {"flat.dinp": flat}), encoding="utf-8")
    with Browser() as browser:
        browser.open(target)
        browser.wait_for(ENDED)
        states = browser.ask("[...document.querySelectorAll('article')].map((a) => a.dataset.state)")
        assert states == ["failed"] * 5 + ["done"]
        assert "70000 pixels" in browser.ask("document.querySelector('[role=alert]').textContent")
        assert browser.complaints == []


@pytest.mark.skipif(chromium() is None, reason="there is no Chromium")
def test_what_chromium_shows(tmp_path):
    names = [COLOUR, RESTORED, "v1.0_alpha.dinp", "v1.0_lossless_palette.dinp", "v1.0_barriers_divided.dinp"]
    paths = [GOLDEN / name for name in names]
    target = tmp_path / "page.html"
    target.write_text(page({names[0]: paths[0].read_bytes()}, versions=(1, 2)), encoding="utf-8")
    with Browser() as browser:
        browser.open(target)
        browser.choose("#input", [*paths[1:], ERRORS / "v1.0_bit_flip.dinp"])
        browser.wait_for(f"document.querySelectorAll('article').length === 6 && {ENDED}")
        states = browser.ask("[...document.querySelectorAll('article')].map((a) => a.dataset.state)")
        assert states == ["done"] * 5 + ["failed"]
        assert "checksum" in browser.ask("document.querySelector('[role=alert]').textContent")
        notes = browser.ask("[...document.querySelectorAll('.note')].map((note) => note.textContent)")
        assert [note.split(":")[0] for note in notes] == ["Without loss"]  # and all is restored
        for number, path in enumerate(paths):
            shown, wanted = canvas(browser, number), dinp.decode(path.read_bytes())
            opaque = shown[..., 3] == 255  # canvases keep colours only roughly where they are transparent
            difference = np.abs(shown - np.asarray(wanted.convert("RGBA")).astype(int))
            assert difference[opaque].max() <= 1, path
            assert (difference[opaque] > 0).mean() <= 0.002, path
            assert difference[..., 3].max() <= 1
        check_views(browser, paths[1])
        assert browser.complaints == []


def check_views(browser, path):
    """The slider shows the plain picture, the buttons known pixels and cells."""
    slide = "s.value = 100; s.dispatchEvent(new Event('input'))"
    card = "document.querySelectorAll('article')[1]"
    browser.ask(f"(() => {{ const s = {card}.querySelector('[type=range]'); {slide}; }})()")
    assert same(canvas(browser, 1), dinp.decode(path.read_bytes(), restore=False))
    browser.ask(f"{card}.querySelector('[data-view=known]').click()")
    known = canvas(browser, 1)
    background = (known[..., :3] == (18, 24, 38)).all(axis=2)
    assert 0.5 < background.mean() < 1
    browser.ask(f"{card}.querySelector('[data-view=lines]').click()")
    assert canvas(browser, 1).shape == (2 * known.shape[0], 2 * known.shape[1], 4)
    assert str(len(path.read_bytes())) in browser.ask(f"{card}.querySelector('tbody tr:last-child').textContent")
