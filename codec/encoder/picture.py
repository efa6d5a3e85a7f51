"""Encoding of a whole picture: planes, layout, alpha, holes, residual and metadata to the bytes of a file."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from dinp.assembly import assembled, metadata_chunks
from dinp.bitstream.container import (
    ALPHA_MATTE,
    ALPHA_PLANE,
    COLOUR_420,
    COLOUR_444,
    GREY,
    HOLES,
    MATTE,
    NO_ALPHA,
    OPAQUE,
    PLANES,
    RESIDUAL,
    STEPS,
    Chunk,
    Container,
    pack,
    plane_chunk,
)
from dinp.bitstream.samples import EIGHT_BITS, FLOAT, SampleFormat
from dinp.bitstream.sidecars import holes_body, mask_stream, residual_body, steps_body
from dinp.diffusion.inpaint import Inpainter
from dinp.encoder.coded import CodedPlanes
from dinp.encoder.own_steps import is_drawing
from dinp.encoder.placement import Effort, Progress, TreeModel
from dinp.encoder.planes import encode_planes
from dinp.encoder.prices import BIT_COST, CHROMA_STEP, FULL_CHROMA_STEP, step_of
from dinp.errors import DinpError
from dinp.pictures.colour_transform import merge_planes, split_planes
from dinp.pictures.picture import Picture, errors
from dinp.restoration import Restoration
from dinp.threads import in_parallel

ALPHA_QUALITY = 60  # at least
ALPHA_ERROR = 10  # at most, where alpha is neither matte nor opaque
HALVING_LOSS = 8.0  # mean squared error of halved chroma alone from which on whole chroma is tried; Kodak: 0.6 to 5.7
MOST_FOR_ERROR = 3.0
FAR = 2.0
FIRST_STEPS, FINE_STEPS = 8.0, 2.0  # steps of luma in errors, with which the search for a largest error begins
SMALL_DRAWING = 1 << 17  # samples
TINY_DRAWING = 1 << 12  # of which all lower qualities are tried, as that takes no time
PATIENCE, TRIAL_STEP, MOST_TRIALS = 2, 5.0, 9  # lower qualities that are tried of small drawings
BAND = 256  # rows that are looked at together; even
CHROMA = {"auto": None, "420": COLOUR_420, "444": COLOUR_444}
_MARGIN = 1e-3  # of the wanted error of floats: what rounding to their type may do


@dataclass(frozen=True)
class CodedPicture:
    """A coded picture: its file, the parts of it, and its planes as `encode_planes` left them."""

    data: bytes
    container: Container
    coded: CodedPlanes

    @cached_property
    def decoded(self) -> Picture:
        """What a decoder makes of the file, up to rounding."""
        return assembled(self.coded.shown(), self.container)


@dataclass(frozen=True)
class Wish:
    """How a picture is to be coded, see `dinp.encode`; and whether it will be coded `again`, with another quality."""

    effort: Effort
    chroma: str = "auto"
    max_error: float | None = None
    mask: np.ndarray | None = None
    again: bool = False


def encode_picture(
    picture: Picture,
    *,
    quality: float,
    wish: Wish,
    tree_model: TreeModel | None = None,
    restoration: Restoration | None = None,
    start: CodedPicture | None = None,
    progress: Progress | None = None,
) -> CodedPicture:
    """Code a picture with a quality of 0 to 100; `start` is the same picture coded with another one.

    Raises
    ------
    DinpError
        The quality is out of range, the wanted error too small, or a part too large for the format.
    """

    def coded(layout: int, start: CodedPicture | None, quality: float) -> CodedPicture:
        return _coded(picture, layout, quality, wish, tree_model, restoration, start, progress)

    if start is None and _may_be_worse(picture):
        return _never_worse(picture, partial(_with_layout, picture, coded, wish, start), quality)
    return _with_layout(picture, coded, wish, start, quality)


def _never_worse(picture: Picture, code: Callable[[float], CodedPicture], quality: float) -> CodedPicture:
    """The best, by error and then by bytes, of a drawing's codings at a quality and lower ones.

    Which settings meet the values of a drawing is partly luck. Lower ones are tried until PATIENCE of them in a row are
    worse; of all but the smallest none are where barriers are cheapest, which leave little to luck.
    """
    best, least, worse = None, 0.0, 0
    large = picture.samples.size > TINY_DRAWING
    for number in range(MOST_TRIALS):
        lower = quality - number * TRIAL_STEP
        if lower < 0 or worse == PATIENCE:
            break
        found = code(lower)
        error = _squared_error(picture, found.decoded)
        if best is None or (error, len(found.data)) < (least, len(best.data)):
            best, least, worse = found, error, 0
        else:
            worse += 1
        if large and all(plane.plain is None for plane in found.coded.planes):
            break
    return best


def _with_layout(
    picture: Picture,
    coded: Callable[[int, CodedPicture | None, float], CodedPicture],
    wish: Wish,
    start: CodedPicture | None,
    quality: float,
) -> CodedPicture:
    """The picture in the layout that suits it."""
    if picture.layout != COLOUR_420:
        return coded(picture.layout, start, quality)
    layout = CHROMA[wish.chroma]
    if layout is not None:
        return coded(layout, start, quality)
    if start is not None and start.container.layout == COLOUR_444:
        return coded(COLOUR_444, start, quality)
    halved = coded(COLOUR_420, start, quality)
    step = step_of(quality, picture.format.depth)
    if _halving_loss(picture) < max(HALVING_LOSS, step * step / 4):
        return halved
    whole = coded(COLOUR_444, None, quality)
    costs = [_squared_error(picture, c.decoded) / 3 + BIT_COST * step * step * 8 * len(c.data) for c in (halved, whole)]
    return halved if costs[0] <= costs[1] else whole


def _may_be_worse(picture: Picture) -> bool:
    """Whether a picture is a small drawing, of which a lower quality may by luck be better."""
    small = picture.samples.size <= SMALL_DRAWING and picture.format == EIGHT_BITS
    return small and all(is_drawing(channel.astype(np.float64)) for channel in picture.channels)


def _coded(
    picture: Picture,
    layout: int,
    quality: float,
    wish: Wish,
    tree_model: TreeModel | None,
    restoration: Restoration | None,
    start: CodedPicture | None,
    progress: Progress | None,
) -> CodedPicture:
    planes = planes_of(picture, layout)
    chroma = {COLOUR_420: CHROMA_STEP, COLOUR_444: FULL_CHROMA_STEP}.get(layout, 1.0)
    weights = [1.0] + [chroma] * (len(planes) - 1)
    alpha, chunks = _alpha_of(picture)
    depth = picture.format.depth
    start = start if start is not None and len(start.coded.planes) >= len(planes) else None
    coded = encode_planes(
        planes,
        quality=quality,
        tree_model=tree_model,
        mask=wish.mask,
        effort=wish.effort,
        restoration=restoration if picture.format == EIGHT_BITS else None,
        start=start and start.coded,
        progress=progress,
        weights=weights,
        depth=depth,
        again=wish.again,
    )
    if alpha == ALPHA_PLANE:
        soft = encode_planes(
            [picture.alpha.astype(np.float64)],
            quality=max(quality, ALPHA_QUALITY),
            tree_model=tree_model,
            effort=wish.effort,
        )
        coded = replace(coded, planes=coded.planes + soft.planes)
        error = picture.alpha.astype(np.float64) - EIGHT_BITS.from_axis(soft.planes[0].show())
        chunks += _residual(error, ALPHA_ERROR, EIGHT_BITS, len(planes))
    for number, own in enumerate(coded.own_steps):
        if own:
            chunks.append(plane_chunk(STEPS, (number,), steps_body(own)))
    for holes in picture.holes:
        numbers = tuple(range(len(planes))) if layout in (COLOUR_420, COLOUR_444) else holes.planes
        chunks.append(plane_chunk(HOLES, numbers, holes_body(holes.value, holes.mask, picture.format)))
    chunks += metadata_chunks(picture.metadata)
    height, width = picture.samples.shape[:2]
    container = Container(width, height, layout, tuple(coded.sections), alpha, picture.format, tuple(chunks))
    data = pack(container)
    if wish.max_error is not None or depth:
        shown = assembled(coded.shown(), container)
        for number in range(len(picture.channels)):
            low, high = picture.range(number)
            most = wish.max_error if wish.max_error is not None else (high - low) * error_of(quality)
            chunks += _residual(errors(picture, shown, number), most, picture.format, number)
        bounded = replace(container, chunks=tuple(chunks))
        exact = pack(bounded)
        if wish.max_error is not None or len(exact) <= MOST_FOR_ERROR * len(data):
            container, data = bounded, exact
    return CodedPicture(data, container, coded)


def error_of(quality: float) -> float:
    """Largest error that a quality allows samples of more than 8 bits, as a share of their range.

    It is kept unless that makes the file MOST_FOR_ERROR times as large: where noise would be coded.
    """
    return 2.0 ** -(2 + 9 * quality / 100)


def planes_of(picture: Picture, layout: int) -> list[np.ndarray]:
    """Planes on the grey axis, float64; what nobody sees continues its surroundings, so that it costs little."""
    if layout == COLOUR_420 and picture.format == EIGHT_BITS and picture.unseen(0) is None:
        return split_planes(picture.samples)
    axis = []
    for number, channel in enumerate(picture.channels):
        values = picture.format.to_axis(channel, number)
        unseen = picture.unseen(number)
        axis.append(values if unseen is None else filled(values, unseen))
    if layout in (GREY, PLANES):
        return axis
    return split_planes(np.dstack(axis), halved=layout == COLOUR_420)


def filled(values: np.ndarray, unseen: np.ndarray) -> np.ndarray:
    """Values (H, W) with the unseen ones, which may be anything, inpainted from the others; 0 if there are none."""
    if unseen.all():
        return np.zeros(values.shape)
    known = np.where(unseen, 0.0, values)
    return np.where(unseen, Inpainter(~unseen).solve(known), values)


def _alpha_of(picture: Picture) -> tuple[int, list[Chunk]]:
    alpha = picture.alpha
    if alpha is None:
        return NO_ALPHA, []
    if (alpha == 255).all():
        return OPAQUE, []
    if np.isin(alpha, (0, 255)).all():
        return ALPHA_MATTE, [Chunk(MATTE, mask_stream(alpha == 255))]
    return ALPHA_PLANE, []


def _residual(error: np.ndarray, most: float, samples: SampleFormat, number: int) -> list[Chunk]:
    """What must be added to shown samples, by their errors, for none above `most`; nothing where there is none."""
    if np.abs(error).max(initial=0) <= most:
        return []
    if samples.type == FLOAT:
        unit = float(np.array(2 * most * (1 - _MARGIN)).astype(samples.dtype))
        if unit <= 0:
            raise DinpError("the largest error must be above 0 for pictures of floats")
    else:
        unit = min(2 * math.floor(most) + 1, samples.limits()[1])
    residual = np.rint(error / unit).astype(np.int64)
    return [plane_chunk(RESIDUAL, (number,), residual_body(residual, unit, samples))]


def _halving_loss(picture: Picture) -> float:
    """Mean squared error in R, G and B of halving chroma and doubling it again, on the grey axis."""
    unseen, height = picture.unseen(0), len(picture.samples)

    def loss(first: int) -> tuple[float, int]:
        begin, end = max(first - 2, 0), min(first + BAND + 2, height)  # rows beside it: chroma is interpolated
        rows = slice(begin, end)
        axis = np.dstack([picture.format.to_axis(channel[rows], n) for n, channel in enumerate(picture.channels)])
        difference = np.rint(axis)
        difference -= merge_planes(split_planes(axis))
        inside = slice(first - begin, min(first + BAND, height) - begin)
        difference = difference[inside] if unseen is None else difference[inside][~unseen[rows][inside]]
        return float(np.sum(difference * difference)), difference.size

    squares, counts = zip(*in_parallel(loss, range(0, height, BAND), blas=False), strict=True)
    return sum(squares) / sum(counts) if any(counts) else 0.0


def _squared_error(picture: Picture, decoded: Picture) -> float:
    """Sum of squared errors on the grey axis, over what is seen."""
    total = 0.0
    for number in range(len(picture.channels)):
        low, high = picture.range(number)
        total += float(np.sum((errors(picture, decoded, number) * (255 / ((high - low) or 1))) ** 2))
    return total


def largest_error(picture: Picture, decoded: Picture) -> float:
    """Largest error of a sample that is seen, in its own units."""
    return max(float(np.abs(errors(picture, decoded, number)).max()) for number in range(len(picture.channels)))


Search = Callable[[float, "CodedPicture | None"], CodedPicture]


def for_error(code: Search, picture: Picture, most: float, rival: float) -> CodedPicture:
    """The smallest file, of a few, that keeps a largest error: how much the sections say, the residual need not.

    Where planes take barriers, finer steps are tried at once: edges cost no more then, and little of the error is left.
    The first steps alone lost to samples one by one; these took a quarter fewer bytes on a depth map of 16 bits, at
    errors of 4 and 8 units. The search ends early where the best takes FAR times the bytes of a `rival`.
    """
    low, high = max(picture.format.ranges, key=lambda pair: pair[1] - pair[0])
    grey = 255 * max(most, 0.5 if picture.format.type != FLOAT else most) / max(high - low, 1e-300)
    depth = picture.format.depth

    def quality(steps: float) -> float:
        return float(np.clip(100 * (6 - math.log2(steps * grey)) / (6 + depth), 0, 100)) if grey < 1e9 else 0.0

    best, start = code(quality(FIRST_STEPS), None), FIRST_STEPS
    if quality(FINE_STEPS) != quality(start) and all(plane.plain is None for plane in best.coded.planes):
        finer = code(quality(FINE_STEPS), None)
        if len(finer.data) < len(best.data):
            best, start = finer, FINE_STEPS
    if len(best.data) > FAR * rival:
        return best
    for direction in (2.0, 0.5) if start == FIRST_STEPS else (0.5,):
        factor, previous = start * direction, best
        while 0.5 <= factor <= 128 and quality(factor) != quality(factor / direction):
            trial = code(quality(factor), None)
            if len(trial.data) >= len(previous.data):
                break
            previous, factor = trial, factor * direction
        if previous is not best:
            return previous
    return best
