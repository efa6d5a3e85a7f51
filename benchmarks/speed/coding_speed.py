"""Speed of encoding and decoding, in-process and after imports, by effort, with and without restoration.

    dinp bench coding PICTURES... --out coding_speed.json

Grey pictures. What is measured is interleaved, and each figure is the median of some repeats; networks and libraries
are loaded before. Of use on an idle machine only.
"""

import json
import statistics
from collections.abc import Sequence
from pathlib import Path

import click

import dinp
from dinp.benchmarks.environment import environment
from dinp.benchmarks.rd.runs import load_picture
from dinp.benchmarks.speed.decoding import timed
from dinp.cli.options import NUMBER_LIST, PATH, Listed
from dinp.cli.progress import say
from dinp.pictures.files import check_output, write_output

PACKAGES = ("dinp", "numpy", "scipy", "torch")


def measure(path: Path, quality: float, efforts: Sequence[int], repeats: int) -> list[dict]:
    """Seconds of a picture's encoding by each effort, and of decoding its files; with restoration and without."""
    picture = load_picture(path, "grey")
    kinds = [(effort, restore) for effort in efforts for restore in (True, False)]
    dinp.decode(dinp.encode(picture[:64, :64], quality=quality))
    seconds: dict[tuple[int, bool], tuple[list[float], list[float]]] = {kind: ([], []) for kind in kinds}
    size = {}
    for _ in range(repeats):
        for effort, restore in kinds:
            data, spent = timed(dinp.encode, picture, quality=quality, effort=effort, restore=restore)
            seconds[effort, restore][0].append(spent)
            seconds[effort, restore][1].append(timed(dinp.decode, data)[1])
            size[effort, restore] = len(data)
    height, width = picture.shape
    return [
        {
            "picture": path.name,
            "size": f"{width}x{height}",
            "quality": quality,
            "effort": effort,
            "restore": restore,
            "bytes": size[effort, restore],
            "encode_seconds": round(statistics.median(encoding), 3),
            "decode_seconds": round(statistics.median(decoding), 3),
        }
        for (effort, restore), (encoding, decoding) in seconds.items()
    ]


@click.command()
@click.argument("pictures", type=PATH, nargs=-1, required=True)
@click.option("--out", type=PATH, required=True, metavar="FILE", help="JSON file for the results; replaced.")
@click.option("--qualities", type=NUMBER_LIST, default="20,35,50", show_default=True)
@click.option("--efforts", type=Listed(click.IntRange(1, 3)), default="1,2,3", show_default=True)
@click.option("--repeats", type=click.IntRange(min=1), default=3, show_default=True)
def coding(
    pictures: tuple[Path, ...], out: Path, qualities: tuple[float, ...], efforts: tuple[int, ...], repeats: int
) -> None:
    """Time encoding and decoding."""
    check_output(str(out), *map(str, pictures), force=True)
    rows: list[dict] = []
    for path in pictures:
        for quality in qualities:
            for row in measure(path, quality, efforts, repeats):
                rows.append(row)
                say(json.dumps(row))
    head = {"benchmark": "coding_speed", **environment(PACKAGES), "repeats": repeats}
    write_output(str(out), (json.dumps(head | {"results": rows}, indent=1) + "\n").encode(), force=True)
