"""`dinp info`."""

import json
import os

import click

from dinp.cli import options
from dinp.cli.describe import account, describe
from dinp.cli.errors import sentence_of
from dinp.cli.progress import out, say
from dinp.errors import DinpError
from dinp.limits import most_bytes
from dinp.many.plan import inputs, is_coded
from dinp.pictures import files


@click.command()
@click.argument("sources", metavar="INPUT...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON: of several files, a line each.")
@options.max_pixels
@click.option("-v", "--verbose", is_flag=True, help="Add where the bytes go.")
def info(sources: tuple[str, ...], as_json: bool, max_pixels: int, verbose: bool) -> None:
    """Tell what a dinp file holds.

    Or several files, or those in a folder. "-" stands for stdin.
    """
    import dinp

    several = len(sources) > 1 or os.path.isdir(sources[0])
    names = [name for name, _ in inputs(sources, is_coded)]
    failed = 0
    for name in names:
        try:
            report = dinp.info(files.read_dinp(name, most=most_bytes(max_pixels)), max_pixels=max_pixels)
        except (DinpError, MemoryError) as error:
            if not several:
                raise
            failed += 1
            say(f"failed: {name}: {sentence_of(error)}")
            continue
        if as_json:
            out(json.dumps({"file": name} | report) if several else json.dumps(report, indent=2))
            continue
        out(f"{name}: {describe(report)}" if several else describe(report))
        if verbose:
            out(account(report))
    if failed:
        raise DinpError(f"{failed:,} of {len(names):,} files failed")
