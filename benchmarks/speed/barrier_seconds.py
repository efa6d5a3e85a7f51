"""Seconds of decoding files with barriers, beside files of the same pictures without them and of about as many bytes.

    python -m dinp.benchmarks.speed.barrier_seconds PICTURES... --output out.json [--readme docs/benchmarks.md]

Pictures are coded in grey at a quality with barriers, and with trees alone at the quality, found by a few trials, whose
file is nearest in bytes; restored where the encoder asks for it. Seconds: CPU time in this process, the least of the
repeats, files by turns.
"""

import time
from pathlib import Path

import click
import numpy as np
from PIL import Image

import dinp
from dinp.benchmarks.rd.edges import without
from dinp.benchmarks.readme import markdown_table, tell_table
from dinp.benchmarks.result_files import keep_row
from dinp.cli.options import PATH
from dinp.encoder import planes

TRIALS = 4
NEAR = 0.05  # share of the bytes that is near enough
REPEATS = 5
MARKER = "<!-- barrier seconds -->"


def tree_of_bytes(picture: np.ndarray, wanted: int, quality: float) -> tuple[bytes, float]:
    """The file without barriers, of a few that are tried, whose size is nearest to the wanted one, and its quality."""
    tried: dict[float, bytes] = {}
    with without({(planes, "may_pay"): lambda *_: False}):
        for _ in range(TRIALS):
            tried[quality] = dinp.encode(picture, quality=quality)
            sizes = {q: len(data) for q, data in tried.items()}
            below = max((q for q, size in sizes.items() if size <= wanted), default=None)
            above = min((q for q, size in sizes.items() if size > wanted), default=None)
            if min(abs(size / wanted - 1) for size in sizes.values()) <= NEAR or below == 100 or above == 0:
                break
            if below is None or above is None:
                quality = max(above / 2 - 5, 0.0) if below is None else min(below + 15, 100.0)
            else:
                share = np.log(wanted / sizes[below]) / np.log(sizes[above] / sizes[below])
                quality = round(below + float(share) * (above - below), 1)
    best = min(tried, key=lambda q: abs(np.log(len(tried[q]) / wanted)))
    return tried[best], best


def decode_seconds(files: dict[str, bytes]) -> dict[str, float]:
    """CPU seconds of decoding each."""
    least = dict.fromkeys(files, np.inf)
    for _ in range(REPEATS):
        for name, data in files.items():
            start = time.process_time()
            dinp.decode(data)
            least[name] = min(least[name], time.process_time() - start)
    return {name: round(seconds, 4) for name, seconds in least.items()}


def measured(picture: np.ndarray, quality: float) -> dict:
    """Bytes, structure, restoration and decoding seconds of the files of a picture (H, W) uint8."""
    files = {"barriers": dinp.encode(picture, quality=quality)}
    files["tree"], other = tree_of_bytes(picture, len(files["barriers"]), quality / 2)
    seconds = decode_seconds(files)
    told = {name: dinp.info(data)["planes"][0] for name, data in files.items()}
    return {
        name: {
            "quality": {"barriers": quality, "tree": other}[name],
            "bytes": len(data),
            "structure": told[name]["structure"],
            "restoration": told[name]["restoration"],
            "seconds": seconds[name],
        }
        for name, data in files.items()
    }


def table(rows: list[dict]) -> str:
    """Markdown: bytes and decoding seconds side by side."""
    lines = []
    for row in rows:
        pair = (row["barriers"], row["tree"])
        cells = [row["barriers"]["structure"], *(f"{one['bytes']:,}" for one in pair)]
        cells += [f"{one['seconds']:.3f}" for one in pair]
        lines.append((row["picture"], *cells, f"{pair[0]['seconds'] / pair[1]['seconds']:.2f}"))
    ratios = [row["barriers"]["seconds"] / row["tree"]["seconds"] for row in rows]
    lines.append(("mean", "", "", "", "", "", f"{np.exp(np.mean(np.log(ratios))):.2f}"))
    heads = ("file by the encoder's choice", "bytes", "bytes, tree", "decode s", "decode s, tree", "ratio")
    return markdown_table(("picture", *heads), lines)


@click.command()
@click.argument("paths", type=PATH, nargs=-1, required=True)
@click.option("--output", type=PATH, required=True, help="Where the results go, as JSON.")
@click.option("--quality", type=float, default=50, show_default=True)
@click.option("--readme", type=PATH, help="Write the table into this file.")
def main(paths: tuple[Path, ...], output: Path, quality: float, readme: Path | None) -> None:
    """Time decoding with and without barriers."""
    rows = []
    for path in paths:
        with Image.open(path) as image:
            picture = np.asarray(image.convert("L"))
        keep_row(output, rows, {"picture": path.stem} | measured(picture, quality))
    tell_table(table(rows), readme, MARKER)


if __name__ == "__main__":
    main()
