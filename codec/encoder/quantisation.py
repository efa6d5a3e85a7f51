"""Quantisation of a plane: levels for the values at its points, chosen with an eye on restoration where that pays."""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from dinp.bitstream.section import PlaneCode, encode_stream, section_header
from dinp.bitstream.steps import nearest_step_index
from dinp.decoder import described, restored
from dinp.encoder.anticipation import PULL, aimed, anticipated, descended
from dinp.encoder.coded import CodedPlane
from dinp.encoder.levels import level_choice
from dinp.encoder.placement import Effort, Trial
from dinp.encoder.prices import BIT_COST, BIT_COST_AHEAD
from dinp.encoder.reconstruction import Reconstruction
from dinp.encoder.restoration_gain import LEAST_GAIN, gain, may_be_windowed, restoration_pays
from dinp.restoration import Restoration

SURE_GAIN = 0.1  # before quantisation, for restoration not to be asked after it; 32 codings to tune on bore it out


@dataclass(frozen=True)
class Quantised:
    """Levels chosen for a plane: their code and stream, its information content, and what makes the inpainting."""

    code: PlaneCode
    stream: bytes
    information: dict[str, float]
    plain: Reconstruction


@dataclass(frozen=True)
class Quantiser:
    """What the levels of a plane are chosen for: an original, a trial, a step in grey levels, what an effort allows.

    `code` is the plane's without levels.
    """

    plane: np.ndarray
    trial: Trial
    step: float
    code: PlaneCode
    effort: Effort
    restoration: Restoration | None

    def levels(self, target: np.ndarray, trial: Trial, bit_cost: float) -> Quantised:
        """Levels by error and bits, with values near those of a trial tuned to the target (H, W)."""
        code, known = self.code, trial.known
        choice = level_choice(target, trial, code.step_index, bit_cost, self.effort.renewal, code.depth, code.own_steps)
        stream, levels, information = encode_stream(trial.structure, known, code.step_index, choice, code.own_steps)
        chosen = replace(code, levels=levels)
        return Quantised(chosen, stream, information, Reconstruction(chosen, known, trial.solver()))

    def plain(self) -> Quantised:
        """Levels for the diffusion alone."""
        return self.levels(self.plane, self.trial, BIT_COST * self.step * self.step)

    def ahead(self) -> tuple[Quantised | None, float]:
        """Levels that look ahead to the restoration, and its gain before quantisation; None where there is none."""
        plane, trial, restoration = self.plane, self.trial, self.restoration
        seen = described(self.code, trial.known, trial.reconstruction)
        better, pull = restoration.with_gradient(seen, plane, draft=not self.effort.descents)
        gained = gain(plane, better, trial.reconstruction)
        if gained <= LEAST_GAIN:
            return None, gained
        target, tuned = anticipated(plane, trial, better, pull)
        if self.effort.descents:
            seen = described(self.code, trial.known, tuned.reconstruction)
            tuned = descended(plane, tuned, seen, restoration, self.effort.descents)
            target = tuned.reconstruction
        first = self.levels(target, tuned, BIT_COST_AHEAD * self.step * self.step)
        return self._repeated(first, tuned), gained

    def _repeated(self, first: Quantised, trial: Trial) -> Quantised:
        """The best of a choice of levels and its repetitions, by the error after restoration and the bits."""
        repeats, bit_cost = self.effort.repeats, BIT_COST_AHEAD * self.step * self.step
        if not repeats:
            return first
        best, least = first, np.inf
        latest = first
        for repeat in range(repeats + 1):
            reconstruction = latest.plain()
            seen = described(latest.code, trial.known, reconstruction)
            if repeat < repeats:
                shown, pull = self.restoration.with_gradient(seen, self.plane)
            else:
                shown = self.restoration(seen)
            cost = float(np.sum((self.plane - shown) ** 2)) + bit_cost * 8 * len(latest.stream)
            if cost < least:
                best, least = latest, cost
            if repeat < repeats:
                start = replace(trial, values=latest.code.values(trial.known), reconstruction=reconstruction)
                latest = self.levels(*aimed(start, reconstruction + PULL * pull), bit_cost)
        return best

    def is_better_restored(self, quantised: Quantised, *, windowed: bool) -> bool:
        """See `dinp.encoder.restoration_gain.restoration_pays`."""
        code, plain = quantised.code, quantised.plain
        return restoration_pays(self.plane, code, self.trial.known, plain, self.restoration, windowed=windowed)


def encode_trial(
    plane: np.ndarray,
    trial: Trial,
    step: float,
    side_log2: int,
    *,
    effort: Effort,
    restoration: Restoration | None = None,
    depth: int = 0,
    own_steps: tuple[int, ...] = (),
) -> CodedPlane:
    """The section of a trial's points and values, for a step in grey levels.

    The section names the restoration if it makes the plane better. The effort says what is done to values and levels
    for its sake, which is undone if it does not, and whether its success before quantisation, or in a part of a large
    plane, may tell that it does.
    """
    index, none = nearest_step_index(step, depth), np.zeros(0, dtype=np.int64)
    code = PlaneCode(trial.structure, side_log2, index, none, depth=depth, own_steps=own_steps)
    known = trial.known
    quantiser = Quantiser(plane, replace(trial, inpainter=trial.solver()), step, code, effort, restoration)
    windowed = effort.windows and may_be_windowed(plane.shape, step)
    best, pays = None, False
    if restoration is not None and effort.anticipate:
        best, gained = quantiser.ahead()
        if best is not None:
            pays = (windowed and gained > SURE_GAIN) or quantiser.is_better_restored(best, windowed=windowed)
    if not pays:  # what quantisation does may still be worth restoring
        best = quantiser.plain()
        pays = restoration is not None and quantiser.is_better_restored(best, windowed=windowed)
    code, show = best.code, best.plain
    if pays:
        code = replace(code, restoration=restoration.version)
        show = cache(lambda: restored(code, known, best.plain(), restoration))
    section = section_header(code) + best.stream
    return CodedPlane(section, show, known.y.size, best.information, best.plain, trial.without_solver(), own_steps)
