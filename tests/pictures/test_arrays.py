"""Files of numbers: what is read, what is written, what is refused."""

import io
import struct

import numpy as np
import pytest

from dinp.errors import DinpError
from dinp.pictures.arrays import array_bytes, read_array

FLOW = np.random.default_rng(0).normal(0, 5, (7, 9, 2)).astype(np.float32)


def read(data, max_pixels=1000):
    return read_array(io.BytesIO(data), max_pixels=max_pixels)


@pytest.mark.parametrize(
    ("ending", "array"),
    [
        (".npy", np.arange(12, dtype=np.uint16).reshape(3, 4)),
        (".npy", FLOW),
        (".flo", FLOW),
        (".pfm", FLOW[..., 0]),
        (".pfm", np.dstack([FLOW, FLOW[..., 0]])),
    ],
)
def test_files_come_back(ending, array):
    found = read(array_bytes(array, ending))
    assert np.array_equal(found.array, array)
    assert found.planes == (ending == ".flo")
    assert found.holes is None


def test_unknown_flow_is_a_hole():
    flow = FLOW.copy()
    flow[2, 3:5] = 1.6e9
    flow[4, 4, 0] = np.nan
    holes = read(array_bytes(flow, ".flo")).holes
    assert np.argwhere(holes).tolist() == [[2, 3], [2, 4], [4, 4]]


def test_rows_of_pfm_go_up_and_orders_of_bytes_are_read():
    values = np.array([[1, 2], [3, 4]], dtype=np.float32)
    assert np.array_equal(read(b"Pf\n2 2\n1.0\n" + values[::-1].astype(">f4").tobytes()).array, values)


def test_other_files_are_left_alone():
    stream = io.BytesIO(b"\x89PNG\r\n\x1a\n")
    assert read_array(stream, max_pixels=9) is None
    assert stream.tell() == 0


@pytest.mark.parametrize(
    "data",
    [
        array_bytes(FLOW, ".npy")[:-1],
        array_bytes(FLOW, ".flo")[:-1],
        array_bytes(FLOW[..., 0], ".pfm")[:-1],
        array_bytes(FLOW, ".flo")[:9],
        b"Pf\n2 x\n1.0\n",
        b"Pf\n2\n",
        b"Pf\n0 1\n-1.0\n",
        b"PIEH" + struct.pack("<ii", -1, 4),
        b"\x93NUMPY\x09\x00",
        array_bytes(np.zeros((2, 2, 5)), ".npy"),
        array_bytes(np.zeros(5), ".npy"),
    ],
)
def test_damaged_files_are_refused(data):
    with pytest.raises(DinpError):
        read(data)


@pytest.mark.parametrize("head", [b"PIEH" + struct.pack("<ii", 1 << 30, 1 << 30), b"Pf\n99999999 99999999\n-1.0\n"])
def test_sizes_are_checked_before_memory_is_taken(head):
    with pytest.raises(DinpError, match="limit"):
        read(head)


@pytest.mark.parametrize(
    ("ending", "array"), [(".pfm", FLOW), (".flo", FLOW[..., 0]), (".pfm", np.full((2, 2), 2**31 - 1, np.int32))]
)
def test_what_a_format_does_not_hold_is_told(ending, array):
    with pytest.raises(DinpError, match=r"values\.npy"):
        array_bytes(array, ending)
