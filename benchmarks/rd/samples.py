"""Depth maps and flow fields of 16 bits: bytes for a largest error, against PNG, RVL, JPEG XL and JPEG 2000.

    dinp bench samples run --pictures SMOOTH --out samples.json [--errors 0,1,2,4,8] [--effort 2]
    dinp bench samples table samples.json [--readme docs/benchmarks.md]

SMOOTH holds disparity maps and flow fields of 8 bits, NAME.png. They become 16 bits so (`sixteen_bits`): the stairs of
whole levels are smoothed away by eight rounds in which each sample becomes the mean of itself and those of its four
neighbours that are within 1.5 levels of it, limited to half a level from where it began; 16 units a level, from 500 on
for disparity ("millimetres"), from 20000 on for flow; plus Gaussian noise of one unit, of numpy's default generator
with the seed 0; rounded. A disparity of 0 stays 0, a hole. So surfaces are smooth with the lowest bits in noise, as a
camera's are, and edges are those of the scene.

Codecs without loss are handed, where an error E is allowed, the samples divided by 2 E + 1, rounded: their smallest
files for it. They get two such pictures, of which the smaller file counts: one where 0 is a multiple, and one whose
cells begin where the fewest neighbours differ and whose holes are 0, the others following from 1 on, as dinp's own.
JPEG 2000 is the smaller of that, with its reversible transform, and of the irreversible one at the highest compression
that keeps the error, holes apart, which are then wrong. RVL's bytes are those of the package rvl, without width and
height.
"""

import json
import math
import time
import warnings
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

import click
import numpy as np
from PIL import Image

from dinp.benchmarks.environment import environment, library
from dinp.benchmarks.rd.tables import DASH, Table, provenance_of
from dinp.benchmarks.readme import END, tell_table
from dinp.benchmarks.result_files import load_results
from dinp.bitstream.lattice import lattices_for
from dinp.cli.options import NUMBER_LIST, PATH
from dinp.encoder.lossless import changes
from dinp.errors import DinpError

DEPTHS = ("aloe_disparity", "cones_disparity", "teddy_disparity")
FLOWS = ("flow_u", "flow_v")
ERRORS = (0, 1, 2, 4, 8)
UNITS = 16  # a level
ROUNDS = 8
NEAR = 1.5  # levels
JPEG2000_STEPS = 12
PACKAGES = ("dinp", "numpy", "pillow", "imagecodecs", "rvl")
TITLES = {"dinp": "dinp", "jpegxl": "JPEG XL", "png": "PNG", "jpeg2000": "JPEG 2000", "rvl": "RVL"}
MARKER = "<!-- samples -->"


def smoothed(levels: np.ndarray) -> np.ndarray:
    """Levels (H, W) without their stairs, float64, each within half a level of itself."""
    height, width = levels.shape
    values = levels.astype(np.float64)
    for _ in range(ROUNDS):
        around = np.pad(values, 1, mode="edge")
        total, count = values.copy(), np.ones_like(values)
        for dy, dx in ((0, 1), (2, 1), (1, 0), (1, 2)):
            neighbour = around[dy : dy + height, dx : dx + width]
            near = np.abs(neighbour - values) <= NEAR
            total += np.where(near, neighbour, 0)
            count += near
        values = np.clip(total / count, levels - 0.5, levels + 0.5)
    return values


def sixteen_bits(levels: np.ndarray, *, depth: bool) -> np.ndarray:
    """A disparity map or flow component of 8 bits as 16 bits, (H, W) uint16, as told above."""
    noise = np.random.default_rng(0).normal(0, 1, levels.shape)
    values = np.rint((500 if depth else 20000) + UNITS * smoothed(levels) + noise)
    return np.where((levels == 0) & depth, 0, values).astype(np.uint16)


def quotients(values: np.ndarray, most: int) -> list[np.ndarray]:
    """Samples in units of 2 most + 1, off by at most `most`, in two ways as told above; (H, W) uint16 each."""
    step = 2 * most + 1
    hole = values == 0
    seen = values[~hole]
    marks = (0,) if hole.any() else ()
    lattices = lattices_for(int(seen.min()), int(seen.max()), most, marks, values.dtype)
    numbers = [lattice.nearest(values, [hole] * len(marks)) for lattice in lattices]
    plain = np.minimum((values.astype(int) + most) // step, 65535 // step)
    return [plain.astype(np.uint16), min(numbers, key=changes).astype(np.uint16)]


def _least(code: Callable[[np.ndarray], bytes], values: np.ndarray, most: int) -> bytes:
    return min(map(code, quotients(values, most)), key=len)


def _png(values: np.ndarray) -> bytes:
    buffer = BytesIO()
    Image.fromarray(values).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _rvl(values: np.ndarray) -> bytes:
    return library("rvl").compress(np.ascontiguousarray(values).tobytes())


def _jpegxl(values: np.ndarray) -> bytes:
    return library("imagecodecs").jpegxl_encode(values, lossless=True, effort=9, numthreads=1)


def _jpeg2000(values: np.ndarray, most: int) -> bytes:
    codecs = library("imagecodecs")
    best = _least(lambda numbers: codecs.jpeg2k_encode(numbers, reversible=True), values, most)
    if most == 0:
        return best
    known = values > 0
    low, high = 20.0, 140.0  # PSNR in dB
    for _ in range(JPEG2000_STEPS):
        level = (low + high) / 2
        data = codecs.jpeg2k_encode(values, level=level, reversible=False)
        error = np.abs(codecs.jpeg2k_decode(data).astype(int) - values)[known].max()
        if error <= most:
            best, high = min(best, data, key=len), level
        else:
            low = level
    return best


OTHERS: dict[str, Callable[[np.ndarray, int], bytes]] = {
    "jpegxl": lambda values, most: _least(_jpegxl, values, most),
    "png": lambda values, most: _least(_png, values, most),
    "jpeg2000": _jpeg2000,
    "rvl": lambda values, most: _least(_rvl, values, most),
}


def measured(values: np.ndarray, most: int, effort: int = 2) -> dict:
    """Bytes of each codec for a largest error; dinp's is checked, holes too, and told with how it was kept."""
    import dinp

    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dinp.DinpNotice)
        data = dinp.encode(values, max_error=most, effort=effort)
    seconds = time.process_time() - start
    shown = dinp.decode_array(data)
    reached = int(np.abs(shown.astype(int) - values).max())
    if reached > most or not np.array_equal(shown == 0, values == 0):
        raise DinpError(f"dinp is off by {reached} where {most} is allowed")
    found = {"reached": reached, "by": "samples" if "lossless" in dinp.info(data) else "diffusion"}
    found["seconds"] = round(seconds, 2)
    return found | {"bytes": {"dinp": len(data)} | {name: len(code(values, most)) for name, code in OTHERS.items()}}


def samples_table(content: dict) -> Table:
    """Bytes by picture and largest error, the least in bold, and dinp's mean ratio to the best of the others."""
    lines = []
    for most in sorted({row["max_error"] for row in content["rows"]}):
        ratios = []
        for row in content["rows"]:
            if row["max_error"] != most:
                continue
            sizes = row["bytes"]
            least = min(sizes.values())
            cells = [f"{sizes[name]:,}" if name in sizes else DASH for name in TITLES]
            marked = [
                f"**{cell}**" if sizes.get(name) == least else cell for name, cell in zip(TITLES, cells, strict=True)
            ]
            ratio = sizes["dinp"] / min(size for name, size in sizes.items() if name != "dinp")
            ratios.append(ratio)
            lines.append((row["picture"], f"{most:g}", row["by"], *marked, f"{ratio:.2f}"))
        mean = math.fsum(ratios) / len(ratios)
        lines.append((f"mean of {len(ratios)}", f"{most:g}", "", *[""] * len(TITLES), f"{mean:.2f}"))
    return Table(
        "depth and flow of 16 bits: bytes at the same largest error",
        ("picture", "error", "dinp by", *TITLES.values(), "ratio"),
        tuple(lines),
        "Bytes of whole files. Ratio: dinp to the smallest of the others. dinp by: diffusion and residual, or samples "
        "on a lattice coded one by one, whichever is smaller.",
    )


@click.group()
def samples() -> None:
    """Measure depth and flow of 16 bits at the same largest error."""


@samples.command()
@click.option("--pictures", type=PATH, required=True, help="Folder of the maps and fields of 8 bits.")
@click.option("--out", type=PATH, required=True, metavar="FILE", help="JSON file; continued if it exists.")
@click.option("--errors", type=NUMBER_LIST, default=",".join(map(str, ERRORS)), show_default=True)
@click.option("--effort", type=click.IntRange(1, 3), default=2, show_default=True, help="Of dinp.")
@click.option("--missing", is_flag=True, help="Measure only what FILE has not.")
def run(pictures: Path, out: Path, errors: Sequence[float], effort: int, missing: bool) -> None:
    """Measure, and write JSON."""
    before = load_results(out, "samples") if out.exists() else {"rows": []}
    rows = {(row["picture"], row["max_error"]): row for row in before["rows"]}
    here = environment(PACKAGES)
    codecs = {name: f"{name} {found}" for name, found in here["versions"].items()}
    runs = [*before.get("runs", []), here | {"jobs": 1, "codecs": codecs}]
    order = [(name, int(most)) for most in errors for name in (*DEPTHS, *FLOWS)]
    order = [key for key in order if not missing or key not in rows]
    for name, most in order:
        path = pictures / f"{name}.png"
        if not path.exists():
            raise DinpError(f"{path} is missing: give the folder of the piecewise smooth pictures")
        with Image.open(path) as image:
            values = sixteen_bits(np.asarray(image.convert("L")), depth=name in DEPTHS)
        row = {"picture": name, "pixels": values.size, "max_error": most, "effort": effort}
        rows[name, most] = row | measured(values, most, effort)
        click.echo(json.dumps(rows[name, most]))
        write(out, list(rows.values()), runs)


def write(path: Path, rows: list[dict], runs: list[dict]) -> None:
    """A result file."""
    lines = ",\n".join("  " + json.dumps(row, separators=(",", ":")) for row in rows)
    head = json.dumps({"benchmark": "samples", "runs": runs}, indent=1).removesuffix("\n}")
    path.write_text(head + f',\n "rows": [\n{lines}\n ]\n}}\n', encoding="utf-8")


@samples.command()
@click.argument("results", type=PATH)
@click.option("--readme", type=PATH, help=f"Write into this file, between {MARKER} and {END}.")
def table(results: Path, readme: Path | None) -> None:
    """Print the table as Markdown."""
    content = load_results(results, "samples")
    found = samples_table(content)
    text = "\n\n".join([found.markdown(), found.note, provenance_of(content["runs"])])
    tell_table(text, readme, MARKER)
