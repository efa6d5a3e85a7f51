"""Whole files are the same to the last byte whoever does the work, and so are the pictures that they hold."""

import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import photograph, smooth_plane, with_kernels, without_kernels
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

import dinp
from dinp.diffusion import stencils


def drawing():
    """A few areas of one value, (20, 28) uint8."""
    y, x = np.mgrid[:20, :28]
    return (60 + 80 * (x > 9) + 50 * (y > 12)).astype(np.uint8)


def pictures():
    """By name: picture, how it is coded, and the structure of its first plane, where that matters."""
    grey, waves = photograph()[:66, :80], smooth_plane((40, 50), seed=3)
    colour = np.dstack([grey, grey[::-1], np.clip(grey + 20.0 * (grey > 90), 0, 255).astype(np.uint8)])
    deep = (waves * 100).astype(np.uint16)
    mask = np.zeros(grey.shape, dtype=bool)
    mask[::7, ::5] = True
    return {
        "grey, effort 1": (grey, {"quality": 40, "effort": 1}, "tree"),
        "grey, effort 2": (grey, {"quality": 55, "effort": 2}, "tree"),
        "colour, effort 1": (colour, {"quality": 35, "effort": 1}, "tree"),
        "colour, effort 2": (colour, {"quality": 35, "effort": 2}, "tree"),
        "effort 3": (photograph()[100:132, 110:150], {"quality": 40, "effort": 3}, "tree"),
        "barriers": (drawing(), {"quality": 60}, "barriers"),
        "free mask": (grey, {"quality": 40, "effort": 1, "mask": mask}, "free mask"),
        "16 bits": (deep, {"quality": 40, "effort": 1}, None),
        "lossless drawing": (drawing(), {"lossless": True}, None),
        "lossless photograph": (grey[:16, :16], {"lossless": True}, None),
    }


def coded(name, height=66, width=80):
    """The file of a picture's lower right part, and what it shows."""
    picture, how, structure = pictures()[name]
    picture, how = picture[-height:, -width:], dict(how)
    if "mask" in how:
        how["mask"] = how["mask"][-height:, -width:]
    data = dinp.encode(picture, **how)
    if structure is not None:
        assert dinp.info(data)["planes"][0]["structure"] == structure
    return data, dinp.decode_array(data).tobytes()


@pytest.mark.parametrize("name", pictures())
def test_threads(name, monkeypatch):
    """One, two and eight, which share out what they would not in such small pictures."""
    monkeypatch.setattr(stencils, "SHARED", 1)
    found = []
    for number in ("1", "2", "8"):
        monkeypatch.setenv("OMP_NUM_THREADS", number)
        found.append(coded(name))
    assert found[0] == found[1] == found[2]


@with_kernels
@pytest.mark.parametrize("name", pictures())
def test_kernels_and_numpy(name):
    part = (36, 44)  # more than a root cell each way: without kernels a plane takes many seconds
    compiled = coded(name, *part)
    with without_kernels():
        assert coded(name, *part) == compiled


CODE = """if True:
    import hashlib, sys
    import numpy as np
    from numpy._core._multiarray_umath import __cpu_features__
    import dinp
    from dinp.bitstream.container import unpack
    from dinp.bitstream.section import decode_section
    data, out = open(sys.argv[1], "rb").read(), sys.argv[2]
    container = unpack(data, max_pixels=10**6)
    levels = [decode_section(s, shape)[0].levels for s, shape in zip(container.sections, container.shapes)]
    np.savez(out, *levels, shown=dinp.decode_array(data), features=[k for k, v in __cpu_features__.items() if v])
"""


def test_processors(tmp_path):
    """What the most modest processor decodes: the same levels, and samples within the rule of docs/format.md."""
    picture, how, _ = pictures()["colour, effort 1"]
    (tmp_path / "picture.dinp").write_bytes(dinp.encode(picture, **how))
    plain = {
        "NPY_DISABLE_CPU_FEATURES": " ".join(name for name in __cpu_dispatch__ if __cpu_features__[name]),
        "OPENBLAS_CORETYPE": "Prescott",
        "DINP_KERNELS": "0",
    }
    for name, environment in (("own", {}), ("plain", plain)):
        command = [sys.executable, "-W", "ignore", "-c", CODE, tmp_path / "picture.dinp", tmp_path / name]
        subprocess.run(command, env=os.environ | environment, check=True, timeout=120)
    with np.load(tmp_path / "own.npz") as own, np.load(tmp_path / "plain.npz") as other:
        assert len(other["features"]) < len(own["features"]) or not plain["NPY_DISABLE_CPU_FEATURES"]
        levels = [name for name in own.files if name.startswith("arr_")]
        assert len(levels) == 3
        for name in levels:
            np.testing.assert_array_equal(own[name], other[name])
        difference = np.abs(own["shown"].astype(int) - other["shown"])
        assert difference.max() <= 1
        assert np.mean(difference > 0) <= 0.002
