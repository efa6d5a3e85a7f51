"""`dinp encode`."""

import click

from dinp.cli import options
from dinp.cli.describe import describe, without_kernels
from dinp.cli.formats import check_dinp_ending
from dinp.cli.many import asked_as_many, do_all, existing_of, tasks_for
from dinp.cli.options import Number
from dinp.cli.panels import panels
from dinp.cli.progress import progress, say
from dinp.cli.reading import open_samples, read_mask
from dinp.errors import DinpError
from dinp.many.plan import is_many, is_picture
from dinp.many.work import encoding_of
from dinp.pictures import files
from dinp.pictures.arrays import ArrayFile


@click.command()
@click.argument("sources", metavar="INPUT...", nargs=-1, required=True)
@click.argument("target", metavar="OUTPUT")
@click.option("-q", "--quality", type=Number(0, 100), help="0 (smallest file) to 100 (best picture).  [default: 50]")
@click.option(
    "--target-size", type=click.IntRange(min=1), metavar="BYTES", help="Best quality in at most so many bytes."
)
@click.option(
    "--target-bpp", type=Number(0, above=True), metavar="BPP", help="Best quality in at most so many bits per pixel."
)
@click.option("--target-psnr", type=Number(0, above=True), metavar="DB", help="Smallest file with at least this PSNR.")
@click.option("--lossless", is_flag=True, help="Keep every sample exactly: for drawings, label maps, screens.")
@click.option(
    "-e",
    "--effort",
    type=click.IntRange(1, 3),
    default=2,
    show_default=True,
    help="1: the network alone places the points; 2: and growth where the error is; 3: and more of it, for restoring.",
)
@click.option("--plain", is_flag=True, help="Do without restoration: the picture is that of the diffusion alone.")
@click.option("--mask", metavar="FILE", help="Take the known pixels from this picture (not black: known).")
@click.option("--max-error", type=Number(0), help="No sample farther off than this, in the picture's own units.")
@click.option("--hole", type=float, help="The value that marks samples without a measurement; nan always does.")
@click.option("--planes", is_flag=True, help="Code the channels of a file of numbers as they are, not as colours.")
@click.option(
    "--chroma",
    type=click.Choice(["auto", "420", "444"]),
    default="auto",
    show_default=True,
    help="Colour at half resolution (420), whole (444), or as it pays.",
)
@click.option("--srgb", is_flag=True, help="Convert colours to sRGB; else the picture's profile is kept.")
@click.option("--strip", is_flag=True, help="Leave out EXIF and XMP data.")
@click.option("--picture", "panels_file", metavar="FILE", help="Draw contours, known pixels and result as a PNG.")
@options.of_many
@options.force
@options.max_pixels
@options.verbose
def encode(
    sources: tuple[str, ...],
    target: str,
    quality: float | None,
    target_size: int | None,
    target_bpp: float | None,
    target_psnr: float | None,
    lossless: bool,
    effort: int,
    plain: bool,
    mask: str | None,
    max_error: float | None,
    hole: float | None,
    planes: bool,
    chroma: str,
    srgb: bool,
    strip: bool,
    panels_file: str | None,
    force: bool,
    max_pixels: int,
    verbose: bool,
    **of_many: object,
) -> None:
    """Code a picture as a dinp file, or many.

    INPUT is a picture in any format that Pillow opens, or an array: .npy, .pfm, .flo. OUTPUT is the file to write; "-"
    stands for stdin or stdout.

    Of several inputs, or folders, whose sub-folders are kept, OUTPUT is a folder. What fails is told at the end, and
    the rest is done.
    """
    if sum(option is not None for option in (quality, target_size, target_bpp, target_psnr)) > 1:
        raise click.UsageError("--quality and the targets exclude one another.")
    wanted = {
        "quality": quality,
        "target_psnr": target_psnr,
        "target_bpp": target_bpp,
        "lossless": lossless,
        "effort": effort,
        "restore": not plain,
        "max_error": max_error,
        "holes": hole,
        "planes": planes,
        "chroma": chroma,
        "srgb": srgb,
        "strip": strip,
        "max_pixels": max_pixels,
    }
    wanted |= {} if target_size is None else {"target_bytes": target_size}
    several = is_many(sources, target)
    if several or asked_as_many(of_many):
        if mask is not None or panels_file is not None:
            raise click.UsageError("--mask and --picture are of one file: code it by itself.")
        existing = existing_of(force=force, skip=of_many["skip_existing"])
        tasks = tasks_for(sources, target, many=several, ending=".dinp", wanted=is_picture, existing=existing)
        if not several and not force:
            check_dinp_ending(target)
        do_all("encode", tasks, existing=existing, options=wanted, verbose=verbose, **of_many)
        return
    (source,) = sources
    files.check_output(target, source, force=force)
    if panels_file is not None:
        files.check_output(panels_file, source, force=force)
    if not force:
        check_dinp_ending(target)
    import dinp
    from dinp.bitstream.samples import EIGHT_BITS

    with open_samples(source, max_pixels) as picture, progress("encoding") as draw:
        known = None if mask is None else read_mask(mask, max_pixels)
        encoding = encoding_of(picture, **wanted, mask=known, progress=draw)
        if panels_file is not None and (isinstance(picture, ArrayFile) or encoding.picture.format != EIGHT_BITS):
            raise DinpError("--picture draws pictures of 8 bits only: leave it out")
        pictured = None if panels_file is None else panels(picture, encoding.data, max_pixels)
    files.write_output(target, encoding.data, force=force)
    if panels_file is not None:
        files.write_output(panels_file, pictured, force=force)
    for notice in encoding.notices:
        say(f"note: {notice}")
    measured = ""
    if verbose or target_psnr is not None or max_error is not None:  # needs the picture decoded: for who asks only
        of_range = "" if encoding.picture.format == EIGHT_BITS else " over the range"
        told = f", largest error {encoding.largest_error:g}" if of_range or max_error is not None else ""
        measured = f"PSNR {encoding.psnr:.2f} dB{of_range}{told}, "
    say(
        f"{len(encoding.data):,} bytes, {encoding.bpp:.4f} bpp, density {100 * encoding.density:.2f} %, "
        f"{measured}{encoding.seconds:.2f} s"
    )
    if verbose:
        if without_kernels():
            say(f"note: {without_kernels()}")
        say(describe(dinp.info(encoding.data, max_pixels=max_pixels)))
