"""Arrays of numbers, some pixels at a time: as by numpy at once."""

import numpy as np
import pytest

from dinp.entropy import blocks


@pytest.mark.parametrize("size", [1, 7, 12, 1000])
def test_blocks_make_no_difference(size, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK", size)
    numbers = np.random.default_rng(1).permutation(np.arange(60) % 13).reshape(6, 10).astype(np.int32)
    assert [n for some in blocks.blocks(60) for n in range(60)[some]] == list(range(60))
    assert all(some.stop - some.start <= max(size, 9) for some in blocks.blocks(60, 9))
    table = np.arange(13.0) ** 2
    assert np.array_equal(blocks.looked_up(table, numbers), table[numbers])
    assert np.array_equal(blocks.counted(numbers, 15), np.bincount(numbers.ravel(), minlength=15))
    assert np.array_equal(blocks.first_places(numbers, 13), np.unique(numbers, return_index=True)[1])
