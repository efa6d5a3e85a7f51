"""What a dinp file holds, told without rebuilding the picture."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from dinp._version import FORMAT_VERSION
from dinp.checks import as_bytes
from dinp.limits import MAX_PIXELS

if TYPE_CHECKING:
    from dinp.bitstream.container import Container


def info(data: bytes, *, max_pixels: int = MAX_PIXELS) -> dict:
    """What a dinp file holds, without rebuilding the picture.

    Returns
    -------
    dict
        Ready for JSON: `format_version`, `width`, `height`, `mode` ("L", "LA", "RGB" or "RGBA", or the number of
        "planes"), `samples` (like "16-bit unsigned"), `ranges` (low and high), `chroma` ("420", "444" or None),
        `bytes`, `bpp` (bits of the whole file per pixel), `chunks` (bytes of each, with its name), `overhead_bytes`
        (all but sections and chunks) and `planes`, one dict each: `name`, `width`, `height`, `bytes`, what
        `dinp.decoder.description` tells, and `mask_bits_per_point`, `value_bits_per_point`. Lossless files have
        `lossless` instead, what `dinp.bitstream.lossless.LosslessReport` tells, and only names and sizes of planes.

    Raises
    ------
    DinpError
        As `decode`.
    """
    data = as_bytes(data)
    from dinp.bitstream.container import CHUNK_NAMES, COLOUR_420, COLOUR_444, unpack

    container = unpack(data, max_pixels=max_pixels)

    from dinp.assembly import beside, describe_lossless_file
    from dinp.bitstream.section import decode_section
    from dinp.decoder import description, regions_of_code

    lossless = describe_lossless_file(container)
    planes = []
    labels = None
    parts = zip(plane_names(container), container.sections, container.shapes, *beside(container), strict=True)
    for name, section, shape, depth, own_steps in parts:
        plane = {"name": name, "width": shape[1], "height": shape[0], "bytes": len(section)}
        if lossless is not None:
            planes.append(plane)
            continue
        code, known, information = decode_section(section, shape, depth, own_steps, labels)
        labels = regions_of_code(code) if not planes else labels
        plane |= description(code, known, information, len(section))
        for kind in ("mask", "value"):
            plane[f"{kind}_bits_per_point"] = plane[f"{kind}_bits"] / plane["points"]
        planes.append(plane)
    chunks = [
        {"name": CHUNK_NAMES.get(chunk.type, f"{chunk.type:02X}"), "bytes": len(chunk.content)}
        for chunk in container.chunks
    ]
    return {
        "format_version": FORMAT_VERSION,
        "width": container.width,
        "height": container.height,
        "mode": mode_of(container),
        "samples": container.samples.name,
        "ranges": [list(pair) for pair in container.samples.ranges],
        "chroma": {COLOUR_420: "420", COLOUR_444: "444"}.get(container.layout),
        "bytes": len(data),
        "bpp": 8 * len(data) / (container.width * container.height),
        "chunks": chunks,
        "overhead_bytes": len(data) - sum(map(len, container.sections)) - sum(chunk["bytes"] for chunk in chunks),
        "planes": planes,
    } | ({} if lossless is None else {"lossless": asdict(lossless)})


def mode_of(container: Container) -> str:
    """Mode of a file's picture: "L", "RGB", with "A" where there is alpha; or its number of planes, like "2 planes"."""
    from dinp.bitstream.container import ALPHA_PLANE, NO_ALPHA, PLANES

    if container.layout == PLANES:
        count = len(container.sections) - (container.alpha == ALPHA_PLANE)
        return f"{count} plane{'s' if count > 1 else ''}"
    return ("RGB" if container.colour else "L") + ("A" if container.alpha != NO_ALPHA else "")


def plane_names(container: Container) -> list[str]:
    """Names of a file's planes."""
    from dinp.bitstream.container import ALPHA_PLANE, PLANES

    count = len(container.sections) - (container.alpha == ALPHA_PLANE)
    names = [f"plane {number}" for number in range(count)]
    if container.layout != PLANES:
        names = ["Y", "Cb", "Cr"] if container.colour else ["grey"]
    return names + ["alpha"] * (container.alpha == ALPHA_PLANE)
