"""Tests of dinp.benchmarks.readme."""

import pytest

from dinp.benchmarks.readme import markdown_table, replace_section
from dinp.errors import DinpError


def test_only_the_section_changes(tmp_path):
    path = tmp_path / "README.md"
    path.write_text("a\n<!-- x -->\nold\n<!-- end -->\nb\n<!-- y -->\nkept\n<!-- end -->\n")
    replace_section(path, "<!-- x -->", "\nnew\nlines\n\n")
    assert path.read_text() == "a\n<!-- x -->\nnew\nlines\n<!-- end -->\nb\n<!-- y -->\nkept\n<!-- end -->\n"
    assert [p.name for p in tmp_path.iterdir()] == ["README.md"]


@pytest.mark.parametrize("text", ["", "<!-- x -->", "<!-- end --><!-- x -->"])
def test_a_missing_marker_is_an_error_and_changes_nothing(tmp_path, text):
    path = tmp_path / "README.md"
    path.write_text(text)
    with pytest.raises(DinpError, match="no section"):
        replace_section(path, "<!-- x -->", "new")
    assert path.read_text() == text


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(DinpError, match="cannot be changed"):
        replace_section(tmp_path / "none", "<!-- x -->", "new")


def test_table():
    assert markdown_table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | ---: |\n| 1 | 2 |"
