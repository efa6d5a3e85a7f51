"""`dinp decode`."""

import time
import warnings

import click

from dinp.cli import options
from dinp.cli.describe import describe
from dinp.cli.formats import kept, picture_format, saved
from dinp.cli.progress import progress, say
from dinp.pictures import files


@click.command()
@click.argument("source", metavar="INPUT")
@click.argument("target", metavar="OUTPUT")
@click.option("--plain", is_flag=True, help="Do without restoration: show what the diffusion alone makes.")
@options.force
@options.max_pixels
@options.verbose
def decode(source: str, target: str, plain: bool, force: bool, max_pixels: int, verbose: bool) -> None:
    """Decode a dinp file to a picture.

    The ending of OUTPUT tells its format; "-" stands for stdin, and for PNG on stdout.
    """
    into = picture_format(target)
    files.check_output(target, force=force, source=source)
    import dinp

    data = files.read_dinp(source)
    start = time.perf_counter()
    with progress("decoding") as draw, warnings.catch_warnings(record=True) as notices:
        warnings.simplefilter("always", dinp.DinpNotice)
        picture = dinp.decode(data, restore=not plain, max_pixels=max_pixels, progress=draw)
    seconds = time.perf_counter() - start
    content = saved(picture, into)
    files.write_output(target, content, force=force)
    for notice in notices:
        say(f"note: {notice.message}")
    if not kept(picture, content):
        say(f"note: {into} does not keep the decoded values exactly; PNG does")
    if verbose:
        say(describe(dinp.info(data, max_pixels=max_pixels)))
        say(f"decoded in {seconds:.2f} s, saved as {into}")
