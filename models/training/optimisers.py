"""Optimisers by name: AdamW, and Muon for the kernels of inner convolutions."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from dinp.errors import DinpError

OUTERMOST = ("stem", "head")  # layers whose kernels Muon leaves to AdamW: they face values, not features
FEWEST = 8  # channels on either side of a kernel: those with fewer face values, too


class Muon:
    """Muon for the kernels of inner convolutions, as matrices of output channels by the rest; AdamW for all else.

    Muon's steps are scaled to the size of AdamW's, so that one learning rate serves both.

    Parameters
    ----------
    network : Module
        In `torch.channels_last`, in which a kernel is a matrix without being copied.
    lr, weight_decay : float

    Raises
    ------
    DinpError
        This torch has no Muon.
    RuntimeError
        The network is not in `torch.channels_last`.

    References
    ----------
    K. Jordan and others: Muon: An optimizer for hidden layers in neural networks. 2024.
    J. Liu and others: Muon is Scalable for LLM Training. 2025 (the scale of the steps).
    """

    def __init__(self, network: nn.Module, *, lr: float, weight_decay: float) -> None:
        if not hasattr(torch.optim, "Muon"):
            raise DinpError(f"the optimiser muon needs torch 2.9 or newer, not {torch.__version__}")
        inner = {
            name: p
            for name, p in network.named_parameters()
            if p.ndim == 4 and min(p.shape[:2]) >= FEWEST and name.split(".")[0] not in OUTERMOST
        }
        self._kernels = list(inner.values())
        self._matrices = [nn.Parameter(_channels_last(k.detach()).view(len(k), -1)) for k in self._kernels]
        rest = [p for name, p in network.named_parameters() if name not in inner]
        self._parts = (
            torch.optim.Muon(self._matrices, lr=lr, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(rest, lr=lr, weight_decay=weight_decay),
        )

    @property
    def param_groups(self) -> list[dict]:
        """Groups of parameters of both."""
        return [group for part in self._parts for group in part.param_groups]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        for part in self._parts:
            part.zero_grad(set_to_none=set_to_none)
        for kernel in self._kernels:
            kernel.grad = None

    def step(self) -> None:
        """One step of both."""
        for kernel, matrix in zip(self._kernels, self._matrices, strict=True):
            matrix.grad = None if kernel.grad is None else _channels_last(kernel.grad).reshape(matrix.shape)
        for part in self._parts:
            part.step()

    def state_dict(self) -> dict:
        """What `load_state_dict` takes."""
        return {"parts": [part.state_dict() for part in self._parts]}

    def load_state_dict(self, state: dict) -> None:
        """Go on from an optimiser of the same network.

        Raises
        ------
        ValueError
            The state is that of another optimiser.
        """
        if "parts" not in state:
            raise ValueError("the state is that of another optimiser")
        for part, own in zip(self._parts, state["parts"], strict=True):
            part.load_state_dict(own)


def _channels_last(kernel: Tensor) -> Tensor:
    """A kernel (O, I, h, w) as (O, h, w, I), in the order that it has in memory."""
    return kernel.permute(0, 2, 3, 1)


OPTIMISERS: dict[str, Callable[..., torch.optim.Optimizer | Muon]] = {
    "adamw": lambda network, **options: torch.optim.AdamW(network.parameters(), **options),
    "muon": Muon,
}
