"""The package as a whole: who may import whom, what is loaded when, and that versions agree."""

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import dinp

ROOT = Path(__file__).parent.parent
FACE = {"__init__.py", "cli.py", "files.py"}


def imports(path):
    """Modules that a file imports, anywhere in it; each name of `from a import b` as a.b."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def belongs(module, package):
    return module == package or module.startswith(package + ".")


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("codec", ["torch", "dinp.models", "dinp.benchmarks"]),
        ("entropy", ["torch", "scipy", "pyamg", "dinp.models", "dinp.benchmarks"]),
        ("models", ["dinp.benchmarks", "dinp.cli"]),
    ],
)
def test_arrows_point_one_way(folder, forbidden):
    paths = [path for path in (ROOT / folder).glob("*.py") if folder != "codec" or path.name not in FACE]
    assert paths
    for path in paths:
        for module in imports(path):
            assert not any(belongs(module, package) for package in forbidden), f"{path.name} imports {module}"


def test_entropy_knows_nothing_of_the_codec():
    for path in (ROOT / "entropy").glob("*.py"):
        for module in imports(path):
            if belongs(module, "dinp"):
                allowed = ("dinp.entropy", "dinp.errors", "dinp.threads")
                assert any(belongs(module, package) for package in allowed), f"{path.name} imports {module}"


def run(code, *arguments):
    """What `code` prints in an interpreter of its own, outside the checkout."""
    process = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd="/")
    assert process.returncode == 0, process.stderr
    return process.stdout


def loaded(code, *arguments):
    """Top-level modules in memory after `code` ran in an interpreter of its own."""
    code += "\nimport sys; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    return set(run(code, *arguments).split())


@pytest.fixture(scope="module")
def coded(tmp_path_factory):
    path = tmp_path_factory.mktemp("coded") / "picture.dinp"
    y, x = np.mgrid[:40, :50]
    path.write_bytes(dinp.encode(np.stack([4 * x, 5 * y, x + y], axis=2).astype(np.uint8)))
    return path


def test_importing_and_inspecting_load_neither_torch_nor_the_solver(coded):
    for code in (
        "import dinp",
        "import dinp.cli",
        "import dinp, sys; dinp.info(open(sys.argv[1], 'rb').read())",
        "import dinp.cli, sys; dinp.cli.main(['info', '--json', sys.argv[1]], standalone_mode=False)",
    ):
        modules = loaded(code, str(coded))
        assert "numpy" in modules
        assert not modules & {"torch", "scipy", "pyamg", "matplotlib", "skimage"}


def test_decoding_does_not_load_torch(coded):
    modules = loaded("import dinp, sys; dinp.decode(open(sys.argv[1], 'rb').read())", str(coded))
    assert "numpy" in modules
    assert not modules & {"torch", "matplotlib", "skimage"}


def test_no_folder_of_the_checkout_is_a_module_of_its_own():
    code = "import importlib.util as u, sys; print([n for n in sys.argv[1:] if u.find_spec(n)])"
    assert run(code, "models", "codec", "entropy", "benchmarks").strip() == "[]"


def test_installed_version_is_that_of_the_sources():
    assert importlib.metadata.version("dinp") == dinp.__version__


def test_every_dependency_is_pinned_within_its_range():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
    ]
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = dict(line.lower().split("==") for line in lines if not line.startswith("#"))
    for requirement in wanted:
        if requirement.startswith("dinp["):  # an extra that takes in another
            continue
        name, lowest = re.fullmatch(r"([a-z0-9-]+)>=([\d.]+)", requirement).groups()
        pinned = [int(part) for part in pins[name].split(".")]
        assert pinned >= [int(part) for part in lowest.split(".")], requirement
