"""Restoration after the solver: the network in numpy, the encoder's switch, and decoders that do without."""

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import random_tree, smooth_plane

import dinp
import dinp.models
from dinp.bitstream.structure import known_data_of_mask
from dinp.decoder import decode_planes
from dinp.encoder.anticipation import anticipated, descended
from dinp.encoder.placement import EFFORTS, Effort, tune
from dinp.encoder.planes import BIT_COST, _windows, encode_planes, step_of
from dinp.models import load_restoration
from dinp.models.networks.restoration import RestorationNetwork
from dinp.models.weights.hub import load_network
from dinp.restoration import DecodedPlane, Restoration, correction_scale, network_input, side_map


def decoded_plane(shape, step=6.0, seed=0):
    rng = np.random.default_rng(seed)
    mask = rng.random(shape) < 0.1
    side = rng.integers(0, 6, shape).astype(np.uint8)
    return DecodedPlane(smooth_plane(shape) + rng.normal(0, 9, shape), mask, side, step)


def draft_by_torch(network, plane):
    x = torch.from_numpy(network_input(plane))[None]
    with torch.inference_mode():
        full = torch.pixel_shuffle(network(x), 2)[0, 0].numpy() * correction_scale(plane.step)
    height, width = plane.mask.shape
    return plane.reconstruction + full[:height, :width]


def by_torch(network, plane):
    """The mean of the plane's restoration and of the transposed plane's."""
    return (draft_by_torch(network, plane) + draft_by_torch(network, plane.transposed()).T) / 2


def numpy_weights(network):
    return {name: tensor.numpy() for name, tensor in network.state_dict().items()}


@pytest.mark.parametrize("shape", [(64, 96), (37, 51), (1, 1), (1, 40), (150, 16)])
def test_numpy_agrees_with_torch(shape):
    torch.manual_seed(3)
    network = RestorationNetwork((8, 12, 16, 16)).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, 0, 0.1)
    plane = decoded_plane(shape)
    wanted, draft = by_torch(network, plane), draft_by_torch(network, plane)
    assert np.abs(draft - plane.reconstruction).max() > 0.5
    restoration = Restoration(numpy_weights(network))
    assert np.abs(restoration(plane) - wanted).max() < 1e-3
    assert np.abs(restoration(plane, draft=True) - draft).max() < 1e-3
    turned = restoration(plane.transposed())
    assert np.abs(turned.T - restoration(plane)).max() < 1e-4


@pytest.mark.parametrize("shape", [(300, 70), (129, 400)])
def test_tiles_do_not_show(shape, monkeypatch):
    torch.manual_seed(4)
    network = RestorationNetwork((8, 8, 8, 8)).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, 0, 0.15)
    plane = decoded_plane(shape)
    restoration = Restoration(numpy_weights(network))
    whole = restoration(plane)
    assert np.abs(whole - plane.reconstruction).max() > 0.5
    monkeypatch.setattr("dinp.restoration.TILE", 32)
    assert np.abs(restoration(plane) - whole).max() < 1e-3


def stirred_network(seed):
    torch.manual_seed(seed)
    network = RestorationNetwork((8, 12, 16, 16)).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, 0, 0.1)
    return network


@pytest.mark.parametrize("draft", [False, True])
@pytest.mark.parametrize("shape", [(64, 96), (37, 51), (1, 40)])
def test_gradient_agrees_with_torch(shape, draft):
    network = stirred_network(5)
    plane = decoded_plane(shape)
    original = smooth_plane(shape, seed=9)
    restoration = Restoration(numpy_weights(network))
    restored, gradient = restoration.with_gradient(plane, original, draft=draft)
    assert np.array_equal(restored, restoration(plane, draft=draft))
    u = torch.from_numpy(plane.reconstruction.astype(np.float32)).requires_grad_()

    def correction(seen, u):
        height, width = seen.mask.shape
        padded = torch.nn.functional.pad(u[None, None], (0, -width % 16, 0, -height % 16), mode="replicate")
        x = torch.from_numpy(network_input(seen))[None]
        x = torch.cat((torch.nn.functional.pixel_unshuffle((padded - 128) / 64, 2), x[:, 4:]), dim=1)
        return torch.pixel_shuffle(network(x), 2)[0, 0, :height, :width] * correction_scale(plane.step)

    both = correction(plane, u), correction(plane.transposed(), u.T).T
    out = u + (both[0] if draft else sum(both) / 2)
    (-0.5 * (torch.from_numpy(original.astype(np.float32)) - out).square().sum()).backward()
    assert np.abs(gradient - u.grad.numpy()).max() < 1e-4 * np.abs(gradient).max()
    assert np.abs(gradient - (original - restored)).max() > 0.1


def test_orientations_give_the_same_together_and_one_after_the_other(monkeypatch):
    restoration = Restoration(numpy_weights(stirred_network(7)))
    plane, original = decoded_plane((90, 70)), smooth_plane((90, 70), seed=9)
    results = []
    for threads, most in ((1, 1 << 20), (2, 1 << 20), (2, 0), (4, 1 << 20)):
        monkeypatch.setenv("OMP_NUM_THREADS", str(threads))
        monkeypatch.setattr("dinp.restoration.TOGETHER", most)
        results.append(np.stack([restoration(plane), *restoration.with_gradient(plane, original)]))
    assert all(np.array_equal(result, results[0]) for result in results)


def test_tiles_do_not_show_in_the_gradient(monkeypatch):
    restoration = Restoration(numpy_weights(stirred_network(6)))
    plane, original = decoded_plane((300, 70)), smooth_plane((300, 70), seed=9)
    _, whole = restoration.with_gradient(plane, original)
    monkeypatch.setattr("dinp.restoration.TILE", 32)
    assert np.abs(restoration.with_gradient(plane, original)[1] - whole).max() < 1e-4 * np.abs(whole).max()


def tuned_trial(plane):
    tree = random_tree(plane.shape, plane.size // 12, seed=3)
    return tune(plane, tree, 5, None, 4)


def error_after(restoration, plane, trial, step):
    seen = DecodedPlane(trial.reconstruction, trial.known.mask, side_map(trial.structure, 5), step)
    return float(np.sum((plane - restoration(seen)) ** 2))


def test_anticipation_lowers_the_error_after_restoration():
    plane = photograph().astype(float)
    restoration, trial = load_restoration(), tuned_trial(plane)
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

    result = descended(plane, trial, seen, Nothing({}), 3)
    assert np.abs(result.reconstruction - plane).max() < 1e-6


@pytest.mark.parametrize("step", [1.0, 8.0, 50.0])
def test_shipped_weights_agree_with_torch(step):
    plane = decoded_plane((80, 112), step)
    assert np.abs(load_restoration()(plane) - by_torch(load_network("restoration"), plane)).max() < 0.05


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


def photograph():
    from skimage.data import camera

    return camera()[40:232, 120:376].copy()


def test_restoration_gains_and_is_named_in_the_file():
    picture = photograph()
    data = dinp.encode(picture, quality=35)
    (plane,) = dinp.info(data)["planes"]
    assert plane["restoration"] == 1
    restored, plain = (np.asarray(dinp.decode(data, restore=flag)).astype(float) for flag in (True, False))
    errors = [np.mean((decoded - picture) ** 2) for decoded in (restored, plain)]
    assert errors[0] < 0.95 * errors[1]


def test_plain_files_ask_for_none():
    picture = photograph()
    data = dinp.encode(picture, quality=35, restore=False)
    assert [plane["restoration"] for plane in dinp.info(data)["planes"]] == [0]
    assert np.array_equal(np.asarray(dinp.decode(data)), np.asarray(dinp.decode(data, restore=False)))


class Fake(Restoration):
    """Does what its class says, by a correction that does not depend on the reconstruction."""

    def __init__(self):
        super().__init__({})

    def with_gradient(self, plane, original, *, draft=False):
        restored = self(plane, draft=draft)
        return restored, original - restored


class Worse(Fake):
    """Adds an error."""

    def __call__(self, plane, *, draft=False):
        return plane.reconstruction + 5.0


@pytest.mark.parametrize("effort", [2, 3])
def test_more_effort_looks_further_ahead(effort):
    picture = photograph()

    def cost(chosen):
        section = encode_planes([picture.astype(float)], quality=35, effort=chosen, restoration=load_restoration())
        error = float(np.sum((picture - section.show().astype(float)) ** 2))
        return error + BIT_COST * step_of(35) ** 2 * 8 * len(section.sections[0])

    whole = EFFORTS[effort]
    assert cost(whole) < cost(replace(whole, anticipate=False, descents=0, repeats=0))
    assert not whole.repeats or cost(whole) <= cost(replace(whole, repeats=0))


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
    encoded = encode_planes([plane], quality=10, effort=EFFORTS[1], restoration=restoration)
    plain = encode_planes([plane], quality=10, effort=EFFORTS[1])
    # where they say no, the whole plane is asked
    seen = [(128, 128)] * 4 + [(400, 432)] * (not named)
    assert restoration.seen == seen
    assert (encoded.sections != plain.sections) == named
    assert encoded.sections[0][1:] == plain.sections[0][1:]
    shown, without = encoded.show(), plain.show()
    assert np.array_equal(shown, without) == (not named)
    assert restoration.seen == seen + [(400, 432)] * named
    assert restoration.drafts == [shape == (128, 128) for shape in restoration.seen]


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
    restoration, trial = load_restoration(), tuned_trial(plane)
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
        trial = encode_planes([plane], quality=30, effort=effort, restoration=Left()).trials[0]
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
    windows = _windows(known_data_of_mask(mask, 1), mask.shape)
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


def test_report_says_what_the_decoder_shows():
    encoding = dinp.encode_with_report(photograph(), quality=30)
    decoded = np.asarray(dinp.decode(encoding.data)).astype(int)
    assert np.abs(decoded - encoding.decoded).max() <= 1


def newer(data):
    """The same file, asking for a restoration of version 2."""
    from dinp.bitstream.container import Container, pack, unpack

    parts = unpack(data)
    section = bytearray(parts.sections[0])
    section[0] = (section[0] & 0b10011111) | 0b01000000
    return pack(Container(parts.width, parts.height, parts.layout, (bytes(section),)))


def test_newer_restoration_is_left_out_with_a_notice():
    data = dinp.encode(photograph(), quality=20)
    plain = np.asarray(dinp.decode(data, restore=False))
    with pytest.warns(dinp.DinpNotice, match="does not have the restoration"):
        assert np.array_equal(np.asarray(dinp.decode(newer(data))), plain)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dinp.decode(newer(data), restore=False)


def test_decoder_without_weights_says_so(monkeypatch):
    data = dinp.encode(photograph(), quality=20)
    plain = np.asarray(dinp.decode(data, restore=False))

    def missing():
        raise dinp.DinpError("the weights of the restoration network cannot be read: gone")

    monkeypatch.setattr(dinp.models, "shipped_restoration", missing, raising=False)
    with pytest.warns(dinp.DinpNotice, match="gone: the picture is shown without"):
        assert np.array_equal(np.asarray(dinp.decode(data)), plain)


def test_planes_count_as_unrestored_only_if_meant_to_be():
    plane = smooth_plane((64, 64))
    sections = encode_planes([plane], quality=30).sections
    assert decode_planes(sections, [plane.shape])[1] == 0


@pytest.mark.parametrize("content", [None, b"", b"PK", b"weights"])
def test_damaged_weights_are_an_error(content, tmp_path):
    path = tmp_path / "weights.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(dinp.DinpError, match="cannot be read"):
        load_restoration(path)


def test_weights_of_another_network_are_an_error():
    with pytest.raises(dinp.DinpError, match="another network"):
        load_restoration(Path(dinp.models.__file__).parent / "weights" / "mask.npz")


def test_a_gain_counts_only_as_far_as_it_is_shown():
    from dinp.encoder.planes import _gain

    grey = np.full((8, 8), 100.0)
    decoded = grey + 0.4  # shown as 100 everywhere
    better = grey + 0.1
    better[0, 0] += 0.9  # shown as 101
    assert _gain(grey, better, decoded) <= 0
    # planes of a colour picture are not rounded
    assert _gain(grey + 0.25, better + 0.25, decoded + 0.25) == pytest.approx(1 - (63 * 0.01 + 1) / (64 * 0.16))
    assert _gain(grey, better, grey + 1.4) == pytest.approx(1 - 1 / 64)
