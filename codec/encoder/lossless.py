"""Encoding of a whole picture whose samples come back exactly, or near enough, without diffusion."""

import math
from dataclasses import replace

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
from dinp.bitstream.lattice import MAX_MARKS, Lattice, lattices_for
from dinp.bitstream.lossless import encode_lossless
from dinp.bitstream.samples import FLOAT
from dinp.pictures.picture import Picture, errors, picture_psnr

MUCH = 2.5  # bits a sample of 8 bits, from which on a picture is not one for this codec
SMALL = 4096  # pixels, below which that is not told
_SHARES = (1.0, 0.85)  # of the error that should do
MOST_NEAR = 1.0  # bits a sample, above which diffusion never took fewer


def encode_losslessly(picture: Picture) -> tuple[bytes, Container, tuple[str, ...]]:
    """The file of a picture, its parts, and notices."""
    channels = picture.channels + ([] if picture.alpha is None else [picture.alpha])
    content = encode_lossless(channels)
    container = _container(picture, content)
    height, width = picture.samples.shape[:2]
    notices = ()
    large = width * height >= SMALL and picture.samples.dtype == np.uint8
    if large and 8 * len(content) > MUCH * width * height * len(channels):
        bits = 8 * len(content) / (width * height * len(channels))
        notices = (f"{bits:.1f} bits a sample: a photograph is better off with a quality, or a largest error",)
    return pack(container), container, notices


def encode_nearly(picture: Picture, most: float) -> tuple[bytes, Container, Picture]:
    """The file of a picture whose samples are off by at most `most`, its parts, and what a decoder makes of it.

    As near-lossless codecs do, samples become those of a lattice (of integers with the unit 2 most + 1), which are
    coded without loss. Alpha stays exact; so does all where floats are too coarse for a lattice.
    """
    exact = picture.format.type != FLOAT and most < 1 and not picture.holes and picture.unseen(0) is None
    coded = None if exact else _on_lattices(picture, most)
    if coded is None:
        return (*encode_losslessly(picture)[:2], picture)
    numbers, lattices, samples = coded
    shown = replace(picture, samples=samples)
    if any(not np.abs(errors(picture, shown, number)).max(initial=0) <= most for number in range(len(numbers))):
        return (*encode_losslessly(picture)[:2], picture)
    if picture.alpha is not None:
        numbers.append(picture.alpha)
        lattices.append(None)
    container = _container(picture, encode_lossless(numbers, lattices))
    return pack(container), container, shown


def samples_instead(picture: Picture, shown: Picture, size: int) -> tuple[bytes, Container, Picture] | None:
    """As `encode_nearly`, with errors that keep the PSNR and the largest error of `shown`; in at most `size` bytes.

    None where it takes more: where samples have noise, which diffusion leaves out.
    """
    found = [errors(picture, shown, number) for number in range(len(picture.channels))]
    largest = max(float(np.abs(error).max()) for error in found)
    square = min(float(np.mean(error**2)) for error in found)
    step = 0 if picture.format.type == FLOAT else 1
    uniform = (math.sqrt(step + 12 * square) - step) / 2  # the largest of errors with that mean square
    for share in _SHARES:
        coded = encode_nearly(picture, min(largest, share * uniform))
        if len(coded[0]) > size:
            break
        if picture_psnr(picture, coded[2]) >= picture_psnr(picture, shown):
            return coded
    return None


def _on_lattices(picture: Picture, most: float) -> tuple[list[np.ndarray], list[Lattice | None], np.ndarray] | None:
    """Numbers of each channel's samples in its lattice, the lattices, and the samples; None where there is none."""
    coded, lattices, shown = [], [], []
    for number, channel in enumerate(picture.channels):
        marked = [(h.value, h.mask) for h in picture.holes if number in h.planes]
        marks, masks = tuple(value for value, _ in marked), [mask for _, mask in marked]
        found = []
        if len(marks) <= MAX_MARKS:
            found = lattices_for(*picture.range(number), most, marks, picture.format.dtype)
        if not found:
            return None
        lattice = min(found, key=lambda one: changes(one.nearest(channel, masks))) if len(found) > 1 else found[0]
        numbers = lattice.nearest(channel, masks)
        unseen = picture.unseen(number)
        if unseen is not None and not marks:
            numbers = _continued(numbers, unseen)
        coded.append(numbers)
        lattices.append(lattice)
        shown.append(_samples_of(lattice, numbers))
    return coded, lattices, shown[0] if picture.samples.ndim == 2 else np.stack(shown, axis=-1)


def changes(numbers: np.ndarray) -> int:
    """How many pixels differ from the one on their left or above: what most bits are needed for."""
    return int(np.count_nonzero(numbers[:, 1:] != numbers[:, :-1]) + np.count_nonzero(numbers[1:] != numbers[:-1]))


def _samples_of(lattice: Lattice, numbers: np.ndarray) -> np.ndarray:
    used, at = np.unique(numbers, return_inverse=True)
    return lattice.samples(used.tolist())[at.reshape(numbers.shape)]


def _continued(numbers: np.ndarray, unseen: np.ndarray) -> np.ndarray:
    """Numbers (H, W) with the unseen ones those of the pixel on their left that is seen, or of the row above."""
    column = np.where(unseen, -1, np.arange(numbers.shape[1]))
    last = np.maximum.accumulate(column, axis=1)
    numbers = np.take_along_axis(numbers, np.maximum(last, 0), axis=1)
    for y in range(len(numbers)):  # the beginnings of rows
        start = last[y] < 0
        numbers[y, start] = numbers[y - 1, start] if y else 0
    return numbers


def _container(picture: Picture, content: bytes) -> Container:
    """A file of lossless samples."""
    height, width = picture.samples.shape[:2]
    chunks = metadata_chunks(picture.metadata)
    if picture.palette is not None:
        colours = picture.palette.colours
        chunks.append(plane_chunk(PALETTE, (0,), bytes([colours.shape[1]]) + colours.tobytes()))
    chunks.append(Chunk(LOSSLESS, content))
    layout = COLOUR_444 if picture.layout == COLOUR_420 else picture.layout
    alpha = NO_ALPHA if picture.alpha is None else ALPHA_PLANE
    count = len(picture.channels) + (picture.alpha is not None)
    return Container(width, height, layout, (b"",) * count, alpha, picture.format, tuple(chunks))


def diffusion_may_win(picture: Picture, most: float, size: int) -> bool:
    """Whether a picture may take fewer than `size` bytes by diffusion and what is added to it, with the same error."""
    pixels = picture.samples.size
    return (most >= 1 or picture.format.type == FLOAT) and size * 8 <= MOST_NEAR * pixels
