"""Training data of the restoration network: pictures as this codec rebuilds them, at all qualities.

    dinp train restoration-data --data DATA --out runs/restoration/files_1.npz --seed 1

codes every training picture (with `--set tune`: every tuning picture) once, in a random orientation and size, at a
random quality, with the real encoder, without restoration or (`--restore`) with the shipped one in view. What is kept
is the dinp file and how the picture was turned, a few kilobytes each; `load_examples` decodes them to the planes that
the network sees.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image

import dinp
from dinp.assembly import beside
from dinp.bitstream.container import unpack
from dinp.bitstream.section import BARRIERS, decode_section
from dinp.bitstream.steps import GREY, STEP_TABLE
from dinp.decoder import reconstruct
from dinp.errors import DinpError
from dinp.models.training.data import read_arrays
from dinp.pictures.colour_transform import split_planes
from dinp.restoration import DecodedPlane, side_map

FOLDERS = {"train": ("train/bsds", "train/cid22"), "tune": ("tune/cid22",)}
QUALITIES = ((0.85, 3.0, 70.0), (0.15, 70.0, 100.0))  # share, from, to
COLOUR_SHARE = 0.35
RESIZED_SHARE = 0.35  # of the larger pictures; shrinking sharpens them and removes what their own coding left
SMALLEST_SCALE = 0.55
LARGE = 200_000  # pixels


@dataclass(frozen=True)
class Turn:
    """How a training picture was changed before coding: made grey, scaled, turned by quarters, mirrored."""

    picture: str
    colour: bool
    scale: float
    quarters: int
    mirrored: bool

    def apply(self, data: Path) -> np.ndarray:
        """The changed picture, (H, W) or (H, W, 3) uint8."""
        with Image.open(Path(data) / self.picture) as image:
            image = image.convert("RGB" if self.colour else "L")
        if self.scale < 1:
            size = [max(8, round(self.scale * side)) for side in image.size]
            image = image.resize(size, Image.Resampling.BICUBIC)
        array = np.rot90(np.asarray(image), self.quarters)
        return np.ascontiguousarray(array[:, ::-1] if self.mirrored else array)


@dataclass(frozen=True)
class Example:
    """A plane as it was, (H, W) uint8, and as the decoder has it before restoration."""

    original: np.ndarray
    decoded: DecodedPlane


def draw_turn(
    rng: np.random.Generator,
    picture: str,
    pixels: int,
    colour_share: float = COLOUR_SHARE,
    qualities: tuple[float, float] | None = None,
) -> tuple[Turn, float, int]:
    """A random change of a picture, quality (from a range, if one is given) and effort."""
    share, *_ = QUALITIES[0]
    low, high = QUALITIES[0][1:] if rng.random() < share else QUALITIES[1][1:]
    low, high = qualities or (low, high)  # drawn all the same: what else a seed gives does not change
    quality = float(rng.uniform(low, high))
    resized = pixels > LARGE and rng.random() < RESIZED_SHARE
    scale = float(rng.uniform(SMALLEST_SCALE, 1)) if resized else 1.0
    turn = Turn(picture, bool(rng.random() < colour_share), scale, int(rng.integers(4)), bool(rng.integers(2)))
    return turn, quality, int(rng.integers(1, 3))


def pictures(data: Path, chosen: str = "train", limit: int | None = None) -> list[str]:
    """Pictures of a set, as paths below DATA."""
    found = sorted(
        str(path.relative_to(data))
        for folder in FOLDERS[chosen]
        for path in (Path(data) / folder).glob("*")
        if path.suffix.lower() in {".jpg", ".png"}
    )
    if not found:
        raise DinpError(f"there are no pictures in {' and '.join(str(Path(data) / f) for f in FOLDERS[chosen])}")
    return found if limit is None else found[:: max(1, len(found) // limit)][:limit]


def make(
    data: Path,
    seed: int,
    chosen: str = "train",
    limit: int | None = None,
    progress: Callable[[int, int], object] = lambda *_: None,
    restore: bool = False,
    colour_share: float = COLOUR_SHARE,
    qualities: tuple[float, float] | None = None,
    part: tuple[int, int] = (0, 1),
) -> tuple[list[Turn], list[bytes]]:
    """Code every picture of a set ("train", "tune") once, or `limit` of them, or a part of these: every n-th from k on.

    With `restore` the encoder looks ahead to the shipped restoration, and makes what that one is to get in use. A share
    of the pictures is coded in colour; qualities are those of all rates, or from a range.

    Returns
    -------
    (list of Turn, list of bytes)
        How each picture was changed, and its dinp file.
    """
    if qualities is not None and not 0 <= qualities[0] <= qualities[1] <= 100:
        raise DinpError("qualities go from a lower to a higher one, from 0 to 100")
    if not 0 <= colour_share <= 1:
        raise DinpError(f"the share of colour must be from 0 to 1, not {colour_share:g}")
    if not 0 <= part[0] < part[1]:
        raise DinpError(f"there is no part {part[0]} of {part[1]}")
    rng = np.random.default_rng(seed)
    turns, files = [], []
    names = pictures(data, chosen, limit)[part[0] :: part[1]]
    for done, name in enumerate(names):
        with Image.open(Path(data) / name) as image:
            pixels = image.width * image.height
        turn, quality, effort = draw_turn(rng, name, pixels, colour_share, qualities)
        files.append(dinp.encode(turn.apply(data), quality=quality, effort=effort, restore=restore))
        turns.append(turn)
        progress(done + 1, len(names))
    return turns, files


def packed(turns: Sequence[Turn], files: Sequence[bytes]) -> dict[str, np.ndarray]:
    """What `make` returns as the arrays of a .npz file."""
    offsets = np.cumsum([0, *(len(file) for file in files)])
    text = json.dumps([vars(turn) for turn in turns])
    return {"files": np.frombuffer(b"".join(files), np.uint8), "offsets": offsets, "turns": np.array(text)}


def load(path: Path) -> tuple[list[Turn], list[bytes]]:
    """Read a file of what `packed` returns."""
    what = "coded training pictures"
    files, offsets, text = read_arrays(path, ("files", "offsets", "turns"), what)
    try:
        turns = [Turn(**turn) for turn in json.loads(str(text))]
    except (ValueError, TypeError) as error:
        raise DinpError(f"{path} holds no {what}: {error}") from None
    data = files.tobytes()
    return turns, [data[a:b] for a, b in pairwise(offsets)]


def examples(original: np.ndarray, file: bytes) -> list[Example]:
    """The planes of a picture (H, W) or (H, W, 3) uint8 and of its dinp file, one Example each; none with barriers."""
    container = unpack(file)
    planes = split_planes(original)
    shapes = container.shapes
    found = []
    for plane, section, shape, *own in zip(planes, container.sections, shapes, *beside(container), strict=True):
        if section[0] & 3 >= BARRIERS:
            continue
        code, known, _ = decode_section(section, shape, *own)
        sides = side_map(code.structure, code.side_log2)
        decoded = DecodedPlane(reconstruct(code, known), known.mask, sides, STEP_TABLE[code.step_index] / GREY)
        found.append(Example(np.clip(np.rint(plane), 0, 255).astype(np.uint8), decoded))
    return found


def load_examples(data: Path, paths: Sequence[Path]) -> tuple[list[str], list[Example]]:
    """All planes of all coded pictures of some files, and the picture that each is from."""
    names, found = [], []
    for path in paths:
        for turn, file in zip(*load(path), strict=True):
            planes = examples(turn.apply(data), file)
            found += planes
            names += [turn.picture] * len(planes)
    return names, found
