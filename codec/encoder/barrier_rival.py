"""Barriers as a tree's rival: whether a plane, or planes together, cost less with them; guessed before it is tried."""

from dataclasses import replace
from itertools import product

import numpy as np

from dinp.encoder.barriers import (
    ALIKE,
    REFINED,
    SURE_SHARE,
    BarrierPlane,
    Outline,
    encode_outlined,
    outlined,
    promising,
    rungs,
)
from dinp.encoder.coded import CodedPlane
from dinp.encoder.contour_moves import refined
from dinp.encoder.own_steps import is_drawing
from dinp.encoder.placement import ROOT_LOG2, wanted_points
from dinp.encoder.prices import BIT_COST, cost_of
from dinp.encoder.pyramid import detail_gains
from dinp.encoder.segmentation import flat_zones, numbered, segmentation_ladder
from dinp.threads import in_parallel

SURE_BITS = 1.2  # per point, that a tree and its errors cost at least, whatever restoration does
FLAT_SHARE = 0.6  # of the pairs of neighbours that are alike: with fewer, barriers are not tried
NEAR_SHARE = 0.85  # of the pairs that differ by NEAR at most in a plane of whole numbers: with more, they are, too
EQUAL, NEAR = 0.5, 1.0  # grey levels
SMALL = 1 << 17  # pixels
BAND = 256  # rows that are looked at together
LARGE = 1 << 19  # pixels of a plane that is judged by nine windows first
WINDOW = 160  # pixels
HOPELESS = 3.5  # times what a tree costs at least: what windows with barriers cost in planes that need not be tried


def has_flat_parts(plane: np.ndarray) -> bool:
    """Whether most neighbouring pixels of a plane (H, W) are alike, so that barriers may pay.

    Of 41 photographs for tuning 55 % of the pairs are alike at most, of 509 for training 85 % in all but two in a
    hundred; of drawings, disparity and flow 80 % and more. A plane of one value has nothing to divide. Small planes of
    few values are drawings, too, if there is little flat in them, as on a checkerboard. In a plane of whole numbers a
    slope makes neighbours differ: those that do by one level at most were 83 % in the photographs for tuning at most,
    87 % in all but two in a hundred of a fifth of those for training.
    """
    if np.ptp(plane) and is_small_drawing(plane):
        return True

    def look(first: int) -> tuple[bool, int, int]:
        band = plane[first : first + BAND + 1]
        whole = np.array_equal(band, np.rint(band))
        sizes = [np.abs(part, out=part) for part in (np.diff(band, axis=0), np.diff(band[:BAND], axis=1))]
        near = sum(np.count_nonzero(size <= NEAR) for size in sizes) if whole else 0
        return whole, sum(np.count_nonzero(size <= EQUAL) for size in sizes), near

    bands = in_parallel(look, range(0, len(plane), BAND), blas=False)
    whole, (alike, near) = all(band[0] for band in bands), (sum(band[k] for band in bands) for k in (1, 2))
    pairs = 2 * plane.size - sum(plane.shape)
    return bool(np.ptp(plane)) and (alike > FLAT_SHARE * pairs or (whole and near > NEAR_SHARE * pairs))


def is_small_drawing(plane: np.ndarray) -> bool:
    """Whether a plane is small and has few values: there barriers are tried without a guess."""
    return plane.size <= SMALL and is_drawing(plane)


def may_pay(plane: np.ndarray, step: float) -> bool:
    """Whether barriers are worth a try: a plane has flat parts, and windows of a large one promise something.

    A large photograph, and its chroma, may be flat by the measure of `has_flat_parts`. The guess of what windows cost
    with barriers was 0.1 to 3.3 times what a tree costs at least for enlarged drawings, disparity and flow, where they
    may win, and 3.9 to 11 times that for chroma of photographs of 8 million pixels, of which none took them.
    """
    if not has_flat_parts(plane):
        return False
    if plane.size <= LARGE:
        return True
    if min(plane.shape) < WINDOW:
        return True
    corners = product(*([(side - WINDOW) * (2 * k + 1) // 6 for k in range(3)] for side in plane.shape))
    windows = [np.ascontiguousarray(plane[top : top + WINDOW, left : left + WINDOW]) for top, left in corners]
    left = HOPELESS * sum(least_of_tree(window, step) for window in windows)
    for window in windows:  # as long as it may still turn out that they cost little enough together
        guess = BarrierRival(window, step, 0).guess(left)
        if guess is None:
            return False
        left -= guess
    return True


def least_of_tree(plane: np.ndarray, step: float) -> float:
    """What a tree costs at least."""
    return BIT_COST * step * step * SURE_BITS * _expected_points(plane, step)


class BarrierRival:
    """A plane's way to a coding with barriers, where it is worth going; costs are squared error + cost of bits."""

    def __init__(self, plane: np.ndarray, step: float, depth: int) -> None:
        self._plane, self._step, self._depth = plane, step, depth
        self._bit_cost = BIT_COST * step * step
        self._planes = plane[None].astype(np.float64)
        self._rungs = rungs(segmentation_ladder(self._planes, self._bit_cost), self._bit_cost)
        self._outlines: dict[int, Outline] = {}
        self._refined: dict[int, Outline] = {}

    def guess(self, ceiling: float) -> float | None:
        """What barriers would cost, by a guess; None if more than the ceiling."""
        outline = self._outline(ceiling)
        return None if outline is None else outline.guess

    def cheaper_than_any_tree(self) -> CodedPlane | None:
        """The plane with barriers, where it costs less than a tree can be expected to cost."""
        ceiling = least_of_tree(self._plane, self._step)
        outline = self._outline(ceiling)
        return self._below(outline, ceiling) if outline is not None else None

    def cheaper_than(self, tree: CodedPlane) -> CodedPlane | None:
        """The plane with barriers, where it costs less than a tree.

        Where the guess is above what the tree costs without its restoration, the whole plane is not restored. (What it
        costs before quantisation is no bound: planes of few points were seen to cost 2.7 times as much in the end.)
        On ten photographs that were tried all the same, guesses were 1.05 to 1.5 times the cost, and none was taken.
        """
        size = len(tree.section)
        outline = self._outline(self._cost(tree.plain(), size))
        if outline is None and is_small_drawing(self._plane):  # whose contours may be far cheaper than guessed
            outline = outlined(self._plane, numbered(flat_zones(self._plane[None])), self._bit_cost)
            outline = outline and replace(outline, guess=0.0)
        found = self._below(outline, self._cost(tree.show(), size)) if outline is not None else None
        return replace(found, trial=tree.trial) if found is not None else None

    def _outline(self, ceiling: float) -> Outline | None:
        """The best outline, if the guess of what it costs is not above the ceiling."""
        for number, labels in enumerate(self._rungs):
            if number not in self._outlines:
                found = outlined(self._plane, labels, self._bit_cost, ceiling / REFINED)
                if found is not None:
                    self._outlines[number] = found
        numbers = [number for number, outline in self._outlines.items() if REFINED * outline.guess <= ceiling]
        if not numbers:
            return None
        numbers = [numbers[n] for n in promising([self._outlines[number].guess for number in numbers])]
        for number in numbers:
            if number not in self._refined:
                labels = refined(self._planes, self._outlines[number].labels, self._bit_cost)
                self._refined[number] = outlined(self._plane, labels, self._bit_cost)
        best = min((self._refined[number] for number in numbers), key=lambda outline: outline.guess)
        return best if best.guess <= ceiling else None

    def _below(self, outline: Outline, ceiling: float) -> CodedPlane | None:
        """The plane with the regions of an outline, where it costs less than the ceiling; tried if the guess does."""
        if outline.guess > ceiling:
            return None
        found = encode_outlined(self._plane, outline, self._step, self._bit_cost, depth=self._depth)
        below = found.is_allowed and self._cost(found.reconstruction, len(found.section)) < ceiling
        return _coded(found) if below else None

    def _cost(self, shown: np.ndarray, size: int) -> float:
        return cost_of(self._plane, shown, size, self._bit_cost, self._depth)


def shared_barriers(planes: list[np.ndarray], steps: list[float], depth: int) -> list[CodedPlane] | None:
    """Planes that share the barriers of plane 0, where they cost less so than trees can be expected to cost.

    Regions are those of all planes together, each weighed by its own step in grey levels.
    """
    costs = [BIT_COST * step * step for step in steps]
    ceiling = SURE_BITS * sum(map(_expected_points, planes, steps))  # in bits, as all that follows
    outlines = _shared_outlines(planes, steps, costs, ceiling)
    if outlines is None:
        return None
    coded, spent = [], 0.0
    for number, (plane, outline) in enumerate(zip(planes, outlines, strict=True)):
        found = encode_outlined(plane, outline, steps[number], costs[number], depth=depth, shared=number > 0)
        if not found.is_allowed:
            return None
        spent += cost_of(plane, found.reconstruction, len(found.section), costs[number], depth) / costs[number]
        coded.append(_coded(found))
    return coded if spent < ceiling else None


def _shared_outlines(
    planes: list[np.ndarray], steps: list[float], costs: list[float], ceiling: float
) -> list[Outline] | None:
    """The outlines of one rung of the planes' ladder that promise to cost least, if that is below the ceiling."""
    scaled = np.stack([plane * (steps[0] / step) for plane, step in zip(planes, steps, strict=True)])
    scaled = scaled.astype(np.float64)
    labels, guesses = [], []
    for tried in rungs(segmentation_ladder(scaled, costs[0]), costs[0]):
        found = _outlines_below(planes, costs, tried, min([ceiling / REFINED, *(ALIKE * guess for guess in guesses)]))
        if found is not None and _sum(found, costs) < ceiling / REFINED:
            labels.append(tried)
            guesses.append(_sum(found, costs))
    best, least = None, ceiling
    for number in promising(guesses) if guesses else ():
        found = _outlines_below(planes, costs, refined(scaled, labels[number], costs[0]), least)
        if found is not None and _sum(found, costs) < least:
            best, least = found, _sum(found, costs)
    return best


def _outlines_below(
    planes: list[np.ndarray], costs: list[float], labels: np.ndarray, ceiling: float
) -> list[Outline] | None:
    """An outline for each plane; None where even low guesses cost more than the ceiling."""
    outlines = []
    for number, (plane, cost) in enumerate(zip(planes, costs, strict=True)):
        outlines.append(outlined(plane, labels, cost, ceiling * cost / SURE_SHARE, shared=number > 0))
        if outlines[-1] is None:
            return None
    return outlines


def _sum(outlines: list[Outline], costs: list[float]) -> float:
    """What planes are guessed to cost, in bits."""
    return sum(outline.guess / cost for outline, cost in zip(outlines, costs, strict=True))


def _expected_points(plane: np.ndarray, step: float) -> int:
    return wanted_points(plane, detail_gains(plane, ROOT_LOG2), step)


def _coded(found: BarrierPlane) -> CodedPlane:
    return CodedPlane(found.section, lambda: found.reconstruction, found.known.y.size, found.information)
