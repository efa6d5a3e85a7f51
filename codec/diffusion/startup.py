"""scipy and pyamg without the parts of theirs that nothing here needs: a quarter of a second less to wait for.

scipy (`scipy._lib.array_api_compat`) copies all names of numpy when it is imported, also those that numpy would load
when they are first used: its test tools, wrappers for Fortran, masked arrays. Empty modules stand in for them until it
is done.

Of pyamg, `pyamg.multilevel` is imported and what that needs, but none of the methods that the package imports with
itself. They follow when a name of the package is asked for, as by ``pyamg.ruge_stuben_solver``.
"""

import sys
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from threading import RLock
from types import ModuleType

import numpy as np

UNUSED = ("ctypeslib", "f2py", "ma", "polynomial", "testing")
_lock = RLock()


def import_scipy() -> None:
    """Import `scipy.sparse`, unless it is there."""
    if "scipy.sparse" in sys.modules:
        return
    absent = [name for name in UNUSED if name not in vars(np)]
    for name in absent:
        setattr(np, name, ModuleType(f"numpy.{name}"))
    try:
        import scipy.sparse  # noqa: F401
    finally:
        for name in absent:  # where it was loaded after all, it is what numpy itself would give
            if f"numpy.{name}" in sys.modules:
                setattr(np, name, sys.modules[f"numpy.{name}"])
            else:
                delattr(np, name)


def import_pyamg() -> None:
    """Import `pyamg.multilevel`, the rest of pyamg later, unless it is there."""
    spec = None if "pyamg" in sys.modules else find_spec("pyamg")
    if spec is None or spec.loader is None:
        return
    package = sys.modules["pyamg"] = module_from_spec(spec)
    try:
        import_module("pyamg.multilevel")
    except BaseException:
        del sys.modules["pyamg"]
        raise
    package.__class__ = Unfinished


class Unfinished(ModuleType):
    """A package whose own code is run when a name is asked for that it does not have yet."""

    def __getattr__(self, name: str) -> object:
        with _lock:
            if type(self) is Unfinished and not vars(self).get("_running"):
                self._running = True
                try:
                    self.__spec__.loader.exec_module(self)
                    self.__class__ = ModuleType
                finally:
                    del self._running
        return ModuleType.__getattribute__(self, name)
