"""The mask command and what it is made of: every method by name, its report, interruption, refused input."""

import math

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from dinp.cli.root import command
from dinp.errors import DinpError
from dinp.models.masks import report as mask_report


@pytest.fixture(scope="module")
def plane():
    from skimage.data import camera

    return camera()[96:144, 200:264].astype(np.float64)


@pytest.fixture
def picture(plane, tmp_path):
    path = tmp_path / "picture.png"
    Image.fromarray(plane.astype(np.uint8)).save(path)
    return path


def mask_command(*arguments):
    return CliRunner().invoke(command, ["mask", *map(str, arguments)])


@pytest.mark.parametrize("name", mask_report.METHODS)
def test_every_method_has_the_density_and_tells_what_it_is_worth(name, plane, picture, tmp_path):
    result = mask_command(picture, tmp_path / "mask.png", "--method", name, "--density", 0.07, "--seed", 3)
    assert result.exit_code == 0, result.output
    with Image.open(tmp_path / "mask.png") as image:
        mask = np.asarray(image.convert("L")) > 0
    points = round(0.07 * plane.size)
    assert (mask.shape, np.count_nonzero(mask)) == (plane.shape, points)
    worth = mask_report.mask_worth(plane, mask)
    assert f"{worth.plain_psnr:.2f} dB plain, {worth.tonal_psnr:.2f} dB tonally" in result.output
    assert worth.tonal_psnr > worth.plain_psnr
    np.testing.assert_array_equal(mask, mask_report.choose_mask(name, plane, 0.07, 3).mask)


def test_masks_go_into_files_of_the_codec(picture, tmp_path):
    assert mask_command(picture, tmp_path / "mask.png", "-m", "analytic").exit_code == 0
    arguments = ["encode", str(picture), str(tmp_path / "out.dinp"), "--mask", str(tmp_path / "mask.png")]
    assert CliRunner().invoke(command, arguments).exit_code == 0


def test_mask_reconstruction_and_error_stand_side_by_side(plane, picture, tmp_path):
    result = mask_command(picture, tmp_path / "mask.png", "-m", "analytic", "--picture", tmp_path / "all.png")
    assert result.exit_code == 0
    height, width = plane.shape
    with Image.open(tmp_path / "all.png") as image:
        shown = np.asarray(image).astype(float)
    assert shown.shape == (height, 3 * width + 16)
    with Image.open(tmp_path / "mask.png") as image:
        np.testing.assert_array_equal(shown[:, :width], 255 * np.asarray(image))
    reconstruction, error = shown[:, width + 8 : 2 * width + 8], shown[:, -width:]
    near = np.abs(plane - reconstruction) < 25
    assert near.mean() > 0.5
    np.testing.assert_allclose(error[near], (128 + 4 * (plane - reconstruction))[near], atol=3)


def test_an_interrupted_search_leaves_its_best_mask(plane, picture, tmp_path, monkeypatch):
    seen = []

    def interrupt(fraction):
        seen.append(fraction)
        if len(seen) == 5:
            raise KeyboardInterrupt

    chosen = mask_report.choose_mask("densification-exchange", plane, 0.1, progress=interrupt)
    assert not chosen.complete
    assert np.count_nonzero(chosen.mask) == round(0.1 * plane.size)
    assert mask_report.choose_mask("densification", plane, 0.1).complete
    monkeypatch.setattr(mask_report, "choose_mask", lambda *_: chosen)
    result = mask_command(picture, tmp_path / "mask.png", "-m", "densification-exchange")
    assert result.exit_code == 0
    assert "best mask so far" in result.output


def test_an_exact_reconstruction_has_an_infinite_psnr(plane):
    worth = mask_report.mask_worth(plane, np.ones(plane.shape, dtype=bool))
    assert worth.plain_psnr == math.inf


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["mask.png", "-m", "magic"], 1, "no method 'magic'"),
        (["mask.png", "-d", "0"], 2, "above 0"),
        (["mask.png", "-d", "nan"], 2, "above 0"),
        (["mask.jpg"], 1, "mask.png"),
        (["mask.png", "--picture", "mask.png"], 1, "same file"),
        (["mask.png", "--picture", "folder/all.png"], 1, "no folder"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_no_file(arguments, code, message, picture, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = mask_command(picture, *arguments)
    assert result.exit_code == code
    assert message in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["picture.png"]


def test_an_unknown_method_is_refused(plane):
    with pytest.raises(DinpError, match="choose one of random"):
        mask_report.choose_mask("magic", plane, 0.1)
