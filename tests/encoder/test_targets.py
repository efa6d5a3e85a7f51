"""Search for a target, on made-up coders and on pictures."""

import numpy as np
import pytest
from skimage import data

import dinp
from dinp.encoder.targets import MOST_TRIALS, psnr_target, search, size_target


def photograph():
    return np.ascontiguousarray(data.camera()[100:228, 150:310])


class Coder:
    """Result: (quality, size); sizes as those of photographs, with the noise that rounding to steps gives."""

    def __init__(self, noise=0.0):
        self.tried = []
        self.noise = noise

    def __call__(self, quality, previous):
        assert previous is None or previous[0] == self.tried[-1]
        self.tried.append(quality)
        size = 200 * 2 ** (0.11 * quality - 0.0004 * quality**2) * (1 + self.noise * np.sin(40 * quality))
        return quality, int(size)


@pytest.mark.parametrize("noise", [0.0, 0.01])
@pytest.mark.parametrize("size", [220, 500, 3000, 20_000, 25_000])
def test_size_is_met_and_never_exceeded(size, noise):
    coder = Coder(noise)
    _, found = search(coder, size_target(size, lambda result: result[1]))
    assert 0.97 * size <= found <= size
    assert len(coder.tried) <= MOST_TRIALS


def test_a_size_that_every_quality_meets_gives_the_best():
    assert search(Coder(), size_target(10**9, lambda result: result[1]))[0] == 100


def test_a_size_that_none_meets_is_an_error():
    with pytest.raises(dinp.DinpError, match="no quality makes the file as small as 100 bytes: it has 200"):
        search(Coder(), size_target(100, lambda result: result[1]))


@pytest.mark.parametrize("goal", [20.5, 31.0, 40.0, 50.0])
def test_psnr_is_met_and_never_missed(goal):
    quality = search(lambda quality, _: quality, psnr_target(goal, lambda quality: 20 + 0.3 * quality))
    assert goal <= 20 + 0.3 * quality <= goal + 0.05


def test_a_psnr_that_every_quality_meets_gives_the_smallest_file():
    assert search(lambda quality, _: quality, psnr_target(10, lambda quality: 20 + 0.3 * quality)) == 0


def test_a_psnr_out_of_reach_is_an_error():
    with pytest.raises(dinp.DinpError, match=r"no quality reaches a PSNR of 60 dB: it is 50\.00 dB"):
        search(lambda quality, _: quality, psnr_target(60, lambda quality: 20 + 0.3 * quality))


@pytest.mark.parametrize("goal", [0, -3, float("nan"), float("inf")])
def test_impossible_goals(goal):
    with pytest.raises(dinp.DinpError):
        psnr_target(goal, lambda result: result)
    if goal != float("inf"):
        with pytest.raises(dinp.DinpError):
            size_target(goal, lambda result: result)


def test_target_bytes_of_a_picture():
    picture = photograph()
    encoding = dinp.encode_with_report(picture, target_bytes=700)
    assert 650 <= len(encoding.data) <= 700
    assert np.abs(np.asarray(dinp.decode(encoding.data), int) - encoding.decoded).max() <= 1


def test_target_psnr_of_a_picture():
    encoding = dinp.encode_with_report(photograph(), target_psnr=28)
    assert 28 <= encoding.psnr <= 28.2


def test_target_psnr_of_a_picture_that_is_coded_exactly():
    encoding = dinp.encode_with_report(np.zeros((16, 24), dtype=np.uint8), target_psnr=40)
    assert encoding.psnr == np.inf


def test_reused_work_does_not_make_files_much_worse():
    """A file found by a search, against the direct one of about the same size."""
    picture = photograph()
    direct = dinp.encode_with_report(picture, quality=45)
    found = dinp.encode_with_report(picture, target_bytes=len(direct.data))
    assert found.psnr > direct.psnr - 0.25


@pytest.mark.parametrize("targets", [{"quality": 5, "target_psnr": 30}, {"target_bytes": 99, "target_psnr": 30}])
def test_targets_exclude_one_another(targets):
    with pytest.raises(dinp.DinpError, match="exclude one another"):
        dinp.encode(photograph(), **targets)


def test_more_effort_is_worth_it():
    """Bits and error together, at the exchange rate of photographs: 6 dB a factor of 4 in bytes at these rates."""
    pictures = [np.ascontiguousarray(p) for p in (data.camera()[::2, ::2], data.astronaut()[::2, ::2, 1])]
    scores = []
    for effort in (1, 2, 3):
        encodings = [dinp.encode_with_report(picture, quality=45, effort=effort) for picture in pictures]
        scores.append(np.mean([e.psnr - 3 * np.log2(len(e.data)) for e in encodings]))
    assert scores[0] < scores[1] < scores[2]


@pytest.mark.parametrize("effort", [0, 4, "2", None])
def test_efforts_that_are_not_there(effort):
    with pytest.raises(dinp.DinpError, match="effort must be one of 1, 2, 3"):
        dinp.encode(photograph(), effort=effort)
