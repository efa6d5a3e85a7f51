"""What is not built for barriers, and what it could give at most.

    python -m dinp.benchmarks.rd.unbuilt FOLDER... --output unbuilt.json [--pages 3] [--readme docs/benchmarks.md]

Pictures are coded in grey, as one plane, with a tree (restored where that pays) and with barriers, whether they are
cheaper or not. Costs are squared error + lambda x bits of sections, as the encoder minimises them.

Choice by part: the same for each tile of 128x128 alone. If each tile took what is cheaper for it, all would cost so
much less than with what is cheaper for all tiles together; nothing is charged for telling which, nor for contours that
end at a tile. `--pages` adds screenshots: the drawing `page` with one of the first photographs, reduced, in four tiles.

Restoration of planes with barriers: what the shipped networks, which have not seen any, change in PSNR; and what is
left where they are kept only in those regions in which they help, told for nothing.

Every rung: the rung of the ladder is chosen by a guess of what it leads to. If each were refined and coded in full, and
the cheapest taken, the plane with barriers would cost so much less.

A first guess of contours, learned, could save the making of the ladder and the trial of its rungs: their share of the
CPU seconds of a plane that takes barriers.
"""

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import click
import numpy as np
from PIL import Image

from dinp.benchmarks.rd.drawings import page
from dinp.benchmarks.rd.metrics import measure
from dinp.benchmarks.rd.runs import pictures_in
from dinp.benchmarks.rd.tables import percent
from dinp.benchmarks.readme import markdown_table, tell_table
from dinp.benchmarks.result_files import keep_row
from dinp.cli.options import NUMBER_LIST, PATH
from dinp.encoder.barriers import BarrierPlane, best_outline, encode_outlined, outlined, rungs
from dinp.encoder.contour_moves import refined
from dinp.encoder.placement import DEFAULT_EFFORT, restoration_version
from dinp.encoder.planes import encode_planes
from dinp.encoder.prices import BIT_COST, cost_of, step_of
from dinp.encoder.segmentation import segmentation_ladder
from dinp.models import load_tree_model, shipped_restoration
from dinp.restoration import DecodedPlane

QUALITIES = (35, 60)
TILE = 128  # pixels
CORNER = (128, 384)  # of the photograph in a page
MARKER = "<!-- unbuilt -->"


def tree_cost(plane: np.ndarray, quality: float, version: int) -> float:
    """What a plane (H, W) costs with a tree and a version of the restoration."""
    found = encode_planes(
        [plane],
        quality=quality,
        tree_model=load_tree_model(),
        restoration=shipped_restoration(version),
        barriers=False,
        again=False,
    )
    return cost_of(plane, found.planes[0].show(), len(found.sections[0]), _bit_cost(quality))


def with_barriers(plane: np.ndarray, quality: float) -> tuple[BarrierPlane, dict[str, float]]:
    """A plane (H, W) coded with barriers, and CPU seconds of the ladder, of its rungs, and of the rest."""
    bit_cost, times = _bit_cost(quality), [time.process_time()]
    ladder = segmentation_ladder(plane[None], bit_cost)
    times.append(time.process_time())
    outline = best_outline(plane, ladder, bit_cost)
    times.append(time.process_time())
    found = encode_outlined(plane, outline, step_of(quality), bit_cost)
    times.append(time.process_time())
    return found, dict(zip(("ladder", "rungs", "rest"), np.round(np.diff(times), 3).tolist(), strict=True))


def least_of_rungs(plane: np.ndarray, quality: float) -> float:
    """What a plane (H, W) costs with barriers if every rung of its ladder is coded in full, and the cheapest taken."""
    bit_cost, costs = _bit_cost(quality), []
    for labels in rungs(segmentation_ladder(plane[None], bit_cost), bit_cost):
        outline = outlined(plane, refined(plane[None], labels, bit_cost), bit_cost)
        costs.append(_cost(plane, encode_outlined(plane, outline, step_of(quality), bit_cost), quality))
    return min(costs)


def by_part(plane: np.ndarray, quality: float, version: int) -> dict[str, float]:
    """Costs of all tiles of a plane: with trees, with barriers, with what is cheaper; how many take barriers."""
    total = {"tree": 0.0, "barriers": 0.0, "cheaper": 0.0, "taken": 0, "tiles": 0}
    for top in range(0, plane.shape[0], TILE):
        for left in range(0, plane.shape[1], TILE):
            tile = np.ascontiguousarray(plane[top : top + TILE, left : left + TILE])
            tree = tree_cost(tile, quality, version)
            barriers = _cost(tile, with_barriers(tile, quality)[0], quality)
            total["tree"] += tree
            total["barriers"] += barriers
            total["cheaper"] += min(tree, barriers)
            total["taken"] += barriers < tree
            total["tiles"] += 1
    return {name: round(value) for name, value in total.items()}


def restored_gains(plane: np.ndarray, found: BarrierPlane) -> dict[str, float]:
    """By version of the restoration, dB that it changes of a plane with barriers: everywhere, and where it helps."""
    labels = found.code.structure.labels
    side = np.frexp(found.known.side.astype(np.float64))[1] - 1
    leaf = np.maximum(found.code.structure.leaf.reshape(labels.shape), 0)
    seen = DecodedPlane(found.reconstruction, found.known.mask, side[leaf].astype(np.uint8), found.code.step)
    shown = partial(_psnr, plane)
    gains = {"psnr": shown(found.reconstruction)}
    for version in (1, 2):
        better = shipped_restoration(version)(seen)
        change = (_shown(better) - plane) ** 2 - (_shown(found.reconstruction) - plane) ** 2
        helped = np.bincount(labels.ravel(), weights=change.ravel()) < 0
        best = np.where(helped[labels], better, found.reconstruction)
        gains[f"version {version}"] = round(shown(better) - gains["psnr"], 3)
        gains[f"version {version} where it helps"] = round(shown(best) - gains["psnr"], 3)
    return gains


def measured(plane: np.ndarray, quality: float) -> dict:
    """All of it for a plane (H, W)."""
    version = restoration_version(DEFAULT_EFFORT, plane.size)
    found, seconds = with_barriers(plane, quality)
    return {
        "quality": quality,
        "tree": round(tree_cost(plane, quality, version)),
        "barriers": round(_cost(plane, found, quality)),
        "every rung": round(least_of_rungs(plane, quality)),
        "tiles": by_part(plane, quality, version),
        "restored": restored_gains(plane, found),
        "seconds": seconds,
    }


def planes_to_measure(folders: tuple[Path, ...], pages: int) -> Iterator[tuple[str, np.ndarray]]:
    """Names and planes of the pictures of folders, and of pages with the first of them."""
    paths = [path for folder in folders for path in pictures_in(folder)]
    for path in paths:
        with Image.open(path) as image:
            yield path.stem, np.asarray(image.convert("L"), dtype=np.float64)
    for path in paths[:pages]:
        plane = np.array(page().convert("L"), dtype=np.float64)
        with Image.open(path) as image:
            photograph = np.asarray(image.convert("L").resize((2 * TILE, 2 * TILE), Image.Resampling.LANCZOS))
        plane[CORNER[0] : CORNER[0] + 2 * TILE, CORNER[1] : CORNER[1] + 2 * TILE] = photograph
        yield f"page with {path.stem}", plane


def table(rows: list[dict]) -> str:
    """Markdown, a line for each picture and quality."""
    lines = []
    for row in rows:
        tiles, gains, seconds = row["tiles"], row["restored"], row["seconds"]
        local = 100 * (tiles["cheaper"] / min(tiles["tree"], tiles["barriers"]) - 1)
        cells = [percent(100 * (row["barriers"] / row["tree"] - 1)), f"{tiles['taken']} of {tiles['tiles']}"]
        cells += [percent(local), percent(100 * (row["every rung"] / row["barriers"] - 1))]
        for version in (1, 2):
            both = (gains[f"version {version}"], gains[f"version {version} where it helps"])
            cells.append(" / ".join(f"{gain:+.2f}".replace("-", "\N{MINUS SIGN}") for gain in both))
        whole = sum(seconds.values())
        shares = " + ".join(f"{100 * seconds[part] / whole:.0f}" for part in ("ladder", "rungs"))
        lines.append((row["picture"], f"{row['quality']:g}", *cells, f"{shares} % of {whole:.1f} s"))
    heads = (
        "quality",
        "cost with barriers",
        "tiles that take them",
        "choice by tile",
        "every rung",
        "restoration 1, dB",
        "2, dB",
    )
    return markdown_table(("picture", *heads, "ladder + rungs"), lines)


def _bit_cost(quality: float) -> float:
    return BIT_COST * step_of(quality) ** 2


def _cost(plane: np.ndarray, found: BarrierPlane, quality: float) -> float:
    return cost_of(plane, found.reconstruction, len(found.section), _bit_cost(quality))


def _shown(plane: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(plane, 0, 255))


def _psnr(original: np.ndarray, plane: np.ndarray) -> float:
    found = measure(original, _shown(plane), ["psnr"])["psnr"]
    return 100.0 if found is None else found


@click.command()
@click.argument("folders", type=PATH, nargs=-1, required=True)
@click.option("--output", type=PATH, required=True, help="Where the results go, as JSON.")
@click.option("--pages", type=click.IntRange(min=0), default=0, show_default=True, help="Photographs put into pages.")
@click.option("--qualities", type=NUMBER_LIST, default=",".join(map(str, QUALITIES)), show_default=True)
@click.option("--readme", type=PATH, help="Write the table into this file.")
def main(
    folders: tuple[Path, ...], output: Path, pages: int, qualities: tuple[float, ...], readme: Path | None
) -> None:
    """Measure what could be had at most on the pictures of folders."""
    rows = []
    for name, plane in planes_to_measure(folders, pages):
        for quality in qualities:
            keep_row(output, rows, {"picture": name} | measured(plane, quality))
    tell_table(table(rows), readme, MARKER)


if __name__ == "__main__":
    main()
