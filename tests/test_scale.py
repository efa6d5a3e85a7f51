"""Pictures decoded smaller and larger: near to the means of what they are, or crisp."""

import io

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import photograph
from PIL import Image

import dinp
import dinp.pillow
from dinp.bitstream.container import unpack
from dinp.cli.root import command
from dinp.entropy.crack_coder import cracks_of, regions_of
from dinp.pictures.sizes import averaged
from dinp.scaling import enlarged, reduced


def drawing(height=90, width=121):
    """Discs whose grey values change slowly: coded with barriers."""
    y, x = np.mgrid[:height, :width]
    plane = 60 + 0.3 * y
    for cy, cx, r, grey in ((30, 40, 25, 200), (60, 90, 22, 120), (50, 20, 12, 30)):
        plane = np.where((y - cy) ** 2 + (x - cx) ** 2 < r * r, grey + 0.5 * (x - cx), plane)
    return np.round(np.clip(plane, 0, 255)).astype(np.uint8)


def psnr(a, b):
    return 10 * np.log10(255**2 / max(np.mean((a.astype(float) - b) ** 2), 1e-9))


@pytest.fixture(scope="module")
def with_barriers():
    data = dinp.encode(drawing(), quality=60)
    assert dinp.info(data)["planes"][0]["structure"] == "barriers"
    return data


@pytest.fixture(scope="module")
def colours():
    grey = photograph()[:101, :131]
    return np.dstack([grey, 255 - grey // 2, grey // 3 + 60])


@pytest.fixture(scope="module")
def files(with_barriers, colours):
    """Files of all kinds, and the least PSNR of the smaller picture."""
    settings = {"quality": 50, "effort": 1}
    return {
        "barriers": (with_barriers, 44),
        "grey": (dinp.encode(colours[..., 0], **settings), 48),
        "halved chroma": (dinp.encode(colours, chroma="420", **settings), 36),
        "whole chroma": (dinp.encode(colours, chroma="444", **settings), 44),
        "planes": (dinp.encode(colours[..., :2], planes=True, **settings), 48),
    }


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_smaller_is_about_the_mean_of_the_whole(files, factor):
    for name, (data, least) in files.items():
        whole = dinp.decode_array(data, restore=False)
        found = dinp.decode_array(data, scale=1 / factor)
        wanted = np.dstack([averaged(channel, factor) for channel in np.moveaxis(np.atleast_3d(whole), 2, 0)])
        assert np.atleast_3d(found).shape == wanted.shape, name
        assert psnr(wanted, np.atleast_3d(found)) > least, name


def test_a_solve_on_cells_is_near_to_the_mean_of_the_whole(with_barriers):
    from dinp.bitstream.section import decode_section
    from dinp.decoder import reconstruct

    container = unpack(with_barriers)
    code, known, _ = decode_section(container.sections[0], container.shapes[0])
    whole = reconstruct(code, known)
    assert np.allclose(reduced(code, known, 0), whole, atol=3)  # but for `PULL`, the same system
    for halvings in (1, 2, 3):
        assert psnr(averaged(whole, 1 << halvings), reduced(code, known, halvings)) > 44


def test_restoration_is_for_who_asks():
    data = dinp.encode(photograph(), quality=40)
    assert dinp.info(data)["planes"][0]["restoration"]
    plain, restored = (dinp.decode_array(data, scale=0.5, restore=restore) for restore in (None, True))
    wanted = averaged(photograph(), 2)
    assert psnr(wanted, restored) > psnr(wanted, plain) + 0.3
    whole = averaged(dinp.decode_array(data), 2)
    assert np.abs(restored - whole).max() <= 1


@pytest.mark.parametrize("factor", [2, 4])
def test_larger_is_crisp_where_there_are_barriers(with_barriers, factor):
    whole, found = dinp.decode_array(with_barriers), dinp.decode_array(with_barriers, scale=factor)
    assert found.shape == tuple(factor * side for side in whole.shape)
    assert psnr(whole, averaged(found, factor)) > 30
    around = np.stack([np.roll(np.pad(whole, 1, mode="edge"), (y, x), (0, 1)) for y in (-1, 0, 1) for x in (-1, 0, 1)])
    least, most = (limit[1:-1, 1:-1].repeat(factor, 0).repeat(factor, 1) for limit in (around.min(0), around.max(0)))
    assert ((found >= least) & (found <= most)).all()  # no overshoot
    smooth = enlarged(whole.astype(float), factor.bit_length() - 1)
    steepest = [np.abs(np.diff(picture.astype(float), axis=1)).max() for picture in (found, smooth)]
    assert steepest[0] > 1.4 * steepest[1]


def disc(side, radius=0.31):
    """A disc (side, side) of 200 on 40, each pixel one or the other."""
    y, x = (np.indices((side, side)) + 0.5) / side
    return np.where((y - 0.47) ** 2 + (x - 0.52) ** 2 < radius**2, 200.0, 40.0)


@pytest.mark.parametrize("doublings", [1, 2])
def test_edges_are_placed_within_pixels_that_mix_their_sides(doublings):
    large = disc(32 << doublings)
    small = np.round(averaged(large, 1 << doublings))
    labels, count = regions_of(*cracks_of(small))
    assert count > 12  # most are mixtures
    found = enlarged(small, doublings, labels)
    assert psnr(large, found) > psnr(large, enlarged(small, doublings)) + 1.5
    assert found.min() == 40
    assert found.max() == 200
    turned = enlarged(small[::-1, ::-1], doublings, labels[::-1, ::-1])
    assert np.allclose(turned[::-1, ::-1], found, atol=1e-3)  # nothing is moved by a part of a pixel


def test_a_thin_line_is_no_mixture():
    plane = np.full((12, 15), 30.0)
    plane[:, 8:] = 60
    plane[:, 7] = 220
    found = enlarged(plane, 1, regions_of(*cracks_of(plane))[0])
    assert found[:, 14:16].min() > 150
    assert np.array_equal(found[:, :12], np.full((24, 12), 30.0))


def test_larger_without_barriers(colours):
    data = dinp.encode(colours, quality=70, chroma="420")
    found = dinp.decode_array(data, scale=2)
    assert found.shape == (202, 262, 3)
    assert np.abs(averaged(found[..., 1], 2) - dinp.decode_array(data)[..., 1]).mean() < 3


def test_what_stands_at_pixels_is_scaled_as_samples():
    depth = np.full((40, 50), 3000, np.uint16) + np.arange(50, dtype=np.uint16)
    depth[:10] = 0
    small = dinp.decode_array(dinp.encode(depth, quality=80), scale=0.25)
    assert small.dtype == np.uint16
    assert small.shape == (10, 13)
    assert not small[:2].any()  # holes
    assert np.abs(small[3:, :12].astype(int) - averaged(depth[12:, :48], 4)).max() < 4
    exact = dinp.encode(drawing(), lossless=True)
    assert np.array_equal(dinp.decode_array(exact, scale=2), drawing().repeat(2, 0).repeat(2, 1))
    assert np.abs(dinp.decode_array(exact, scale=0.5) - averaged(drawing(), 2)).max() <= 0.6
    palette = Image.fromarray(drawing() // 64).convert("P")
    few = dinp.decode(dinp.encode(palette, lossless=True), scale=0.5)
    assert set(np.unique(np.asarray(few))) <= set(range(4))
    bounded = dinp.encode(drawing(), max_error=2)
    assert np.abs(dinp.decode_array(bounded, scale=0.5) - averaged(drawing(), 2)).max() <= 2.6
    matte = np.dstack([drawing(), np.where(drawing() > 100, 255, 0).astype(np.uint8)])
    assert dinp.decode(dinp.encode(matte), scale=0.5).size == (61, 45)


def test_scales_that_are_none_are_refused(with_barriers):
    for scale in (0, 3, -1, "1/2", None, float("nan"), 0.3):
        with pytest.raises(dinp.DinpError, match="a scale must be one of"):
            dinp.decode(with_barriers, scale=scale)
    with pytest.raises(dinp.DinpError, match="more than the limit"):
        dinp.decode(with_barriers, scale=4, max_pixels=100_000)


def test_the_command_and_the_plugin(with_barriers, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.dinp").write_bytes(with_barriers)
    for words, size in ((("--scale", "1/4"), (31, 23)), (("--scale", "2", "-f"), (242, 180))):
        result = CliRunner().invoke(command, ["decode", *words, "a.dinp", "a.png"])
        assert result.exit_code == 0, result.output
        with Image.open("a.png") as shown:
            assert shown.size == size
    assert CliRunner().invoke(command, ["decode", "--scale", "3", "a.dinp", "b.png"]).exit_code == 2
    with Image.open(io.BytesIO(with_barriers)) as image:
        image.draft(None, (10, 10))
        assert image.size == (16, 12)
        assert np.array_equal(np.asarray(image), dinp.decode_array(with_barriers, scale=0.125))


def test_the_benchmark(tmp_path):
    import json

    Image.fromarray(drawing(32, 32)).save(tmp_path / "small.png")
    out = tmp_path / "scale.json"
    words = ["bench", "scale", str(tmp_path / "small.png"), "--out", str(out), "--qualities", "60", "--repeats", "1"]
    result = CliRunner().invoke(command, words)
    assert result.exit_code == 0, result.output
    rows = json.loads(out.read_text())["results"]
    assert len(rows) == 3 * 4 + 2 * 2
    assert {row["scale"] for row in rows} == {"1/2", "1/4", "1/8", "2", "4"}
    assert all(row["psnr"] > 15 for row in rows)
