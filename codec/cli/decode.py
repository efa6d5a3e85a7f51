"""`dinp decode`."""

import time
import warnings
from fractions import Fraction

import click

from dinp.cli import options
from dinp.cli.describe import describe, without_kernels
from dinp.cli.formats import kept_note, picture_format, saved
from dinp.cli.many import asked_as_many, do_all, existing_of, tasks_for
from dinp.cli.progress import progress, say
from dinp.limits import most_bytes
from dinp.many.plan import is_coded, is_many
from dinp.pictures import files
from dinp.pictures.arrays import ENDINGS, array_bytes


@click.command()
@click.argument("sources", metavar="INPUT...", nargs=-1, required=True)
@click.argument("target", metavar="OUTPUT")
@click.option(
    "--scale",
    type=click.Choice(["1/8", "1/4", "1/2", "1", "2", "4"]),
    default="1",
    show_default=True,
    help="Smaller, without restoration, or larger.",
)
@click.option("--restore", is_flag=True, help="Restore also what is shown smaller, or very large.")
@click.option("--plain", is_flag=True, help="Do without restoration: show what the diffusion alone makes.")
@click.option(
    "--to", metavar="ENDING", default="png", show_default=True, help="Of many files: the ending of each output."
)
@options.of_many
@options.force
@options.max_pixels
@options.verbose
def decode(
    sources: tuple[str, ...],
    target: str,
    scale: str,
    restore: bool,
    plain: bool,
    to: str,
    force: bool,
    max_pixels: int,
    verbose: bool,
    **of_many: object,
) -> None:
    """Decode a dinp file to a picture, or many.

    The ending of OUTPUT tells its format, that of a picture or .npy, .pfm, .flo; "-" stands for stdin, and for PNG on
    stdout.

    Of several inputs, or folders, whose sub-folders are kept, OUTPUT is a folder. What fails is told at the end, and
    the rest is done.
    """
    if plain and restore:
        raise click.UsageError("--plain and --restore exclude one another.")
    how = {"restore": False if plain else True if restore else None, "scale": float(Fraction(scale))}
    how["max_pixels"] = max_pixels
    several = is_many(sources, target)
    if several or asked_as_many(of_many):
        ending = "." + to.lstrip(".")
        picture_format("picture" + ending if several else target)
        existing = existing_of(force=force, skip=of_many["skip_existing"])
        tasks = tasks_for(sources, target, many=several, ending=ending, wanted=is_coded, existing=existing)
        do_all("decode", tasks, existing=existing, options=how, verbose=verbose, **of_many)
        return
    (source,) = sources
    into = picture_format(target)
    files.check_output(target, source, force=force)
    import dinp

    data = files.read_dinp(source, most=most_bytes(max_pixels))
    start = time.perf_counter()
    with progress("decoding") as draw, warnings.catch_warnings(record=True) as notices:
        warnings.simplefilter("always", dinp.DinpNotice)
        if into in ENDINGS:
            array = dinp.decode_array(data, **how, progress=draw)
        else:
            picture = dinp.decode(data, **how, progress=draw)
    seconds = time.perf_counter() - start
    content = array_bytes(array, into) if into in ENDINGS else saved(picture, into)
    files.write_output(target, content, force=force)
    for notice in notices:
        say(f"note: {notice.message}")
    for told in [] if into in ENDINGS else kept_note(picture, content, into):
        say(f"note: {told}")
    if verbose:
        if without_kernels():
            say(f"note: {without_kernels()}")
        say(describe(dinp.info(data, max_pixels=max_pixels)))
        say(f"decoded in {seconds:.2f} s, saved as {into}")
