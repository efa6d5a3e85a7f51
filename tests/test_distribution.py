"""What is shipped: the source distribution has all of the checkout, the wheel all that a program needs."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("benchmarks", "codec", "docs", "entropy", "models", "tests")
FILES = ("CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "constraints.txt", "pyproject.toml")
MADE = {".so", ".pyd", ".pyc"}  # by building


def setup(*arguments):
    process = subprocess.run(
        [sys.executable, "-W", "ignore", "setup.py", "-q", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr


def sources(*folders):
    """Files of the checkout, as paths from its root."""
    found = {path.relative_to(ROOT).as_posix() for folder in folders for path in (ROOT / folder).rglob("*")}
    return {name for name in found if (ROOT / name).is_file() and Path(name).suffix not in MADE}


def test_the_source_distribution_is_complete(tmp_path):
    setup("egg_info", "--egg-base", tmp_path)
    listed = (tmp_path / "dinp.egg-info" / "SOURCES.txt").read_text(encoding="utf-8").splitlines()
    wanted = sources(*FOLDERS) | {*FILES, "setup.py", "MANIFEST.in"}
    assert len(wanted) > 200
    assert wanted - set(listed) == set()
    assert not [name for name in listed if Path(name).suffix in MADE]


def test_the_installed_package_is_complete(tmp_path):
    """All modules, weights, graphs, tables, templates and sources of the kernels; measured results stay behind."""
    setup("egg_info", "--egg-base", tmp_path, "build_py", "--build-lib", tmp_path / "lib")
    places = {"codec": "dinp", "models": "dinp/models", "entropy": "dinp/entropy", "benchmarks": "dinp/benchmarks"}
    wanted = {places[name.split("/")[0]] + name[len(name.split("/")[0]) :] for name in sources(*places)}
    wanted = {name for name in wanted if not name.startswith("dinp/benchmarks/results/")}
    installed = {path.relative_to(tmp_path / "lib").as_posix() for path in (tmp_path / "lib").rglob("*")}
    assert {name for name in wanted - installed if not name.endswith(".md")} == set()


@pytest.mark.parametrize("folder", ["golden", "golden_errors"])
def test_golden_files_are_there(folder):
    assert len(list((ROOT / "tests" / "bitstream" / folder).glob("*.dinp"))) > 8
