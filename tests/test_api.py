"""The public API: what goes in, what comes out, what is told."""

import json
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
from PIL import Image
from skimage import data

import dinp


@pytest.fixture(scope="module")
def photograph():
    """A colour photograph of odd sides, (75, 101, 3)."""
    return np.ascontiguousarray(data.astronaut()[:300:4, 50:454:4])


@pytest.fixture(scope="module", params=["grey", "colour"])
def picture(request, photograph):
    return photograph if request.param == "colour" else np.ascontiguousarray(photograph[:, :, 1])


def mean_squared_error(a, b):
    return np.mean((np.asarray(a, dtype=float) - np.asarray(b, dtype=float)) ** 2)


def test_round_trip_keeps_size_and_mode_and_the_report_tells_the_truth(picture):
    encoding = dinp.encode_with_report(picture, quality=60)
    decoded = dinp.decode(encoding.data)
    assert decoded.mode == ("L" if picture.ndim == 2 else "RGB")
    assert decoded.size == (101, 75)
    np.testing.assert_array_equal(encoding.original, picture)
    assert np.abs(np.asarray(decoded, dtype=int) - encoding.decoded).max() <= 1
    assert encoding.psnr == pytest.approx(10 * np.log10(255**2 / mean_squared_error(picture, decoded)), abs=0.01)
    assert encoding.psnr > 20
    assert encoding.bpp == 8 * len(encoding.data) / (101 * 75)
    assert 0 < encoding.density < 1


def test_pillow_image_and_array_give_the_same_file(picture):
    assert dinp.encode(Image.fromarray(picture), quality=30) == dinp.encode(picture, quality=30)


def test_better_quality_means_more_bytes_and_less_error(picture):
    files = [dinp.encode(picture, quality=quality) for quality in (5, 50, 95)]
    errors = [mean_squared_error(picture, dinp.decode(file)) for file in files]
    assert sorted(map(len, files)) == [len(file) for file in files]
    assert errors[0] > errors[1] > errors[2]


def test_quality_may_be_any_real_number_and_has_a_default(photograph):
    grey = photograph[:, :, 0]
    assert dinp.encode(grey) == dinp.encode(grey, quality=np.float32(50))
    for quality in (0, 12.5, 100):
        assert dinp.decode(dinp.encode(grey, quality=quality)).size == (101, 75)


@pytest.mark.parametrize("quality", [-1, 100.1, float("nan"), float("inf"), "50", True])
def test_other_qualities_are_refused(quality):
    with pytest.raises(dinp.DinpError, match="quality"):
        dinp.encode(np.zeros((5, 5), np.uint8), quality=quality)


@pytest.mark.parametrize(
    "options",
    [
        {name: value}
        for name in ("target_bytes", "target_psnr", "max_error")
        for value in ("30", True, [3], float("nan"))
    ]
    + [{"target_bytes": float("inf")}, {"target_psnr": float("inf")}, {"max_error": float("inf")}]
    + [{"target_bytes": 0}, {"target_psnr": -1}, {"max_error": -1}, {"effort": "2"}, {"effort": [2]}, {"effort": 4}]
    + [{"chroma": ["420"]}, {"chroma": "422"}, {"max_pixels": "100"}, {"max_pixels": float("nan")}],
    ids=str,
)
def test_options_that_cannot_be_used_are_one_sentence(options):
    with pytest.raises(dinp.DinpError) as caught:
        dinp.encode(np.zeros((5, 5), np.uint8), **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (1, 50), (50, 1), (3, 3), (33, 31)])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_every_size_works(shape, channels):
    picture = np.random.default_rng(5).integers(0, 256, shape + channels, dtype=np.uint8)
    assert np.asarray(dinp.decode(dinp.encode(picture, quality=80))).shape == picture.shape


@pytest.mark.parametrize("value", [0, 17, 255])
def test_flat_pictures_are_small_and_exact(value):
    picture = np.full((64, 80, 3), value, np.uint8)
    encoded = dinp.encode(picture, quality=90)
    assert len(encoded) < 60
    assert np.abs(np.asarray(dinp.decode(encoded), dtype=int) - value).max() <= 1


def test_encoding_and_decoding_are_deterministic(picture):
    first, second = (dinp.encode(picture, quality=40) for _ in range(2))
    assert first == second
    np.testing.assert_array_equal(dinp.decode(first), dinp.decode(second))


def test_conversions_are_told_by_warnings(photograph):
    image = Image.fromarray(photograph).convert("RGBX")
    with pytest.warns(dinp.DinpNotice, match="mode RGBX coded as RGB"):
        encoded = dinp.encode(image, quality=20)
    assert encoded == dinp.encode(photograph, quality=20)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert dinp.encode_with_report(image, quality=20).notices


@pytest.mark.parametrize("image", ["picture.png", b"bytes", None, [[1, 2], [3, 4]]])
def test_other_pictures_are_refused(image):
    with pytest.raises(dinp.DinpError, match="Pillow image or an array"):
        dinp.encode(image)


def test_data_may_be_any_bytes_but_no_name(photograph):
    encoded = dinp.encode(photograph[:, :, 0], quality=10)
    for same in (bytearray(encoded), memoryview(encoded)):
        np.testing.assert_array_equal(dinp.decode(same), dinp.decode(encoded))
    for wrong in ("picture.dinp", None):
        with pytest.raises(dinp.DinpError, match="bytes"):
            dinp.decode(wrong)
        with pytest.raises(dinp.DinpError, match="bytes"):
            dinp.info(wrong)


def test_size_limit_holds_everywhere():
    picture = np.zeros((20, 30), np.uint8)
    encoded = dinp.encode(picture, max_pixels=600)
    assert dinp.decode(encoded, max_pixels=600).size == (30, 20)
    for refused in (lambda: dinp.encode(picture, max_pixels=599), lambda: dinp.decode(encoded, max_pixels=599)):
        with pytest.raises(dinp.DinpError, match="limit of 599"):
            refused()
    with pytest.raises(dinp.DinpError, match="limit of 599"):
        dinp.info(encoded, max_pixels=599)


def test_info_tells_what_a_file_holds(picture):
    encoded = dinp.encode(picture, quality=60, chroma="420")
    report = dinp.info(encoded)
    assert json.loads(json.dumps(report)) == report
    assert (report["width"], report["height"]) == (101, 75)
    assert report["mode"] == ("L" if picture.ndim == 2 else "RGB")
    assert report["format_version"] == dinp.FORMAT_VERSION
    assert report["bytes"] == len(encoded)
    assert report["bpp"] == 8 * len(encoded) / (101 * 75)
    assert report["overhead_bytes"] <= 24
    parts = sum(part["bytes"] for part in report["planes"] + report["chunks"])
    assert report["overhead_bytes"] + parts == len(encoded)
    assert [plane["name"] for plane in report["planes"]] == (["grey"] if picture.ndim == 2 else ["Y", "Cb", "Cr"])
    for plane in report["planes"]:
        assert plane["points"] >= 1
        # Mask and values fill the section: information content within 2 % and the fields' and the coder's few bytes.
        assert plane["mask_bits"] + plane["value_bits"] == pytest.approx(8 * plane["bytes"], rel=0.02, abs=8 * 6)
        per_point = plane["mask_bits_per_point"] + plane["value_bits_per_point"]
        assert per_point * plane["points"] == pytest.approx(plane["mask_bits"] + plane["value_bits"])
    if picture.ndim == 3:
        assert [(plane["width"], plane["height"]) for plane in report["planes"]] == [(101, 75), (51, 38), (51, 38)]


def test_progress_rises_to_the_end(photograph):
    for work in (
        lambda progress: dinp.encode(photograph, quality=20, progress=progress),
        lambda progress: dinp.decode(dinp.encode(photograph, quality=20), progress=progress),
    ):
        seen = []
        work(seen.append)
        assert seen == sorted(seen)
        assert seen[0] >= 0
        assert seen[-1] == pytest.approx(1)


def test_a_mask_of_ones_own_is_kept(picture):
    mask = np.random.default_rng(0).random(picture.shape[:2]) < 0.08
    report = dinp.info(dinp.encode(picture, mask=mask))
    assert report["planes"][0]["structure"] == "free mask"
    assert report["planes"][0]["points"] == mask.sum()


@pytest.mark.parametrize(
    "mask",
    [np.zeros((75, 101), bool), np.ones((101, 75), bool), np.ones((75, 101), np.uint8)],
    ids=["empty", "shape", "dtype"],
)
def test_unusable_masks_are_refused(picture, mask):
    with pytest.raises(dinp.DinpError, match="mask"):
        dinp.encode(picture, mask=mask)


def test_files_do_not_depend_on_the_number_of_threads(photograph, tmp_path):
    np.save(tmp_path / "picture.npy", photograph)
    program = "import sys, numpy, dinp; sys.stdout.buffer.write(dinp.encode(numpy.load(sys.argv[1]), effort=3))"
    files = []
    for threads in ("1", "2"):
        environment = os.environ | {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        command = [sys.executable, "-c", program, str(tmp_path / "picture.npy")]
        files.append(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)
    assert files[0] == files[1] != b""


@pytest.mark.parametrize("quality", [10, 35, 60])
def test_estimated_bits_are_the_bytes_of_the_file(quality):
    from skimage.data import camera

    encoded = dinp.encode(camera(), quality=quality)
    report = dinp.info(encoded)
    (plane,) = report["planes"]
    estimated = plane["mask_bits"] + plane["value_bits"] + 8 * report["overhead_bytes"]
    assert estimated == pytest.approx(8 * len(encoded), rel=0.01)
