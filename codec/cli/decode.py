"""`dinp decode`."""

import time
import warnings

import click

from dinp.cli import options
from dinp.cli.describe import describe
from dinp.cli.formats import kept, picture_format, saved
from dinp.cli.progress import progress, say
from dinp.limits import most_bytes
from dinp.pictures import files
from dinp.pictures.arrays import ENDINGS, array_bytes


@click.command()
@click.argument("source", metavar="INPUT")
@click.argument("target", metavar="OUTPUT")
@click.option("--plain", is_flag=True, help="Do without restoration: show what the diffusion alone makes.")
@options.force
@options.max_pixels
@options.verbose
def decode(source: str, target: str, plain: bool, force: bool, max_pixels: int, verbose: bool) -> None:
    """Decode a dinp file to a picture.

    The ending of OUTPUT tells its format, that of a picture or .npy, .pfm, .flo; "-" stands for stdin, and for PNG on
    stdout.
    """
    into = picture_format(target)
    files.check_output(target, force=force, source=source)
    import dinp

    data = files.read_dinp(source, most=most_bytes(max_pixels))
    start = time.perf_counter()
    with progress("decoding") as draw, warnings.catch_warnings(record=True) as notices:
        warnings.simplefilter("always", dinp.DinpNotice)
        restore = False if plain else None
        if into in ENDINGS:
            array = dinp.decode_array(data, restore=restore, max_pixels=max_pixels, progress=draw)
        else:
            picture = dinp.decode(data, restore=restore, max_pixels=max_pixels, progress=draw)
    seconds = time.perf_counter() - start
    content = array_bytes(array, into) if into in ENDINGS else saved(picture, into)
    files.write_output(target, content, force=force)
    for notice in notices:
        say(f"note: {notice.message}")
    if into not in ENDINGS and not kept(picture, content):
        better = "TIFF" if picture.mode in ("I", "F") else "PNG"
        say(f"note: {into} does not keep the decoded values exactly; {better} does")
    if verbose:
        say(describe(dinp.info(data, max_pixels=max_pixels)))
        say(f"decoded in {seconds:.2f} s, saved as {into}")
