"""The fast decoder against one that was written from docs/format.md alone: the same symbols, samples and refusals.

Only this module knows both. What it takes of the fast one is a bridge: `decode_section` for the symbols of a plane,
`read_residual` and `read_mask_stream` for what lies beside, `decode_array` for samples.
"""

import ast
import re
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest

import dinp
from dinp.bitstream.container import unpack
from dinp.bitstream.section import PlaneCode, decode_section
from dinp.bitstream.sidecars import read_mask_stream, read_residual

from . import container, picture
from .common import Rejected
from .networks import FORMAT
from .planes import decode_planes
from .residuals import decode_residual

GOLDEN = sorted((Path(__file__).parents[1] / "bitstream" / "golden").glob("*.dinp"))
ERRORS = sorted((Path(__file__).parents[1] / "bitstream" / "golden_errors").glob("*.dinp"))
VECTORS = re.findall(r"\n([a-z0-9 ,]+):\n\n((?:    [0-9a-f ]+\n)+)    (\[.*\])", FORMAT.split("## 17 Test vectors")[1])


def samples_of(file: container.File) -> np.ndarray:
    """Samples as `decode_array` shapes them."""
    channels = picture.channels_of(file)
    return channels[0] if len(channels) == 1 else np.stack(channels, axis=-1)


def fast(data: bytes, **options: int) -> np.ndarray:
    """Samples by the fast decoder."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dinp.DinpNotice)
        samples = dinp.decode_array(data, **options)
        if samples.dtype == np.uint8 and samples.ndim == 2:
            shown = dinp.decode(data, **options)
            if shown.mode == "P":  # the array has the numbers of colours
                samples = np.asarray(shown.convert("RGBA" if "transparency" in shown.info else "RGB"))
        return samples


def assert_conforms(ours: np.ndarray, theirs: np.ndarray, exact: bool) -> None:
    """Section 15."""
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    if exact:
        assert ours.tobytes() == theirs.tobytes()
        return
    np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs))
    difference = np.nan_to_num(np.abs(ours.astype(float) - theirs.astype(float)))
    if ours.dtype == np.uint8:
        assert difference.max() <= 1
        assert (difference > 0).mean() <= 0.002
    else:
        spread = np.nanmax(theirs) - float(np.nanmin(theirs))
        assert difference.max() <= max(spread * 0.01 / 255, 1 if ours.dtype.kind in "ui" else 0)


def planes_alike(file: container.File) -> int:
    """Asserts that all symbols of the sections are equal; how many values there were."""
    count, labels = 0, None
    for number, plane in enumerate(decode_planes(file)):
        form = file.format_of(number)
        own: tuple[int, ...] = ()
        for named, content in file.chunks_of(container.STEPS):
            if named >> number & 1:
                steps = container.own_steps(content)
                own = tuple(steps.get(1 << k, 0) for k in range(8))
        code, known, _ = decode_section(file.sections[number], plane.shape, form.depth, own, labels)
        assert isinstance(code, PlaneCode)
        assert code.restoration == plane.restoration
        assert code.step_index == plane.step_index
        assert list(known.y) == [value.y for value in plane.values]
        assert list(known.x) == [value.x for value in plane.values]
        assert list(known.side) == [value.side for value in plane.values]
        assert list(code.levels) == [0] * len(plane.first) + plane.levels
        assert ([] if code.first is None else list(code.first)) == plane.units[: len(plane.first)]
        if plane.labels is not None:
            np.testing.assert_array_equal(code.structure.labels, plane.labels)
            labels = code.structure.labels if number == 0 else labels
        count += len(plane.values)
    return count


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_golden_files_are_read_alike(path):
    data = path.read_bytes()
    file = container.parse(data)
    lossless = bool(file.chunks_of(container.LOSSLESS))
    assert lossless or planes_alike(file) > 0
    shape = file.height, file.width
    for _, content in file.chunks_of(container.RESIDUAL):
        _, residual = read_residual(content, shape, unpack(data).samples)
        np.testing.assert_array_equal(decode_residual(content[file.samples.size :], shape), residual)
    for _, content in file.chunks_of(container.MATTE):
        np.testing.assert_array_equal(picture.read_mask(content, shape), read_mask_stream(content, shape))
    theirs = fast(data)
    assert_conforms(samples_of(file), theirs, exact=lossless)


def test_golden_files_hold_all_features():
    files = [container.parse(path.read_bytes()) for path in GOLDEN]
    heads = [section[0] for file in files for section in file.sections if section]
    assert {head & 3 for head in heads} == {0, 1, 2, 3}
    assert {head >> 5 & 3 for head in heads} >= {0, 1, 2}
    assert {head >> 2 & 3 for head in heads if head & 3 == 2} >= {1, 2}
    assert {file.layout for file in files} == {file.alpha for file in files} == {0, 1, 2, 3}
    assert {kind for file in files for kind, _, _ in file.chunks} == container.KNOWN
    assert {content[0] for file in files for _, content in file.chunks_of(container.MATTE)} >= {0, 1}
    methods = {content[0] & 131 for file in files for _, content in file.chunks_of(container.LOSSLESS)}
    assert methods >= {0, 1, 2, 3, 128}
    assert {file.samples.type for file in files} == {0, 1, 2}


@pytest.mark.parametrize(("name", "code", "samples"), VECTORS, ids=[name for name, _, _ in VECTORS])
def test_vectors_of_the_document(name, code, samples):
    file = container.parse(bytes.fromhex(code))
    np.testing.assert_array_equal(samples_of(file), ast.literal_eval(samples))


def test_there_are_vectors():
    assert len(VECTORS) >= 8


def refused(data: bytes) -> bool:
    """Whether the plain decoder rejects a file."""
    try:
        picture.channels_of(container.parse(data, max_pixels=4096))
    except Rejected:
        return True
    return False


@pytest.mark.parametrize("path", ERRORS, ids=lambda path: path.stem)
def test_golden_errors_are_refused(path):
    assert refused(path.read_bytes())


def outcome(data: bytes) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Samples by both decoders, None where they refuse."""
    try:
        file = container.parse(data, max_pixels=4096)
        ours = samples_of(file)
    except Rejected:
        ours = None
    try:
        theirs = fast(data, max_pixels=4096)
    except dinp.DinpError:
        theirs = None
    return ours, theirs


def test_damage_is_met_alike():
    names = ("one_row", "barriers_planes", "lossless_regions", "lossless_labels", "lossless_palette")
    small = [bytes.fromhex(code) for _, code, _ in VECTORS]
    small += [path.read_bytes() for path in GOLDEN if path.stem.removeprefix("v1.0_") in names]
    assert len(small) >= 12
    random = np.random.default_rng(3)
    accepted = rejected = changed = 0
    for turn in range(56):
        data = small[turn % len(small)]
        at = int(random.integers(7, len(data) - 4))
        body = bytearray(data[:-4])
        body[at] ^= 1 << int(random.integers(8))
        ours, theirs = outcome(bytes(body) + zlib.crc32(body).to_bytes(4, "little"))
        assert (ours is None) == (theirs is None), (turn, at, body.hex())
        if ours is None:
            rejected += 1
            continue
        accepted += 1
        assert ours.shape == theirs.shape
        assert ours.dtype == theirs.dtype
        before = fast(data)
        changed += before.shape != theirs.shape or not np.array_equal(before, theirs)
        assert np.nanmax(np.abs(ours.astype(float) - theirs.astype(float))) <= 1
    assert accepted >= 5
    assert rejected >= 5
    assert changed >= 5
