"""The group of all commands."""

import click

from dinp._version import FORMAT_VERSION, __version__
from dinp.cli.errors import Commands
from dinp.cli.progress import out

HOMES = {
    "encode": ("dinp.cli.encode:encode", "Code a picture as a dinp file, or many."),
    "decode": ("dinp.cli.decode:decode", "Decode a dinp file to a picture, or many."),
    "info": ("dinp.cli.info:info", "Tell what a dinp file holds."),
    "preview": ("dinp.cli.preview:preview", "Print a preview of a picture in base64."),
    "view": ("dinp.cli.view:view", "Make a page that decodes dinp files in the browser."),
    "mask": ("dinp.cli.mask:mask", "Choose an inpainting mask for a picture."),
    "bench": ("dinp.cli.bench:bench", "Run a benchmark."),
    "train": ("dinp.cli.train:train", "Train a network, or make what one is trained with."),
}


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from dinp.cli.describe import without_kernels

    out(f"dinp {__version__}, file format version {FORMAT_VERSION}")
    note = without_kernels()
    if note is not None:
        out(note)
    ctx.exit()


@click.group("dinp", cls=Commands, homes=HOMES, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Show the version and exit."
)
def command() -> None:
    """Image codec that rebuilds pictures by diffusion inpainting from a learned mask."""
