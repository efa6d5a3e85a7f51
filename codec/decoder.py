"""Decoding: sections to planes. Parsing is integer arithmetic; only then the diffusion is solved, in floating point."""

from collections.abc import Callable

import numpy as np

from dinp.section import PlaneCode, decode_section
from dinp.structure import KnownData


def reconstruct(code: PlaneCode, known: KnownData) -> np.ndarray:
    """The plane (H, W) float64 that a decoder shows for a section: the inpainting of its values."""
    from dinp.inpaint import Inpainter

    return Inpainter(known.mask).solve(known.spread(code.values(known)))


def decode_planes(
    sections: list[bytes], shapes: list[tuple[int, int]], *, progress: Callable[[float], None] | None = None
) -> list[np.ndarray]:
    """Planes (H, W) float64, grey values nominally 0-255, neither rounded nor clipped.

    Parameters
    ----------
    sections : list of bytes
        One a plane.
    shapes : list of (int, int)
        Height and width of each plane.
    progress : callable, optional
        Called with the fraction done, 0-1.

    Raises
    ------
    DinpError
        If a section is damaged.
    """
    parsed = [decode_section(data, shape)[:2] for data, shape in zip(sections, shapes, strict=True)]
    planes = []
    for code, known in parsed:
        planes.append(reconstruct(code, known))
        if progress:
            progress(len(planes) / len(sections))
    return planes


def describe_section(data: bytes, shape: tuple[int, int]) -> dict[str, object]:
    """What a section says, parsed without solving.

    Returns
    -------
    dict
        structure ("tree" or "free mask"), height, width, points, density (values per pixel), step (of cells of side
        8, grey levels), bytes, and the information content in bits of the mask (`mask_bits`) and the values
        (`value_bits`).

    Raises
    ------
    DinpError
        If the section is damaged.
    """
    from dinp.steps import GREY, STEP_TABLE

    code, known, information = decode_section(data, shape)
    return {
        "structure": "free mask" if isinstance(code.structure, np.ndarray) else "tree",
        "height": shape[0],
        "width": shape[1],
        "points": known.y.size,
        "density": known.y.size / (shape[0] * shape[1]),
        "step": float(STEP_TABLE[code.step_index]) / GREY,
        "bytes": len(data),
        "mask_bits": information.get("mask", 0.0),
        "value_bits": information.get("values", 0.0),
    }
