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


PACKAGES = {"codec": "dinp", "models": "dinp.models", "entropy": "dinp.entropy", "benchmarks": "dinp.benchmarks"}


def name_of(room):
    top, *rest = room.removesuffix(".py").split("/")
    return ".".join([PACKAGES[top], *(part for part in rest if part != "__init__")])


def rows():
    """(rooms, what is said of them, what they may import) of each row of the table of CONTRIBUTING.md."""
    for line in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("| `"):
            folders, _, what, allowed = (cell.strip() for cell in line.strip("|").split("|"))
            rooms = [room.removesuffix("/") for room in re.findall(r"`([^`]+)`", folders)]
            yield [room for room in rooms if room.split("/")[0] in PACKAGES], what, allowed


def modules_of(allowed, groups):
    """Names of modules that a cell like "`dinp.entropy`, the base" stands for."""
    words = allowed.split(", ")
    return [name for word in words for name in groups.get(word, [word.strip("`")])]


def rooms():
    """What each room may import of this package beside itself, and the rooms that may import everything."""
    base = [name_of(room) for some, what, _ in rows() for room in some if what.startswith("the base")]
    free = [room for some, _, allowed in rows() for room in some if allowed == "everything"]
    codec = [name_of(room) for some, *_ in rows() for room in some if room.split("/")[0] in ("codec", "entropy")]
    codec = [name for name in codec if name not in map(name_of, free)]
    groups = {"the base": base, "the codec": codec, "nothing": []}
    bound = {room: modules_of(allowed, groups) for some, _, allowed in rows() for room in some if room not in free}
    return bound, free


ROOMS, FREE = rooms()


def files_of(room):
    path = ROOT / room
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


def wrong_arrows(path, room):
    """Modules of this package that a file imports though its room may not."""
    allowed = [name_of(room), *ROOMS[room]]
    own = [m for m in imports(path) if belongs(m, "dinp") and m not in allowed]
    return [m for m in own if not any(belongs(m, package) for package in allowed if package != "dinp")]  # the API alone


@pytest.mark.parametrize("room", ROOMS)
def test_arrows_between_rooms_point_one_way(room):
    assert files_of(room)
    for path in files_of(room):
        assert not wrong_arrows(path, room), path


def test_an_arrow_drawn_the_wrong_way_is_seen(tmp_path):
    path = tmp_path / "section.py"
    path.write_text("def code():\n    from dinp.encoder import planes\n    import dinp.entropy.tree\n")
    assert wrong_arrows(path, "codec/bitstream") == ["dinp.encoder.planes"]


@pytest.mark.parametrize(("top", "foreign"), [("codec", ["torch"]), ("entropy", ["torch", "scipy", "pyamg"])])
def test_below_the_face_nothing_imports_torch(top, foreign):
    face = {path for room in FREE for path in files_of(room)}
    paths = [path for path in files_of(top) if path not in face]
    assert paths
    for path in paths:
        for module in imports(path):
            assert not any(belongs(module, package) for package in [*foreign, "dinp.models", "dinp.benchmarks"]), path


def test_models_know_neither_the_benchmarks_nor_the_command():
    for path in files_of("models"):
        for module in imports(path):
            assert not any(belongs(module, package) for package in ("dinp.benchmarks", "dinp.cli")), path


def test_every_module_has_a_row_in_the_table():
    homes = {path for room in [*ROOMS, *FREE] for path in files_of(room)}
    modules = [path for top in PACKAGES for path in files_of(top)]
    folders = {ROOT / "codec/__init__.py", ROOT / "entropy/__init__.py"}
    assert len(modules) > 100
    assert {str(path) for path in modules if path not in homes | folders} == set()


def test_the_table_names_only_what_there_is():
    for room in [*ROOMS, *FREE]:
        assert files_of(room), room
    known = {name_of(str(path.relative_to(ROOT))) for top in PACKAGES for path in files_of(top)} | {"dinp._kernels"}
    assert {name for names in ROOMS.values() for name in names} <= known
    assert {"dinp.errors", "dinp.kernels"} < set(ROOMS["entropy"])
    assert "dinp.encoder" not in ROOMS["codec/bitstream"]


def test_every_room_says_what_lives_there():
    for path in ROOT.glob("*/*/__init__.py"):
        if path.parts[-3] in ("codec", "models", "benchmarks"):
            assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path


def test_every_room_is_installed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {path.parent for top in PACKAGES for path in files_of(top)}
    of_data = {ROOT / "benchmarks" / "results", ROOT / "benchmarks" / "rd" / "templates", ROOT / "entropy" / "tables"}
    assert not of_data & folders
    names = {name_of(str(folder.relative_to(ROOT))) for folder in folders | of_data}
    assert names == set(project["packages"])


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
        "import dinp.cli.root",
        "import dinp, sys; dinp.info(open(sys.argv[1], 'rb').read())",
        "import dinp.cli.root as r, sys; r.command(['info', '--json', sys.argv[1]], standalone_mode=False)",
    ):
        modules = loaded(code, str(coded))
        assert "dinp" in modules
        assert not modules & {"torch", "scipy", "pyamg", "matplotlib", "skimage"}


@pytest.mark.parametrize("path", [[], ["bench"], ["train"], ["train", "mask"], ["bench", "masks", "run"], ["encode"]])
def test_help_loads_little(path):
    """Beside what it prints, modules of its own name are in memory: a command's help imports not what it works with."""
    modules = loaded(f"import dinp.cli.root as r; r.command({[*path, '--help']}, standalone_mode=False)")
    assert "click" in modules
    assert not modules & {"torch", "scipy", "pyamg", "matplotlib", "skimage", "onnxruntime"}


CODE = {
    "decode": "import dinp, sys; dinp.decode(open(sys.argv[1], 'rb').read())",
    "encode": "import dinp, numpy; [dinp.encode(numpy.eye(40, dtype='u1'), effort=effort) for effort in (1, 2, 3)]",
    "mask": "import dinp.models, numpy; dinp.models.learned_mask(numpy.eye(40), 0.1)",
}


@pytest.mark.parametrize("code", CODE.values(), ids=CODE)
def test_the_codec_and_the_learned_mask_do_not_load_torch(coded, code):
    modules = loaded(code, str(coded))
    assert "numpy" in modules
    assert not modules & {"torch", "onnx", "matplotlib", "skimage"}


def test_no_network_is_loaded_where_none_is_needed():
    """Nor is its runtime."""
    for code in ("import dinp.models.weights.predictors", "import dinp.models.weights.restoration, dinp.decoder"):
        assert not loaded(code) & {"torch", "onnxruntime"}


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = sys.modules["onnx"] = None
from dinp.cli import main
main()
"""


def test_without_torch_training_says_what_to_install():
    command = [sys.executable, "-c", WITHOUT_TORCH, "train", "mask", "--data", "none", "--out", "none"]
    process = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
    assert (process.returncode, process.stdout) == (1, "")
    assert "this command needs the package torch: pip install 'dinp[train]'" in process.stderr


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


def test_what_scipy_copies_of_numpy_is_not_loaded_for_nothing_and_stays_usable():
    """Modules of numpy that stood back while scipy was imported are what they are when they are asked for."""
    code = "import dinp.diffusion.inpaint, sys; print('numpy.f2py' in sys.modules, 'numpy.testing' in sys.modules)"
    assert run(code).split() == ["False", "False"]
    code = "import dinp.diffusion.inpaint, numpy; print(numpy.ma.array([1, 2], mask=[0, 1]).sum())"
    assert run(code).strip() == "1"
    code = "import dinp.diffusion, numpy as n; n.testing.assert_equal(1, 1); print(n.polynomial.Polynomial([3])(1))"
    assert run(code).strip() == "3.0"
    code = (
        "import numpy.ma, scipy.linalg, dinp.diffusion.inpaint, scipy.stats; print(numpy.ma is sys.modules['numpy.ma'])"
    )
    assert run("import sys; " + code).strip() == "True"
    code = "import dinp.diffusion.inpaint, scipy.stats, scipy.ndimage; print(scipy.stats.norm.cdf(0))"
    assert run(code).strip() == "0.5"
