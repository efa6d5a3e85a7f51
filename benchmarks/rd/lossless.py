"""Measures files without loss: bytes of each codec on label maps, disparity and drawings.

    dinp bench labels --photographs KODAK --out labels     # nine label maps
    dinp bench lossless run --pictures labels --out lossless_labels.json [--codecs dinp,png,...]
    dinp bench lossless table lossless_labels.json [--readme docs/benchmarks.md]

The JSON file holds, for each picture and codec, bytes of the whole file and seconds; a codec that is measured again
replaces what the file has of it.
"""

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np

from dinp.benchmarks.environment import environment
from dinp.benchmarks.rd.lossless_codecs import COMPARED, LOSSLESS
from dinp.benchmarks.rd.runs import PACKAGES, load_picture, pictures_in
from dinp.benchmarks.rd.tables import DASH, Table, provenance_of
from dinp.benchmarks.readme import END, tell_table
from dinp.benchmarks.result_files import load_results
from dinp.cli.options import NAME_LIST, PATH
from dinp.cli.progress import say
from dinp.errors import DinpError

TITLES = {"dinp": "dinp", "png": "PNG", "webp": "WebP", "jpegxl": "JPEG XL", "avif": "AVIF", "crackle": "crackle + xz"}
TITLES |= {"rvl": "RVL"}
MARKER = "<!-- lossless -->"


def measure(paths: Sequence[Path], codecs: Sequence[str]) -> tuple[list[dict], list[str]]:
    """What each codec makes of each picture, in grey if it has no colours; and what went wrong."""
    found, failures = [], []
    for path in paths:
        picture = load_picture(path, "colour")
        picture = load_picture(path, "grey") if picture is None else picture
        for name in codecs:
            try:
                coded = LOSSLESS[name].run(np.ascontiguousarray(picture))
            except DinpError as error:
                failures.append(f"{path.name}: {error}")
                continue
            row = {"codec": name, "picture": path.name, "width": picture.shape[1], "height": picture.shape[0]}
            row |= {"bytes": len(coded.data)}
            row |= {"encode_s": round(coded.encode_seconds, 4), "decode_s": round(coded.decode_seconds, 4)}
            found.append(row)
    return found, failures


def lossless_table(content: dict) -> Table:
    """Bytes by picture and codec, the best in bold, and each codec's mean ratio to the best of the others but dinp."""
    sizes: dict[str, dict[str, int]] = {}
    for one in content["files"]:
        sizes.setdefault(one["picture"], {})[one["codec"]] = one["bytes"]
    codecs = [name for name in TITLES if any(name in row for row in sizes.values())]
    peers = [name for name in codecs if name not in ("dinp", "crackle", "rvl")]
    lines = []
    ratios: dict[str, list[float]] = {name: [] for name in codecs}
    for picture, row in sizes.items():
        best = min(row.values())
        cells = [DASH if name not in row else f"{row[name]:,}" for name in codecs]
        marked = [f"**{cell}**" if row.get(name) == best else cell for name, cell in zip(codecs, cells, strict=True)]
        lines.append((Path(picture).stem, *marked))
        peer = min((row[name] for name in peers if name in row), default=None)
        for name in codecs:
            if peer and name in row:
                ratios[name].append(row[name] / peer)
    means = [f"{math.fsum(of) / len(of):.2f}" if of else DASH for of in ratios.values()]
    lines.append(("against the best of PNG, WebP, JPEG XL, AVIF", *means))
    return Table(
        f"{content['set']}: bytes without loss",
        ("picture", *(TITLES[name] for name in codecs)),
        tuple(lines),
        "Bytes of whole files. Last line: mean over the pictures of the ratio to the smallest of these files.",
    )


@click.group()
def lossless() -> None:
    """Measure files without loss."""


@lossless.command()
@click.option("--pictures", type=PATH, required=True, help="Folder of the pictures.")
@click.option("--out", type=PATH, required=True, help="JSON file; continued if it exists.")
@click.option(
    "--codecs", type=NAME_LIST, default=",".join(COMPARED), show_default=True, help="Also avif, crackle, rvl."
)
@click.option("--set", "name", help="Name of the set of pictures.  [default: the folder's]")
def run(pictures: Path, out: Path, codecs: tuple[str, ...], name: str | None) -> None:
    """Measure codecs, and write JSON."""
    for codec in codecs:
        if codec not in LOSSLESS:
            raise DinpError(f"there is no lossless codec {codec}: choose among {', '.join(LOSSLESS)}")
        LOSSLESS[codec].check()
    before = load_results(out, "lossless") if out.exists() else {"files": [], "runs": []}
    kept = [one for one in before["files"] if one["codec"] not in codecs]
    files, failures = measure(pictures_in(pictures), codecs)
    versions = {codec: LOSSLESS[codec].version() for codec in codecs}
    used = {one["codec"] for one in kept}
    runs = [one for one in before["runs"] if used & set(one["codecs"])]
    runs.append({**environment(PACKAGES), "jobs": 1, "codecs": versions})
    files = sorted(kept + files, key=lambda one: (one["picture"], list(TITLES).index(one["codec"])))
    content = {"benchmark": "lossless", "set": name or pictures.resolve().name, "runs": runs}
    lines = ",\n".join("  " + json.dumps(one, separators=(",", ":")) for one in files)
    text = json.dumps(content, indent=1).removesuffix("\n}") + f',\n "files": [\n{lines}\n ]\n}}\n'
    out.write_text(text, encoding="utf-8")
    for failure in failures:
        say(f"Error: {failure}")
    if failures:
        sys.exit(1)


@lossless.command()
@click.argument("results", type=PATH, nargs=-1, required=True)
@click.option("--readme", type=PATH, help=f"Write into this file, between {MARKER} and {END}.")
def table(results: tuple[Path, ...], readme: Path | None) -> None:
    """Print the tables as Markdown."""
    contents = [load_results(path, "lossless") for path in results]
    found = [lossless_table(content) for content in contents]
    runs = [run for content in contents for run in content["runs"]]
    notes = dict.fromkeys(one.note for one in found)
    text = "\n\n".join([*(one.markdown() for one in found), *notes, provenance_of(runs)])
    tell_table(text, readme, MARKER)
