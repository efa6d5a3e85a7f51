"""Whether photographs keep halved chroma, and at what cost of choosing.

    dinp bench chroma PICTURES... --out benchmarks/results/chroma.json

The encoder looks at what halving chroma alone loses. Below a bound it takes 4:2:0 and tries no other; above, it codes
both and takes the cheaper. So pictures below the bound are coded as if there was no choice.
"""

import json
from pathlib import Path

import click
import numpy as np

from dinp.benchmarks.environment import environment
from dinp.benchmarks.rd.runs import load_picture
from dinp.cli.options import PATH
from dinp.cli.progress import say
from dinp.encoder.picture import HALVING_LOSS
from dinp.pictures.colour_transform import merge_planes, split_planes
from dinp.pictures.files import check_output, write_output

PACKAGES = ("dinp", "numpy")


def loss_of_halving(samples: np.ndarray) -> float:
    """Mean squared error in R, G and B (H, W, 3) uint8 of halving chroma and doubling it again."""
    return float(np.mean((samples.astype(float) - merge_planes(split_planes(samples.astype(float)))) ** 2))


@click.command()
@click.argument("pictures", type=PATH, nargs=-1, required=True)
@click.option("--out", type=PATH, required=True, metavar="FILE", help="JSON file for the results; replaced.")
def chroma(pictures: tuple[Path, ...], out: Path) -> None:
    """Tell which pictures keep halved chroma."""
    check_output(str(out), *map(str, pictures), force=True)
    rows = []
    for path in pictures:
        loss = loss_of_halving(load_picture(path, "colour"))
        rows.append({"picture": path.name, "loss": round(loss, 3), "halved": loss < HALVING_LOSS})
        say(json.dumps(rows[-1]))
    head = {"benchmark": "chroma", **environment(PACKAGES), "bound": HALVING_LOSS}
    write_output(str(out), (json.dumps(head | {"results": rows}, indent=1) + "\n").encode(), force=True)
