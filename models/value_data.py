"""Training samples of the value model: `python -m dinp.models.value_data --data DIR --out runs/values.npz`.

Pictures are coded as the encoder codes them (tree, tonal optimisation, quantisation), at many steps; what the value
coder sees of each level is recorded. Trees come from the teacher labels and from the pyramid, planes are grey and
chroma, whole pictures and crops, and some masks are free ones, so that the model meets everything that a file can
hold.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from dinp.entropy import value_coder
from dinp.entropy.order import passes
from dinp.entropy.tree import Leaves, Tree, tree_from_leaves
from dinp.inpaint import Inpainter
from dinp.pyramid import detail_gains, leaf_count, pruned_tree
from dinp.section import known_data_of
from dinp.steps import STEP_TABLE, quantise, steps_of
from dinp.tonal import tonal_optimisation

POINT_COST = 4.0  # energy that a point must remove, in squared steps: the encoder's rule


def matching_step_index(plane: np.ndarray, points: int) -> int:
    """Step index at which the pyramid would spend `points` on the plane."""
    gains = detail_gains(plane, 5)
    low, high = 0, 150
    while high - low > 1:
        middle = (low + high) // 2
        step = STEP_TABLE[middle] / 16
        if leaf_count(pruned_tree(gains, plane.shape, POINT_COST * step * step)) > points:
            low = middle
        else:
            high = middle
    return high


def samples_of(
    plane: np.ndarray, structure: Tree | np.ndarray, side_log2: int, step_index: int
) -> dict[str, np.ndarray]:
    """What the value coder sees of each level of a plane: features, offset from the base prediction, scale and step."""
    known = known_data_of(structure, side_log2)
    values, _ = tonal_optimisation(Inpainter(known.mask), known, plane, known.mean(plane), steps=4, cycles=1)
    steps = steps_of(known.side, step_index)
    levels = quantise(values, steps)
    state = value_coder._state(known.y, known.x, known.side, steps)
    parts = []
    for p in passes(known.y, known.x, plane.shape):
        x, base, scale = value_coder.features(state, p)
        step = state.step[p.index]
        parts.append((x, levels[p.index] * step - base, scale, step))
        value_coder._store(state, p, levels[p.index], base)
    x, offset, scale, step = (np.concatenate(column) for column in zip(*parts, strict=True))
    x = np.clip(x, -(2**15), 2**15 - 1).astype(np.int16)
    rest = {"offset": offset, "scale": scale, "step": step}
    return {"features": x} | {name: column.astype(np.int32) for name, column in rest.items()}


def chroma(picture: Image.Image, band: int) -> np.ndarray:
    """Cb (1) or Cr (2) at half resolution, float64."""
    half = picture.convert("YCbCr").reduce(2)
    return np.asarray(half, dtype=np.float64)[:, :, band]


def generate(data: Path, count: int, seed: int) -> dict[str, np.ndarray]:
    """Samples of `count` planes in a random order of kinds."""
    rng = np.random.default_rng(seed)
    trees = dict(np.load(data / "train" / "teacher_trees.npz"))
    masks = dict(np.load(data / "train" / "teacher_masks.npz"))
    collected = []
    for number in range(count):
        kind = rng.choice(["teacher", "pruned", "chroma", "free"], p=[0.45, 0.3, 0.15, 0.1])
        i = int(rng.integers((masks if kind == "free" else trees)["picture"].size))
        source = masks if kind == "free" else trees
        with Image.open(data / "train" / str(source["picture"][i])) as file:
            picture = file.convert("RGB")
        grey = np.asarray(picture.convert("L"), dtype=np.float64)
        y, x = int(source["y"][i]), int(source["x"][i])
        structure: Tree | np.ndarray
        if kind == "teacher":
            plane, side_log2 = grey[y : y + 256, x : x + 256], 5
            rows = trees["leaves"][trees["offsets"][i] : trees["offsets"][i + 1]].astype(np.int64)
            structure = tree_from_leaves((256, 256), Leaves(*rows.T), 32)
            index = matching_step_index(plane, rows.shape[0]) + int(rng.integers(-10, 11))
        elif kind == "free":
            plane, side_log2 = grey[y : y + 192, x : x + 192], 3
            structure = np.unpackbits(masks["bits"][i])[: 192 * 192].reshape(192, 192).astype(bool)
            index = matching_step_index(plane, int(structure.sum())) + int(rng.integers(-10, 11))
        else:
            plane = chroma(picture, int(rng.integers(1, 3))) if kind == "chroma" else grey
            side_log2, index = 5, int(rng.integers(24, 100))
            step = STEP_TABLE[index] / 16
            cost = POINT_COST * step * step * 2.0 ** rng.uniform(-1.5, 1.5)
            structure = pruned_tree(detail_gains(plane, side_log2), plane.shape, cost)
        k = int(rng.integers(2))
        if k and not isinstance(structure, Tree):
            plane, structure = plane.T, structure.T
        collected.append(samples_of(plane, structure, side_log2, int(np.clip(index, 0, 150))))
        if number % 20 == 0:
            print(f"{number} planes, {sum(c['step'].size for c in collected)} values", flush=True)
    return {name: np.concatenate([c[name] for c in collected]) for name in collected[0]}


def main(argv: list[str] | None = None) -> None:
    """Write the samples as one npz file."""
    parser = argparse.ArgumentParser(prog="python -m dinp.models.value_data", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=700)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    np.savez(args.out, **generate(args.data, args.count, args.seed))


if __name__ == "__main__":
    main()
