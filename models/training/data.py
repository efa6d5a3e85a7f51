"""Data pipeline of the mask and tree networks: teacher labels and their pictures, cropped, cached and augmented.

The labels were made on grey pictures (Pillow's `convert("L")`) below a data folder:

    train/teacher_masks.npz   picture, y, x, bits (masks of 192x192 crops, packed in row order)
    train/teacher_trees.npz   picture, y, x, leaves, offsets (rows y, x, side: quadtrees of 256x256, roots of 32)
    train/<picture>           the pictures

`dinp.models.training.mask_labels` makes more masks, in files of the first form. Every 20th picture is held out for
validation, with all its crops.
"""

import tokenize
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from dinp.errors import DinpError
from dinp.models.networks.tree import SIDES

MASK_CROP, TREE_CROP = 192, 256
HELD_OUT = 20
SUFFIXES = (".jpg", ".png")
_DAMAGED = (zipfile.BadZipFile, zlib.error, tokenize.TokenError)
ABSENT = -1  # a cell that does not exist in a tree


@dataclass(frozen=True)
class Labelled:
    """Crops with their labels.

    Attributes
    ----------
    planes : (N, n, n) uint8
        Grey values.
    labels : list of arrays
        For masks one (N, n, n) uint8 of 0 and 1; for trees one (N, n / side, n / side) int8 per cell side from 32 to 2:
        1 split, 0 a leaf, `ABSENT` no such cell.
    density : (N,) float32
        Known pixels, or leaves, per pixel of the crop.
    """

    planes: np.ndarray
    labels: list[np.ndarray]
    density: np.ndarray

    def __len__(self) -> int:
        return self.planes.shape[0]

    def select(self, rows: np.ndarray) -> "Labelled":
        return Labelled(self.planes[rows], [label[rows] for label in self.labels], self.density[rows])


def load_masks(data: Path, limit: int | None = None, files: Sequence[Path] | None = None) -> tuple[Labelled, Labelled]:
    """Training and validation crops of the mask network; `limit` takes the first labels only, of each of the files."""
    columns = []
    for path in [Path(data) / "train" / "teacher_masks.npz"] if files is None else files:
        found = _labels(path, ("picture", "y", "x", "bits"), "masks to imitate")
        columns.append([column[:limit] for column in found])
    picture, y, x, bits = (np.concatenate(column) for column in zip(*columns, strict=True))
    bits = np.unpackbits(bits, axis=1, count=MASK_CROP * MASK_CROP)
    masks = bits.reshape(-1, MASK_CROP, MASK_CROP)
    planes = _crops(data, picture, y, x, MASK_CROP)
    density = masks.mean(axis=(1, 2)).astype(np.float32)
    return _held_out(data, Labelled(planes, [masks], density), picture)


def load_trees(data: Path, limit: int | None = None) -> tuple[Labelled, Labelled]:
    """Training and validation crops of the tree network; `limit` takes the first labels only."""
    path = Path(data) / "train" / "teacher_trees.npz"
    *found, leaves, offsets = _labels(path, ("picture", "y", "x", "leaves", "offsets"), "trees to imitate")
    picture, y, x = (column[:limit] for column in found)
    offsets = offsets[: len(picture) + 1].astype(np.int64)
    trees = [split_pyramid(leaves[a:b], TREE_CROP) for a, b in pairwise(offsets)]
    labels = [np.stack(level) for level in zip(*trees, strict=True)]
    density = np.diff(offsets).astype(np.float32) / TREE_CROP**2
    return _held_out(data, Labelled(_crops(data, picture, y, x, TREE_CROP), labels, density), picture)


def split_pyramid(leaves: np.ndarray, size: int) -> list[np.ndarray]:
    """Split flags of a quadtree from its leaves.

    Parameters
    ----------
    leaves : (K, 3) integer array
        Rows (y, x, side) that tile a square of `size` pixels, a multiple of 32.

    Returns
    -------
    list of int8 arrays
        For the sides 32, 16, 8, 4, 2: (size / side, size / side), 1 split, 0 a leaf, `ABSENT` no such cell.
    """
    y, x, side = leaves.astype(np.int64).T
    pyramid = []
    exists = np.ones((size // SIDES[0],) * 2, dtype=bool)
    for s in SIDES:
        split = np.zeros((size // s,) * 2, dtype=np.int8)
        smaller = side < s
        split[y[smaller] // s, x[smaller] // s] = 1
        pyramid.append(np.where(exists, split, np.int8(ABSENT)))
        exists = (pyramid[-1] == 1).repeat(2, axis=0).repeat(2, axis=1)
    return pyramid


def dihedral(a: np.ndarray, k: int) -> np.ndarray:
    """One of the eight flips and rotations, k = 0 to 7, of the last two axes."""
    a = a.swapaxes(-1, -2) if k & 4 else a
    a = a[..., ::-1, :] if k & 2 else a
    return a[..., ::-1] if k & 1 else a


def augment(
    plane: np.ndarray, labels: list[np.ndarray], rng: np.random.Generator
) -> tuple[np.ndarray, list[np.ndarray]]:
    """A random flip or rotation and a random affine change of grey values, inversion included.

    Diffusion inpainting is linear and reproduces constants, so the optimal mask does not change with the grey values'
    sign, scale or offset. Rounding makes low contrasts differ a little, hence the change of scale.
    """
    k = int(rng.integers(8))
    gain = np.float32(np.exp(rng.uniform(-0.7, 0.2)) * rng.choice([-1, 1]))
    changed = np.rint(127.5 + gain * (dihedral(plane, k).astype(np.float32) - 127.5))
    return changed, [dihedral(label, k) for label in labels]


def draw(crops: Labelled, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """A batch of augmented crops: planes (size, n, n), densities (size,), and labels."""
    rows = rng.integers(len(crops), size=size)
    drawn = [augment(crops.planes[i], [label[i] for label in crops.labels], rng) for i in rows]
    planes = np.stack([plane for plane, _ in drawn])
    labels = [np.stack(level) for level in zip(*(labels for _, labels in drawn), strict=True)]
    return planes, crops.density[rows], labels


def to_tensors(
    planes: np.ndarray, density: np.ndarray, labels: list[np.ndarray], device: torch.device
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Planes (B, 1, n, n) float32, densities (B,) float32 and labels float32 on `device`."""
    tensors = [torch.from_numpy(np.ascontiguousarray(a, dtype=np.float32)) for a in (planes, density, *labels)]
    planes_, density_, *labels_ = (t.to(device, non_blocking=True) for t in tensors)
    return planes_[:, None], density_, labels_


def grey(path: Path) -> np.ndarray:
    """Grey values of a picture, (H, W) uint8."""
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("L"))
    except OSError as error:
        raise DinpError(f"the picture {path} cannot be read: {error}") from None


def _labels(path: Path, names: Sequence[str], what: str) -> list[np.ndarray]:
    if not path.is_file():
        raise DinpError(f"the labels {path} are missing: give the folder, or the files, that hold them")
    return read_arrays(path, names, what)


def read_arrays(path: Path, names: Sequence[str], what: str) -> list[np.ndarray]:
    """Arrays of a .npz file, by name.

    Raises
    ------
    DinpError
        "... holds no `what`": the file cannot be read, is damaged, or has no such arrays.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            return [archive[name] for name in names]
    except (OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError, MemoryError, *_DAMAGED) as error:
        raise DinpError(f"{path} holds no {what}: {error}") from None


def _crops(data: Path, picture: np.ndarray, y: np.ndarray, x: np.ndarray, size: int) -> np.ndarray:
    read = lru_cache(maxsize=None)(grey)
    crops = np.empty((len(picture), size, size), dtype=np.uint8)
    for i, name in enumerate(picture):
        crops[i] = read(Path(data) / "train" / str(name))[y[i] : y[i] + size, x[i] : x[i] + size]
    return crops


def divided(data: Path) -> tuple[list[Path], list[Path]]:
    """The pictures below a data folder's train/: those to learn from, and those held out."""
    found = sorted(path for path in (Path(data) / "train").rglob("*") if path.suffix in SUFFIXES)
    held = found[HELD_OUT // 2 :: HELD_OUT]
    return [path for path in found if path not in set(held)], held


def _held_out(data: Path, crops: Labelled, picture: np.ndarray) -> tuple[Labelled, Labelled]:
    """Training and validation crops; the pictures that are there decide, not those that happen to have labels."""
    train = Path(data) / "train"
    held = np.isin(picture, [path.relative_to(train).as_posix() for path in divided(data)[1]])
    if held.all() or not held.any():  # too few pictures for a split, as in a trial run
        held = np.arange(len(picture)) % 2 == 1
    return crops.select(np.flatnonzero(~held)), crops.select(np.flatnonzero(held))
