"""The mask network as a plain function of numpy arrays, run by onnxruntime: its first pass, and later ones.

A plane is standardised once, as a whole. The network is run in three parts (`dinp.models.networks.unet_graph`): what
is done at half and at full resolution sees few pixels, and is done part by part, which stay in the processor's cache;
what is coarser sees far, takes a fifth of the work, and is done as a whole. So a plane of 8 million pixels has no
seams and hardly any work done twice; still larger ones are done in tiles that overlap by what the network sees.
"""

from collections.abc import Callable
from importlib.resources.abc import Traversable
from pathlib import Path

import numpy as np

from dinp.errors import DinpError
from dinp.models.networks.shares import GAIN, shares
from dinp.models.weights.confidences import exact_mean
from dinp.models.weights.files import Weights, read_weights, shipped
from dinp.models.weights.planes import checked, level, padded, standardised, tiles
from dinp.models.weights.runtime import LATER, PARTS, OnnxNetwork

TILE = (2304, 4096)  # rows and columns, multiples of 32: what is coarse takes 400 MB
MARGIN = 192  # pixels, a multiple of 32; the network sees 188 far
PART = (512, 512)  # rows and columns of what is done at a time at half and at full resolution, multiples of 32
REACH = 8  # pixels that the fine parts see at most, a multiple of 4

Confidences = Callable[..., np.ndarray]


class MaskModel:
    """The mask network as a function: (plane, density) -> confidences.

    `plane`: (H, W), grey values 0-255, any size; `density`: wanted mean, in (0, 1]. Confidences: (H, W) float32 in
    [0, 1] with mean `density`. Raises DinpError for other input.

    Attributes
    ----------
    passes : bool
        Whether the network can be told points that are placed already.
    """

    def __init__(self, weights: Weights) -> None:
        self.config = weights.config
        self.passes = bool(weights.config.get("passes"))
        self._first = [OnnxNetwork(f"mask_{part}", weights) for part in PARTS]
        self._later = [OnnxNetwork(f"mask_{LATER}{part}", weights) for part in PARTS] if self.passes else []

    def __call__(self, plane: np.ndarray, density: float) -> np.ndarray:
        return self.of(plane, density)()

    def of(self, plane: np.ndarray, density: float) -> Confidences:
        """Confidences of one plane, pass by pass, as a function of what is placed.

        Returns
        -------
        callable
            () -> confidences of the first pass, and (placed) -> those of the points that are missing where `placed`,
            (H, W) bool, has some already: 0 there, and of the mean that is left.

        Raises
        ------
        DinpError
            The plane or the density is out of range; when called, the network can be told nothing.
        """
        plane = checked(plane, density)
        standard = standardised(plane)
        known = level(density, self.config)

        def confidences(placed: np.ndarray | None = None) -> np.ndarray:
            if placed is not None and not self.passes:
                raise DinpError("this mask network places all points in one pass")
            if density == 1:
                return np.ones(plane.shape, np.float32) if placed is None else (~placed).astype(np.float32)
            logits = np.empty(plane.shape, dtype=np.float32)
            for seen, tile, inside in tiles(plane.shape, TILE, MARGIN):
                told = None if placed is None else placed[seen]
                logits[tile] = self._logits(standard[seen], known, told, density)[inside]
            if placed is None:
                return exact_mean(logits, density)
            left = density - np.count_nonzero(placed) / placed.size
            return exact_mean(logits, max(left, 1e-9), placed)

        return confidences

    def _logits(self, plane: np.ndarray, known: np.ndarray, placed: np.ndarray | None, density: float) -> np.ndarray:
        """Logits (H, W) of a standardised plane, or of a window of one."""
        height, width = plane.shape
        given = {"padded": padded(plane)[None, None]}
        coarse = {"level": known}
        fine, middle, last = self._first if placed is None else self._later
        if placed is not None:
            field = np.zeros(given["padded"].shape, dtype=np.float32)
            field[0, 0, :height, :width] = placed
            given["share_2"], *others = shares(field, density)
            given["placed"] = GAIN * field
            coarse |= {f"share_{4 << i}": share for i, share in enumerate(others)}
        whole = given["padded"].shape[2:]
        finest, coarser = (
            np.empty((1, width, whole[0] // side, whole[1] // side), dtype=np.float32)
            for width, side in zip(self.config["widths"], (2, 4), strict=False)
        )
        windows = list(tiles(whole, PART, REACH))
        for seen, tile, inside in windows:
            part = {name: a[_at(seen, whole[0] // a.shape[2])] for name, a in given.items()}
            one, two = fine(["finest", "coarser"], more=True, level=known, **part)
            finest[_at(tile, 2)] = one[_at(inside, 2)]
            coarser[_at(tile, 4)] = two[_at(inside, 4)]
        (back,) = middle(["back"], coarser=coarser, **coarse)
        del coarser
        logits = np.empty(plane.shape, dtype=np.float32)
        for i, (seen, tile, inside) in enumerate(windows, 1):
            told = {"placed": given["placed"][_at(seen)]} if placed is not None else {}
            (found,) = last(
                ["logits"],
                more=i < len(windows),
                finest=finest[_at(seen, 2)],
                back=back[_at(seen, 4)],
                plane=plane[seen][None, None],
                **told,
            )
            logits[tile] = found[0, 0][inside]
        return logits


def load_mask_model(path: Path | Traversable | None = None) -> MaskModel:
    """The mask network of a file of weights, by default of the shipped one.

    Raises
    ------
    DinpError
        The file is missing, or holds no mask network.
    """
    return MaskModel(read_weights("mask", shipped("mask.npz") if path is None else path))


def _at(window: tuple[slice, slice], side: int = 1) -> tuple[slice, ...]:
    """A window of pixels in an array (1, C, H / side, W / side)."""
    return (slice(None), slice(None), *(slice(part.start // side, part.stop // side) for part in window))
