"""The codec "dinp" of zarr's format 3, from arrays to bytes.

>>> import zarr
>>> from dinp.chunks.zarr import DinpCodec
>>> codec = DinpCodec(max_error=0.5)  # metres, say; exact without
>>> zarr.create_array("dem.zarr", data=elevation, chunks=(512, 512), serializer=codec, compressors=None)
"""

import asyncio
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from zarr.abc.codec import ArrayBytesCodec
from zarr.core.array_spec import ArraySpec
from zarr.core.buffer import Buffer, NDBuffer

from dinp.chunks.chunk import check, check_error, decode_chunk, encode_chunk
from dinp.errors import DinpError

NAME = "dinp"


@dataclass(frozen=True)
class DinpCodec(ArrayBytesCodec):
    """Chunks of depth, elevation, labels and other piecewise smooth planes; settings as `encode_chunk` takes them."""

    is_fixed_size = False

    max_error: float | None = None
    hole: float | None = None
    effort: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "max_error", check_error(self.max_error))

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The codec of what zarr's metadata say."""
        return cls(**data.get("configuration", {}))

    def to_dict(self) -> dict[str, Any]:
        """What zarr's metadata are to say."""
        settings = {"max_error": self.max_error, "hole": self.hole, "effort": self.effort}
        return {"name": NAME, "configuration": settings}

    def validate(self, *, shape: tuple[int, ...], dtype: Any, chunk_grid: Any) -> None:  # noqa: ANN401 (as zarr's)
        """Raise DinpError for chunks that are no planes, or of another type."""
        check(getattr(chunk_grid, "chunk_shape", shape), dtype.to_native_dtype())

    def _encode_sync(self, chunk_array: NDBuffer, chunk_spec: ArraySpec) -> Buffer:
        data = encode_chunk(chunk_array.as_numpy_array(), max_error=self.max_error, hole=self.hole, effort=self.effort)
        return chunk_spec.prototype.buffer.from_bytes(data)

    def _decode_sync(self, chunk_bytes: Buffer, chunk_spec: ArraySpec) -> NDBuffer:
        chunk = decode_chunk(chunk_bytes.to_bytes(), chunk_spec.shape)
        dtype = chunk_spec.dtype.to_native_dtype()
        if chunk.dtype != dtype.newbyteorder("="):
            raise DinpError(f"the chunk holds {chunk.dtype}, the array is of {dtype}")
        return chunk_spec.prototype.nd_buffer.from_numpy_array(np.ascontiguousarray(chunk, dtype))

    async def _encode_single(self, chunk_array: NDBuffer, chunk_spec: ArraySpec) -> Buffer:
        return await asyncio.to_thread(self._encode_sync, chunk_array, chunk_spec)

    async def _decode_single(self, chunk_bytes: Buffer, chunk_spec: ArraySpec) -> NDBuffer:
        return await asyncio.to_thread(self._decode_sync, chunk_bytes, chunk_spec)

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: ArraySpec) -> int:
        """Not known before."""
        raise NotImplementedError
