"""Chunks that stand beside the sections: mattes, holes, residuals, and steps of their own (docs/format.md, section 4).

A *stream* is range-coded (`dinp.entropy.coder`) and reaches to the end of its chunk; what is said there of streams that
are too long holds for it. A *mask* at full resolution begins with a byte: 0, then a stream of occupancy flags
(`dinp.entropy.mask_coder`) comes; 1 or 2, then a stream of contours (`dinp.entropy.crack_coder`), each of which divides
set pixels from others, the upper left one not being set (1) or set (2). Others, and contours that no mask has, must be
rejected.

MATTE      a mask: where it is set alpha is 255, elsewhere 0.

HOLES      after the byte of planes: a sample, packed as in the sample format, of the type of the picture's samples (it
           need not be in the range, nor finite); then a mask: where it is set, the samples of the planes named are
           this one, whatever else was decoded. Serves no alpha. In a colour picture it names all three planes. Of
           several chunks a later one counts more.

RESIDUAL   after the byte of planes, which names one: the unit, packed as a sample (alpha: 8 bits), above 0 and finite;
           then a stream of residuals (`dinp.entropy.residual_coder`), one a sample. unit x residual is added to the
           plane's samples, integers after they are rounded; the sum is limited to the range (alpha: 0 to 255). In a
           colour picture planes 0, 1, 2 stand for R, G, B here. Holes come after it.

STEPS      after the byte of planes: a byte, not 0, whose bit k says that cells of side 2^k have a step of their own;
           then a varint for each set bit, from bit 0 on: the step, 1 to 2^19 - 1, in the unit of the table. Others, or
           bytes that are left, must be rejected.
"""

import math

import numpy as np

from dinp.bitstream.samples import EIGHT_BITS, SampleFormat
from dinp.bitstream.steps import MAX_STEP
from dinp.bitstream.varint import decode_varint, encode_varint
from dinp.entropy.coder import RangeDecoder, RangeEncoder
from dinp.entropy.crack_coder import ABOVE, LEFT, cracks_of, decode_cells, encode_cracks
from dinp.entropy.mask_coder import decode_mask, encode_mask
from dinp.errors import DinpError

FLAGS, CONTOURS = 0, 1
_AT_ONCE = 1 << 20  # pixels of a mask's contours, so that it takes little more memory than the mask


def mask_stream(mask: np.ndarray) -> bytes:
    """A mask (H, W) bool as a stream: the content of MATTE."""
    encoder = RangeEncoder()
    encode_mask(encoder, mask)
    by_flags = bytes([FLAGS]) + encoder.finish()
    by_contours = bytes([CONTOURS + int(mask[0, 0])]) + encode_cracks(*cracks_of(mask))
    return min(by_flags, by_contours, key=len)


def read_mask_stream(data: bytes, shape: tuple[int, int]) -> np.ndarray:
    """Mirror of `mask_stream`: (H, W) bool; DinpError if it is damaged."""
    method = data[0] if data else -1
    if method == FLAGS:
        decoder = RangeDecoder(data[1:])
        mask = decode_mask(decoder, shape)
        decoder.check_exhausted()
        return mask
    if method not in (CONTOURS, CONTOURS + 1):
        raise DinpError("the file is damaged: it has a mask of an unknown kind")
    cells = decode_cells(data[1:], shape)
    mask = cells >= LEFT
    mask[:, 0] = cells[:, 0] & ABOVE
    mask[0, 0] = method != CONTOURS
    mask[:, 0] = np.bitwise_xor.accumulate(mask[:, 0])
    rows = -(-_AT_ONCE // shape[1])
    for y in range(0, shape[0], rows):
        first, end = max(y, 1), min(y + rows, shape[0])
        mask[y:end] = np.bitwise_xor.accumulate(mask[y:end], axis=1)
        if not np.array_equal(mask[first:end] != mask[first - 1 : end - 1], cells[first:end] & ABOVE):
            raise DinpError("the file is damaged: the contours of a mask are not closed")
    return mask


def holes_body(value: float, mask: np.ndarray, samples: SampleFormat) -> bytes:
    """HOLES without the byte of planes."""
    return samples.pack_sample(value) + mask_stream(mask)


def read_holes(body: bytes, samples: SampleFormat, shape: tuple[int, int]) -> tuple[float, np.ndarray]:
    """Mirror of `holes_body`: the sample and the mask (H, W) bool; DinpError if it is damaged."""
    size = samples.sample_bytes
    if len(body) < size:
        raise DinpError("the file is damaged: its holes are cut off")
    value = samples.unpack_sample(body[:size])
    least, largest = samples.limits()
    if math.isfinite(value) and not least <= value <= largest:
        raise DinpError("the file is damaged: its holes have an impossible value")
    return value, read_mask_stream(body[size:], shape)


def residual_body(residual: np.ndarray, unit: float, samples: SampleFormat = EIGHT_BITS) -> bytes:
    """RESIDUAL without the byte of planes: (H, W) of integers, in units of `unit` samples."""
    from dinp.entropy.residual_coder import encode_residual

    encoder = RangeEncoder()
    encode_residual(encoder, residual)
    return samples.pack_sample(unit) + encoder.finish()


def read_residual(body: bytes, shape: tuple[int, int], samples: SampleFormat = EIGHT_BITS) -> tuple[float, np.ndarray]:
    """Mirror of `residual_body`: unit and residual (H, W) int32; DinpError if it is damaged."""
    from dinp.entropy.residual_coder import decode_residual

    size = samples.sample_bytes
    unit = samples.unpack_sample(body[:size]) if len(body) >= size else 0
    if not (math.isfinite(unit) and unit > 0):
        raise DinpError("the file is damaged: its residual has no unit")
    decoder = RangeDecoder(body[size:])
    residual = decode_residual(decoder, shape)
    decoder.check_exhausted()
    return unit, residual


def steps_body(steps: tuple[int, ...]) -> bytes:
    """STEPS without the byte of planes: steps by log2 of the side, 0 for those of the table."""
    given = bytes([sum(1 << k for k, step in enumerate(steps) if step)])
    return given + b"".join(encode_varint(step) for step in steps if step)


def read_steps(body: bytes) -> tuple[int, ...]:
    """Mirror of `steps_body`; DinpError if it is damaged."""
    given, at = (body[0] if body else 0), 1
    steps = [0] * given.bit_length()
    for k in range(len(steps)):
        if given >> k & 1:
            steps[k], at = decode_varint(body, at, len(body))
            if not 0 < steps[k] <= MAX_STEP:
                raise DinpError("the file is damaged: its steps are invalid")
    if not steps or at != len(body):
        raise DinpError("the file is damaged: its steps are invalid")
    return tuple(steps)
