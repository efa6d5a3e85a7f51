"""What importing the solver loads of pyamg, and what follows when it is asked for."""

import subprocess
import sys


def printed(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120).stdout


def test_pyamg_is_loaded_as_far_as_the_solver_needs_it_and_whole_when_asked():
    code = """if True:
        import sys
        import dinp.diffusion.multigrid
        print("pyamg.multilevel" in sys.modules, "pyamg.aggregation" in sys.modules, "pyamg.gallery" in sys.modules)
        import pyamg
        from pyamg.gallery import poisson
        A = poisson((20, 20), format="csr")
        print(pyamg.ruge_stuben_solver(A).solve(A @ __import__("numpy").ones(400), tol=1e-10).round(6).min())
        print(pyamg.__version__ == __import__("importlib.metadata").metadata.version("pyamg"))
        print(pyamg.multilevel.MultilevelSolver is dinp.diffusion.multigrid.MultilevelSolver, hasattr(pyamg, "absent"))
    """
    assert printed(code).splitlines() == ["True False False", "1.0", "True", "True False"]


def test_pyamg_that_is_there_already_stays_as_it_is():
    code = "import pyamg; import dinp.diffusion; print(type(pyamg).__name__, hasattr(pyamg, 'ruge_stuben_solver'))"
    assert printed(code).split() == ["module", "True"]
