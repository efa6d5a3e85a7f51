"""Encoding of a whole picture whose samples come back exactly."""

import numpy as np

from dinp.assembly import metadata_chunks
from dinp.bitstream.container import (
    ALPHA_PLANE,
    COLOUR_420,
    COLOUR_444,
    LOSSLESS,
    NO_ALPHA,
    PALETTE,
    Chunk,
    Container,
    pack,
    plane_chunk,
)
from dinp.bitstream.lossless import encode_lossless
from dinp.pictures.picture import Picture

MUCH = 2.5  # bits a sample of 8 bits, from which on a picture is not one for this codec
SMALL = 4096  # pixels, below which that is not told


def encode_losslessly(picture: Picture) -> tuple[bytes, Container, tuple[str, ...]]:
    """The file of a picture, its parts, and notices.

    Raises
    ------
    DinpError
        A channel has more than 2^17 different samples.
    """
    height, width = picture.samples.shape[:2]
    channels = picture.channels + ([] if picture.alpha is None else [picture.alpha])
    content = encode_lossless(channels)
    chunks = metadata_chunks(picture.metadata)
    if picture.palette is not None:
        colours = picture.palette.colours
        chunks.append(plane_chunk(PALETTE, (0,), bytes([colours.shape[1]]) + colours.tobytes()))
    chunks.append(Chunk(LOSSLESS, content))
    layout = COLOUR_444 if picture.layout == COLOUR_420 else picture.layout
    alpha = NO_ALPHA if picture.alpha is None else ALPHA_PLANE
    container = Container(width, height, layout, (b"",) * len(channels), alpha, picture.format, tuple(chunks))
    data = pack(container)
    notices = ()
    large = width * height >= SMALL and picture.samples.dtype == np.uint8
    if large and 8 * len(content) > MUCH * width * height * len(channels):
        bits = 8 * len(content) / (width * height * len(channels))
        notices = (f"{bits:.1f} bits a sample: a photograph is better off with a quality, or a largest error",)
    return data, container, notices
