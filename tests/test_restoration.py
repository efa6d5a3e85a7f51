"""Restoration after the solver: what is done to which tiles, what files say of it, and decoders that do without."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from conftest import photograph, random_tree, smooth_plane
from restoration_reference import NumpyNetwork, random_weights

import dinp
import dinp.models
from dinp import tiles as tiling
from dinp.bitstream.container import Container, pack, unpack
from dinp.decoder import decode_planes
from dinp.encoder import placement
from dinp.encoder.planes import encode_planes
from dinp.models import load_restoration
from dinp.restoration import VERSIONS, DecodedPlane, Restoration, side_map
from dinp.tiles import LARGEST, LONG, SHORT, rough_tiles, windows


def decoded_plane(shape, step=6.0, seed=0, smooth=None):
    """A noisy plane; where `smooth` is true, all cells have sides of 16 or more."""
    rng = np.random.default_rng(seed)
    mask = rng.random(shape) < 0.1
    side = rng.integers(0, 4, shape).astype(np.uint8)
    if smooth is not None:
        side[smooth] = 4
    return DecodedPlane(smooth_plane(shape) + rng.normal(0, 9, shape), mask, side, step)


def small(version):
    return Restoration(NumpyNetwork(random_weights(seed=version)), version)


@pytest.mark.parametrize("shape", [(37, 51), (1, 1), (150, 16)])
def test_version_1_is_the_mean_over_both_orientations(shape):
    plane, restoration = decoded_plane(shape), small(1)
    drafts = [restoration(view, draft=True) for view in (plane, plane.transposed())]
    assert np.abs(drafts[0] - plane.reconstruction).max() > 0.01
    assert plane.mask.size == 1 or not np.allclose(drafts[0], drafts[1].T)
    np.testing.assert_allclose(restoration(plane), (drafts[0] + drafts[1].T) / 2, atol=1e-4)


@pytest.mark.parametrize("version", [2, 3])
def test_later_versions_have_one_orientation(version):
    plane, restoration = decoded_plane((70, 40)), small(version)
    assert np.array_equal(restoration(plane), restoration(plane, draft=True))


def smooth_places(shape, *tiles):
    """Where the named tiles of 128 x 128 pixels are."""
    smooth = np.zeros(shape, dtype=bool)
    for y, x in tiles:
        smooth[128 * y : 128 * (y + 1), 128 * x : 128 * (x + 1)] = True
    return smooth


@pytest.mark.parametrize("version", [2, 3])
def test_smooth_tiles_are_left_alone_by_later_versions(version):
    smooth = smooth_places((300, 380), (0, 0), (1, 1), (2, 2))
    plane = decoded_plane(smooth.shape, smooth=smooth)
    restored = small(version)(plane)
    assert np.array_equal(restored[smooth], plane.reconstruction[smooth])
    assert (restored[~smooth] != plane.reconstruction[~smooth]).mean() > 0.99
    whole = Restoration(small(version).network, 1)(plane, draft=True)  # the same network, everywhere
    np.testing.assert_allclose(restored[~smooth], whole[~smooth], atol=1e-3)
    assert (whole[smooth] != plane.reconstruction[smooth]).mean() > 0.99


def test_a_tile_with_one_smaller_cell_is_rough():
    sides = np.full((256, 300), 4, dtype=np.uint8)
    for place in ((0, 0), (130, 127), (255, 299)):
        sides[place] = 3
    assert rough_tiles(sides).tolist() == [[True, False, False], [True, False, True]]


@pytest.mark.parametrize(("count", "alone"), [(3, 3), (4, 0)])
def test_where_nearly_all_tiles_are_smooth_none_is_left_alone(count, alone):
    smooth = smooth_places((256, 256), *[(0, 0), (0, 1), (1, 0), (1, 1)][:count])
    tiles = rough_tiles(np.where(smooth, 5, 2).astype(np.uint8))
    assert np.count_nonzero(~tiles) == alone


@pytest.mark.parametrize("short", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_windows_cover_the_wanted_tiles_once_and_no_others(seed, short):
    shape = (1900, 2700)
    rng = np.random.default_rng(seed)
    tiles = rng.random((15, 22)) < (0.05, 0.3, 0.8, 1.0)[seed]
    count = np.zeros(shape, dtype=int)
    for window in windows(tiles, shape, 96, short=short):
        assert all(side <= (SHORT if short else LARGEST) * 128 for side in count[window.tile].shape)
        count[window.tile] += 1 if window.wanted is None else window.wanted
        for seen, tile, inside, side in zip(window.seen, window.tile, window.inside, shape, strict=True):
            assert seen.start == max(0, tile.start - 96)
            assert seen.stop == min(side, tile.stop + 96)
            assert seen.start + inside.start == tile.start
            assert seen.start + inside.stop == tile.stop
            assert seen.start % 16 == 0
            assert seen.stop % 16 == 0 or seen.stop == side
    wanted = tiles.repeat(128, axis=0).repeat(128, axis=1)[: shape[0], : shape[1]]
    assert np.array_equal(count, wanted)


def test_distant_tiles_have_windows_of_their_own():
    tiles = np.zeros((12, 12), dtype=bool)
    tiles[0, 0] = tiles[11, 11] = True
    assert len(list(windows(tiles, (1536, 1536), 96))) == 2
    assert not list(windows(np.zeros((3, 3), dtype=bool), (300, 300), 96))


@pytest.mark.parametrize("turned", [False, True])
def test_windows_of_long_pictures_take_no_square_of_their_length(turned, monkeypatch):
    count = 4 * LONG
    tiles, looks, around = np.ones((1, count), dtype=bool), [], tiling._around
    tiles[0, 3::7] = False

    def counting(tiles, within):
        top, bottom, left, right = within
        looks.append((bottom - top) * (right - left))
        return around(tiles, within)

    monkeypatch.setattr(tiling, "_around", counting)
    shape = (1, 128 * count)
    found = list(windows(tiles.T if turned else tiles, shape[::-1] if turned else shape, 96))
    covered = sum(window.tile[0 if turned else 1].stop - window.tile[0 if turned else 1].start for window in found)
    assert np.count_nonzero(tiles) * 128 <= covered <= 128 * count
    assert sum(looks) < 4 * count * LONG


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("shape", [(300, 70), (129, 400)])
def test_windows_do_not_show(version, shape, monkeypatch):
    plane, original, restoration = decoded_plane(shape), smooth_plane(shape, seed=9), small(version)
    whole = [restoration(plane), *restoration.with_gradient(plane, original)]
    monkeypatch.setattr("dinp.tiles.LARGEST", 1)
    parts = [restoration(plane), *restoration.with_gradient(plane, original)]
    for one, other in zip(whole, parts, strict=True):
        assert np.abs(one - other).max() < 1e-4 * max(1, np.abs(one).max())
        assert not np.array_equal(one, other)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("shape", [(37, 51), (1, 40), (140, 300)])
def test_the_gradient_tells_how_the_error_changes(version, shape):
    smooth = smooth_places(shape, (0, 1))
    plane, original, restoration = decoded_plane(shape, smooth=smooth), smooth_plane(shape, seed=9), small(version)
    restored, gradient = restoration.with_gradient(plane, original)
    np.testing.assert_allclose(restored, restoration(plane), atol=1e-5)
    direction = np.random.default_rng(3).normal(size=shape)

    def error(length):
        moved = DecodedPlane(plane.reconstruction + length * direction, plane.mask, plane.side_log2, plane.step)
        return np.sum((original - restoration(moved)) ** 2)

    quotient = (error(0.02) - error(-0.02)) / 0.04
    assert -2 * np.sum(gradient * direction) == pytest.approx(quotient, rel=0.02, abs=1e-3 * np.sum(gradient**2) ** 0.5)
    assert np.abs(gradient - (original - restored)).max() > 0.1


@pytest.mark.parametrize("shape", [(64, 64), (45, 70), (3, 200)])
def test_side_map_agrees_with_the_leaves(shape):
    tree = random_tree(shape, shape[0] * shape[1] // 7, seed=1)
    leaves = tree.leaves()
    wanted = np.full(shape, 255)
    for y, x, side in zip(leaves.y, leaves.x, leaves.side, strict=True):
        wanted[y : y + side, x : x + side] = int(side).bit_length() - 1
    assert np.array_equal(side_map(tree, 5), wanted)


def test_side_map_of_a_free_mask_is_flat():
    assert np.array_equal(side_map(np.eye(4, dtype=bool), 3), np.full((4, 4), 3))


@pytest.mark.parametrize("version", [1, 3])
def test_restoration_gains_and_is_named_in_the_file(version, monkeypatch):
    picture = photograph()
    monkeypatch.setattr(placement, "SMALL", picture.size - (version == 3))  # the heavier one is for small pictures
    data = dinp.encode(picture, quality=35)
    (plane,) = dinp.info(data)["planes"]
    assert plane["restoration"] == version
    restored, plain = (np.asarray(dinp.decode(data, restore=flag)).astype(float) for flag in (True, False))
    errors = [np.mean((decoded - picture) ** 2) for decoded in (restored, plain)]
    assert errors[0] < 0.95 * errors[1]


def test_plain_files_ask_for_none():
    picture = photograph()
    data = dinp.encode(picture, quality=35, restore=False)
    assert [plane["restoration"] for plane in dinp.info(data)["planes"]] == [0]
    assert np.array_equal(np.asarray(dinp.decode(data)), np.asarray(dinp.decode(data, restore=False)))


def test_report_says_what_the_decoder_shows():
    encoding = dinp.encode_with_report(photograph(), quality=30)
    decoded = np.asarray(dinp.decode(encoding.data)).astype(int)
    assert np.abs(decoded - encoding.decoded).max() <= 1


def asking(data, version):
    """The same file, asking for another version of the restoration."""
    parts = unpack(data)
    section = bytearray(parts.sections[0])
    section[0] = (section[0] & 0b10011111) | min(version, 3) << 5
    section[2:2] = bytes([version] if version >= 3 else [])
    return pack(Container(parts.width, parts.height, parts.layout, (bytes(section),)))


@pytest.mark.parametrize("version", [4, 77, 255])
def test_newer_restoration_is_left_out_with_a_notice(version):
    data = dinp.encode(photograph(), quality=20)
    plain = np.asarray(dinp.decode(data, restore=False))
    newer = asking(data, version)
    assert dinp.info(newer)["planes"][0]["restoration"] == version
    with pytest.warns(dinp.DinpNotice, match=f"does not have .* version {version}: the picture is shown without"):
        assert np.array_equal(np.asarray(dinp.decode(newer)), plain)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dinp.decode(newer, restore=False)


def test_every_version_can_be_decoded():
    data = dinp.encode(photograph(), quality=20)
    pictures = [np.asarray(dinp.decode(asking(data, version))) for version in (0, *VERSIONS)]
    errors = [np.mean((photograph() - picture.astype(float)) ** 2) for picture in pictures]
    assert len({picture.tobytes() for picture in pictures}) == len(pictures)
    assert max(errors[1:]) < 0.95 * errors[0]


def test_planes_with_barriers_are_not_corrected():
    """They may name a later version: one that is not at hand is told, one that is there adds nothing."""
    picture = np.full((40, 50), 40, dtype=np.uint8)
    picture[8:30, 12:40] = 200
    data = dinp.encode(picture, quality=50)
    assert dinp.info(data)["planes"][0]["structure"] == "barriers"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(np.asarray(dinp.decode(asking(data, 3))), np.asarray(dinp.decode(data)))
    with pytest.warns(dinp.DinpNotice, match="version 4"):
        dinp.decode(asking(data, 4))


def test_decoder_without_weights_says_so(monkeypatch):
    data = dinp.encode(photograph(), quality=20)
    plain = np.asarray(dinp.decode(data, restore=False))

    def missing(version):
        raise dinp.DinpError("the weights of the restoration network cannot be read: gone")

    monkeypatch.setattr(dinp.models, "ready_restoration", missing, raising=False)
    with pytest.warns(dinp.DinpNotice, match="gone: the picture is shown without"):
        assert np.array_equal(np.asarray(dinp.decode(data)), plain)


def test_planes_lack_a_restoration_only_if_meant_to_have_one():
    plane = smooth_plane((64, 64))
    sections = encode_planes([plane], quality=30).sections
    assert decode_planes(sections, [plane.shape], restorations=load_restoration)[1] == []


@pytest.mark.parametrize("content", [None, b"", b"PK", b"weights"])
def test_damaged_weights_are_an_error(content, tmp_path):
    path = tmp_path / "weights.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(dinp.DinpError, match="cannot be read"):
        load_restoration(2, path)


def test_weights_of_another_network_are_an_error():
    with pytest.raises(dinp.DinpError, match="not hold a restoration network"):
        load_restoration(2, Path(dinp.models.__file__).parent / "weights" / "mask.npz")
