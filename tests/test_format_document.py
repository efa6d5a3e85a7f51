"""docs/format.md: its tables are those that are shipped, its test vectors decode to what it says."""

import ast
import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

import dinp
from dinp.bitstream import barriers, container, regions, steps
from dinp.entropy import crack_coder, division_coder, first_values, mixing, residual_coder, sample_coder

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs/format.md").read_text(encoding="utf-8")
VECTORS = re.findall(r"^([a-z0-9 ,]+):\n\n((?:    [0-9a-f]{2}(?: [0-9a-f]{2})*\n)+)    (\[.*\])$", TEXT, re.MULTILINE)


def test_files_have_the_digests_of_the_document():
    found = re.findall(r"^\| `([a-z0-9/.]+\.npz)` \| `([0-9a-f]{64})` \|$", TEXT, re.MULTILINE)
    assert len(found) == 6
    for name, digest in found:
        assert hashlib.sha256((ROOT / name).read_bytes()).hexdigest() == digest, name


def test_steps_are_those_of_the_document():
    block = TEXT[TEXT.index("\nSTEP:") : TEXT.index("## 17")]
    assert [int(number) for number in re.findall(r"\d+", block)] == steps.STEP_TABLE.tolist()
    digest = hashlib.sha256(steps.STEP_TABLE.astype("<i4").tobytes()).hexdigest()
    assert digest in TEXT


def test_chunks_are_those_of_the_document():
    rows = re.findall(r"^\| ([0-9A-F]{2}) \| ([A-Z]+) \|", TEXT, re.MULTILINE)
    assert {int(kind, 16): name for kind, name in rows} == container.CHUNK_NAMES


def test_parameters_of_residuals_are_those_of_the_document():
    for column, name in enumerate(("first", "second")):
        (row,) = re.findall(rf"^    {name} +(\d[\d ]+)$", TEXT, re.MULTILINE)
        assert [int(number) for number in row.split()] == residual_coder.START[:, column].tolist()


def test_there_are_vectors():
    assert len(VECTORS) == 9


@pytest.mark.parametrize(("name", "file", "samples"), VECTORS, ids=[name for name, *_ in VECTORS])
def test_vectors_decode_to_what_the_document_says(name, file, samples):
    assert np.array_equal(dinp.decode_array(bytes.fromhex(file)), ast.literal_eval(samples))


def numbers(text):
    return [int(number) for number in re.findall(r"\d+", text)]


def test_tables_of_mixing_are_those_of_the_document():
    block = TEXT[TEXT.index("LOGISTIC, k = 0..45:") :]
    assert numbers(block[len("LOGISTIC, k = 0..45:") : block.index("squash(x)")]) == mixing.LOGISTIC
    rows = re.findall(r"^\| (contours|place|residue) \| ([\d, |]+) \|$", TEXT, re.MULTILINE)
    assert len(rows) == 3
    mixers = {
        "contours": (crack_coder._SHAPE, crack_coder._PARAMETERS, crack_coder._WEIGHT),
        "place": (sample_coder._PLACE_SHAPE, sample_coder._PLACE_PARAMETERS, sample_coder._PLACE_WEIGHT),
        "residue": (sample_coder._RESIDUE_SHAPE, sample_coder._RESIDUE_PARAMETERS, sample_coder._RESIDUE_WEIGHT),
    }
    for name, row in rows:
        shape, parameters, weight = mixers[name]
        limit, slots, *rates = parameters
        assert slots >= 20  # no history counts as many
        assert numbers(row) == [shape.contexts, shape.kinds, *shape.sizes, *shape.stages, limit, *rates, weight]


def test_masks_of_the_nearest_cracks_are_those_of_the_document():
    found = re.findall(r"(?<!\S)(\d+) +((?:[0-9A-F]{8}(?: +|$)){4})", TEXT, re.MULTILINE)
    told = {int(count): [int(mask, 16) for mask in masks.split()] for count, masks in found}
    windows = sorted({*crack_coder._WINDOWS, *sample_coder._WINDOWS})
    assert sorted(told) == windows
    assert [told[count] for count in windows] == crack_coder.make_masks(tuple(windows))


def test_first_values_begin_as_the_document_says():
    rows = re.findall(r"G = (\d)  ((?:\d+ ){6}\d+)", TEXT)
    assert [int(group) for group, _ in rows] == [0, 1, 2, 3]
    start = first_values._start().tolist()
    assert [number for _, row in rows for number in numbers(row)] == start[:28]
    scale = [max(16, 2 ** (c + 1)) for c in range(12)]
    assert start[28:] == [*scale, *scale, *[128] * 12]


def test_constants_of_barriers_are_those_of_the_document():
    assert regions.LEAST[1:].tolist() == [2, 8, 24, 24, 24, 24, 24, 24]
    assert (barriers.REGION_STEP, barriers.FINEST_AREA_LOG2, barriers.MOST_SHIFT) == (2, 10, 8)
    assert (barriers.FINE_AREA, barriers.FINE_STEP) == (256, 32)
    assert (division_coder.BATCH, division_coder.PRIOR_SET, division_coder.PRIOR_ALL) == (16, 2, 8)
    assert 32 * first_values.PER_BIT == 8192
