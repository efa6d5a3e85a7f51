"""The group of all commands."""

import click

from dinp._version import FORMAT_VERSION, __version__
from dinp.cli.errors import Commands

HOMES = {
    "encode": ("dinp.cli.encode:encode", "Code a picture as a dinp file, or many."),
    "decode": ("dinp.cli.decode:decode", "Decode a dinp file to a picture, or many."),
    "info": ("dinp.cli.info:info", "Tell what a dinp file holds."),
    "mask": ("dinp.cli.mask:mask", "Choose an inpainting mask for a picture."),
    "bench": ("dinp.cli.bench:bench", "Run a benchmark."),
    "train": ("dinp.cli.train:train", "Train a network, or make what one is trained with."),
}


@click.group("dinp", cls=Commands, homes=HOMES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message=f"dinp %(version)s, file format version {FORMAT_VERSION}")
def command() -> None:
    """Image codec that rebuilds pictures by diffusion inpainting from a learned mask."""
