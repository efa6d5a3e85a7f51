"""Planes and what stands beside them in a file, to the picture: samples, alpha, holes, residuals, metadata."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from dinp.bitstream.container import (
    ALPHA_MATTE,
    ALPHA_PLANE,
    CICP,
    EXIF,
    GREY,
    HOLES,
    ICC,
    LOSSLESS,
    MATTE,
    OPAQUE,
    PALETTE,
    PLANES,
    RESIDUAL,
    STEPS,
    XMP,
    Chunk,
    Container,
)
from dinp.bitstream.samples import EIGHT_BITS
from dinp.bitstream.sidecars import read_holes, read_mask_stream, read_residual, read_steps
from dinp.errors import DinpError
from dinp.pictures.colour_transform import merge_planes
from dinp.pictures.metadata import CICP_BYTES, Metadata, deflated, inflated
from dinp.pictures.picture import Holes, Palette, Picture

if TYPE_CHECKING:
    from dinp.bitstream.lossless import LosslessReport


def beside(container: Container) -> tuple[list[int], list[tuple[int, ...]]]:
    """Depth, and steps of its own, of each plane; DinpError where they are damaged."""
    count = len(container.sections)
    depths = [container.samples.depth] * count
    if container.alpha == ALPHA_PLANE:
        depths[-1] = 0
    bodies = [container.chunk_of_plane(STEPS, number) for number in range(count)]
    return depths, [() if body is None else read_steps(body) for body in bodies]


def assembled(planes: list[np.ndarray], container: Container) -> Picture:
    """The picture of decoded planes; DinpError where a chunk is damaged.

    The planes may all have another size, if nothing else of the file is bound to it (`is_bound`).
    """
    shape = planes[0].shape
    colours = planes[:-1] if container.alpha == ALPHA_PLANE else planes
    if container.layout == PLANES:
        samples = np.dstack([container.samples.from_axis(plane, number) for number, plane in enumerate(colours)])
    else:
        samples = merge_planes(colours, container.samples)
    channels = [samples] if samples.ndim == 2 else list(np.moveaxis(samples, 2, 0))
    for number, channel in enumerate(channels):
        body = container.chunk_of_plane(RESIDUAL, number)
        if body is not None:
            channel[...] = with_residual(channel, body, container, number)
    holes = []
    for hole, mask in holes_of(container):
        for number in hole.planes:
            channels[number][mask] = hole.value
        holes.append(hole)
    alpha, metadata = _alpha(planes, container, shape), metadata_of(container)
    return Picture(samples, container.layout, container.samples, alpha, tuple(holes), metadata)


def is_bound(container: Container) -> bool:
    """Whether a file holds more than planes that stands at its pixels: exact samples, residuals, holes or a matte."""
    return any(chunk.type in (LOSSLESS, RESIDUAL, HOLES, MATTE) for chunk in container.chunks)


def with_residual(channel: np.ndarray, body: bytes, container: Container, number: int) -> np.ndarray:
    """Samples of a channel (or of alpha, if `number` is that of its plane) with the residual of a chunk added."""
    alpha = container.alpha == ALPHA_PLANE and number == len(container.sections) - 1
    samples = EIGHT_BITS if alpha else container.samples
    unit, residual = read_residual(body, channel.shape, samples)
    low, high = samples.ranges[min(number, len(samples.ranges) - 1)]
    return np.clip(channel.astype(np.float64) + unit * residual, low, high).astype(channel.dtype)


def holes_of(container: Container) -> Iterator[tuple[Holes, np.ndarray]]:
    """The holes of a file and their masks, one at a time."""
    for chunk in container.chunks:
        if chunk.type == HOLES:
            shape = (container.height, container.width)
            value, mask = read_holes(chunk.body, container.samples, shape)
            yield Holes.of(chunk.planes, mask, value), mask


def metadata_of(container: Container) -> Metadata:
    """Profile, EXIF, XMP and colour description of a file."""
    cicp = container.chunk(CICP)
    if cicp is not None and len(cicp) != CICP_BYTES:
        raise DinpError("the file is damaged: its colour description is none")
    kept = (None if (c := container.chunk(kind)) is None else inflated(c) for kind in (ICC, EXIF, XMP))
    return Metadata(*kept, cicp)


def metadata_chunks(metadata: Metadata) -> list[Chunk]:
    """Mirror of `metadata_of`."""
    named = ((ICC, metadata.icc), (EXIF, metadata.exif), (XMP, metadata.xmp))
    chunks = [Chunk(kind, deflated(content)) for kind, content in named if content]
    return chunks + ([Chunk(CICP, metadata.cicp)] if metadata.cicp else [])


def _alpha(planes: list[np.ndarray], container: Container, shape: tuple[int, int]) -> np.ndarray | None:
    if container.alpha == OPAQUE:
        return np.full(shape, 255, dtype=np.uint8)
    if container.alpha == ALPHA_MATTE:
        return read_mask_stream(container.chunk(MATTE), shape).astype(np.uint8) * 255
    if container.alpha == ALPHA_PLANE:
        alpha = EIGHT_BITS.from_axis(planes[-1])
        body = container.chunk_of_plane(RESIDUAL, len(planes) - 1)
        return alpha if body is None else with_residual(alpha, body, container, len(planes) - 1)
    return None


def lossless_picture(container: Container) -> Picture | None:
    """The picture of a file that holds its samples exactly; None for others; DinpError where it is damaged."""
    content = _lossless_content(container)
    if content is None:
        return None
    from dinp.bitstream.lossless import decode_lossless

    shape = (container.height, container.width)
    channels = decode_lossless(content, _types(container), shape)
    alpha = channels.pop() if container.alpha == ALPHA_PLANE else None
    samples = channels[0] if container.layout == GREY else np.dstack(channels)
    metadata, palette = metadata_of(container), _palette_of(container)
    return Picture(samples, container.layout, container.samples, alpha, metadata=metadata, palette=palette)


def describe_lossless_file(container: Container) -> "LosslessReport | None":
    """How a file holds its samples exactly; None for others; DinpError where it is damaged."""
    content = _lossless_content(container)
    if content is None:
        return None
    from dinp.bitstream.lossless import describe_lossless

    return describe_lossless(content, _types(container), (container.height, container.width))


def _lossless_content(container: Container) -> bytes | None:
    return container.chunk(LOSSLESS)


def _types(container: Container) -> list[np.dtype]:
    """Of each channel, alpha last."""
    count = len(container.sections)
    return [
        np.dtype(np.uint8) if container.alpha == ALPHA_PLANE and k == count - 1 else container.samples.dtype
        for k in range(count)
    ]


def _palette_of(container: Container) -> Palette | None:
    body = container.chunk_of_plane(PALETTE, 0)
    if body is None:
        return None
    colours = len(body) - 1
    if not body or body[0] not in (3, 4) or colours % body[0] or not 1 <= colours // body[0] <= 256:
        raise DinpError("the file is damaged: its palette is none")
    return Palette(np.frombuffer(body[1:], dtype=np.uint8).reshape(-1, body[0]))
