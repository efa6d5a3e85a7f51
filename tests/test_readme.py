"""The front door: its length, its links and its snippet; and sections that commands write."""

import re
import shlex
from pathlib import Path

import click
import pytest

from dinp.benchmarks.readme import markdown_table, replace_section
from dinp.cli.root import command as root
from dinp.errors import DinpError

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_front_door_can_be_read_in_three_minutes():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    here = [link for link in links if "://" not in link]
    assert [link for link in here if not (page.parent / link).exists()] == []


def commands(page):
    """The command lines of a page's blocks of code, each as its words; joined where a line goes on."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    return [shlex.split(line, comments=True)[1:] for line in re.findall(r"^    (dinp .*)$", text, re.MULTILINE)]


def test_the_pages_tell_commands():
    assert sum(len(commands(page)) for page in PAGES) > 20


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page_exist(page):
    for words in commands(page):
        command, told = root, ["dinp"]
        while isinstance(command, click.Group) and words and not words[0].startswith("-"):
            told.append(words[0])
            command = command.get_command(click.Context(command), words.pop(0))
            assert command is not None, told
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        unknown = [word for word in words if re.fullmatch(r"--?[a-z][a-z-]*", word) and word not in known]
        assert unknown == [], told


def test_the_snippet_of_the_readme_runs():
    snippet = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL).group(1)
    found = {}
    exec(snippet, found)
    assert (found["picture"].size, found["picture"].mode) == ((256, 64), "L")


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
