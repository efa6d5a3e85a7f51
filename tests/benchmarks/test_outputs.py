"""No benchmark writes its results over a picture that it is given, the first one or another."""

import pytest
from click.testing import CliRunner
from PIL import Image

from dinp.cli.root import command


@pytest.mark.parametrize("name", ["chroma", "page", "previews", "scale", "coding", "arrays"])
def test_results_never_replace_a_picture(name, tmp_path):
    first, second = tmp_path / "a.png", tmp_path / "b.png"
    for path in (first, second):
        Image.new("RGB", (16, 16)).save(path)
    before = second.read_bytes()
    result = CliRunner().invoke(command, ["bench", name, str(first), str(second), "--out", str(second)])
    assert result.exit_code == 1, result.output
    assert "input and output are the same file" in result.stderr
    assert second.read_bytes() == before
