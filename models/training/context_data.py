"""Training samples of the context models: `dinp train context-data --data DIR --out runs/contexts.npz`.

Pictures are coded as the encoder codes them (network, growth, tonal optimisation, choice of levels) at many steps and
densities, and what the coders see of every split flag and of every level is recorded. Planes are grey and chroma; some
masks are free ones, from the teacher labels, so that the value model meets everything that a file can hold.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from dinp.bitstream.steps import GREY, STEP_TABLE, steps_of
from dinp.encoder.levels import choose_levels
from dinp.encoder.placement import (
    DEFAULT_EFFORT,
    POINT_COST,
    TreeModel,
    Trial,
    first_tree,
    grow_tree,
    tune,
    wanted_points,
)
from dinp.encoder.prices import BIT_COST
from dinp.encoder.pyramid import detail_gains
from dinp.entropy import value_model
from dinp.entropy.flag_coder import flag_samples
from dinp.entropy.order import Order

ROOT_LOG2 = 5
FREE_SIDE_LOG2 = 3
FREE_CROP = 192


def value_samples(plane: np.ndarray, trial: Trial, step_index: int) -> dict[str, np.ndarray]:
    """What the value coder sees of each level: features, offset from the base prediction, scale and step."""
    known = trial.known
    steps = steps_of(known.side, step_index)
    levels = choose_levels(plane, trial, step_index, BIT_COST * (float(STEP_TABLE[step_index]) / GREY) ** 2)
    state = value_model.ValueState.unknown(known.y, known.x, known.side, steps)
    order = Order(known.y, known.x, plane.shape)
    parts = []
    for p in order.passes():
        neighbour = order.neighbours(p)
        x, base, scale = value_model.features(state, p, neighbour)
        step = state.step[p.index]
        parts.append((x, levels[p.index] * step - base, scale, step))
        state.settle(p, neighbour, levels[p.index], base)
    x, offset, scale, step = (np.concatenate(column) for column in zip(*parts, strict=True))
    x = np.clip(x, -(2**15), 2**15 - 1).astype(np.int16)
    rest = {"offset": offset, "scale": scale, "step": step}
    return {"features": x} | {name: column.astype(np.int32) for name, column in rest.items()}


def chroma(picture: Image.Image, band: int) -> np.ndarray:
    """Cb (1) or Cr (2) at half resolution, (ceil(H / 2), ceil(W / 2)) float64."""
    return np.asarray(picture.convert("YCbCr").reduce(2), dtype=np.float64)[:, :, band]


def code_plane(
    plane: np.ndarray, rng: np.random.Generator, model: TreeModel
) -> tuple[dict[str, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Value samples and flag samples of a plane, coded at a random step and cost of points."""
    index = int(rng.integers(20, 104))
    gains = detail_gains(plane, ROOT_LOG2)
    step = float(STEP_TABLE[index]) / GREY
    points = wanted_points(plane, gains, step, POINT_COST * 2.0 ** rng.uniform(-0.7, 0.7))
    tree = first_tree(plane, gains, points, DEFAULT_EFFORT.share, model)
    trial = grow_tree(plane, tree, points, DEFAULT_EFFORT, lambda _: None)
    return value_samples(plane, trial, index), flag_samples(trial.structure.splits, plane.shape, trial.structure.sides)


def generate(
    data: Path, count: int, seed: int, model: TreeModel, done: Callable[[], object] = lambda: None
) -> dict[str, np.ndarray]:
    """Samples of `count` planes of random training pictures, in random orientation; trees begun by `model`.

    `done` is called after each plane.
    """
    rng = np.random.default_rng(seed)
    pictures = sorted([*(data / "train" / "bsds").iterdir(), *(data / "train" / "cid22").iterdir()])
    masks = dict(np.load(data / "train" / "teacher_masks.npz"))
    values, flags = [], []
    for _ in range(count):
        kind = rng.choice(["grey", "chroma", "free"], p=[0.7, 0.2, 0.1])
        if kind == "free":
            i = int(rng.integers(masks["picture"].size))
            with Image.open(data / "train" / str(masks["picture"][i])) as file:
                grey = np.asarray(file.convert("L"), dtype=np.float64)
            y, x = int(masks["y"][i]), int(masks["x"][i])
            plane = grey[y : y + FREE_CROP, x : x + FREE_CROP]
            mask = np.unpackbits(masks["bits"][i], count=FREE_CROP**2).reshape(FREE_CROP, FREE_CROP).astype(bool)
            # the step that the encoder's rule would pair with this density on a picture of middling detail
            index = int(np.clip(56 - 11.5 * np.log2(mask.mean() / 0.05) + rng.integers(-16, 17), 0, 120))
            values.append(value_samples(plane, tune(plane, mask, FREE_SIDE_LOG2, None, 3), index))
        else:
            with Image.open(pictures[int(rng.integers(len(pictures)))]) as file:
                picture = file.convert("RGB").transpose(Image.Transpose(int(rng.integers(7))))
            plane = (
                chroma(picture, int(rng.integers(1, 3)))
                if kind == "chroma"
                else np.asarray(picture.convert("L"), float)
            )
            coded = code_plane(plane, rng, model)
            values.append(coded[0])
            flags.append(coded[1])
        done()
    samples = {name: np.concatenate([v[name] for v in values]) for name in values[0]}
    return samples | {
        "flag_features": np.concatenate([f[0] for f in flags]),
        "flags": np.concatenate([f[1] for f in flags]),
    }
