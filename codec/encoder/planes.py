"""Encoding: planes to sections, one step after the other.

The mask model says where most points go; everything after that is measured. For each plane: the quality gives the
quantisation step; the step and the plane's detail give the number of points; the mask model places the first share of
them; the others are added in stages where the error is largest, with the values tonally optimised throughout, and a
round moves the points that matter least; the last stage and the values look ahead to what the restoration will add;
levels are chosen by error and bits, and coded. Where a plane has flat parts, barriers are its rival.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from dinp.bitstream.steps import nearest_step_index
from dinp.encoder.anticipation import restored_draft
from dinp.encoder.barrier_rival import BarrierRival, may_pay, shared_barriers
from dinp.encoder.coded import CodedPlane, CodedPlanes
from dinp.encoder.own_steps import own_steps_of
from dinp.encoder.placement import (
    DEFAULT_EFFORT,
    ROOT_LOG2,
    Effort,
    Progress,
    TreeModel,
    Trial,
    place_points,
    tune,
)
from dinp.encoder.prices import CHROMA_STEP, step_of
from dinp.encoder.quantisation import encode_trial
from dinp.errors import DinpError
from dinp.restoration import Restoration
from dinp.threads import in_turn, is_large, joint, side_by_side, single_blas

FREE_MASK_SIDE_LOG2 = 3
TONAL_STEPS = 4  # for a free mask, whose points stay where they are


@dataclass(frozen=True)
class Means:
    """What the planes of a picture are coded with; see `encode_planes`."""

    tree_model: TreeModel | None = None
    effort: Effort = DEFAULT_EFFORT
    restoration: Restoration | None = None
    depth: int = 0
    barriers: bool = True
    again: bool = True


@single_blas()
def encode_planes(
    planes: list[np.ndarray],
    *,
    quality: float,
    tree_model: TreeModel | None = None,
    mask: np.ndarray | None = None,
    effort: Effort = DEFAULT_EFFORT,
    restoration: Restoration | None = None,
    start: CodedPlanes | None = None,
    progress: Progress | None = None,
    weights: Sequence[float] | None = None,
    depth: int = 0,
    barriers: bool = True,
    again: bool = True,
) -> CodedPlanes:
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
    start : CodedPlanes, optional
        The same picture coded with another quality, whose work is reused.
    progress : callable, optional
        Called with the fraction done, 0-1.
    weights : sequence of float, optional
        Step of each plane in steps of the first; 1 and CHROMA_STEP by default.
    depth : int
        Of the sample format, see `dinp.bitstream.samples`.
    barriers : bool
        Whether planes may be coded with barriers, where that costs less.
    again : bool
        Whether what another quality could start from is kept.

    Raises
    ------
    DinpError
        If the quality is out of range, or the mask is empty or of another shape.
    """
    if mask is not None and (mask.shape != planes[0].shape or not mask.any()):
        raise DinpError("the inpainting mask must be as large as the picture and hold at least one pixel")
    luma_step = step_of(quality, depth)
    steps = [luma_step * weight for weight in weights or [1.0] + [CHROMA_STEP] * (len(planes) - 1)]
    means = Means(tree_model, effort, restoration, depth, barriers, again)
    masks = [mask] + [None] * (len(planes) - 1)
    report = joint(progress, [plane.size for plane in planes])

    def one(number: int) -> CodedPlane:
        previous = start.planes[number].trial if start else None
        coded = encode_plane(
            planes[number],
            steps[number],
            means,
            mask=masks[number],
            previous=previous,
            progress=partial(report, number),
        )
        report(number, 1.0)
        return coded

    alike = len(planes) > 1 and all(plane.shape == planes[0].shape for plane in planes)
    may_share = barriers and mask is None and alike and may_pay(planes[0], steps[0])
    coded = shared_barriers(planes, steps, depth) if may_share else None
    if coded is None:
        coded = (in_turn if is_large(plane.shape for plane in planes) else side_by_side)(one, range(len(planes)))
    if progress:
        progress(1.0)
    return CodedPlanes(coded, coded[0].points / planes[0].size)


def encode_plane(
    plane: np.ndarray,
    step: float,
    means: Means,
    *,
    mask: np.ndarray | None = None,
    previous: Trial | None = None,
    progress: Progress = lambda _: None,
) -> CodedPlane:
    """Code a plane (H, W) for a step in grey levels: [barriers] -> mask -> values -> levels -> section.

    `mask` is a free one in place of a tree; `previous` the trial of the same plane at another step.
    """
    rival = None
    if means.barriers and mask is None and may_pay(plane, step):
        rival = BarrierRival(plane, step, means.depth)
        with_barriers = rival.cheaper_than_any_tree()
        if with_barriers is not None:
            return with_barriers
    if mask is None:
        trial, side_log2 = _tree(plane, step, means, previous, progress), ROOT_LOG2
    else:
        trial, side_log2 = previous or tune(plane, mask, FREE_MASK_SIDE_LOG2, None, TONAL_STEPS), FREE_MASK_SIDE_LOG2
    coded = encode_trial(
        plane,
        trial,
        step,
        side_log2,
        effort=means.effort,
        restoration=means.restoration,
        depth=means.depth,
        own_steps=own_steps_of(plane, trial, nearest_step_index(step, means.depth), means.depth),
    )
    with_barriers = rival.cheaper_than(coded) if rival is not None else None
    coded.plain.release()
    coded = with_barriers or coded
    return coded if means.again else replace(coded, trial=None)


def _tree(plane: np.ndarray, step: float, means: Means, previous: Trial | None, progress: Progress) -> Trial:
    """A tree by the mask model and growth, with tonally optimised values."""
    show = None
    if means.restoration is not None and means.effort.anticipate:
        show = partial(restored_draft, step=step, restoration=means.restoration)
    return place_points(
        plane, step, ROOT_LOG2, means.tree_model, means.effort, lambda f: progress(0.9 * f), previous, show
    )
