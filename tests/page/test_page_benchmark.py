"""`dinp bench page`."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from dinp.cli.root import command
from dinp.page.browser import chromium

GOLDEN = Path(__file__).parents[1] / "bitstream" / "golden"


@pytest.mark.skipif(chromium() is None, reason="there is no Chromium")
def test_the_benchmark(tmp_path):
    out = tmp_path / "page.json"
    path = GOLDEN / "v1.0_colour_quality_10.dinp"
    result = CliRunner().invoke(command, ["bench", "page", str(path), "--out", str(out), "--repeats", "1"])
    assert result.exit_code == 0, result.output
    content = json.loads(out.read_text())
    (row,) = content["results"]
    assert content["painter"] <= 60_000
    assert row["bytes"] == path.stat().st_size
    assert 0 < row["seconds"] < row["shown"]
    assert row["largest_difference"] <= 1
    assert row["share_that_differs"] <= 0.002
    assert "| v1.0_colour_quality_10 |" in result.stdout
