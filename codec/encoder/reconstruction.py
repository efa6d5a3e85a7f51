"""What a decoder makes of a plane's code before any restoration: computed when asked for, whole or in windows."""

import numpy as np

from dinp.bitstream.section import PlaneCode
from dinp.bitstream.structure import KnownData
from dinp.decoder import reconstruct
from dinp.diffusion.inpaint import Inpainter

AROUND = 64  # pixels; a window is solved with so many around it


class Reconstruction:
    """The inpainting of a code's values."""

    def __init__(self, code: PlaneCode, known: KnownData, inpainter: Inpainter) -> None:
        self._code, self._known = code, known
        self._inpainter: Inpainter | None = inpainter
        self._plane: np.ndarray | None = None

    def __call__(self) -> np.ndarray:
        """The whole, (H, W) float64."""
        if self._plane is None:
            self._plane = reconstruct(self._code, self._known, self._inpainter)
        return self._plane

    def windows(self, parts: list[tuple[slice, slice]]) -> np.ndarray:
        """A plane (H, W) that is right, but for what comes from farther than `AROUND`, in these parts."""
        if self._plane is not None:
            return self._plane
        plane, values, label = np.zeros(self._known.mask.shape), self._code.values(self._known), self._known.label
        for part in parts:
            wide = tuple(slice(max(side.start - AROUND, 0), side.stop + AROUND) for side in part)
            if not self._known.mask[wide].any():
                return self()
            inside = tuple(slice(s.start - w.start, s.stop - w.start) for s, w in zip(part, wide, strict=True))
            plane[part] = Inpainter(self._known.mask[wide]).solve(values[label[wide]])[inside]
        return plane

    def release(self) -> None:
        """Keep no inpainter for it, which takes much memory."""
        self._inpainter = None
