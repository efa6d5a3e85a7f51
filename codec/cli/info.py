"""`dinp info`."""

import json

import click

from dinp.cli import options
from dinp.cli.describe import account, describe
from dinp.cli.progress import out
from dinp.limits import most_bytes
from dinp.pictures import files


@click.command()
@click.argument("source", metavar="INPUT")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@options.max_pixels
@click.option("-v", "--verbose", is_flag=True, help="Add where the bytes go.")
def info(source: str, as_json: bool, max_pixels: int, verbose: bool) -> None:
    """Tell what a dinp file holds.

    "-" stands for stdin.
    """
    import dinp

    report = dinp.info(files.read_dinp(source, most=most_bytes(max_pixels)), max_pixels=max_pixels)
    out(json.dumps(report, indent=2) if as_json else describe(report))
    if verbose and not as_json:
        out(account(report))
