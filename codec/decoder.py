"""Decoding: sections to planes.

Parsing is integer arithmetic; only then come diffusion and restoration, in floating point.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from dinp.bitstream.regions import Pieces
from dinp.bitstream.section import FREE_MASK, TREE, PlaneCode, decode_section
from dinp.bitstream.structure import KnownData
from dinp.errors import DinpError
from dinp.restoration import DecodedPlane, Restoration, side_map
from dinp.threads import in_turn, is_large, joint, side_by_side, single_blas

if TYPE_CHECKING:
    from dinp.diffusion.inpaint import Inpainter

SPARSE_PIXELS, SPARSE_SHARE = 1 << 22, 1 << 12


def reconstruct(code: PlaneCode, known: KnownData, inpainter: "Inpainter | None" = None) -> np.ndarray:
    """The plane (H, W) float64 that a decoder shows for a section: the inpainting of its values."""
    if inpainter is None and known.mask.all():
        return known.spread(code.values(known))  # no solver is set up, which takes 90 bytes a pixel
    from dinp.diffusion.inpaint import TOLERANCE, Inpainter

    solver = inpainter or Inpainter(known.mask, *(code.structure.cracks if isinstance(code.structure, Pieces) else ()))
    return solver.solve_known(known.at_mask(code.values(known)), tol=TOLERANCE * 2.0**-code.depth)


def regions_of_code(code: PlaneCode) -> np.ndarray | None:
    """The regions (H, W) of a plane with barriers."""
    return code.structure.labels if isinstance(code.structure, Pieces) else None


def restored(
    code: PlaneCode, known: KnownData, reconstruction: np.ndarray, restoration: Restoration, *, draft: bool = False
) -> np.ndarray:
    """The plane (H, W) float64 after restoration, or after a draft of it, from its inpainting."""
    return restoration(described(code, known, reconstruction), draft=draft)


def described(code: PlaneCode, known: KnownData, reconstruction: np.ndarray) -> DecodedPlane:
    """What a restoration is told of a plane, from its inpainting; the code's levels are not looked at."""
    sides = side_map(code.structure, code.side_log2)
    return DecodedPlane(reconstruction, known.mask, sides, code.step)


def is_sparse(pixels: int, size: int) -> bool:
    """Whether a picture of so many pixels is very large for a file of so many bytes.

    Restoration, which costs work by the pixel, is then left out unless asked for: above 4 million pixels of which a
    byte stands for more than 4096. A photograph at the lowest quality has fewer than 1500 a byte.
    """
    return pixels > SPARSE_PIXELS and pixels > SPARSE_SHARE * size


@single_blas()
def decode_planes(
    sections: list[bytes],
    shapes: list[tuple[int, int]],
    *,
    depths: list[int] | None = None,
    own_steps: list[tuple[int, ...]] | None = None,
    restorations: Callable[[int], Restoration] | None = None,
    exponents: list[int] | None = None,
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
    depths, own_steps : lists, optional
        What stands beside each section, see `dinp.bitstream.section.PlaneCode`.
    restorations : callable, optional
        (version) -> Restoration; raises DinpError for one that is not at hand. Without it planes stay as the diffusion
        leaves them.
    exponents : list of int, optional
        Of each plane: it is shown at 2^exponent of its size, see `dinp.scaling`; where that is smaller, planes with
        barriers are not restored.
    progress : callable, optional
        Called with the fraction done, 0-1.

    Raises
    ------
    DinpError
        If a section is damaged.
    """
    count = len(sections)
    parsed: list[tuple[PlaneCode, KnownData] | None] = []
    for part in zip(sections, shapes, depths or [0] * count, own_steps or [()] * count, strict=True):
        parsed.append(decode_section(*part, regions_of_code(parsed[0][0]) if parsed else None)[:2])
    report = joint(progress, [height * width for height, width in shapes])

    def shown(number: int) -> tuple[np.ndarray, str | None]:
        code, known = parsed[number]
        exponent, reason = exponents[number] if exponents else 0, None
        labels = regions_of_code(code)
        if exponent < 0 and labels is not None:
            from dinp.scaling import reduced

            return reduced(code, known, -exponent), None
        plane = reconstruct(code, known)
        report(number, 0.5)
        if restorations is not None and code.restoration:
            try:
                restoration = restorations(code.restoration)
                if labels is None:  # planes with barriers may name one, but none corrects them
                    plane = restored(code, known, plane, restoration)
            except DinpError as error:
                reason = str(error)
        if exponent < 0:
            from dinp.pictures.sizes import averaged

            plane = averaged(np.clip(plane, 0, 255), 1 << -exponent)
        elif exponent > 0:
            from dinp.scaling import enlarged

            plane = enlarged(plane, exponent, labels)
        parsed[number] = None  # it takes memory as long as it is there
        report(number, 1.0)
        return plane, reason

    run = in_turn if is_large(shapes) else side_by_side
    planes, reasons = zip(*run(shown, range(count)), strict=True)
    if progress:
        progress(1.0)
    return list(planes), list(dict.fromkeys(reason for reason in reasons if reason is not None))


def describe_section(
    data: bytes,
    shape: tuple[int, int],
    depth: int = 0,
    own_steps: tuple[int, ...] = (),
    labels: np.ndarray | None = None,
) -> dict[str, object]:
    """What a section says, parsed without solving; see `description`.

    Raises
    ------
    DinpError
        If the section is damaged.
    """
    return description(*decode_section(data, shape, depth, own_steps, labels), len(data))


def description(code: PlaneCode, known: KnownData, information: dict[str, float], size: int) -> dict[str, object]:
    """What a decoded section of `size` bytes says.

    Returns
    -------
    dict
        structure ("tree", "free mask" or "barriers"), height, width, points, density (values per pixel), step (of cells
        of side 8, grey levels), restoration (version, 0 for none), bytes, and the information content in bits of the
        mask (`mask_bits`: contours and divisions where there are barriers) and the values (`value_bits`). With
        barriers also regions, cracks, whether they are those of plane 0 (`shared`), and the bits of their parts:
        `crack_bits`, `division_bits`, `first_bits`.
    """
    height, width = known.mask.shape
    told = {
        "structure": {TREE: "tree", FREE_MASK: "free mask"}.get(code.kind, "barriers"),
        "height": height,
        "width": width,
        "points": known.y.size,
        "density": known.y.size / (height * width),
        "step": code.step,
        "restoration": code.restoration,
        "bytes": size,
        "mask_bits": information.get("mask", 0.0),
        "value_bits": information.get("values", 0.0),
    }
    if isinstance(code.structure, Pieces):
        cracks, divisions, first = (information.get(kind, 0.0) for kind in ("cracks", "divisions", "first"))
        told |= {
            "mask_bits": cracks + divisions,
            "value_bits": told["value_bits"] + first,
            "regions": code.structure.regions,
            "cracks": sum(int(np.count_nonzero(part)) for part in code.structure.cracks),
            "shared": code.shared,
            "crack_bits": cracks,
            "division_bits": divisions,
            "first_bits": first,
        }
    return told
