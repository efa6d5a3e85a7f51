"""Sections: a plane's code to bytes and back, and the planes that come out."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import random_tree, smooth_plane

from dinp.bitstream.section import PlaneCode, decode_section, encode_section
from dinp.bitstream.steps import quantise, steps_of
from dinp.bitstream.structure import known_data_of_mask, known_data_of_tree
from dinp.decoder import decode_planes, describe_section, reconstruct
from dinp.encoder.placement import Effort
from dinp.encoder.planes import encode_planes
from dinp.encoder.prices import step_of
from dinp.errors import DinpError


def tree_code(shape, points=150, step_index=50):
    tree = random_tree(shape, points, 0)
    known = known_data_of_tree(tree)
    levels = quantise(known.mean(smooth_plane(shape)), steps_of(known.side, step_index))
    return PlaneCode(tree, 5, step_index, levels)


def test_tree_section_mirrors(shape):
    code = tree_code(shape)
    data, information = encode_section(code)
    again, known, decoded_information = decode_section(data, shape)
    assert np.array_equal(again.levels, code.levels)
    assert (again.side_log2, again.step_index) == (5, 50)
    assert np.array_equal(known.label, code.known().label)
    assert decoded_information == pytest.approx(information)


def test_free_mask_section_mirrors(shape):
    mask = np.random.default_rng(0).random(shape) < 0.1
    mask[0, 0] = True
    known = known_data_of_mask(mask, 8)
    levels = quantise(known.mean(smooth_plane(shape)), steps_of(known.side, 40))
    again, known, _ = decode_section(encode_section(PlaneCode(mask, 3, 40, levels))[0], shape)
    assert np.array_equal(again.structure, mask)
    assert np.array_equal(again.levels, levels)


@pytest.mark.parametrize(
    "header",
    [(0b10010100, 50), (0b00010110, 50), (0b00010111, 50), (0b00000000, 50), (0b00010100, 176)],
    ids=["reserved", "structure 2", "structure 3", "root of one pixel", "step index"],
)
def test_invalid_headers_are_refused(header):
    data, _ = encode_section(tree_code((64, 64)))
    with pytest.raises(DinpError, match="invalid header"):
        decode_section(bytes(header) + data[2:], (64, 64))


def test_every_truncation_and_random_sections_raise_only_dinp_errors():
    data, _ = encode_section(tree_code((40, 50)))
    rng = np.random.default_rng(0)
    foreign = [data[:n] for n in range(len(data))] + [data[:2] + rng.bytes(n) for n in range(80)]
    for section in foreign:
        try:
            code, known, _ = decode_section(section, (40, 50))
            assert code.levels.size == known.y.size
        except DinpError:
            pass


@pytest.mark.parametrize("version", [0, 1, 2, 3, 255])
def test_every_version_of_the_restoration_can_be_named(version):
    code = replace(tree_code((40, 50)), restoration=version)
    data, _ = encode_section(code)
    plain, _ = encode_section(tree_code((40, 50)))
    assert len(data) == len(plain) + (version >= 3)
    assert decode_section(data, (40, 50))[0].restoration == version


@pytest.mark.parametrize("version", [0, 1, 2])
def test_versions_of_the_header_itself_are_not_named_by_a_byte(version):
    data, _ = encode_section(replace(tree_code((40, 50)), restoration=3))
    with pytest.raises(DinpError, match="invalid header"):
        decode_section(data[:2] + bytes([version]) + data[3:], (40, 50))
    with pytest.raises(DinpError, match="too short"):
        decode_section(data[:2], (40, 50))


def test_a_longer_section_is_refused():
    data, _ = encode_section(tree_code((40, 50)))
    with pytest.raises(DinpError):
        decode_section(data + bytes(range(1, 100)), (40, 50))


def test_description_needs_no_solver(monkeypatch):
    import dinp.diffusion.inpaint

    monkeypatch.delattr(dinp.diffusion.inpaint, "Inpainter")
    code = tree_code((64, 96))
    data, information = encode_section(code)
    described = describe_section(data, (64, 96))
    assert described["points"] == code.levels.size
    assert described["structure"] == "tree"
    assert described["mask_bits"] == pytest.approx(information["mask"])
    assert described["bytes"] == len(data)


@pytest.mark.parametrize("quality", [0, 50, 100])
def test_encoder_knows_what_the_decoder_gets(shape, quality):
    planes = [smooth_plane(shape), smooth_plane((-(-shape[0] // 2), -(-shape[1] // 2)), 1)]
    encoded = encode_planes(planes, quality=quality, effort=Effort(0.6, 1, 1))
    decoded, missing = decode_planes(encoded.sections, [p.shape for p in planes], own_steps=encoded.own_steps)
    assert missing == []
    for ours, theirs in zip(encoded.shown(), decoded, strict=True):
        assert np.array_equal(ours, theirs)


def test_a_free_mask_can_be_given():
    plane = smooth_plane((48, 60))
    mask = np.random.default_rng(1).random(plane.shape) < 0.1
    encoded = encode_planes([plane], quality=60, mask=mask)
    code, known, _ = decode_section(encoded.sections[0], plane.shape)
    assert np.array_equal(known.mask, mask)
    assert encoded.planes[0].points == mask.sum()
    assert np.abs(reconstruct(code, known) - plane).mean() < 20


@pytest.mark.parametrize("mask", [np.zeros((48, 60), dtype=bool), np.ones((3, 3), dtype=bool)], ids=["empty", "shape"])
def test_unusable_masks_are_refused(mask):
    with pytest.raises(DinpError):
        encode_planes([smooth_plane((48, 60))], quality=60, mask=mask)


@pytest.mark.parametrize("quality", [-1, 100.5, float("nan")])
def test_quality_out_of_range_is_refused(quality):
    with pytest.raises(DinpError):
        step_of(quality)


def test_a_tree_model_is_asked_at_the_density_of_the_file():
    plane = smooth_plane((96, 64))
    asked = []

    def model(given, density):
        assert given.dtype == np.float32
        asked.append(density)
        rng = np.random.default_rng(0)
        return [rng.normal(size=(-(-96 // s), -(-64 // s))) for s in (32, 16, 8, 4, 2)]

    encoded = encode_planes([plane], quality=70, tree_model=model, effort=Effort(1.0, 0, 0), barriers=False)
    assert len(asked) >= 1
    assert encoded.density == pytest.approx(asked[-1], rel=0.1, abs=4 / plane.size)


def test_progress_rises_to_one():
    seen = []
    encode_planes([smooth_plane((64, 64)), smooth_plane((32, 32))], quality=50, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("shape", "header", "stream"),
    [
        ((1000, 1000), (1 << 2, 40), b""),  # a tree of cells of 2 pixels and nothing to say about them
        ((89_478_485, 1), (7 << 2, 40), b""),
        ((89_478_485, 1), (1 << 2, 40), b""),
        ((9459, 9459), (5 << 2, 40), b"\xff" * 4),
        ((9459, 9459), (5 << 2 | 1, 40), b""),
        ((1, 89_478_485), (7 << 2, 40), b"\xfe\xff"),
    ],
)
def test_few_bytes_that_ask_for_much_work_are_refused(shape, header, stream):
    """They would decode to millions of flags and values: a stream cannot yield more information than it holds."""
    with pytest.raises(DinpError, match="do not fit its bytes"):
        decode_section(bytes(header) + stream, shape)


@pytest.mark.parametrize("level", [0, 40])
def test_large_flat_planes_are_not_taken_for_such(level):
    shape = (2100, 3200)
    tree = random_tree(shape, 0, 0)
    code = PlaneCode(tree, 5, 50, np.full(len(tree.leaves()), level))
    data, _ = encode_section(code)
    again, _, _ = decode_section(data, shape)
    assert np.array_equal(again.levels, code.levels)
