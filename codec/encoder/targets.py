"""Search for the quality that meets a target: a size that is never exceeded, or a PSNR that is never missed.

Both grow with quality, smoothly but for a little noise. The search is regula falsi between the best quality that is
too low and the worst that is too high, from a first guess by the slope that photographs have.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from dinp.errors import DinpError

T = TypeVar("T")

MOST_TRIALS = 12
NARROW = 0.02  # width of an interval of qualities that is not worth dividing


Side = tuple[float, float | None]  # a quality, and its value where it was tried


@dataclass(frozen=True)
class Target(Generic[T]):
    """What is wanted.

    Attributes
    ----------
    measure : callable
        Result -> float, rising with quality.
    goal : float
    at_most : bool
        The measure may not exceed the goal (else: may not fall short of it).
    tolerance : float
        How far on the right side of the goal is near enough.
    slope : float
        Rise of the measure per unit of quality, roughly.
    refusal : callable
        Result of the most that quality can do -> why the target cannot be met.
    """

    measure: Callable[[T], float]
    goal: float
    at_most: bool
    tolerance: float
    slope: float
    refusal: Callable[[T], str]


def size_target(size: int, measure: Callable[[T], int]) -> Target[T]:
    """At most `size` bytes, and if it can be at least 99 % of them.

    Raises
    ------
    DinpError
        The size is no positive number.
    """
    if not 1 <= size < math.inf:
        raise DinpError(f"{size:g} bytes cannot be aimed at: give a number from 1 on")
    return Target(
        lambda result: math.log2(measure(result)),
        math.log2(size),
        at_most=True,
        tolerance=0.0145,
        slope=0.08,
        refusal=lambda result: f"no quality makes the file as small as {size:,.0f} bytes: it has {measure(result):,}",
    )


def psnr_target(decibels: float, measure: Callable[[T], float]) -> Target[T]:
    """At least so many dB, and if it can be at most 0.05 more.

    Raises
    ------
    DinpError
        The PSNR is no positive number.
    """
    if not 0 < decibels < math.inf:
        raise DinpError(f"a PSNR of {decibels:g} dB cannot be aimed at: give a positive number")
    return Target(
        measure,
        decibels,
        at_most=False,
        tolerance=0.05,
        slope=0.22,
        refusal=lambda result: f"no quality reaches a PSNR of {decibels:g} dB: it is {measure(result):.2f} dB",
    )


def search(code: Callable[[float, T | None], T], target: Target[T], start: float = 40.0) -> T:
    """The result whose quality meets the target most nearly.

    Parameters
    ----------
    code : callable
        (quality 0-100, result of the trial before or None) -> result.
    target : Target
    start : float
        The first quality to try.

    Raises
    ------
    DinpError
        No quality from 0 to 100 meets the target.
    """
    aim = target.goal + (-0.5 if target.at_most else 0.5) * target.tolerance
    low: Side = (0.0, None)
    high: Side = (100.0, None)
    best: T | None = None
    distance = math.inf
    result: T | None = None
    quality = start
    for _ in range(MOST_TRIALS):
        result = code(quality, result)
        value = target.measure(result)
        gap = target.goal - value if target.at_most else value - target.goal
        if gap >= 0 and (best is None or gap < distance):
            best, distance = result, gap
        if value <= aim:
            low = (quality, value)
        else:
            high = (quality, value)
        if distance <= target.tolerance or high[0] - low[0] < NARROW:
            break
        quality = _between(low, high, aim, target.slope)
    if best is None:
        raise DinpError(target.refusal(result))
    return best


def _between(low: Side, high: Side, aim: float, slope: float) -> float:
    """The next quality: by interpolation, away from both ends; beyond what was tried, by the slope."""
    if low[1] is not None and high[1] is not None:
        share = (aim - low[1]) / max(high[1] - low[1], 1e-12)
        return low[0] + min(max(share, 0.1), 0.9) * (high[0] - low[0])
    if low[1] is not None:
        # a little farther than the slope says, so that the goal is more likely between two trials
        return min(low[0] + 1.2 * (aim - low[1]) / slope, 100.0)
    assert high[1] is not None
    return max(high[0] - 1.2 * (high[1] - aim) / slope, 0.0)
