"""`dinp preview`."""

import base64

import click

from dinp.cli import options
from dinp.cli.progress import out, say
from dinp.cli.reading import open_picture


@click.command()
@click.argument("source", metavar="INPUT", required=False)
@click.option(
    "-b",
    "--bytes",
    "size",
    type=click.IntRange(min=60),
    default=200,
    show_default=True,
    help="Of the preview, at most; in base64 it takes a third more.",
)
@click.option(
    "--side", type=click.IntRange(1, 128), metavar="PIXELS", help="The longer.  [default: as suits the bytes]"
)
@click.option("--html", is_flag=True, help="Print an img element with the preview as its attribute data-dinp.")
@click.option("--script", is_flag=True, help="Print the script that paints such elements in a page.")
@options.max_pixels
def preview(source: str | None, size: int, side: int | None, html: bool, script: bool, max_pixels: int) -> None:
    """Print a preview of a picture in base64.

    It is a dinp file of one to five hundred bytes, to be shown until the picture itself is there.
    """
    import html as markup
    import os
    from urllib.parse import quote

    import dinp

    if script:
        from dinp.page.painter import gzipped_size, painter

        out(painter())
        say(f"{gzipped_size():,} bytes, gzipped")
    if source is None:
        if script:
            return
        raise click.UsageError("Missing argument 'INPUT'.")
    with open_picture(source, max_pixels) as picture:
        width, height = picture.size
        data = dinp.preview(picture, size, side=side)
    text = base64.b64encode(data).decode("ascii")
    if html:
        # in an address ":", "#", "?" and "%" would mean something
        file = quote(os.fsencode(os.path.basename(source)), safe=" !$&'()*+,;=@~")
        name = "" if source == "-" else f' src="{markup.escape(file)}"'
        out(f'<img{name} width="{width}" height="{height}" alt="" data-dinp="{text}">')
    else:
        out(text)
    report = dinp.info(data)
    say(f"{len(data):,} bytes, {report['width']} x {report['height']} pixels")
