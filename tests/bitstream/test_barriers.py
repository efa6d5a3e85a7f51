"""Planes with barriers: what is coded comes back, damage is told, and files of drawings are much smaller."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import binary_erosion

import dinp
from dinp.bitstream.regions import LEAST, ROOT, divide, known_data_of_pieces, undivided
from dinp.bitstream.section import BARRIERS, FINE, SHARED_BARRIERS, PlaneCode, decode_section, section_header
from dinp.decoder import decode_planes, reconstruct
from dinp.diffusion.inpaint import Inpainter
from dinp.encoder import barriers
from dinp.encoder.segmentation import numbered, segmentation_ladder
from dinp.errors import DinpError


def drawing(height=72, width=90):
    """Two discs on a slope."""
    y, x = np.mgrid[:height, :width]
    plane = np.rint(100 + 0.6 * x + 0.3 * y)
    plane[(y - 30) ** 2 + (x - 30) ** 2 < 300] = 20
    plane[(y - 45) ** 2 + (x - 60) ** 2 < 400] = 230
    return plane


def coded(plane, labels=None, *, shared=False):
    """A plane with the regions given, or those of its ladder."""
    bit_cost = 20.0
    labels = segmentation_ladder(plane[None], bit_cost).at(bit_cost) if labels is None else labels
    outline = barriers.outlined(plane, labels, bit_cost, shared=shared)
    return barriers.encode_outlined(plane, outline, 4.0, bit_cost, shared=shared)


def test_a_section_with_barriers_comes_back_and_shows_the_picture():
    plane = drawing()
    found = coded(plane)
    code, known, information = decode_section(found.section, plane.shape)
    assert code.kind == BARRIERS
    assert code.structure.regions == 3
    assert known.y.size > 3  # the slope has several values
    for name in ("levels", "first"):
        assert np.array_equal(getattr(code, name), getattr(found.code, name))
    assert np.array_equal(code.structure.labels, found.code.structure.labels)
    shown = reconstruct(code, known)
    assert np.abs(shown - found.reconstruction).max() < 0.01
    assert np.abs(shown - plane).mean() < 3
    assert sum(information.values()) <= 8 * len(found.section)


def test_an_undivided_region_is_constant_and_needs_no_divisions():
    plane = np.where(np.indices((40, 50)).sum(axis=0) < 45, 30.0, 200.0)
    found = coded(plane)
    code, known, information = decode_section(found.section, plane.shape)
    assert code.side_log2 == FINE
    assert "divisions" not in information
    assert known.mask.all()
    assert np.array_equal(
        reconstruct(code, known), reconstruct(code, known, Inpainter(known.mask, *code.structure.cracks))
    )
    assert np.abs(reconstruct(code, known) - plane).max() <= 1


def test_pieces_are_divided_as_told_and_each_region_has_its_first_value_first():
    labels = numbered(np.arange(64)[None] // 32 + 2 * (np.arange(64)[:, None] // 40))
    pieces = divide(labels, lambda level: level.area > 200)
    assert pieces.regions == 4
    assert np.array_equal(pieces.region[:4], np.arange(4))
    for region in range(4):
        own = pieces.region == region
        assert pieces.area[region] == pieces.area[own].max()
    small = pieces.side_log2 < ROOT
    assert small.any()
    assert (pieces.area[small] >= LEAST[pieces.side_log2[small]]).all()
    known = known_data_of_pieces(pieces)
    assert np.array_equal(np.unique(known.label[known.mask]), np.arange(pieces.region.size))
    assert np.array_equal(pieces.leaf[known.y, known.x], np.arange(pieces.region.size))
    assert known_data_of_pieces(undivided(labels)).mask.all()


def striped(height, width):
    """Regions of several shapes, in number more than a few."""
    y, x = np.mgrid[:height, :width]
    return numbered((y // 67) * 100 + (x + y // 3) // 83)


def test_pieces_are_the_same_however_many_pixels_are_looked_at_at_a_time(monkeypatch):
    labels = striped(150, 170)

    def divided():
        pieces = divide(labels, lambda level: level.area % 3 > 0)
        return pieces, known_data_of_pieces(pieces)

    (wanted, known), attributes = divided(), ("leaf", "region", "side_log2", "area", "key", "parent")
    assert set(range(3, 9)) <= set(wanted.side_log2.tolist())
    monkeypatch.setattr("dinp.entropy.blocks.BLOCK", 997)
    found, found_known = divided()
    for name in attributes:
        assert np.array_equal(getattr(found, name), getattr(wanted, name)), name
    assert all(np.array_equal(a, b) for a, b in zip(found.flags, wanted.flags, strict=True))
    for name in ("label", "y", "x", "side"):
        assert np.array_equal(getattr(found_known, name), getattr(known, name)), name
    assert np.array_equal(known.label >= 0, (known.label == wanted.leaf) & (wanted.leaf >= 0))
    # the value stands at the centre, the first pixel of the piece that is nearest to the mean
    for piece in range(0, wanted.region.size, 7):
        y, x = np.nonzero(wanted.leaf == piece)
        nearest = np.argmin((y - int(y.mean())) ** 2 + (x - int(x.mean())) ** 2)
        assert (known.y[piece], known.x[piece]) == (y[nearest], x[nearest])


@pytest.mark.parametrize("least", [ROOT + 1, 4])  # no region is divided, or pieces down to cells of side 8
def test_pieces_take_few_bytes_a_pixel(least):
    labels = striped(1000, 1000)
    tracemalloc.start()
    try:
        known_data_of_pieces(divide(labels, lambda level: np.full(level.area.size, level.side_log2 >= least)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 30 * labels.size


def test_a_second_plane_may_use_the_barriers_of_the_first():
    plane = drawing()
    first = coded(plane)
    labels = first.code.structure.labels
    second = coded(255 - plane, labels, shared=True)
    assert len(second.section) < len(first.section)
    planes, _ = decode_planes([first.section, second.section], [plane.shape] * 2)
    assert np.abs(planes[1] - second.reconstruction).max() < 0.01
    assert decode_section(second.section, plane.shape, labels=labels)[0].kind == SHARED_BARRIERS
    with pytest.raises(DinpError, match="barriers of a plane that has none"):
        decode_section(second.section, plane.shape)


def test_damaged_sections_raise_dinp_errors_only():
    plane = drawing(40, 50)
    section = coded(plane).section
    rng = np.random.default_rng(3)
    refused = 0
    for _ in range(150):
        data = bytearray(section)
        for at in rng.integers(1, len(data), rng.integers(1, 4)):
            data[at] ^= int(rng.integers(1, 256))
        data = bytes(data[: rng.integers(1, len(data) + 1)]) if rng.random() < 0.3 else bytes(data)
        try:
            decode_section(data, plane.shape)
        except DinpError:
            refused += 1
    assert refused > 30


@pytest.mark.parametrize("side_log2", [4, 7])
def test_reserved_bits_are_refused(side_log2):
    plane = drawing(40, 50)
    found = coded(plane)
    code = found.code
    header = section_header(PlaneCode(code.structure, side_log2, code.step_index, code.levels, first=code.first))
    with pytest.raises(DinpError, match="invalid header"):
        decode_section(header + found.stream, plane.shape)


def test_the_encoder_takes_barriers_for_a_drawing_and_says_so():
    plane = drawing().astype(np.uint8)
    data = dinp.encode(plane, quality=60, effort=1, restore=False)
    report = dinp.info(data)["planes"][0]
    assert report["structure"] == "barriers"
    assert report["regions"] == 3
    assert report["mask_bits"] == report["crack_bits"] + report["division_bits"]
    assert np.abs(np.asarray(dinp.decode(data)).astype(float) - plane).mean() < 3


def test_planes_of_a_colour_drawing_share_their_contours():
    plane = drawing().astype(np.uint8)
    colours = np.stack([plane, 255 - plane, np.full_like(plane, 90)], axis=2)
    data = dinp.encode(colours, quality=60, effort=1, restore=False, chroma="444")
    planes = dinp.info(data)["planes"]
    assert [p["structure"] for p in planes] == ["barriers"] * 3
    assert [p["shared"] for p in planes] == [False, True, True]
    assert planes[1]["crack_bits"] == 0
    assert np.abs(np.asarray(dinp.decode(data)).astype(float) - colours).mean() < 4


def shapes_on_grey(size=96):
    """Discs and bars of single values, smeared at their edges: (size, size) uint8."""
    y, x = np.mgrid[:size, :size]
    plane = np.full((size, size), 104.0)
    for radius, row, column, value in ((22, 30, 34, 33), (17, 64, 62, 201), (9, 26, 76, 250)):
        share = np.clip(radius - np.hypot(y - row, x - column), 0, 1)
        plane += share * (value - plane)
    return np.rint(plane).astype(np.uint8)


@pytest.mark.parametrize("quality", [0, 20, 45, 70])
def test_flat_parts_are_exact_to_one_level(quality):
    plane = shapes_on_grey()
    data = dinp.encode(plane, quality=quality, effort=1, restore=False)
    assert dinp.info(data)["planes"][0]["structure"] == "barriers"
    shown = dinp.decode_array(data).astype(int)
    for value in (104, 33, 201):
        inside = binary_erosion(plane == value, iterations=2)
        assert np.count_nonzero(inside) > 256
        assert np.abs(shown[inside] - value).max() <= 1


@pytest.mark.parametrize("restoration", [1, 2])
def test_restorations_of_trees_and_steps_are_none_for_barriers(restoration):
    plane = drawing(40, 50)
    found = coded(plane)
    with pytest.raises(DinpError, match="invalid header"):
        decode_section(section_header(replace(found.code, restoration=restoration)) + found.stream, plane.shape)
    with pytest.raises(DinpError, match="invalid header"):
        decode_section(found.section, plane.shape, 0, (0, 0, 9))
    later = section_header(replace(found.code, restoration=7)) + found.stream
    assert decode_section(later, plane.shape)[0].restoration == 7
