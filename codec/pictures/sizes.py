"""Decoded pictures at other sizes, from their samples: what holds more than planes, as holes, mattes, exact samples.

Smaller: a sample is the mean of those that it stands for, without holes; it is a hole where most of them are. Numbers
of a palette are not averaged: the one at the middle stands for the others. Larger: samples are repeated.
"""

from dataclasses import replace

import numpy as np

from dinp.bitstream.samples import FLOAT, TIE
from dinp.pictures.picture import Holes, Picture


def averaged(plane: np.ndarray, factor: int) -> np.ndarray:
    """Means of cells of `factor` x `factor` pixels, float64; those at the right and below may be clipped."""
    rows, columns = (np.arange(0, side, factor) for side in plane.shape)
    sums = np.add.reduceat(np.add.reduceat(plane.astype(np.float64), rows, axis=0), columns, axis=1)
    heights, widths = (np.diff(np.append(at, side)) for at, side in zip((rows, columns), plane.shape, strict=True))
    return sums / np.multiply.outer(heights, widths)


def resized(picture: Picture, exponent: int) -> Picture:
    """The picture at 2^exponent of its size."""
    if exponent >= 0:
        factor = 1 << exponent

        def larger(samples: np.ndarray) -> np.ndarray:
            return samples.repeat(factor, axis=0).repeat(factor, axis=1)

        holes = tuple(Holes.of(hole.planes, larger(hole.mask), hole.value) for hole in picture.holes)
        alpha = None if picture.alpha is None else larger(picture.alpha)
        return replace(picture, samples=larger(picture.samples), alpha=alpha, holes=holes)
    factor = 1 << -exponent
    if picture.palette is not None:
        middle = [np.minimum(np.arange(0, side, factor) + factor // 2, side - 1) for side in picture.samples.shape[:2]]
        return replace(picture, samples=picture.samples[np.ix_(*middle)])
    samples = picture.samples if picture.samples.ndim == 3 else picture.samples[..., None]
    integers = picture.format.type != FLOAT
    means, holes = [], []
    for number in range(samples.shape[2]):
        own = [hole for hole in picture.holes if number in hole.planes]
        seen = np.ones(samples.shape[:2], dtype=bool)
        for hole in own:
            seen &= ~hole.mask
        share = averaged(seen, factor)
        mean = averaged(np.where(seen, samples[..., number], 0), factor) / np.where(share > 0, share, 1)
        mean = _rounded(mean, samples.dtype) if integers else mean.astype(samples.dtype)
        if own:
            shares = np.stack([averaged(hole.mask, factor) for hole in own])
            hidden = share < 0.5
            for k, hole in enumerate(own):
                mask = hidden & (shares.argmax(axis=0) == k)
                mean[mask] = hole.value
                holes.append(Holes.of((number,), mask, hole.value))
        means.append(mean)
    joined = means[0] if picture.samples.ndim == 2 else np.dstack(means)
    alpha = None if picture.alpha is None else _rounded(averaged(picture.alpha, factor), np.dtype(np.uint8))
    return replace(picture, samples=joined, alpha=alpha, holes=tuple(holes))


def _rounded(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    limits = np.iinfo(dtype)
    return np.clip(np.floor(values + 0.5 + TIE), limits.min, limits.max).astype(dtype)
