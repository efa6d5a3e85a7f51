"""Encodes and decodes a photograph and a depth map, and shows originals, what the files keep and reconstructions.

    make demo
    python -m dinp.benchmarks.demo --quality 30 --output demo --picture docs/demo.jpg   # the picture of the README

The photograph is scikit-image's `astronaut` (NASA, public domain), which comes with that package; the depth map is made
here: balls and boxes in a room, with holes at their edges, as a depth camera has them.
"""

import time
from pathlib import Path

import click
import numpy as np
from PIL import Image
from skimage import data

import dinp
from dinp.benchmarks.rd.arrays import depth
from dinp.bitstream.container import unpack
from dinp.bitstream.regions import Pieces
from dinp.bitstream.section import decode_section
from dinp.cli.options import PATH, Number

GAP = 8  # white pixels between panels
DEPTH_SIZE = (320, 512)
FARTHEST = 4200  # millimetres


def depth_map() -> np.ndarray:
    """A depth map, (320, 512) uint8: near is dark, 0 where nothing was measured."""
    return np.minimum(depth(*DEPTH_SIZE).astype(np.float64) * 255 / FARTHEST, 255).astype(np.uint8)


def side_by_side(panels: list[np.ndarray]) -> np.ndarray:
    """One RGB picture of panels (H, W) or (H, W, 3), uint8, with white gaps between them."""
    coloured = [panel if panel.ndim == 3 else np.repeat(panel[:, :, None], 3, axis=2) for panel in panels]
    gap = np.full((len(panels[0]), GAP, 3), 255, dtype=np.uint8)
    return np.concatenate([part for panel in coloured for part in (panel, gap)][:-1], axis=1)


def kept(file: bytes) -> np.ndarray:
    """What a file keeps of its first plane, (H, W) uint8: contours black on white, or else known pixels white on black.

    Parameters
    ----------
    file : bytes
        A dinp file of a picture of 8 bits.
    """
    container = unpack(file)
    code, known, _ = decode_section(container.sections[0], container.shapes[0])
    if not isinstance(code.structure, Pieces):
        return np.where(known.mask, 255, 0).astype(np.uint8)
    right, down = code.structure.cracks
    contours = np.full(container.shapes[0], 255, dtype=np.uint8)
    contours[:, :-1][right] = 0
    contours[:-1][down] = 0
    return contours


def demonstrated(name: str, original: np.ndarray, quality: float, output: Path) -> np.ndarray:
    """Code a picture, tell about it, and return its row of panels; the file goes to the folder."""
    encoding = dinp.encode_with_report(original, quality=quality)
    path = output / f"{name}.dinp"
    path.write_bytes(encoding.data)

    start = time.perf_counter()
    decoded = np.asarray(dinp.decode(encoding.data))
    seconds = time.perf_counter() - start

    height, width = original.shape[:2]
    kind = "RGB" if original.ndim == 3 else "grey"
    click.echo(f"{name}, {width} x {height} {kind}, {original.nbytes:,} bytes uncompressed")
    click.echo(f"  file     {len(encoding.data):,} bytes, {encoding.bpp:.3f} bpp, in {path}")
    click.echo(f"  quality  {encoding.psnr:.2f} dB PSNR, from {100 * encoding.density:.1f} % of the values")
    click.echo(f"  time     encoded in {encoding.seconds:.2f} s, decoded in {seconds:.2f} s")
    return side_by_side([original, kept(encoding.data), decoded])


@click.command()
@click.option("--quality", type=Number(0, 100), default=50, show_default=True)
@click.option("--output", type=PATH, default="demo", show_default=True, metavar="FOLDER", help="For the results.")
@click.option("--picture", type=PATH, metavar="FILE", help="The picture to look at.  [default: demo.png in --output]")
def main(quality: float, output: Path, picture: Path | None) -> None:
    """Encode and decode a photograph and a depth map."""
    output.mkdir(parents=True, exist_ok=True)
    photograph = demonstrated("astronaut", data.astronaut(), quality, output)
    rows = [photograph, demonstrated("depth", depth_map(), quality, output)]
    gap = np.full((GAP, photograph.shape[1], 3), 255, dtype=np.uint8)
    picture = picture or output / "demo.png"
    Image.fromarray(np.concatenate([rows[0], gap, rows[1]])).save(picture, quality=70)
    click.echo(f"look at {picture}: original; known pixels (white), or contours (black); reconstruction")


if __name__ == "__main__":
    main()
