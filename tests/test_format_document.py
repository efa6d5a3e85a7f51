"""docs/format.md: its tables are those that are shipped, its test vectors decode to what it says."""

import ast
import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

import dinp
from dinp.bitstream import container, steps
from dinp.entropy import residual_coder

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs/format.md").read_text(encoding="utf-8")
VECTORS = re.findall(r"^([a-z0-9 ,]+):\n\n((?:    [0-9a-f]{2}(?: [0-9a-f]{2})*\n)+)    (\[.*\])$", TEXT, re.MULTILINE)


def test_files_have_the_digests_of_the_document():
    found = re.findall(r"^\| `([a-z0-9/.]+\.npz)` \| `([0-9a-f]{64})` \|$", TEXT, re.MULTILINE)
    assert len(found) == 5
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
    assert len(VECTORS) == 4


@pytest.mark.parametrize(("name", "file", "samples"), VECTORS, ids=[name for name, *_ in VECTORS])
def test_vectors_decode_to_what_the_document_says(name, file, samples):
    assert np.array_equal(dinp.decode_array(bytes.fromhex(file)), ast.literal_eval(samples))
