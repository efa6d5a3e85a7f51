"""From logits to confidences of exactly the wanted mean, in numpy, as `dinp.models.networks.mask` has it in torch."""

import math

import numpy as np

NEWTON_STEPS = 60
CHUNK = 1 << 15  # numbers that are worked on at a time: they stay in the cache
PRECISE = 1e-7  # of the mean; the last step squares it


def exact_mean(logits: np.ndarray, density: float, placed: np.ndarray | None = None) -> np.ndarray:
    """sigmoid(z + b), b solved so that the mean is the density: Newton steps that fall back to bisection.

    Parameters
    ----------
    logits : (H, W) float32
    density : float
        In (0, 1).
    placed : (H, W) bool, optional
        Where the answer is 0.

    Returns
    -------
    (H, W) float32, in [0, 1]
    """
    z = logits.ravel() if placed is None else logits[~placed]
    if not z.size:
        return np.zeros(logits.shape, dtype=np.float32)
    mean = min(density * logits.size / z.size, 1 - 1e-9)
    target = math.log(mean / (1 - mean))
    low, high = target - float(z.max()), target - float(z.min())
    bias = min(max(0.0, low), high)
    out = np.empty(z.size, dtype=np.float32)
    for _ in range(NEWTON_STEPS):
        total, slope = _sigmoid(z, bias, out)
        excess = total / z.size - mean
        if abs(excess) <= PRECISE * mean:
            break
        low, high = (low, bias) if excess > 0 else (bias, high)
        newton = bias - excess / max(slope / z.size, 1e-30)
        bias = newton if low < newton < high else (low + high) / 2
    if placed is None:
        return out.reshape(logits.shape)
    found = np.zeros(logits.shape, dtype=np.float32)
    found[~placed] = out
    return found


def _sigmoid(z: np.ndarray, bias: float, out: np.ndarray) -> tuple[float, float]:
    """Writes sigmoid(z + bias); its sum, and that of its slope."""
    total = slope = 0.0
    shift = np.float32(bias)
    for start in range(0, z.size, CHUNK):
        c = out[start : start + CHUNK]
        np.add(z[start : start + CHUNK], shift, out=c)
        np.clip(c, -80, 80, out=c)
        np.negative(c, out=c)
        np.exp(c, out=c)
        c += 1
        np.reciprocal(c, out=c)
        one = float(c.sum(dtype=np.float64))
        total += one
        slope += one - float(np.dot(c, c))
    return total, slope
