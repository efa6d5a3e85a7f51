"""`dinp mask`."""

import os

import click

from dinp.cli import options
from dinp.cli.formats import keeps_masks, picture_format, saved
from dinp.cli.options import Number
from dinp.cli.progress import progress, say
from dinp.cli.reading import open_picture
from dinp.errors import DinpError
from dinp.pictures import files


@click.command()
@click.argument("source", metavar="INPUT")
@click.argument("target", metavar="OUTPUT")
@click.option(
    "-m",
    "--method",
    default="learned",
    show_default=True,
    help="random, analytic, learned, learned-eight-passes, learned-one-pass, learned-plain, learned-surrogate, "
    "sparsification, sparsification-exchange, sparsification-settled-exchange, densification, densification-exchange, "
    "learned-fast-refinement, learned-refinement or learned-long-refinement. learned-plain is for values that are not "
    "tonally optimised.",
)
@click.option(
    "-d",
    "--density",
    type=Number(0, 1, above=True),
    default=0.05,
    show_default=True,
    help="Known pixels per pixel.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of methods that draw lots.")
@click.option("--picture", metavar="FILE", help="Show mask, inpainting and error (x 4) side by side in this picture.")
@options.force
@options.max_pixels
def mask(
    source: str, target: str, method: str, density: float, seed: int, picture: str | None, force: bool, max_pixels: int
) -> None:
    """Choose an inpainting mask for a picture.

    OUTPUT is a picture of the mask, known pixels white, as encode --mask takes it. Of colour pictures the luma counts.
    Tells the PSNR of the inpainting with the picture's own values (plain) and with tonally optimised ones. A search
    that is interrupted leaves the best mask so far.
    """
    into = picture_format(target)
    if not keeps_masks(into):
        raise DinpError(f"{into} may not keep a mask exactly: name the output like mask.png")
    files.check_output(target, source, force=force)
    if picture is not None:
        shown_as = picture_format(picture)
        files.check_output(picture, source, force=force)
        if os.path.realpath(picture) == os.path.realpath(target):
            raise DinpError("the mask and the picture are the same file: give one another name")
    from PIL import Image

    from dinp.models.masks import report as mask_report
    from dinp.pictures.colour_transform import split_planes
    from dinp.pictures.modes import picture_from_image

    with open_picture(source, max_pixels) as opened:
        pixels, notices = picture_from_image(opened, max_pixels=max_pixels)
    plane = split_planes(pixels)[0]
    with progress(method) as draw:
        chosen = mask_report.choose_mask(method, plane, density, seed, draw)
    files.write_output(target, saved(Image.fromarray(chosen.mask), into), force=force)
    worth = mask_report.mask_worth(plane, chosen.mask)
    if picture is not None:
        shown = Image.fromarray(mask_report.side_by_side(plane, chosen.mask, worth.reconstruction))
        files.write_output(picture, saved(shown, shown_as), force=force)
    for notice in notices:
        say(f"note: {notice}")
    if not chosen.complete:
        say("note: interrupted: this is the best mask so far")
    points = int(chosen.mask.sum())
    say(
        f"{points:,} points, density {100 * points / chosen.mask.size:.3f} %, PSNR {worth.plain_psnr:.2f} dB plain, "
        f"{worth.tonal_psnr:.2f} dB tonally optimised, {chosen.seconds:.2f} s"
    )
