"""Decoding: sections to planes.

Parsing is integer arithmetic; only then come diffusion and restoration, in floating point.
"""

from collections.abc import Callable

import numpy as np

from dinp.bitstream.section import PlaneCode, decode_section
from dinp.bitstream.steps import GREY, STEP_TABLE
from dinp.bitstream.structure import KnownData
from dinp.errors import DinpError
from dinp.restoration import DecodedPlane, Restoration, side_map
from dinp.threads import single_blas


def reconstruct(code: PlaneCode, known: KnownData) -> np.ndarray:
    """The plane (H, W) float64 that a decoder shows for a section: the inpainting of its values."""
    from dinp.diffusion.inpaint import Inpainter

    return Inpainter(known.mask).solve(known.spread(code.values(known)))


def restored(
    code: PlaneCode, known: KnownData, reconstruction: np.ndarray, restoration: Restoration, *, draft: bool = False
) -> np.ndarray:
    """The plane (H, W) float64 after restoration, or after a draft of it, from its inpainting."""
    return restoration(described(code, known, reconstruction), draft=draft)


def described(code: PlaneCode, known: KnownData, reconstruction: np.ndarray) -> DecodedPlane:
    """What a restoration is told of a plane, from its inpainting; the code's levels are not looked at."""
    sides = side_map(code.structure, code.side_log2)
    return DecodedPlane(reconstruction, known.mask, sides, float(STEP_TABLE[code.step_index]) / GREY)


@single_blas()
def decode_planes(
    sections: list[bytes],
    shapes: list[tuple[int, int]],
    *,
    restorations: Callable[[int], Restoration] | None = None,
    progress: Callable[[float], None] | None = None,
) -> tuple[list[np.ndarray], list[str]]:
    """Planes, and why some of them were not restored as their sections ask.

    Returns
    -------
    planes : list of (H, W) float64
        Grey values nominally 0-255, neither rounded nor clipped.
    missing : list of str
        What `restorations` says of those that are not at hand, each once.

    Parameters
    ----------
    sections : list of bytes
        One a plane.
    shapes : list of (int, int)
        Height and width of each plane.
    restorations : callable, optional
        (version) -> Restoration; raises DinpError for one that is not at hand. Without it planes stay as the diffusion
        leaves them.
    progress : callable, optional
        Called with the fraction done, 0-1.

    Raises
    ------
    DinpError
        If a section is damaged.
    """
    parsed = [decode_section(data, shape)[:2] for data, shape in zip(sections, shapes, strict=True)]
    planes = []
    missing: dict[str, None] = {}
    for code, known in parsed:
        plane = reconstruct(code, known)
        if restorations is not None and code.restoration:
            try:
                plane = restored(code, known, plane, restorations(code.restoration))
            except DinpError as error:
                missing[str(error)] = None
        planes.append(plane)
        if progress:
            progress(len(planes) / len(sections))
    return planes, list(missing)


def describe_section(data: bytes, shape: tuple[int, int]) -> dict[str, object]:
    """What a section says, parsed without solving.

    Returns
    -------
    dict
        structure ("tree" or "free mask"), height, width, points, density (values per pixel), step (of cells of side
        8, grey levels), restoration (version, 0 for none), bytes, and the information content in bits of the mask
        (`mask_bits`) and the values (`value_bits`).

    Raises
    ------
    DinpError
        If the section is damaged.
    """
    code, known, information = decode_section(data, shape)
    return {
        "structure": "free mask" if isinstance(code.structure, np.ndarray) else "tree",
        "height": shape[0],
        "width": shape[1],
        "points": known.y.size,
        "density": known.y.size / (shape[0] * shape[1]),
        "step": float(STEP_TABLE[code.step_index]) / GREY,
        "restoration": code.restoration,
        "bytes": len(data),
        "mask_bits": information.get("mask", 0.0),
        "value_bits": information.get("values", 0.0),
    }
