"""The codec "dinp" of numcodecs: for zarr's format 2, and whoever else takes codecs from its registry.

>>> import numcodecs
>>> codec = numcodecs.get_codec({"id": "dinp", "max_error": 0.5})  # metres, say; exact without
>>> codec.decode(codec.encode(elevation))
"""

import numpy as np
from numcodecs.abc import Codec
from numcodecs.compat import ensure_bytes, ensure_ndarray, ndarray_copy

from dinp.chunks.chunk import check_error, decode_chunk, encode_chunk


class Dinp(Codec):
    """Chunks of depth, elevation, labels and other piecewise smooth planes; settings as `encode_chunk` takes them."""

    codec_id = "dinp"

    def __init__(self, max_error: float | None = None, hole: float | None = None, effort: int = 1) -> None:
        self.max_error, self.hole, self.effort = check_error(max_error), hole, effort

    def encode(self, buf: np.ndarray) -> bytes:
        """Bytes of a chunk; DinpError for one that is no plane, see `dinp.chunks.chunk`."""
        return encode_chunk(ensure_ndarray(buf), max_error=self.max_error, hole=self.hole, effort=self.effort)

    def decode(self, buf: bytes, out: np.ndarray | None = None) -> np.ndarray:
        """The chunk (H, W), in `out` where that is given."""
        chunk = decode_chunk(ensure_bytes(buf))
        return chunk if out is None else ndarray_copy(chunk, out)
