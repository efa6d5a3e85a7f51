"""Encoding: planes to sections.

The mask model says where most points go; everything after that is measured. For each plane: the quality gives the
quantisation step; the step and the plane's detail give the number of points; the mask model places the first share of
them; the others are added in stages where the error is largest, with the values tonally optimised throughout, and a
round moves the points that matter least; the last stage and the values look ahead to what the restoration will add;
levels are chosen by error and bits, and coded.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import product

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from dinp.bitstream.section import PlaneCode, encode_stream, section_header
from dinp.bitstream.steps import nearest_step_index
from dinp.bitstream.structure import KnownData
from dinp.decoder import described, reconstruct, restored
from dinp.diffusion.inpaint import Inpainter
from dinp.encoder.anticipation import PULL, aimed, anticipated, descended
from dinp.encoder.barriers import RUNGS, SURE_SHARE, best_outline, cost_of, encode_outlined, outlined
from dinp.encoder.levels import level_choice
from dinp.encoder.own_steps import own_steps_of
from dinp.encoder.placement import DEFAULT_EFFORT, Effort, Progress, TreeModel, Trial, place_points, tune, wanted_points
from dinp.encoder.pyramid import detail_gains
from dinp.encoder.segmentation import segmentation_ladder
from dinp.errors import DinpError
from dinp.pictures.planes import merge_planes
from dinp.restoration import Restoration
from dinp.threads import in_parallel, joint, side_by_side, single_blas

ROOT_LOG2 = 5
BIT_COST = 1.5  # squared error that a bit must save, in squared steps
BIT_COST_AHEAD = 1.1  # the same where values look ahead to a restoration; 0.4 % of BD-rate on six tuning pictures
CHROMA_STEP = 0.5  # of luma's: a value at half resolution stands for four pixels
FREE_MASK_SIDE_LOG2 = 3
WINDOW = 128  # pixels
AROUND = 64  # pixels; a window is solved with so many around it
CELL = 1 << ROOT_LOG2
LEAST_WINDOWED = 4.0  # grey levels: at finer steps there is little to gain, and windows of a drawing may mislead
LEAST_GAIN = 1e-3  # share of the squared error that restoration must remove to be asked for
SURE_BITS = 1.2  # per point, that a tree and its errors cost at least, whatever restoration does
FLAT_SHARE = 0.6  # of the pairs of neighbours that are alike: with fewer, barriers are not tried
ALIKE = 0.5  # grey levels
SURE_GAIN = 0.1  # the same before quantisation, for it not to be asked after; 32 codings to tune on bore it out


@dataclass(frozen=True)
class EncodedPicture:
    """Coded planes.

    Attributes
    ----------
    sections : list of bytes
        One a plane.
    shown : list of callables
        Make the planes that a decoder gets, (H, W) float64 each.
    density : float
        Values per pixel of plane 0.
    points : int
        Number of values of plane 0.
    information : list of dict
        Information content in bits by kind (`mask`, `values`), one dict a plane.
    trials : list of Trial
        Mask structure and values of each plane before quantisation; None where it was coded with barriers at once.
    own_steps : list of tuple
        Of each plane, see `dinp.encoder.own_steps`.
    """

    sections: list[bytes]
    shown: list[Callable[[], np.ndarray]]
    density: float
    points: int
    information: list[dict[str, float]]
    trials: list[Trial | None]
    own_steps: list[tuple[int, ...]]

    def show(self) -> np.ndarray:
        """The picture that a decoder gets, (H, W) or (H, W, 3) uint8."""
        return merge_planes([show() for show in self.shown])


def step_of(quality: float, depth: int = 0) -> float:
    """Step of luma in grey levels, at side 8, for a quality of 0-100: six octaves from 64 down to 1; to 2^-depth.

    The step that values are quantised with is the nearest of the table; the number of points and the cost of bits
    follow the exact one, so that quality acts smoothly.
    """
    if not 0 <= quality <= 100:
        raise DinpError(f"quality {quality:g} is out of range; choose one from 0 to 100")
    return 2.0 ** (6 - (6 + depth) * quality / 100)


@dataclass(frozen=True)
class Coded:
    """Levels chosen for a plane: their code and stream, its information content, and what makes the inpainting."""

    code: PlaneCode
    stream: bytes
    information: dict[str, float]
    plain: "Inpainting"


class Inpainting:
    """What a decoder makes of a plane's code before any restoration, computed when it is first asked for."""

    def __init__(self, code: PlaneCode, known: KnownData, inpainter: Inpainter) -> None:
        self._code, self._known = code, known
        self._inpainter: Inpainter | None = inpainter
        self._plane: np.ndarray | None = None

    def __call__(self) -> np.ndarray:
        """The whole, (H, W) float64."""
        if self._plane is None:
            self._plane = reconstruct(self._code, self._known, self._inpainter)
        return self._plane

    def windows(self, parts: list[tuple[slice, slice]]) -> np.ndarray:
        """A plane (H, W) that is right, but for what comes from farther than `AROUND`, in these parts."""
        if self._plane is not None:
            return self._plane
        plane, values = np.zeros(self._known.mask.shape), self._known.spread(self._code.values(self._known))
        for part in parts:
            wide = tuple(slice(max(side.start - AROUND, 0), side.stop + AROUND) for side in part)
            if not self._known.mask[wide].any():
                return self()
            inside = tuple(slice(s.start - w.start, s.stop - w.start) for s, w in zip(part, wide, strict=True))
            plane[part] = Inpainter(self._known.mask[wide]).solve(values[wide])[inside]
        return plane

    def release(self) -> None:
        """Keep no inpainter for it, which takes much memory."""
        self._inpainter = None


def encode_plane(
    plane: np.ndarray,
    step: float,
    trial: Trial,
    side_log2: int,
    restoration: Restoration | None = None,
    effort: Effort = DEFAULT_EFFORT,
    depth: int = 0,
    own_steps: tuple[int, ...] = (),
) -> tuple[bytes, Callable[[], np.ndarray], int, dict[str, float]]:
    """Section, what makes the decoded plane, number of points and information content, for a step in grey levels.

    The section names the restoration if it makes the plane better. The effort says what is done to values and levels
    for its sake, which is undone if it does not, and whether its success before quantisation, or in a part of a large
    plane, may tell that it does.
    """
    index = nearest_step_index(step, depth)
    code = PlaneCode(trial.structure, side_log2, index, np.zeros(0, dtype=np.int64), depth=depth, own_steps=own_steps)
    known = trial.known
    trial = replace(trial, inpainter=trial.solver())

    def coded(target: np.ndarray, trial: Trial, bit_cost: float) -> Coded:
        choice = level_choice(target, trial, index, bit_cost, effort.renewal, depth, own_steps)
        stream, levels, information = encode_stream(trial.structure, known, index, choice, own_steps)
        chosen = replace(code, levels=levels)
        return Coded(chosen, stream, information, Inpainting(chosen, known, trial.solver()))

    windows = effort.windows and step >= LEAST_WINDOWED and min(plane.shape) >= 3 * WINDOW
    best = wins = None
    if restoration is not None and effort.anticipate:
        seen = described(code, known, trial.reconstruction)
        better, pull = restoration.with_gradient(seen, plane, draft=not effort.descents)
        gain = _gain(plane, better, trial.reconstruction)
        if gain > LEAST_GAIN:
            target, ahead = anticipated(plane, trial, better, pull)
            if effort.descents:
                seen = described(code, known, ahead.reconstruction)
                ahead = descended(plane, ahead, seen, restoration, effort.descents)
                target = ahead.reconstruction
            bit_cost = BIT_COST_AHEAD * step * step
            best = coded(target, ahead, bit_cost)
            if effort.repeats:
                best = _repeated(plane, best, ahead, restoration, effort.repeats, coded, bit_cost)
            sure = windows and gain > SURE_GAIN
            wins = sure or _wins(plane, best, known, restoration, windows=windows)
    if not wins:  # what quantisation does may still be worth restoring
        best = coded(plane, trial, BIT_COST * step * step)
        wins = restoration is not None and _wins(plane, best, known, restoration, windows=windows)
    best.plain.release()
    code, show = best.code, best.plain
    if wins:
        code = replace(code, restoration=restoration.version)
        show = cache(lambda: restored(code, known, best.plain(), restoration))
    return section_header(code) + best.stream, show, known.y.size, best.information


def _repeated(
    plane: np.ndarray,
    first: Coded,
    trial: Trial,
    restoration: Restoration,
    repeats: int,
    coded: Callable[[np.ndarray, Trial, float], Coded],
    bit_cost: float,
) -> Coded:
    """The best of a choice of levels and its repetitions, by the error after restoration and the bits."""
    best, least = first, np.inf
    latest = first
    for repeat in range(repeats + 1):
        reconstruction = latest.plain()
        seen = described(latest.code, trial.known, reconstruction)
        if repeat < repeats:
            shown, pull = restoration.with_gradient(seen, plane)
        else:
            shown = restoration(seen)
        cost = float(np.sum((plane - shown) ** 2)) + bit_cost * 8 * len(latest.stream)
        if cost < least:
            best, least = latest, cost
        if repeat < repeats:
            start = replace(trial, values=latest.code.values(trial.known), reconstruction=reconstruction)
            latest = coded(*aimed(start, reconstruction + PULL * pull), bit_cost)
    return best


def _shown(trial: Trial, step: float, restoration: Restoration) -> np.ndarray:
    """What restoration makes of a tree that is still growing."""
    code = PlaneCode(trial.structure, ROOT_LOG2, nearest_step_index(step), np.zeros(0, dtype=np.int64))
    return restored(code, trial.known, trial.reconstruction, restoration, draft=True)


def _wins(plane: np.ndarray, coded: Coded, known: KnownData, restoration: Restoration, *, windows: bool) -> bool:
    """Whether restoration makes a coded plane better; with `windows` in four windows of it, or in all of it.

    The windows' corners lie in the four quarters of where they can be, where a window has most points: there something
    is to be restored. In windows a draft is asked: the whole, a mean of two, is hardly ever worse.
    """
    if windows:
        parts = _windows(known, plane.shape)
        seen = described(coded.code, known, coded.plain.windows(parts))
        better = in_parallel(lambda p: restoration(seen.window(p), draft=True), parts)
        original, decoded = ([u[p] for p in parts] for u in (plane, seen.reconstruction))
        if _gain(_joined(original), _joined(better), _joined(decoded)) > LEAST_GAIN:
            return True
    seen = described(coded.code, known, coded.plain())
    return _gain(plane, restoration(seen), seen.reconstruction) > LEAST_GAIN


def _windows(known: KnownData, shape: tuple[int, int]) -> list[tuple[slice, slice]]:
    """Windows of most points, one for each quarter of the places that they can have in step with the plane's cells."""
    counts, _, _ = np.histogram2d(known.y, known.x, bins=[np.arange(0, side + CELL, CELL) for side in shape])
    sums = sliding_window_view(counts, (WINDOW // CELL, WINDOW // CELL)).sum(axis=(2, 3))
    parts = []
    halves = [((0, size // 2), (size // 2, size)) for size in sums.shape]
    for (y, bottom), (x, right) in product(*halves):
        quarter = sums[y:bottom, x:right]
        i, j = np.unravel_index(np.argmax(quarter), quarter.shape)
        top, left = CELL * (y + int(i)), CELL * (x + int(j))
        parts.append((slice(top, min(top + WINDOW, shape[0])), slice(left, min(left + WINDOW, shape[1]))))
    return parts


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    """Parts of a plane in one flat array: a window at the border of a plane may be cut."""
    return np.concatenate([part.ravel() for part in parts])


def _gain(plane: np.ndarray, better: np.ndarray, decoded: np.ndarray) -> float:
    """The share of the squared error of `decoded` that `better` is without, both shown clipped to 0-255; at most 1.

    A grey picture is shown rounded, too: close to the original that may undo what restoration gains.
    """
    grey = np.array_equal(plane, np.rint(plane))
    shown = [np.rint(np.clip(u, 0, 255)) if grey else np.clip(u, 0, 255) for u in (better, decoded)]
    left, error = (float(np.sum((plane - u) ** 2)) for u in shown)
    return 1 - left / error if error else 0.0


Result = tuple[bytes, Callable[[], np.ndarray], int, dict[str, float]]  # what `encode_plane` returns


def has_flat_parts(plane: np.ndarray) -> bool:
    """Whether most neighbouring pixels of a plane (H, W) are alike, so that barriers may pay.

    Of 41 photographs for tuning 55 % of the pairs are alike at most, of 509 for training 85 % in all but two in a
    hundred; of drawings, disparity and flow 80 % and more. A plane of one value has nothing to divide.
    """
    alike = sum(np.count_nonzero(np.abs(np.diff(plane, axis=axis)) <= ALIKE) for axis in (0, 1))
    return bool(np.ptp(plane)) and alike > FLAT_SHARE * (2 * plane.size - sum(plane.shape))


class _Barriers:
    """A plane's way to a coding with barriers, where it is worth going."""

    def __init__(self, plane: np.ndarray, step: float, depth: int) -> None:
        self._plane, self._step, self._depth = plane, step, depth
        self._bit_cost = BIT_COST * step * step
        self._ladder = segmentation_ladder(plane[None].astype(np.float64), self._bit_cost)

    def for_certain(self) -> Result | None:
        """The plane with barriers, where it costs less than a tree can be expected to cost."""
        points = wanted_points(self._plane, detail_gains(self._plane, ROOT_LOG2), self._step)
        return self.below(self._bit_cost * SURE_BITS * points)

    def below(self, ceiling: float) -> Result | None:
        """The plane with barriers, where it costs less than the ceiling; tried only if a guess does.

        On ten photographs that were tried all the same, guesses were 1.05 to 1.5 times the ceiling, and none was taken.
        """
        outline = best_outline(self._plane, self._ladder, self._bit_cost, ceiling)
        if outline is None or outline.guess > ceiling:
            return None
        found = encode_outlined(self._plane, outline, self._step, self._bit_cost, depth=self._depth)
        if not found.is_allowed or self.cost(found.reconstruction, len(found.section)) >= ceiling:
            return None
        show = cache(partial(reconstruct, found.code, found.known))
        return found.section, show, found.known.y.size, found.information

    def cost(self, shown: np.ndarray, size: int) -> float:
        """Squared error and the cost of the bits."""
        return cost_of(self._plane, shown, size, self._bit_cost, self._depth)


def _sharing(planes: list[np.ndarray], steps: list[float], depth: int) -> list[Result] | None:
    """Planes that share the barriers of plane 0, where they cost less so than trees can be expected to cost.

    Regions are those of all planes together, each weighed by its own step.
    """
    costs = [BIT_COST * step * step for step in steps]
    scaled = np.stack([plane * (steps[0] / step) for plane, step in zip(planes, steps, strict=True)])
    ladder = segmentation_ladder(scaled.astype(np.float64), costs[0])
    points = [
        wanted_points(plane, detail_gains(plane, ROOT_LOG2), step) for plane, step in zip(planes, steps, strict=True)
    ]
    ceiling = SURE_BITS * sum(points)  # in bits, as all that follows
    best, least = None, ceiling
    for rung in RUNGS:
        labels = ladder.at(rung * costs[0])
        outlines = []
        for number, (plane, cost) in enumerate(zip(planes, costs, strict=True)):
            outlines.append(outlined(plane, labels, cost, least * cost / SURE_SHARE, shared=number > 0))
            if outlines[-1] is None:
                break
        else:
            guess = sum(outline.guess / cost for outline, cost in zip(outlines, costs, strict=True))
            if guess < least:
                best, least = outlines, guess
    if best is None:
        return None
    results, spent = [], 0.0
    for number, (plane, outline) in enumerate(zip(planes, best, strict=True)):
        found = encode_outlined(plane, outline, steps[number], costs[number], depth=depth, shared=number > 0)
        if not found.is_allowed:
            return None
        spent += cost_of(plane, found.reconstruction, len(found.section), costs[number], depth) / costs[number]
        show = cache(partial(reconstruct, found.code, found.known))
        results.append((found.section, show, found.known.y.size, found.information))
    return results if spent < ceiling else None


@single_blas()
def encode_planes(
    planes: list[np.ndarray],
    *,
    quality: float,
    tree_model: TreeModel | None = None,
    mask: np.ndarray | None = None,
    effort: Effort = DEFAULT_EFFORT,
    restoration: Restoration | None = None,
    start: EncodedPicture | None = None,
    progress: Progress | None = None,
    weights: Sequence[float] | None = None,
    depth: int = 0,
    barriers: bool = True,
) -> EncodedPicture:
    """Code a picture's planes.

    Parameters
    ----------
    planes : list of (H, W) float arrays
        Grey values nominally 0-255: grey or luma first, then chroma at half resolution.
    quality : float
        0-100.
    tree_model : callable, optional
        (plane (H, W) float32, density) -> list of split scores for cells of side 32, 16, ..., 2. Without one, trees
        come from the pyramid of details.
    mask : (H, W) bool, optional
        A free inpainting mask for plane 0 in place of a tree.
    effort : Effort
        How trees are refined.
    restoration : Restoration, optional
        What the decoder may apply after the inpainting.
    start : EncodedPicture, optional
        The same picture coded with another quality, whose work is reused.
    progress : callable, optional
        Called with the fraction done, 0-1.
    weights : sequence of float, optional
        Step of each plane in steps of the first; 1 and CHROMA_STEP by default.
    depth : int
        Of the sample format, see `dinp.bitstream.samples`.
    barriers : bool
        Whether planes may be coded with barriers, where that costs less.

    Raises
    ------
    DinpError
        If the quality is out of range, or the mask is empty or of another shape.
    """
    luma_step = step_of(quality, depth)
    weights = weights or [1.0] + [CHROMA_STEP] * (len(planes) - 1)
    if mask is not None and (mask.shape != planes[0].shape or not mask.any()):
        raise DinpError("the inpainting mask must be as large as the picture and hold at least one pixel")
    report = joint(progress, [plane.size for plane in planes])
    steps = [luma_step * weight for weight in weights]
    alike = len(planes) > 1 and all(plane.shape == planes[0].shape for plane in planes)
    apt = barriers and mask is None and alike and has_flat_parts(planes[0])
    shared = _sharing(planes, steps, depth) if apt else None

    def coded(number: int) -> tuple[Trial | None, tuple[int, ...], Result]:
        plane = planes[number]
        step = steps[number]
        if shared is not None:
            report(number, 1.0)
            return None, (), shared[number]
        apt = barriers and not (number == 0 and mask is not None) and has_flat_parts(plane)
        rival = _Barriers(plane, step, depth) if apt else None
        result = rival.for_certain() if rival else None
        if result is not None:
            report(number, 1.0)
            return None, (), result
        previous = start.trials[number] if start else None
        if number == 0 and mask is not None:
            side_log2 = FREE_MASK_SIDE_LOG2
            trial = previous or tune(plane, mask, side_log2, None, 4)
        else:
            side_log2 = ROOT_LOG2
            show = partial(_shown, step=step, restoration=restoration) if restoration and effort.anticipate else None
            trial = place_points(
                plane, step, side_log2, tree_model, effort, lambda f: report(number, 0.9 * f), previous, show
            )
        own = own_steps_of(plane, trial, nearest_step_index(step, depth), depth)
        result = encode_plane(plane, step, trial, side_log2, restoration, effort, depth, own)
        better = rival.below(rival.cost(result[1](), len(result[0]))) if rival else None
        if better is not None:
            result, own = better, ()
        report(number, 1.0)
        return trial.without_solver(), own, result

    trials, own_steps, results = (list(column) for column in zip(*side_by_side(coded, range(len(planes))), strict=True))
    if progress:
        progress(1.0)
    sections, shown, points, information = (list(column) for column in zip(*results, strict=True))
    return EncodedPicture(sections, shown, points[0] / planes[0].size, points[0], information, trials, own_steps)
