"""Coding of a plane with barriers: regions from the ladder, pieces where the error is, levels by error and bits."""

from dataclasses import dataclass, replace

import numpy as np

from dinp.bitstream.barriers import FINE_AREA, encode_barrier_stream
from dinp.bitstream.regions import (
    ROOT,
    Pieces,
    divided_by_keys,
    known_data_of_pieces,
)
from dinp.bitstream.section import DIVIDED, FINE, PlaneCode, section_header
from dinp.bitstream.steps import grey_levels, nearest_step_index, steps_of
from dinp.bitstream.structure import KnownData
from dinp.decoder import reconstruct
from dinp.diffusion.inpaint import Inpainter
from dinp.diffusion.tonal import tonal_optimisation
from dinp.encoder.contour_moves import refined
from dinp.encoder.levels import FIRST_RENEWAL, cheapest
from dinp.encoder.pieces import first_keys, grown_keys
from dinp.encoder.segmentation import Ladder
from dinp.entropy.crack_coder import cracks_of, encode_cracks
from dinp.entropy.order import Pass
from dinp.entropy.value_coder import Distributions, LevelsOf

STAGES = 1  # a second one changed costs by 0.5 % at most on the drawn pictures depth, leaves, flow and sway
FIRST_STEPS, LAST_STEPS = 1, 5  # of tonal optimisation: more lowered costs by 0.2 % at most there
STEP_OFFSET = -20  # of the step index: within regions few values govern much, and finer steps pay
FREE_BIT_SHARE = 0.8  # of the price of a bit that the choice of levels goes by
LEAST_CRACK_BITS, LEAST_REGION_BITS = 0.5, 1.0  # of contours and first values: hardly any picture needs fewer
SURE_SHARE = 0.5  # of the guessed cost of error and values that is sure
RUNGS = (1.0, 0.6, 0.33)  # of the ladder, as shares of the price of a bit: small ones suit antialiased drawings
REFINED = 0.9  # of what an outline costs, that it costs at least when its contours are refined
ALIKE = 1.02  # times the least guess, up to which rungs are refined before one of them is chosen
FLAT_SHARE = 0.75  # of the pixels of a large region that are alike, for it to be shown exact to one level
FLAT_PLAY = 0.4  # grey levels that its value may be off before it is quantised
FLAT_WEIGHT = 16  # least weight of such a value, in bits: the nearest is taken then
CYCLES = 0  # beyond the first, that stand in for a solution: one more changed costs by less than 0.15 %
SHARE = 0.31  # of its area, squared error in the picture per squared error of a piece's value


@dataclass(frozen=True)
class BarrierTrial:
    """Pieces with tonally optimised values."""

    pieces: Pieces
    known: KnownData
    inpainter: Inpainter
    values: np.ndarray
    reconstruction: np.ndarray


def tuned(
    plane: np.ndarray, labels: np.ndarray, keys: np.ndarray, start: np.ndarray | None, steps: int
) -> BarrierTrial:
    """Tonal optimisation on the pieces that `keys` lead to."""
    pieces = divided_by_keys(labels, keys)
    known = known_data_of_pieces(pieces)
    inpainter = Inpainter(known.mask, *cracks_of(labels))
    values = known.mean(plane)
    free = pieces.side_log2 < ROOT
    if not free.any():
        return BarrierTrial(pieces, known, inpainter, values, known.spread(values))
    if start is not None:
        values = np.where(free, known.mean(start), values)
    reconstruction = inpainter.solve(known.spread(values), start=None, tol=0.1)
    values, reconstruction = tonal_optimisation(
        inpainter, known, plane, values, steps=steps, cycles=CYCLES, reconstruction=reconstruction, free=free
    )
    return BarrierTrial(pieces, known, inpainter, values, reconstruction)


@dataclass(frozen=True)
class BarrierPlane:
    """A plane coded with barriers: its code and stream, information content by kind, and what a decoder gets."""

    code: PlaneCode
    stream: bytes | None
    known: KnownData
    information: dict[str, float]
    reconstruction: np.ndarray

    @property
    def is_allowed(self) -> bool:
        """Whether there can be a stream for so many regions (a rule that bounds a decoder's work)."""
        return self.stream is not None

    @property
    def section(self) -> bytes:
        """The section's bytes."""
        return section_header(self.code) + self.stream


def coded(
    plane: np.ndarray, trial: BarrierTrial, step_index: int, bit_cost: float, *, depth: int = 0, shared: bool = False
) -> BarrierPlane:
    """Values chosen by error and bits in coding order, and the stream."""
    pieces, known = trial.pieces, trial.known
    weight = np.where(pieces.side_log2 < ROOT, SHARE, 1.0) * pieces.area
    flat = flat_values(plane, pieces)
    fine = bool((flat >= 0).any())
    values = np.where(flat >= 0, np.clip(trial.values, flat - FLAT_PLAY, flat + FLAT_PLAY), trial.values)
    weight = np.where(flat >= 0, np.maximum(weight, FLAT_WEIGHT * bit_cost), weight)
    trial = replace(trial, values=values)
    steps = steps_of(known.side, step_index)
    stream, first, levels, information = encode_barrier_stream(
        pieces,
        known,
        step_index,
        depth,
        trial.values,
        weight,
        bit_cost,
        lambda first: _level_choice(plane, trial, first, grey_levels(steps, depth), weight, bit_cost),
        own_cracks=not shared,
        fine=fine,
    )
    how = DIVIDED * (levels.size > first.size) + FINE * fine
    code = PlaneCode(pieces, how, step_index, levels, 0, depth, (), first, shared)
    reconstruction = reconstruct(code, known, trial.inpainter)
    return BarrierPlane(code, stream, known, information, reconstruction)


def flat_values(plane: np.ndarray, pieces: Pieces) -> np.ndarray:
    """The grey value of large undivided regions that most of their pixels have, (n,) float64; -1 for other pieces."""
    found = np.full(pieces.region.size, -1.0)
    large = np.flatnonzero((pieces.side_log2 == ROOT) & (pieces.area >= FINE_AREA))
    if large.size and np.array_equal(plane, np.rint(plane)):
        number = np.full(found.size, -1)
        number[large] = np.arange(large.size)
        at = number[pieces.leaf]
        within = (at >= 0) & (pieces.leaf >= 0)
        values = np.clip(plane[within], 0, 255).astype(np.int64)
        counts = np.bincount(256 * at[within] + values, minlength=256 * large.size).reshape(-1, 256)
        alike = counts.max(axis=1) >= FLAT_SHARE * pieces.area[large]
        found[large[alike]] = counts.argmax(axis=1)[alike]
    return found


@dataclass(frozen=True)
class Outline:
    """Regions and pieces for a plane before anything is solved, and a guess of what it will cost with them."""

    labels: np.ndarray
    keys: np.ndarray
    guess: float


def outlined(
    plane: np.ndarray, labels: np.ndarray, bit_cost: float, ceiling: float = np.inf, *, shared: bool = False
) -> Outline | None:
    """The pieces to begin with; None where even a guess on the low side costs more than the `ceiling`.

    Costs are squared error + bit cost x bits.
    """
    contours = 0.0
    if not shared:
        cracks = cracks_of(labels)
        count = sum(np.count_nonzero(part) for part in cracks)
        if bit_cost * (LEAST_CRACK_BITS * count + LEAST_REGION_BITS * int(labels.max())) > ceiling:
            return None
        contours = bit_cost * 8 * len(encode_cracks(*cracks))
    keys, guess = first_keys(plane, labels, bit_cost)
    return Outline(labels, keys, contours + guess) if contours + SURE_SHARE * guess <= ceiling else None


def encode_outlined(
    plane: np.ndarray, outline: Outline, step: float, bit_cost: float, *, depth: int = 0, shared: bool = False
) -> BarrierPlane:
    """A plane (H, W) coded with the regions of an outline, for a step of cells of side 8 in grey levels."""
    labels, keys = outline.labels, outline.keys
    trial = tuned(plane, labels, keys, None, FIRST_STEPS)
    for stage in range(STAGES):
        more = grown_keys(labels, keys, plane - trial.reconstruction, bit_cost)
        if more.size == keys.size:
            break
        keys = more
        trial = tuned(plane, labels, keys, None, FIRST_STEPS if stage < STAGES - 1 else LAST_STEPS)
    index = max(nearest_step_index(step, depth) + STEP_OFFSET, 0)
    return coded(plane, trial, index, FREE_BIT_SHARE * bit_cost, depth=depth, shared=shared)


def rungs(ladder: Ladder, bit_cost: float) -> list[np.ndarray]:
    """Regions (H, W) int32 to choose from: some rungs of a ladder, not refined."""
    counts = {ladder.count(share * bit_cost): share for share in reversed(RUNGS)}
    return [ladder.at(share * bit_cost) for share in reversed(counts.values())]


def best_outline(plane: np.ndarray, ladder: Ladder, bit_cost: float) -> Outline:
    """The outline that promises to cost least, of those that the rungs of a plane's ladder lead to; refined."""
    outlines = [outlined(plane, labels, bit_cost) for labels in rungs(ladder, bit_cost)]
    refine = [outlines[number].labels for number in promising([outline.guess for outline in outlines])]
    outlines = [outlined(plane, refined(plane[None], labels, bit_cost), bit_cost) for labels in refine]
    return min(outlines, key=lambda outline: outline.guess)


def promising(guesses: list[float]) -> list[int]:
    """Which rungs are worth refining: guesses before may deceive where they are nearly alike."""
    return [number for number, guess in enumerate(guesses) if guess <= ALIKE * min(guesses)]


def _level_choice(
    plane: np.ndarray, trial: BarrierTrial, first: np.ndarray, step: np.ndarray, weight: np.ndarray, bit_cost: float
) -> LevelsOf:
    """As `dinp.encoder.levels.level_choice`, for the values that come after the first ones."""
    pieces, known, inpainter = trial.pieces, trial.known, trial.inpainter
    values, reconstruction = trial.values.copy(), trial.reconstruction
    moved = np.zeros(values.size)
    moved[: first.size] = first - values[: first.size]
    values[: first.size] = first
    free = pieces.side_log2 < ROOT
    free[: first.size] = False
    weights = weight * step**2
    done, renewal = 0, 0.0

    def choose(p: Pass, distributions: Distributions) -> np.ndarray:
        nonlocal values, reconstruction, renewal, done
        if done >= renewal:
            reconstruction = reconstruction + inpainter.solve(known.spread(moved), cycles=CYCLES)
            values, reconstruction = tonal_optimisation(
                inpainter, known, plane, values, steps=1, cycles=CYCLES, reconstruction=reconstruction, free=free
            )
            moved[:] = 0
            renewal = 1.5 * max(done, FIRST_RENEWAL * np.count_nonzero(free))
        wanted = values[p.index] / step[p.index]
        chosen = cheapest(distributions, wanted, weights[p.index], bit_cost)
        quantised = chosen * step[p.index]
        moved[p.index] = quantised - values[p.index]
        values[p.index] = quantised
        free[p.index] = False
        done += p.index.size
        return chosen

    return choose
