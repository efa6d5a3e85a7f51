"""What each part of the encoder for barriers gives, measured by leaving it out.

    python -m dinp.benchmarks.rd.edges DRAWN --output edges.json [--readme docs/benchmarks.md]

DRAWN holds pictures for tuning (`dinp.benchmarks.rd.drawn`). A plane is coded with barriers, whether a tree would be
cheaper or not, and its cost is what the encoder minimises: squared error + lambda x bits, at the lambda of the quality.
So a cost that is 1 % higher is about 1 % more bits at equal error where most of the cost is bits.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
import numpy as np
from PIL import Image

from dinp.benchmarks.rd.runs import pictures_in
from dinp.benchmarks.readme import markdown_table, tell_table
from dinp.benchmarks.result_files import keep_row, kept_rows
from dinp.bitstream import barriers as stream
from dinp.bitstream.regions import Pieces
from dinp.cli.options import PATH
from dinp.encoder import barriers, contour_moves, pieces, segmentation
from dinp.encoder.prices import BIT_COST, cost_of, step_of
from dinp.entropy import crack_coder
from dinp.entropy.mixing import MixShape

QUALITIES = (65,)
FINE_BIT = "large flat regions are exact to one level (the fine bit; quality 20)"
FINE_BIT_QUALITIES = (20,)  # at 65 steps are fine enough without
MARKER = "<!-- edges -->"


@contextmanager
def without(values: dict) -> Iterator[None]:
    """Names of modules and classes set to other values for a while."""
    before = {key: getattr(*key) for key in values}
    try:
        for (owner, name), value in values.items():
            setattr(owner, name, value)
        yield
    finally:
        for (owner, name), value in before.items():
            setattr(owner, name, value)


def contours_by(kept: Sequence[int]) -> Callable[[np.ndarray, np.ndarray], bytes]:
    """`dinp.entropy.crack_coder.encode_cracks` with some of its nine contexts only, in the coder without a kernel.

    Contexts 0 to 3 are those of the nearest cracks, 4 to 7 have the way along the contour, 8 is the row above.
    """
    model, shape = crack_coder._CrackModel, crack_coder._SHAPE
    weight = crack_coder._WEIGHT * shape.contexts // len(kept)

    def contexts(self: object, *place: object) -> tuple[list[int], int]:
        hashes, chain = all_contexts(self, *place)
        return [hashes[k] for k in kept], chain

    all_contexts = model._contexts
    fewer = {
        (crack_coder, "kernels"): None,
        (crack_coder, "_SHAPE"): MixShape(len(kept), shape.kinds, shape.sizes, shape.stages),
        (crack_coder, "_WEIGHT"): weight,
        (model, "_contexts"): contexts,
    }

    def encode(right: np.ndarray, down: np.ndarray) -> bytes:
        with without(fewer):
            return crack_coder.encode_cracks(right, down)

    return encode


def no_flat_values(_: np.ndarray, some: Pieces) -> np.ndarray:
    """`dinp.encoder.barriers.flat_values` of a plane that has none."""
    return np.full(some.region.size, -1.0)


LEFT_OUT = {
    "nothing": {},
    "contours are refined by error and bits": {(contour_moves, "SWEEPS"): 0},
    "several rungs of the ladder to choose from": {(barriers, "RUNGS"): (1.0,)},
    "pieces are added where the error is": {(barriers, "STAGES"): 0},
    "several values a region": {(barriers, "STAGES"): 0, (pieces, "VALUE_BITS"): 1e9},
    "finer steps within regions": {(barriers, "STEP_OFFSET"): 0},
    "slopes within regions, in the ladder": {(segmentation, "JUMP_WEIGHT"): 1e9},
    FINE_BIT: {(barriers, "flat_values"): no_flat_values},
    "contexts of the way along a contour, 4 of 9": {(stream, "encode_cracks"): contours_by((0, 1, 2, 3, 8))},
    "eight contexts of nine: the 14 nearest cracks are left": {(stream, "encode_cracks"): contours_by((1,))},
}


def measured(plane: np.ndarray, quality: float, left_out: str) -> dict[str, float]:
    """Cost in squared grey levels, bytes and CPU seconds of a plane (H, W) coded with barriers."""
    step = step_of(quality)
    bit_cost = BIT_COST * step * step
    start = time.process_time()
    with without(LEFT_OUT[left_out]):
        ladder = segmentation.segmentation_ladder(plane[None], bit_cost)
        outline = barriers.best_outline(plane, ladder, bit_cost)
        found = barriers.encode_outlined(plane, outline, step, bit_cost)
    seconds = time.process_time() - start
    size = len(found.section)
    return {
        "cost": round(cost_of(plane, found.reconstruction, size, bit_cost)),
        "bytes": size,
        "seconds": round(seconds, 2),
    }


def tasks() -> list[tuple[float, str]]:
    """Qualities, and what is left out at them."""
    found = [(quality, part) for quality in QUALITIES for part in LEFT_OUT if part != FINE_BIT]
    if FINE_BIT in LEFT_OUT:
        found += [(quality, part) for quality in FINE_BIT_QUALITIES for part in ("nothing", FINE_BIT)]
    return found


def table(rows: list[dict]) -> str:
    """Markdown: how much dearer each picture is without a part, the mean over qualities of the ratio of costs."""
    pictures = list(dict.fromkeys(row["picture"] for row in rows))
    whole = {(row["picture"], row["quality"]): row["cost"] for row in rows if row["left_out"] == "nothing"}
    lines = []
    for part in [name for name in LEFT_OUT if name != "nothing"]:
        ratios = {name: [] for name in pictures}
        for row in rows:
            if row["left_out"] == part:
                ratios[row["picture"]].append(row["cost"] / whole[row["picture"], row["quality"]])
        means = [float(np.mean(found)) for found in ratios.values()]
        lines.append((part, *(f"{100 * (r - 1):+.1f} %" for r in (*means, float(np.mean(means))))))
    return markdown_table(("cost without", *pictures, "mean"), lines)


@click.command()
@click.argument("folder", type=PATH)
@click.option("--output", type=PATH, required=True, help="JSON file; continued if it exists.")
@click.option("--readme", type=PATH, help="Write the table into this file.")
def main(folder: Path, output: Path, readme: Path | None) -> None:
    """Measure what each part gives on the pictures of a folder."""
    rows = kept_rows(output)
    known = {(row["picture"], row["quality"], row["left_out"]) for row in rows}
    for path in pictures_in(folder):
        with Image.open(path) as image:
            plane = np.asarray(image.convert("L"), dtype=np.float64)
        for quality, left_out in tasks():
            if (path.stem, quality, left_out) in known:
                continue
            row = {"picture": path.stem, "quality": quality, "left_out": left_out}
            keep_row(output, rows, row | measured(plane, quality, left_out))
    tell_table(table(rows), readme, MARKER)


if __name__ == "__main__":
    main()
