"""What pyproject.toml cannot say: the C extension, which is left out where it cannot be built."""

import sys
from pathlib import Path

from setuptools import Extension, setup

SOURCES = [
    "binarisation",
    "colour_transform",
    "contour_moves",
    "cracks",
    "flags",
    "groups",
    "hints",
    "krylov",
    "module",
    "multigrid",
    "network",
    "order",
    "range",
    "region_colours",
    "region_values",
    "samples",
    "segmentation",
    "tonal",
    "tree",
    "values",
]
FLAGS = ["/O2"] if sys.platform == "win32" else ["-O3", "-std=c11", "-ffp-contract=off", "-fno-math-errno"]

setup(
    ext_modules=[
        Extension(
            "dinp._kernels",
            [f"codec/kernels/{name}.c" for name in SOURCES],
            depends=[str(path) for path in Path("codec/kernels").glob("*.h")],
            extra_compile_args=FLAGS,
            define_macros=[("Py_LIMITED_API", "0x030B0000")],
            py_limited_api=True,
            optional=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
