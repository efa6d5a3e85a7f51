"""scipy without the parts of numpy that nothing here needs: a tenth of a second less to wait for.

scipy (`scipy._lib.array_api_compat`) copies all names of numpy when it is imported, also those that numpy would load
when they are first used: its test tools, wrappers for Fortran, masked arrays. Empty modules stand in for them until it
is done.
"""

import sys
from types import ModuleType

import numpy as np

UNUSED = ("ctypeslib", "f2py", "ma", "polynomial", "testing")


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
