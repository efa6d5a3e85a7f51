"""Whether the choice between barriers and a tree is right: what is chosen, beside what comes of trees alone.

    python -m dinp.benchmarks.rd.rivals PICTURES --output rivals.json

PICTURES are for tuning: photographs, or those of `dinp.benchmarks.rd.drawn`. Each is coded in grey twice, as
`dinp.encode` does but for lower qualities of small drawings, with and without barriers allowed. The cost is what the
encoder minimises: squared error + lambda x bits, at the lambda of the quality.
"""

import json
import time
from pathlib import Path

import click
import numpy as np
from PIL import Image

from dinp.benchmarks.environment import environment
from dinp.benchmarks.rd.runs import pictures_in
from dinp.benchmarks.readme import markdown_table
from dinp.cli.options import PATH
from dinp.encoder.placement import DEFAULT_EFFORT, restoration_version
from dinp.encoder.planes import encode_planes
from dinp.encoder.prices import BIT_COST, cost_of, step_of
from dinp.models import load_tree_model, shipped_restoration

QUALITIES = (20, 40, 60)


def measured(plane: np.ndarray, quality: float, *, barriers: bool) -> dict[str, float]:
    """Cost in squared grey levels, bytes, and CPU seconds of a plane (H, W); whether barriers were taken."""
    step = step_of(quality)
    restoration = shipped_restoration(restoration_version(DEFAULT_EFFORT, plane.size))
    start = time.process_time()
    found = encode_planes(
        [plane], quality=quality, tree_model=load_tree_model(), restoration=restoration, barriers=barriers, again=False
    )
    seconds = time.process_time() - start
    size = len(found.sections[0])
    return {
        "cost": round(cost_of(plane, found.planes[0].show(), size, BIT_COST * step * step)),
        "bytes": size,
        "seconds": round(seconds, 2),
        "barriers": found.planes[0].plain is None,
    }


def table(rows: list[dict]) -> str:
    """Markdown: of each picture, where barriers were taken, and what the choice costs more than trees alone."""
    lines = []
    for name in dict.fromkeys(row["picture"] for row in rows):
        own = [row for row in rows if row["picture"] == name]
        taken = [f"{row['quality']}" for row in own if row["chosen"]["barriers"]]
        change = [100 * (row["chosen"]["cost"] / row["tree"]["cost"] - 1) for row in own]
        lines.append((name, ", ".join(taken) or "none", f"{np.mean(change):+.1f} %", f"{max(change):+.1f} %"))
    return markdown_table(("picture", "barriers at qualities", "cost against trees, mean", "highest"), lines)


@click.command()
@click.argument("folder", type=PATH)
@click.option("--output", type=PATH, required=True, help="Where the results go, as JSON.")
def main(folder: Path, output: Path) -> None:
    """Measure the choice on the pictures of a folder."""
    rows = []
    for path in pictures_in(folder):
        with Image.open(path) as image:
            plane = np.asarray(image.convert("L"), dtype=np.float64)
        for quality in QUALITIES:
            row = {"picture": path.stem, "quality": quality}
            for name, barriers in (("chosen", True), ("tree", False)):
                row[name] = measured(plane, quality, barriers=barriers)
            rows.append(row)
            click.echo(json.dumps(row))
    report = {"environment": environment(["dinp", "numpy", "scipy", "pyamg"]), "rows": rows}
    output.write_text(json.dumps(report, indent=1) + "\n")
    click.echo(table(rows))


if __name__ == "__main__":
    main()
