"""Encodes and decodes a photograph, and shows original, inpainting mask and reconstruction side by side.

    make demo
    python -m dinp.benchmarks.demo --quality 30 --output demo --picture docs/demo.jpg   # the picture of the README

The photograph is scikit-image's `astronaut` (NASA, public domain), which comes with that package.
"""

import time
from pathlib import Path

import click
import numpy as np
from PIL import Image
from skimage import data

import dinp
from dinp.bitstream.container import unpack
from dinp.bitstream.section import decode_section
from dinp.cli.options import PATH, Number

GAP = 8  # white pixels between the three panels


def side_by_side(panels: list[np.ndarray]) -> np.ndarray:
    """One RGB picture of panels (H, W) or (H, W, 3), uint8, with white gaps between them."""
    coloured = [panel if panel.ndim == 3 else np.repeat(panel[:, :, None], 3, axis=2) for panel in panels]
    gap = np.full((len(panels[0]), GAP, 3), 255, dtype=np.uint8)
    return np.concatenate([part for panel in coloured for part in (panel, gap)][:-1], axis=1)


@click.command()
@click.option("--quality", type=Number(0, 100), default=50, show_default=True)
@click.option("--output", type=PATH, default="demo", show_default=True, metavar="FOLDER", help="For the results.")
@click.option("--picture", type=PATH, metavar="FILE", help="The picture to look at.  [default: demo.png in --output]")
def main(quality: float, output: Path, picture: Path | None) -> None:
    """Encode and decode a photograph."""
    output.mkdir(parents=True, exist_ok=True)

    original = data.astronaut()
    encoding = dinp.encode_with_report(original, quality=quality)
    (output / "astronaut.dinp").write_bytes(encoding.data)

    start = time.perf_counter()
    decoded = np.asarray(dinp.decode(encoding.data))
    seconds = time.perf_counter() - start

    _, known, _ = decode_section(unpack(encoding.data).sections[0], original.shape[:2])
    mask = np.where(known.mask, 255, 0).astype(np.uint8)
    picture = picture or output / "demo.png"
    Image.fromarray(side_by_side([original, mask, decoded])).save(picture, quality=80)

    height, width = original.shape[:2]
    click.echo(f"picture  {width} x {height} RGB, {original.nbytes:,} bytes uncompressed")
    click.echo(f"file     {len(encoding.data):,} bytes, {encoding.bpp:.3f} bpp, in {output / 'astronaut.dinp'}")
    click.echo(
        f"quality  {encoding.psnr:.2f} dB PSNR over R, G and B, from {100 * encoding.density:.1f} % of the values"
    )
    click.echo(f"time     encoded in {encoding.seconds:.2f} s, decoded in {seconds:.2f} s")
    click.echo(f"look at  {picture}: original, inpainting mask (white: known), reconstruction")


if __name__ == "__main__":
    main()
