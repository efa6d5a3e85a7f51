"""The compiled kernels, where they were built: a small C extension for what numpy cannot fuse.

Every kernel has a counterpart in numpy, beside its only caller, that gives the same integers and, in floating point,
the same up to rounding. May import nothing of dinp. Without a compiler, or with DINP_KERNELS=0 in the environment,
`kernels` is None and the counterparts run.
"""

import contextlib
import os
from types import ModuleType

kernels: ModuleType | None = None
if os.environ.get("DINP_KERNELS") != "0":
    with contextlib.suppress(ImportError):  # no compiler was at hand when the package was installed
        from dinp import _kernels as kernels


def missing() -> str | None:
    """Why numpy does the kernels' work, slower; None where they do it."""
    if kernels is not None:
        return None
    turned_off = os.environ.get("DINP_KERNELS") == "0"
    return "turned off by DINP_KERNELS=0" if turned_off else "not built, as no C compiler was at hand"
