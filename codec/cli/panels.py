"""One picture of what a file does: original, contours, known pixels, reconstruction, side by side."""

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

GAP = 8  # pixels between panels


def panels(original: "Image.Image", data: bytes, max_pixels: int) -> bytes:
    """The panels of plane 0 as a PNG file; contours only where there are barriers, known pixels in their values."""
    import numpy as np
    from PIL import Image

    import dinp
    from dinp.assembly import beside
    from dinp.bitstream.container import unpack
    from dinp.bitstream.regions import ROOT, Pieces
    from dinp.bitstream.section import decode_section

    container = unpack(data, max_pixels=max_pixels)
    depths, own_steps = beside(container)
    code, known, _ = decode_section(container.sections[0], container.shapes[0], depths[0], own_steps[0])
    shown = dinp.decode(data, max_pixels=max_pixels)
    grey = np.asarray(shown.convert("L"))
    mask = known.mask.copy()
    parts = [original]
    if isinstance(code.structure, Pieces):
        right, down = code.structure.cracks
        contours = np.full(mask.shape, 255, dtype=np.uint8)
        contours[:, :-1][right] = 0
        contours[:-1][down] = 0
        parts.append(Image.fromarray(contours))
        whole = code.structure.side_log2 == ROOT  # of a constant region one pixel says all
        mask &= ~np.append(whole, False)[code.structure.leaf]
        mask[known.y[whole], known.x[whole]] = True
    parts += [Image.fromarray(np.where(mask, grey, 255).astype(np.uint8)), shown]
    height, width = mask.shape
    joined = Image.new("RGB", (len(parts) * (width + GAP) - GAP, height), "white")
    for number, part in enumerate(parts):
        joined.paste(part.convert("RGB"), (number * (width + GAP), 0))
    file = io.BytesIO()
    joined.save(file, "PNG")
    return file.getvalue()
