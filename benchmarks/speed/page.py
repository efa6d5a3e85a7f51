"""The page of `dinp view` in Chromium: seconds, sizes, and how far it agrees with the decoder.

    dinp bench page PICTURES... --out page.json

Each picture is coded, or taken as it is if it is a dinp file; a page is made of it alone and opened in a new headless
Chromium. `seconds` are those of the worker, from the file's bytes to pixels, networks unpacked; `shown` those from
the opening of the page to the picture's being there. Each is the least of some repeats. `painter`: the size of the
script that paints previews. Of use on an idle machine only.
"""

import json
import tempfile
import time
from pathlib import Path

import click
import numpy as np
from PIL import Image

import dinp
from dinp.benchmarks.environment import environment
from dinp.benchmarks.rd.tables import Table
from dinp.benchmarks.speed.decoding import timed
from dinp.cli.options import PATH
from dinp.cli.progress import counted
from dinp.page.browser import Browser
from dinp.page.document import needed_versions, page
from dinp.page.painter import gzipped_size
from dinp.pictures.files import check_output, write_output

_PIXELS = """(() => {
  const shown = document.querySelector("canvas"), copy = document.createElement("canvas");
  Object.assign(copy, { width: shown.width, height: shown.height });
  const context = copy.getContext("2d", { willReadFrequently: true });
  context.drawImage(shown, 0, 0);
  const { data } = context.getImageData(0, 0, copy.width, copy.height), parts = [];
  for (let k = 0; k < data.length; k += 32768) parts.push(String.fromCharCode(...data.subarray(k, k + 32768)));
  return btoa(parts.join(""));
})()"""


def opened(text: str) -> tuple[float, float, np.ndarray]:
    """Seconds of the worker, seconds until the picture is there, and the picture, (H, W, 4) uint8."""
    import base64

    with tempfile.TemporaryDirectory() as folder, Browser(timeout=300) as browser:
        path = Path(folder, "page.html")
        path.write_text(text, encoding="utf-8")
        start = time.perf_counter()
        browser.open(path)
        browser.wait_for("['done', 'failed'].includes(document.querySelector('article')?.dataset.state)")
        shown = time.perf_counter() - start
        seconds = float(str(browser.ask("document.querySelector('article').dataset.ms"))) / 1000
        height, width = browser.ask("(({ height, width }) => [height, width])(document.querySelector('canvas'))")
        pixels = np.frombuffer(base64.b64decode(str(browser.ask(_PIXELS))), np.uint8)
        return seconds, shown, pixels.reshape(height, width, 4)


def measure(path: Path, quality: float, repeats: int) -> dict:
    """A row: sizes, seconds and agreement."""
    data = path.read_bytes() if path.suffix == ".dinp" else dinp.encode(Image.open(path), quality=quality)
    text, report = page({path.name: data}), dinp.info(data)
    runs = [opened(text) for _ in range(repeats)]
    wanted, decoding = timed(lambda: np.asarray(dinp.decode(data).convert("RGBA")))
    difference = np.abs(runs[0][2].astype(int) - wanted)
    return {
        "picture": path.stem,
        "width": report["width"],
        "height": report["height"],
        "bytes": len(data),
        "structures": [plane.get("structure", "lossless") for plane in report["planes"]],
        "restoration": list(needed_versions({path.name: data})),
        "page_bytes": len(text.encode()),
        "seconds": round(min(run[0] for run in runs), 3),
        "shown": round(min(run[1] for run in runs), 3),
        "decode_seconds": round(decoding, 3),
        "largest_difference": int(difference.max()),
        "share_that_differs": float((difference > 0).mean()),
    }


def as_table(rows: list[dict]) -> Table:
    """What was measured, in words."""
    head = ("picture", "size", "bytes", "restoration", "page, kB", "decoding, s", "shown after, s", "dinp decode, s")
    lines = []
    for row in rows:
        versions = ", ".join(map(str, row["restoration"])) or "–"
        size, seconds = f"{row['width']} x {row['height']}", [row["seconds"], row["shown"], row["decode_seconds"]]
        kilobytes = f"{row['page_bytes'] / 1000:,.0f}"
        lines.append((row["picture"], size, f"{row['bytes']:,}", versions, kilobytes, *(f"{s:.2f}" for s in seconds)))
    return Table("Pages in Chromium", head, tuple(lines), "The page decodes in one worker, on one core.")


@click.command("page")
@click.argument("pictures", type=PATH, nargs=-1, required=True)
@click.option("--out", type=PATH, required=True, metavar="FILE", help="JSON file for the results; replaced.")
@click.option("-q", "--quality", type=float, default=35, show_default=True, help="Of pictures that are coded first.")
@click.option("--repeats", type=click.IntRange(min=1), default=3, show_default=True, help="Of each page.")
def measure_pages(pictures: tuple[Path, ...], out: Path, quality: float, repeats: int) -> None:
    """Time the page that decodes in the browser."""
    check_output(str(out), *map(str, pictures), force=True)
    rows = []
    with counted("pages", len(pictures)) as one:
        for path in pictures:
            rows.append(measure(path, quality, repeats))
            one()
    head = {"benchmark": "page", "quality": quality, "repeats": repeats, "painter": gzipped_size()}
    content = head | environment(["dinp", "numpy", "pillow"]) | {"results": rows}
    write_output(str(out), (json.dumps(content, indent=1) + "\n").encode(), force=True)
    click.echo(as_table(rows).markdown())
