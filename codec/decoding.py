"""Decoding of a whole file: to the picture as it was coded, at any of some scales, and notices."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from dinp.checks import as_bytes, is_number
from dinp.errors import DinpError
from dinp.limits import MAX_PIXELS, check_size

if TYPE_CHECKING:
    from dinp.pictures.picture import Picture
    from dinp.restoration import Restoration

SCALES = (0.125, 0.25, 0.5, 1, 2, 4)


def decode_with_notices(
    data: bytes,
    *,
    restore: bool | None = None,
    scale: float = 1,
    max_pixels: int = MAX_PIXELS,
    progress: Callable[[float], None] | None = None,
) -> tuple[Picture, list[str]]:
    """Like `decode`, but returns the picture as it is coded, and the notices instead of warning of them."""
    data = as_bytes(data)
    from dinp.bitstream.container import unpack

    exponent = _exponent(scale)
    container = unpack(data, max_pixels=max_pixels)

    from dinp.assembly import assembled, beside, is_bound, lossless_picture

    if exponent and is_bound(container):
        from dinp.pictures.sizes import resized

        check_size(container.width * max(1, scale), container.height * max(1, scale), max_pixels)
        picture, notices = decode_with_notices(data, restore=restore, max_pixels=max_pixels, progress=progress)
        return resized(picture, exponent), notices
    picture = lossless_picture(container)
    if picture is not None:
        return picture, []

    from dinp.decoder import decode_planes, is_sparse

    wanted = restore is not False
    restorations: Callable[[int], Restoration] | None = None
    exponents = None
    if exponent:
        check_size(container.width * max(1, scale), container.height * max(1, scale), max_pixels)
        whole = container.shapes[0]
        exponents = [exponent + (shape != whole) for shape in container.shapes]  # halved chroma has to grow less
        wanted = wanted and (exponent > 0 or restore is True)
    if wanted:
        sparse = restore is None and is_sparse(container.width * container.height, len(data))
        restorations = _left_out if sparse else _getting_ready(container.sections)
    depths, own_steps = beside(container)
    planes, missing = decode_planes(
        list(container.sections),
        container.shapes,
        depths=depths,
        own_steps=own_steps,
        restorations=restorations,
        exponents=exponents,
        progress=progress,
    )
    if exponent > 0:  # halved chroma of an odd side has more
        height, width = planes[0].shape
        planes = [plane[:height, :width] for plane in planes]
    return assembled(planes, container), [f"{reason}: the picture is shown without" for reason in missing]


def _exponent(scale: float) -> int:
    """log2 of a scale; DinpError for others than those of SCALES."""
    if not is_number(scale) or scale not in SCALES:
        raise DinpError(f"a scale must be one of {', '.join(map(str, SCALES))}, not {scale!r}")
    return round(math.log2(scale))


def _getting_ready(sections: Sequence[bytes]) -> Callable[[int], Restoration]:
    """The restorations that sections ask for: they are loaded while these are parsed and inpainted."""
    from dinp.bitstream.section import restoration_of
    from dinp.models import ready_restoration
    from dinp.threads import begun

    coming = {
        version: begun(partial(ready_restoration, version))
        for version in {restoration_of(part) for part in sections} - {0}
    }
    return lambda version: coming[version]()


def _left_out(version: int) -> Restoration:
    raise DinpError("restoration of so large a picture from so small a file is left out unless asked for")
