"""Anticipation: values and levels are chosen for the picture after its restoration, not for the diffusion alone.

The restoration is no linear operator, so its squared error is taken down in three ways, each dearer than the last and
starting where it ends: aiming the diffusion at the original less a share of what the restoration adds, and a step
along the gradient through the restoration; descending along the gradient through restoration and diffusion; and
choosing the levels again, drawn along that gradient from where the last choice left the picture (a proximal gradient
step on error plus bits, whose proximal part is the choice of levels).
"""

from dataclasses import replace

import numpy as np

from dinp.bitstream.section import PlaneCode
from dinp.bitstream.steps import nearest_step_index
from dinp.decoder import restored
from dinp.diffusion.tonal import tonal_optimisation
from dinp.encoder.placement import ROOT_LOG2, Trial
from dinp.restoration import DecodedPlane, Restoration

# chosen on tuning pictures: on five the step along the gradient gained 0.06 to 0.08 dB over aiming at the original less
# half of what the restoration adds, which is more than either alone; on six that gained 1.7 % of BD-rate, and descents
# and repetitions 0.9 and 0.5 % more
AIM, SHARE = 0.6, 0.3
STEP = 0.3
TONAL_STEPS = 3
PULL = 0.7


def restored_draft(trial: Trial, step: float, restoration: Restoration) -> np.ndarray:
    """What a draft of a restoration makes of a tree that is still growing, at a step in grey levels."""
    code = PlaneCode(trial.structure, ROOT_LOG2, nearest_step_index(step), np.zeros(0, dtype=np.int64))
    return restored(code, trial.known, trial.reconstruction, restoration, draft=True)


def anticipated(plane: np.ndarray, trial: Trial, better: np.ndarray, pull: np.ndarray) -> tuple[np.ndarray, Trial]:
    """The plane that diffusion should aim at when a restoration follows, and the trial with values tuned to it.

    From the trial's reconstruction that is a part of the way to the original less a share of what the restoration adds
    to the trial, which makes it `better` (the whole would be right if it added the same whatever it is given), and a
    step along the restoration's gradient, see `dinp.restoration.Restoration.with_gradient`, which gave `better` and
    `pull`.
    """
    decoded = trial.reconstruction
    return aimed(trial, decoded + AIM * (plane - decoded - SHARE * (better - decoded)) + STEP * pull)


def aimed(trial: Trial, target: np.ndarray) -> tuple[np.ndarray, Trial]:
    """A plane (H, W) for the diffusion to aim at, and the trial with values tuned to it."""
    values, reconstruction = tonal_optimisation(
        trial.solver(),
        trial.known,
        target,
        trial.values,
        steps=TONAL_STEPS,
        cycles=1,
        reconstruction=trial.reconstruction,
    )
    return target, replace(trial, values=values, reconstruction=reconstruction)


def descended(plane: np.ndarray, trial: Trial, seen: DecodedPlane, restoration: Restoration, steps: int) -> Trial:
    """The trial after steps of conjugate gradients (Polak, Ribiere) on the squared error of its restoration.

    The length of a step is right for the restoration's derivative along it, a difference quotient.

    Parameters
    ----------
    plane : (H, W) float64
        The original.
    trial : Trial
    seen : DecodedPlane
        The trial as a decoder has it, but for the reconstruction, which is the trial's.
    restoration : Restoration
    steps : int
        Each takes about three restorations, a cycle of the solver and one of its adjoint.
    """
    known = trial.known
    inpainter = trial.solver()
    scaling = 1.0 / known.side
    values, reconstruction = trial.values.copy(), trial.reconstruction.copy()
    direction = previous = None
    for _ in range(steps):
        restored, pull = restoration.with_gradient(replace(seen, reconstruction=reconstruction), plane)
        gradient = scaling * known.gather(inpainter.solve_adjoint(pull, cycles=1))
        if direction is None:
            direction = gradient
        else:
            conjugacy = np.sum(gradient * (gradient - previous)) / np.sum(previous * previous)
            direction = gradient + max(0.0, float(conjugacy)) * direction
        previous = gradient
        change = inpainter.solve(known.spread(scaling * direction), cycles=1)
        size = float(np.mean(np.abs(change)))
        if not size > 0:
            break
        nudged = restoration(replace(seen, reconstruction=reconstruction + change / size))  # by a grey level
        effect = (nudged - restored) * size
        energy = float(np.sum(effect * effect))
        if not energy > 0:
            break
        length = float(np.sum((plane - restored) * effect)) / energy
        values += length * scaling * direction
        reconstruction += length * change
    return replace(trial, values=values, reconstruction=reconstruction)
