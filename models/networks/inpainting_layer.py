"""Homogeneous diffusion inpainting as a layer of a network: batched, by the true solver, with its gradient."""

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

LARGEST = 1 - 1e-4  # confidence: known pixels are held by a spring instead of being fixed
TOLERANCE = 1e-3  # of the residual, relative
ITERATIONS = 400  # at most: enough for 1 % of known pixels or more; with a handful of them u stays less exact


def inpaint(confidence: Tensor, values: Tensor, tolerance: float = TOLERANCE) -> Tensor:
    """The solution u of (1 - c) Laplace(u) - c (u - g) = 0 with reflecting boundaries.

    Differentiable in c and g, once: the gradient takes one further solve, of the adjoint equation, and is that of the
    solution up to the tolerance. What exceeds `LARGEST` receives the gradient there.

    Parameters
    ----------
    confidence : (B, 1, H, W) float tensor
        c in [0, 1], clamped to `LARGEST`. Binary ones are an inpainting mask. An item without any is 0 everywhere.
    values : (B, 1, H, W) float tensor
        g, grey values; only those where c > 0 matter.
    tolerance : float
        Of each item's residual, relative to that of unknown pixels which are the mean of the known ones.

    Returns
    -------
    (B, 1, H, W) float32 tensor

    Notes
    -----
    Divided by 1 - c the equation is (w - Laplace) u = w g, w = c / (1 - c), which is symmetric: conjugate gradients
    solve it, and the adjoint equation with the same operator. They are preconditioned by its diagonal; on crops of 128
    x 128 pixels, of which 1 % or more are known, they take about a hundred iterations. Accuracy at known pixels comes
    from the equation itself: u - g = Laplace(u) / w there, and the gradient with respect to c is a product of two such
    differences.
    """
    return _Inpainting.apply(confidence.float(), values.float(), tolerance)


class _Inpainting(torch.autograd.Function):
    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, c: Tensor, g: Tensor, tolerance: float) -> Tensor:
        weight = _weight(c)
        # solved for is the difference from the mean known value: constants must not set the scale of the tolerance
        total = weight.sum(dim=(1, 2, 3), keepdim=True).clamp_min(torch.finfo(weight.dtype).tiny)
        mean = (weight * g).sum(dim=(1, 2, 3), keepdim=True) / total
        u = mean + solve(weight, weight * (g - mean), tolerance)
        ctx.save_for_backward(weight, g, u)
        ctx.tolerance = tolerance
        return u

    @staticmethod
    @once_differentiable
    def backward(ctx: torch.autograd.function.FunctionCtx, error: Tensor) -> tuple[Tensor, Tensor, None]:
        weight, g, u = ctx.saved_tensors
        known = weight.amax(dim=(1, 2, 3), keepdim=True) > 0
        adjoint = solve(weight, torch.where(known, error, 0), ctx.tolerance)
        stiff = weight > 1
        divisor = torch.where(stiff, weight, 1)
        a = torch.where(stiff, (error + laplace(adjoint)) / divisor, adjoint)
        b = torch.where(stiff, -laplace(u) / divisor, g - u)
        return a * b * (1 + weight).square(), weight * adjoint, None


def solve(weight: Tensor, right: Tensor, tolerance: float) -> Tensor:
    """Conjugate gradients for (weight - Laplace) x = right, all items of a batch (B, 1, H, W) at once.

    `weight` is nonnegative, and positive somewhere in every item.
    """
    over = (1, 2, 3)
    diagonal = weight + _neighbours(weight)
    x = torch.where(weight > 1, right / weight.clamp_min(1), 0)
    residual = right - weight * x + laplace(x)
    z = residual / diagonal
    direction = z.clone()
    energy = (residual * z).sum(dim=over, keepdim=True)
    goal = tolerance**2 * energy
    for _ in range(ITERATIONS):
        if bool((energy <= goal).all()):
            break
        image = weight * direction - laplace(direction)
        step = energy / (direction * image).sum(dim=over, keepdim=True).clamp_min(torch.finfo(x.dtype).tiny)
        x += step * direction
        residual -= step * image
        z = residual / diagonal
        latest = (residual * z).sum(dim=over, keepdim=True)
        direction = z + latest / energy.clamp_min(torch.finfo(x.dtype).tiny) * direction
        energy = latest
    return x


def laplace(x: Tensor) -> Tensor:
    """The 5-point Laplacian of fields (B, 1, H, W) with reflecting boundaries, grid size 1."""
    out = torch.zeros_like(x)
    rows = x[..., 1:, :] - x[..., :-1, :]
    out[..., :-1, :] += rows
    out[..., 1:, :] -= rows
    columns = x[..., 1:] - x[..., :-1]
    out[..., :-1] += columns
    out[..., 1:] -= columns
    return out


def _weight(c: Tensor) -> Tensor:
    c = c.clamp(0, LARGEST)
    return c / (1 - c)


def _neighbours(like: Tensor) -> Tensor:
    """How many neighbours each pixel has."""
    ones = functional.pad(torch.ones_like(like), (1, 1, 1, 1))
    return ones[..., :-2, 1:-1] + ones[..., 2:, 1:-1] + ones[..., 1:-1, :-2] + ones[..., 1:-1, 2:]
