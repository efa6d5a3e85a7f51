"""The page's decoder, written from docs/format.md, agrees in Node with the first one on all golden files."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dinp
from dinp.page import build, packing
from dinp.page.bundle import bundle, needed
from dinp.page.document import VERSIONS, needed_versions
from dinp.page.node import decode, node

GOLDEN = sorted((Path(__file__).parents[1] / "bitstream" / "golden").glob("*.dinp"))
ERRORS = sorted((Path(__file__).parents[1] / "bitstream" / "golden_errors").glob("*.dinp"))
in_node = pytest.mark.skipif(node() is None, reason="there is no Node")


@pytest.fixture(scope="module")
def decoded():
    return decode([*GOLDEN, *ERRORS])


def expected(path):
    """(channels, H, W) samples that a golden file stands for."""
    if path.with_suffix(".npy").exists():
        samples = np.load(path.with_suffix(".npy"))
    else:
        with Image.open(path.with_suffix(".png")) as image:
            samples = np.asarray(image.convert("RGB") if image.mode == "P" else image)
    return samples[None] if samples.ndim == 2 else np.moveaxis(samples, 2, 0)


def check(found, wanted):
    assert found.shape == wanted.shape
    np.testing.assert_array_equal(np.isnan(found), np.isnan(wanted))
    difference = np.nan_to_num(np.abs(found - wanted.astype(float)))
    if wanted.dtype.kind == "f":
        assert difference.max() <= (np.nanmax(wanted) - np.nanmin(wanted)) * 0.01 / 255
    else:
        assert difference.max() <= 1
    if wanted.dtype == np.uint8:
        assert (difference > 0).mean() <= 0.002


@in_node
@pytest.mark.parametrize("path", GOLDEN, ids=lambda p: p.stem)
def test_it_agrees_on_golden_files(decoded, path):
    check(decoded[path]["samples"], expected(path))


@in_node
@pytest.mark.parametrize("path", ERRORS, ids=lambda p: p.stem)
def test_it_refuses_what_must_be_refused(decoded, path):
    assert isinstance(decoded[path], dinp.DinpError)
    assert len(str(decoded[path])) > 15


def test_golden_files_have_every_restoration():
    assert {version for path in GOLDEN for version in needed_versions({path.name: path.read_bytes()})} == set(VERSIONS)


@in_node
def test_without_webassembly_all_is_the_same(decoded):
    some = [
        path
        for path in GOLDEN
        if any(word in path.stem for word in ("_10", "regions", "few_colours", "30", "barriers_d"))
    ]
    assert len(some) >= 5
    for path, found in decode(some, kernels=False).items():
        np.testing.assert_array_equal(found["samples"], decoded[path]["samples"])


@in_node
def test_what_was_not_restored_is_there_too(decoded):
    (path,) = (path for path in GOLDEN if path.stem == "v1.0_grey_quality_30")
    found = decoded[path]
    assert not np.array_equal(found["plain"], found["samples"])
    plain = np.asarray(dinp.decode(path.read_bytes(), restore=False))
    check(found["plain"], plain[None])


def test_the_kernels_are_built_of_their_sources():
    """Where a source changes: pip install ziglang, python -m dinp.page.build."""
    assert (build.FOLDER / "kernels.sha256").read_text() == build.fingerprint() + "\n"
    assert (build.FOLDER / "kernels.wasm").read_bytes()[:4] == b"\0asm"


def test_modules_come_after_those_that_they_need():
    order = needed("node.js")
    assert order[-1] == "node.js"
    assert order.index("common.js") < order.index("ranges.js") < order.index("decoder.js")
    script = bundle("node.js")
    assert "import {" not in script
    assert "\nexport " not in script


def test_networks_are_packed_tightly():
    data, layout = packing.models()
    assert set(layout) > set("treemaskvalues")
    assert len(data) < 45_000
