"""What planes are coded to: sections, and what goes beside them or into another coding of the same picture."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dinp.encoder.placement import Trial
from dinp.encoder.reconstruction import Reconstruction
from dinp.pictures.colour_transform import merge_planes


@dataclass(frozen=True)
class CodedPlane:
    """A coded plane.

    Attributes
    ----------
    section : bytes
    show : callable
        Makes the plane that a decoder gets, (H, W) float64, when first called.
    points : int
        Number of values.
    information : dict
        Information content in bits by kind, like `mask` and `values`.
    plain : Reconstruction, optional
        Makes it without restoration; None where barriers were taken.
    trial : Trial, optional
        The tree's or free mask's, before quantisation; None where barriers were taken at once.
    own_steps : tuple of int
        See `dinp.encoder.own_steps`.
    """

    section: bytes
    show: Callable[[], np.ndarray]
    points: int
    information: dict[str, float]
    plain: Reconstruction | None = None
    trial: Trial | None = None
    own_steps: tuple[int, ...] = ()


@dataclass(frozen=True)
class CodedPlanes:
    """A picture's coded planes, and the values per pixel of the first."""

    planes: list[CodedPlane]
    density: float

    @property
    def sections(self) -> list[bytes]:
        """One a plane."""
        return [plane.section for plane in self.planes]

    @property
    def own_steps(self) -> list[tuple[int, ...]]:
        """Of each plane."""
        return [plane.own_steps for plane in self.planes]

    def shown(self) -> list[np.ndarray]:
        """The planes that a decoder gets, (H, W) float64 each."""
        return [plane.show() for plane in self.planes]

    def show(self) -> np.ndarray:
        """The picture that a decoder gets, (H, W) or (H, W, 3) uint8."""
        return merge_planes(self.shown())
