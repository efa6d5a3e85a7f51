"""The rate-distortion benchmark: codecs, metrics, and runs that can be stopped and continued."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import dinp_command
from PIL import Image
from skimage import data

import dinp
from dinp.benchmarks.rd.codecs import CODECS, codecs_named
from dinp.benchmarks.rd.metrics import check_metrics, measure, psnr
from dinp.benchmarks.rd.own import Dinp, _codes
from dinp.benchmarks.rd.runs import load_picture, pictures_in
from dinp.errors import DinpError

ASTRONAUT = np.ascontiguousarray(data.astronaut()[:176, 150:326])
GREY = np.ascontiguousarray(ASTRONAUT[..., 1])
ALL_METRICS = ("psnr", "ssim", "ms_ssim", "ssimulacra2")
CHEAP = ["--codecs", "jpeg,jpeg2000", "--metrics", "psnr"]


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "two"
    folder.mkdir()
    Image.fromarray(ASTRONAUT[:64, :80]).save(folder / "a.png")
    Image.fromarray(ASTRONAUT[64:160, :64, 0]).save(folder / "b.png")  # grey
    (folder / "notes.txt").write_text("not a picture")
    return folder


def run(folder, out, *more):
    return dinp_command("bench", "rd", "run", "--pictures", folder, "--out", out, *CHEAP, *more)


def series(path, **wanted):
    found = json.loads(path.read_text())["series"]
    return [one for one in found if all(one[name] == value for name, value in wanted.items())]


def figures(path):
    """What must not depend on how a run went."""
    left_out = ("run", "encode_s", "decode_s")
    return [{name: value for name, value in one.items() if name not in left_out} for one in series(path)]


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("colour", [False, True])
def test_codec(name, colour):
    picture = ASTRONAUT[:48, :64] if colour else ASTRONAUT[:48, :64, 1]
    codec = CODECS[name]
    if codec.package:
        pytest.importorskip(codec.package[0])
    settings = (20, 80) if isinstance(codec, Dinp) else codec.settings
    small, large = (codec.run(picture, settings[index]) for index in (0, -1))
    assert small.decoded.shape == picture.shape
    assert small.decoded.dtype == np.uint8
    assert len(small.data) < len(large.data)
    assert large.bpp == 8 * len(large.data) / (48 * 64)
    assert psnr(picture, small.decoded) < psnr(picture, large.decoded)
    assert psnr(picture, large.decoded) > 25
    assert codec.version() == codec.version()
    if isinstance(codec, Dinp):
        assert large.details["points"] > small.details["points"] > 0
        assert 0 < large.details["density"] <= 1
        assert large.details["mask_bits_per_point"] > 0 < large.details["value_bits_per_point"]
        assert codec.restore == ("plain_psnr" in large.details)
        if codec.restore:
            plain = np.asarray(dinp.decode(large.data, restore=False))
            assert large.details["plain_psnr"] == psnr(picture, plain)


def test_jpeg2000_codes_colour_with_its_transform():
    codec = CODECS["jpeg2000"]
    assert codec.options(ASTRONAUT, 0.5)["mct"] == 1
    assert "mct" not in codec.options(ASTRONAUT[..., 0], 0.5)
    assert codec.run(ASTRONAUT, 0.5).bpp == pytest.approx(0.5, rel=0.1)


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("encoder/planes.py", True),
        ("kernels/values.c", True),
        ("weights/tree.npz", True),
        ("weights/hub.py", True),
        ("tables/mask.npz", True),
        ("weights/mask.npz", False),
        ("weights/mask_curve_4.json", False),
        ("weights/card.md", False),
        ("cli/encode.py", False),
        ("masks/exchange.py", False),
        ("training/train.py", False),
        ("_kernels.abi3.so", False),
        ("__pycache__/planes.cpython-311.pyc", False),
    ],
)
def test_versions_follow_what_codes(path, counts):
    assert _codes(Path(path)) == counts


def test_coding_needs_none_of_the_rooms_that_versions_leave_out():
    code = "import sys, numpy, dinp; dinp.decode(dinp.encode(numpy.eye(40, dtype='uint8') * 255))\nprint(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "dinp.models.weights" in loaded
    assert not [name for name in loaded if name.startswith(("dinp.cli", "dinp.models.masks", "dinp.models.training"))]


def test_avif_is_tuned_for_psnr():
    tuned, default = (CODECS[name].run(GREY, 40) for name in ("avif-psnr", "avif"))
    bits = [np.log2(len(coded.data)) for coded in (tuned, default)]
    gain = measure(GREY, tuned.decoded, ["psnr"])["psnr"] - measure(GREY, default.decoded, ["psnr"])["psnr"]
    assert gain > 5 * (bits[0] - bits[1])  # twice the bits would bring about 4 dB


@pytest.mark.parametrize(("name", "package"), [("jpegxl", "imagecodecs"), ("heic", "pillow_heif")])
def test_codecs_of_other_packages(name, package):
    pytest.importorskip(package)
    for picture in (GREY, ASTRONAUT):
        small, large = (CODECS[name].run(picture, CODECS[name].settings[k]) for k in (0, -1))
        assert len(small.data) < len(large.data)
        assert measure(picture, large.decoded, ["psnr"])["psnr"] > 38
    assert package.replace("_", "-") in CODECS[name].version()


def test_a_codec_whose_package_is_missing_says_so(monkeypatch):
    monkeypatch.setattr("dinp.benchmarks.rd.codec.find_spec", lambda name: None)
    with pytest.raises(DinpError, match="heic needs a package: pip install pillow-heif"):
        codecs_named(["heic"])


def test_metrics_of_equal_pictures():
    values = measure(ASTRONAUT, ASTRONAUT, ALL_METRICS)
    assert values == {"psnr": None, "ssim": 1.0, "ms_ssim": 1.0, "ssimulacra2": 100.0}


def test_metrics_fall_with_noise():
    noise = np.random.default_rng(0).normal(size=ASTRONAUT.shape)
    worse = [measure(ASTRONAUT, np.clip(ASTRONAUT + k * noise, 0, 255).astype(np.uint8), ALL_METRICS) for k in (5, 20)]
    assert all(worse[0][name] > worse[1][name] for name in ALL_METRICS)
    assert worse[0]["psnr"] == pytest.approx(20 * np.log10(255 / 5), abs=0.5)


def test_metrics_too_large_for_a_picture():
    values = measure(ASTRONAUT[:9, :9], ASTRONAUT[1:10, :9], ALL_METRICS)
    assert values["ssim"] is None
    assert values["ms_ssim"] is None
    assert values["psnr"] is not None


def test_unknown_names():
    with pytest.raises(DinpError, match="no codec gif"):
        codecs_named(["jpeg", "gif"])
    with pytest.raises(DinpError, match="no metric lpips"):
        check_metrics(["lpips"])


def test_missing_libraries_are_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "ssimulacra2", None)
    with pytest.raises(DinpError, match=r"dinp\[bench\]"):
        check_metrics(["ssimulacra2"])
    monkeypatch.setattr("dinp.benchmarks.rd.codec.features.check", lambda name: False)
    with pytest.raises(DinpError, match="without avif"):
        codecs_named(["avif"])


def test_pictures_of_a_folder(pictures, tmp_path):
    a, b = pictures_in(pictures)
    assert [a] == pictures_in(pictures, 1)
    assert load_picture(a, "colour").shape == (64, 80, 3)
    np.testing.assert_array_equal(load_picture(a, "grey"), np.asarray(Image.open(a).convert("L")))
    assert load_picture(b, "colour") is None
    with pytest.raises(DinpError, match="no pictures"):
        pictures_in(tmp_path)
    with pytest.raises(DinpError, match="no folder"):
        pictures_in(tmp_path / "none")


def test_run_writes_what_was_measured(pictures, tmp_path):
    out = tmp_path / "rd.json"
    assert run(pictures, out, "--max-bpp", "0.5") == 0
    assert [(s["mode"], s["codec"], s["picture"]) for s in series(out)] == [
        ("colour", "jpeg", "a.png"),
        ("colour", "jpeg2000", "a.png"),
        ("grey", "jpeg", "a.png"),
        ("grey", "jpeg", "b.png"),
        ("grey", "jpeg2000", "a.png"),
        ("grey", "jpeg2000", "b.png"),
    ]
    (one,) = series(out, mode="colour", codec="jpeg2000")
    picture = load_picture(pictures / "a.png", "colour")
    coded = CODECS["jpeg2000"].run(picture, one["settings"][-1])
    assert one["bytes"][-1] == len(coded.data)
    assert one["psnr"][-1] == pytest.approx(psnr(picture, coded.decoded), abs=1e-4)
    rates = [8 * size / (64 * 80) for size in one["bytes"]]
    assert rates[-1] > 0.5 >= rates[-2]  # the first larger file is the last
    assert json.loads(out.read_text())["runs"][0]["codecs"]["jpeg"] == CODECS["jpeg"].version()


def test_a_run_goes_on_where_it_stopped(pictures, tmp_path, capsys):
    out, other = tmp_path / "rd.json", tmp_path / "other.json"
    assert run(pictures, out) == 0
    whole = figures(out)
    content = json.loads(out.read_text())
    del content["series"][2]
    for values in content["series"][3].values():
        if isinstance(values, list):
            del values[4:]
    content["series"][0]["psnr"][0] = 99.0  # measured values are kept
    other.write_text(json.dumps(content))
    assert run(pictures, other, "--set", "two") == 0
    assert "4 of 8 series are there already" in capsys.readouterr().err
    joined = figures(other)
    assert joined[0]["psnr"][0] == 99.0
    assert [one["run"] for one in series(other)] == [0, 0, 1, 0, 0, 1, 0]
    assert joined[1:4] == whole[1:4]
    for name in ("settings", "bytes", "psnr"):
        assert joined[4][name] + joined[5][name] == whole[4][name]
    before = other.read_bytes()
    assert run(pictures, other) == 0
    assert other.read_bytes() == before


def test_another_version_or_metric_is_measured_anew(pictures, tmp_path):
    out = tmp_path / "rd.json"
    assert run(pictures, out) == 0
    whole = figures(out)
    content = json.loads(out.read_text())
    content["runs"][0]["codecs"]["jpeg"] = "an older one"
    for one in content["series"]:
        one["psnr"][0] = 99.0
    out.write_text(json.dumps(content))
    assert run(pictures, out) == 0
    assert {one["run"] for one in series(out, codec="jpeg")} == {1}
    assert [one for one in figures(out) if one["codec"] == "jpeg"] == [one for one in whole if one["codec"] == "jpeg"]
    assert series(out, codec="jpeg2000")[0]["psnr"][0] == 99.0
    assert run(pictures, out, "--metrics", "psnr,ssim", "--codecs", "jpeg2000") == 0
    assert all("ssim" in one and one["psnr"][0] < 99 for one in series(out, codec="jpeg2000"))
    assert not any("ssim" in one for one in series(out, codec="jpeg"))


def test_several_processes_measure_the_same(pictures, tmp_path):
    one, two = tmp_path / "1.json", tmp_path / "2.json"
    assert run(pictures, one, "--mode", "grey") == 0
    assert run(pictures, two, "--mode", "grey", "--jobs", "2") == 0
    assert figures(one) == figures(two)


def test_qualities_of_dinp(pictures, tmp_path):
    out = tmp_path / "rd.json"
    options = ["--codecs", "dinp", "--mode", "grey", "--limit", "1", "--qualities"]
    assert run(pictures, out, *options, "60,20") == 0
    assert run(pictures, out, *options, "20,40") == 0
    assert [one["settings"] for one in series(out)] == [[20, 60], [40]]


def test_failures_are_told_and_the_rest_is_kept(pictures, tmp_path, capsys):
    (pictures / "c.png").write_bytes((pictures / "a.png").read_bytes()[:200])
    out = tmp_path / "rd.json"
    assert run(pictures, out, "--mode", "grey") == 1
    assert "c.png" in capsys.readouterr().err
    assert len(series(out)) == 4


def test_bad_input_is_one_sentence(pictures, tmp_path, capsys, monkeypatch):
    out = tmp_path / "rd.json"
    out.write_text("{}")
    assert run(pictures, out) == 1
    assert run(pictures, tmp_path / "none" / "rd.json") == 1
    assert dinp_command("bench", "rd", "table", tmp_path / "none.json") == 1
    monkeypatch.setattr(
        "dinp.benchmarks.rd.runs.run_tasks", lambda *arguments: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    assert run(pictures, tmp_path / "new.json") == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Error: ")]
    assert len(lines) == 4
    assert "the same command goes on" in lines[-1]


def test_another_set_is_refused(pictures, tmp_path, capsys):
    out = tmp_path / "rd.json"
    assert run(pictures, out, "--mode", "grey", "--limit", "1") == 0
    assert run(pictures, out, "--set", "other") == 1
    assert "results of the set two, not of other" in capsys.readouterr().err
