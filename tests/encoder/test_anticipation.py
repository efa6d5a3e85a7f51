"""The encoder and the restoration: where it is asked for, what looks ahead to it, and what tells that it pays."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import photograph, random_tree, smooth_plane

import dinp
from dinp.bitstream.structure import known_data_of_mask
from dinp.encoder.anticipation import anticipated, descended
from dinp.encoder.placement import EFFORTS, Effort, tune
from dinp.encoder.planes import encode_planes
from dinp.encoder.prices import BIT_COST, step_of
from dinp.encoder.restoration_gain import fullest_windows, gain
from dinp.models import load_restoration
from dinp.restoration import DecodedPlane, Restoration, side_map


def tuned_trial(plane):
    tree = random_tree(plane.shape, plane.size // 12, seed=3)
    return tune(plane, tree, 5, None, 4)


def error_after(restoration, plane, trial, step):
    seen = DecodedPlane(trial.reconstruction, trial.known.mask, side_map(trial.structure, 5), step)
    return float(np.sum((plane - restoration(seen)) ** 2))


@pytest.mark.parametrize("version", [1, 2])
def test_anticipation_lowers_the_error_after_restoration(version):
    plane = photograph().astype(float)
    restoration, trial = load_restoration(version), tuned_trial(plane)
    seen = DecodedPlane(trial.reconstruction, trial.known.mask, side_map(trial.structure, 5), 8.0)
    _, aimed = anticipated(plane, trial, *restoration.with_gradient(seen, plane))
    once, twice = (descended(plane, aimed, seen, restoration, steps) for steps in (1, 2))
    errors = [error_after(restoration, plane, t, 8.0) for t in (trial, aimed, once, twice)]
    assert errors == sorted(errors, reverse=True)
    assert errors[3] < 0.97 * errors[0]


def test_descent_stands_still_at_a_perfect_picture():
    plane = np.full((40, 48), 90.0)
    trial = tuned_trial(plane)
    seen = DecodedPlane(trial.reconstruction, trial.known.mask, side_map(trial.structure, 5), 8.0)

    class Nothing(Restoration):
        def with_gradient(self, plane, original, *, draft=False):
            return plane.reconstruction, original - plane.reconstruction

    result = descended(plane, trial, seen, Nothing(None, 1), 3)
    assert np.abs(result.reconstruction - plane).max() < 1e-6


class Fake(Restoration):
    """Does what its class says, by a correction that does not depend on the reconstruction."""

    def __init__(self):
        super().__init__(None, 2)

    def with_gradient(self, plane, original, *, draft=False):
        restored = self(plane, draft=draft)
        return restored, original - restored


class Worse(Fake):
    """Adds an error."""

    def __call__(self, plane, *, draft=False):
        return plane.reconstruction + 5.0


@pytest.mark.parametrize("effort", [2, 3])
def test_more_effort_looks_further_ahead(effort):
    picture = photograph()[16:144, 32:192]

    def cost(chosen):
        section = encode_planes(
            [picture.astype(float)],
            quality=35,
            effort=chosen,
            restoration=load_restoration(chosen.restoration),
            barriers=False,
        )
        error = float(np.sum((picture - section.show().astype(float)) ** 2))
        return error + BIT_COST * step_of(35) ** 2 * 8 * len(section.sections[0])

    whole = EFFORTS[effort]
    ahead = cost(whole)
    assert ahead < cost(replace(whole, anticipate=False, descents=0, repeats=0))
    assert not whole.repeats or ahead <= cost(replace(whole, repeats=0))


def test_encoder_switches_it_off_where_it_does_not_help():
    plane = smooth_plane((64, 64))
    plain = encode_planes([plane], quality=30)
    assert encode_planes([plane], quality=30, restoration=Worse()).sections == plain.sections


class Towards(Fake):
    """Moves planes halfway to the picture that it was given, and remembers the sizes and drafts that it has seen."""

    def __init__(self, picture, factor=0.5):
        super().__init__()
        self.picture, self.factor, self.seen, self.drafts = picture, factor, [], []

    def __call__(self, plane, *, draft=False):
        self.seen.append(plane.mask.shape)
        self.drafts.append(draft)
        return plane.reconstruction + self.factor * (self.picture - plane.reconstruction)


@pytest.mark.parametrize(("factor", "named"), [(0.5, True), (-0.5, False)])
def test_parts_of_a_large_plane_tell_whether_it_helps(factor, named):
    plane = np.full((400, 432), 128.0)
    restoration = Towards(128.0, factor)
    plane[::3, ::5] += 40
    encoded = encode_planes([plane], quality=10, effort=EFFORTS[1], restoration=restoration, barriers=False)
    plain = encode_planes([plane], quality=10, effort=EFFORTS[1], barriers=False)
    # where they say no, the whole plane is asked
    seen = [(128, 128)] * 4 + [(400, 432)] * (not named)
    assert restoration.seen == seen
    assert (encoded.sections != plain.sections) == named
    assert encoded.sections[0][1:] == plain.sections[0][1:]
    shown, without = encoded.show(), plain.show()
    assert np.array_equal(shown, without) == (not named)
    assert restoration.seen == seen + [(400, 432)] * named
    assert restoration.drafts == [shape == (128, 128) for shape in restoration.seen]


def test_a_plane_is_not_restored_to_learn_that_barriers_cost_more(monkeypatch):
    asked = []

    def dear(plane, labels, bit_cost, ceiling):
        asked.append(ceiling)

    monkeypatch.setattr("dinp.encoder.barrier_rival.outlined", dear)
    plane = np.full((400, 432), 128.0)
    plane[::3, ::5] += 40
    restoration = Towards(128.0)
    encoded = encode_planes([plane], quality=10, effort=EFFORTS[1], restoration=restoration)
    assert len(set(asked)) == 2  # with what a tree can be expected to cost, and with what it costs unrestored
    assert restoration.seen == [(128, 128)] * 4
    assert encoded.sections[0][0] != encode_planes([plane], quality=10, effort=EFFORTS[1]).sections[0][0]


@pytest.mark.parametrize("foresight", [False, True])
def test_drafts_serve_where_points_are_placed(foresight):
    plane = smooth_plane((64, 64))
    plane[::3, ::5] += 40
    effort = Effort(0.5, 2, 2, anticipate=True, foresight=foresight)
    restoration = Towards(plane)
    encoded = encode_planes([plane], quality=20, effort=effort, restoration=restoration)
    # one for the last stage of growth, with foresight one before the rounds and one after each; one to aim by
    drafts = [True] * (1 + 3 * foresight + 1)
    assert restoration.drafts == [*drafts, False]
    encoded.show()
    assert restoration.drafts == [*drafts, False, False]


class TowardsWhole(Towards):
    """Does nothing in windows."""

    def __call__(self, plane, *, draft=False):
        if plane.mask.shape == self.picture.shape:
            return super().__call__(plane, draft=draft)
        self.seen.append(plane.mask.shape)
        return plane.reconstruction


@pytest.mark.parametrize(
    ("quality", "factor", "asked"),
    [
        (40, 0.5, []),  # a clear gain
        (40, 0.02, [(128, 128)] * 4 + [(400, 432)]),  # a small one: windows, which say no here, then the whole
        (75, 0.5, [(400, 432)]),  # at fine steps the whole
    ],
)
def test_what_tells_after_quantisation_that_restoration_pays(quality, factor, asked):
    plane = smooth_plane((400, 432)) + np.random.default_rng(0).normal(0, 10, (400, 432))
    restoration = TowardsWhole(plane, factor)
    effort = Effort(0.75, 1, 0, anticipate=True, windows=True)
    encode_planes([plane], quality=quality, effort=effort, restoration=restoration)
    assert restoration.seen == [(400, 432)] * 2 + asked  # by growth, to aim by, and then


def test_the_step_along_the_gradient_lowers_the_error_after_restoration():
    plane = photograph().astype(float)
    restoration, trial = load_restoration(2), tuned_trial(plane)
    seen = DecodedPlane(trial.reconstruction, trial.known.mask, side_map(trial.structure, 5), 8.0)
    better, pull = restoration.with_gradient(seen, plane, draft=True)
    errors = []
    for pull_ in (pull, 0 * pull):
        _, aimed = anticipated(plane, trial, better, pull_)
        errors.append(error_after(restoration, plane, aimed, 8.0))
    assert errors[0] < 0.995 * errors[1]


def test_rounds_with_foresight_are_judged_by_what_restoration_leaves():
    """A restoration that makes a stretch of the plane perfect: points that are moved go elsewhere."""
    plane = smooth_plane((64, 128)) + np.random.default_rng(2).normal(0, 20, (64, 128))

    class Left(Fake):
        def __call__(self, seen, *, draft=False):
            restored = seen.reconstruction.copy()
            restored[:, :64] = plane[:, :64]
            return restored

    points = []
    for foresight in (False, True):
        effort = Effort(0.75, 1, 4, anticipate=True, foresight=foresight)
        trial = encode_planes([plane], quality=30, effort=effort, restoration=Left()).planes[0].trial
        points.append(np.mean(trial.known.x < 64))
    assert points[1] < points[0] - 0.05


class Fickle(Fake):
    """Halves the errors of some of the planes that it is given, one after the other, and doubles those of others."""

    def __init__(self, picture, *good):
        super().__init__()
        self.picture, self.good = picture, list(good)

    def __call__(self, plane, *, draft=False):
        good = bool(self.good) and self.good.pop(0)
        return plane.reconstruction + (0.5 if good else -1) * (self.picture - plane.reconstruction)


@pytest.mark.parametrize("good", [(True,), (True, True)])
def test_what_was_done_for_a_restoration_that_does_not_help_is_undone(good):
    plane = smooth_plane((64, 64))
    effort = Effort(0.75, 1, 0, anticipate=True)
    with_one = encode_planes([plane], quality=30, effort=effort, restoration=Fickle(plane, *good))
    plain = encode_planes([plane], quality=30, effort=effort)
    assert with_one.sections[0][0] == plain.sections[0][0]  # names no restoration
    errors = [np.mean((plane - coded.show()) ** 2.0) for coded in (with_one, plain)]
    assert errors[0] < 1.2 * errors[1]


@pytest.mark.parametrize("effort", [1, 2])
def test_flat_windows_do_not_speak_for_a_plane(effort):
    from skimage.data import camera

    picture = camera()[:400, :432].copy()
    for y in (36, 236):
        for x in (44, 260):
            picture[y : y + 130, x : x + 130] = 255
    restored, plain = (
        dinp.encode_with_report(picture, quality=20, effort=effort, restore=flag) for flag in (True, False)
    )
    assert restored.psnr > plain.psnr + 0.5


def test_restoration_that_helps_only_after_quantisation_is_named():
    plane = smooth_plane((64, 64))
    effort = Effort(0.75, 1, 0, anticipate=True)
    coded = encode_planes([plane], quality=30, effort=effort, restoration=Fickle(plane, True, False, True, True))
    plain = encode_planes([plane], quality=30, effort=effort)
    assert coded.sections[0][0] != plain.sections[0][0]


def test_windows_lie_where_the_points_are():
    mask = np.zeros((400, 432), dtype=bool)
    mask[150:190, 20:60] = mask[10:14, 300:304] = mask[390:, 420:] = True
    windows = fullest_windows(known_data_of_mask(mask, 1), mask.shape)
    assert len(windows) == 4
    covered = np.zeros_like(mask)
    for window in windows:
        covered[window] = True
    assert np.array_equal(mask & covered, mask)
    assert all(mask[window].shape == (128, 128) or window[1].stop == 432 for window in windows)


@pytest.mark.parametrize("effort", [1, 2])
def test_windows_that_the_border_cuts(effort):
    plane = np.full((391, 425), 128.0)
    plane[-64:, -64:] += np.random.default_rng(1).normal(0, 50, (64, 64))  # one window ends at the border
    restoration = Towards(128.0)
    encode_planes([plane], quality=30, effort=EFFORTS[effort], restoration=restoration)
    windows = {shape for shape in restoration.seen if max(shape) <= 128}
    assert (128, 128) in windows
    assert len(windows) > 1


def test_a_gain_counts_only_as_far_as_it_is_shown():
    grey = np.full((8, 8), 100.0)
    decoded = grey + 0.4  # shown as 100 everywhere
    better = grey + 0.1
    better[0, 0] += 0.9  # shown as 101
    assert gain(grey, better, decoded) <= 0
    # planes of a colour picture are not rounded
    assert gain(grey + 0.25, better + 0.25, decoded + 0.25) == pytest.approx(1 - (63 * 0.01 + 1) / (64 * 0.16))
    assert gain(grey, better, grey + 1.4) == pytest.approx(1 - 1 / 64)
