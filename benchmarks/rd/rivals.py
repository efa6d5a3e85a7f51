"""Whether the choice between barriers and a tree is right: what is chosen, beside what comes of trees alone.

    python -m dinp.benchmarks.rd.rivals FOLDER... --output rivals.json [--readme docs/benchmarks.md]

The folders hold pictures for tuning: photographs, or those of `dinp.benchmarks.rd.drawn`. Each is coded in grey twice,
as `dinp.encode` does but for lower qualities of small drawings, with and without barriers allowed. The cost is what the
encoder minimises: squared error + lambda x bits, at the lambda of the quality. BD-rates are those of
`dinp.benchmarks.rd.smooth`, over all rates of the files.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
from PIL import Image

from dinp.benchmarks.rd.curves import Curve, Series, bd_rate
from dinp.benchmarks.rd.metrics import measure
from dinp.benchmarks.rd.runs import pictures_in
from dinp.benchmarks.rd.smooth import smooth_curve
from dinp.benchmarks.rd.tables import DASH, percent
from dinp.benchmarks.readme import markdown_table, tell_table
from dinp.benchmarks.result_files import keep_row, kept_rows
from dinp.cli.options import NUMBER_LIST, PATH
from dinp.encoder.placement import DEFAULT_EFFORT, restoration_version
from dinp.encoder.planes import encode_planes
from dinp.encoder.prices import BIT_COST, cost_of, step_of
from dinp.models import load_tree_model, shipped_restoration

QUALITIES = (15, 35, 55, 75)
RATES = (1e-3, 8.0)  # bits per pixel: all
MARKER = "<!-- rivals -->"


def measured(plane: np.ndarray, quality: float, *, barriers: bool) -> dict[str, float | None]:
    """Cost in squared grey levels, bytes, PSNR and CPU seconds of a plane (H, W); whether barriers were taken."""
    step = step_of(quality)
    restoration = shipped_restoration(restoration_version(DEFAULT_EFFORT, plane.size))
    start = time.process_time()
    found = encode_planes(
        [plane], quality=quality, tree_model=load_tree_model(), restoration=restoration, barriers=barriers, again=False
    )
    seconds = time.process_time() - start
    size = len(found.sections[0])
    shown = found.planes[0].show()
    return {
        "cost": round(cost_of(plane, shown, size, BIT_COST * step * step)),
        "bytes": size,
        "psnr": measure(plane, np.rint(np.clip(shown, 0, 255)), ["psnr"])["psnr"],
        "seconds": round(seconds, 2),
        "barriers": found.planes[0].plain is None,
    }


def rate_change(rows: Sequence[dict]) -> float | None:
    """BD-rate in percent of what is chosen against trees alone, from a picture's rows; None where it has none."""

    def curve(kind: str) -> Curve | None:
        points = [row[kind] | {"bpp": 8 * row[kind]["bytes"] / row["pixels"]} for row in rows]
        return smooth_curve(Series("", "grey", kind, rows[0]["picture"], "", tuple(points)))

    return bd_rate(curve("tree"), curve("chosen"), *RATES)


def table(rows: list[dict]) -> str:
    """Markdown: of each picture, where barriers were taken, and what the choice costs more than trees alone."""
    lines = []
    for name in dict.fromkeys(row["picture"] for row in rows):
        own = [row for row in rows if row["picture"] == name]
        taken = [f"{row['quality']:g}" for row in own if row["chosen"]["barriers"]]
        change = [100 * (row["chosen"]["cost"] / row["tree"]["cost"] - 1) for row in own]
        seconds = sum(row["chosen"]["seconds"] for row in own) / sum(row["tree"]["seconds"] for row in own)
        cells = (percent(rate_change(own)) if taken else DASH, percent(float(np.mean(change))), percent(max(change)))
        lines.append((name, ", ".join(taken) or "none", *cells, f"{seconds:.2f}"))
    heads = ("barriers at qualities", "BD-rate against trees", "cost, mean", "cost, highest", "encode seconds, ratio")
    return markdown_table(("picture", *heads), lines)


@click.command()
@click.argument("folders", type=PATH, nargs=-1, required=True)
@click.option("--output", type=PATH, required=True, help="JSON file; continued if it exists.")
@click.option("--qualities", type=NUMBER_LIST, default=",".join(map(str, QUALITIES)), show_default=True)
@click.option("--readme", type=PATH, help="Write the table into this file.")
def main(folders: tuple[Path, ...], output: Path, qualities: tuple[float, ...], readme: Path | None) -> None:
    """Measure the choice on the pictures of folders."""
    rows = kept_rows(output)
    known = {(row["picture"], row["quality"]) for row in rows}
    for path in [path for folder in folders for path in pictures_in(folder)]:
        with Image.open(path) as image:
            plane = np.asarray(image.convert("L"), dtype=np.float64)
        for quality in qualities:
            if (path.stem, quality) in known:
                continue
            row = {"picture": path.stem, "pixels": plane.size, "quality": quality}
            for name, barriers in (("chosen", True), ("tree", False)):
                row[name] = measured(plane, quality, barriers=barriers)
            keep_row(output, rows, row)
    tell_table(table(rows), readme, MARKER)


if __name__ == "__main__":
    main()
