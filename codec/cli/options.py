"""Options and kinds of values that several commands share."""

import math
from collections.abc import Callable
from pathlib import Path

import click

from dinp.limits import MAX_PIXELS

max_pixels = click.option(
    "--max-pixels", type=click.IntRange(min=1), default=MAX_PIXELS, show_default=True, help="Refuse larger pictures."
)
force = click.option("-f", "--force", is_flag=True, help="Overwrite OUTPUT.")
verbose = click.option("-v", "--verbose", is_flag=True, help="Tell more on stderr.")
jobs = click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Of many files: so many at a time.  [default: cores, at most 8]",
)
scheduler = click.option(
    "--scheduler", metavar="ADDRESS", help='Of many files: by dask, as tcp://host:8786; or "local".'
)
skip_existing = click.option("--skip-existing", is_flag=True, help="Leave outputs that exist as they are.")
as_lines = click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each file.")


def of_many(command: Callable) -> Callable:
    """The options of a command that takes many files; their values go to `dinp.cli.many.do_all` as they are."""
    for option in (as_lines, skip_existing, scheduler, jobs):
        command = option(command)
    return command


readme = click.option(
    "--readme", type=click.Path(path_type=Path), metavar="FILE", help="Write the tables into this file, between marks."
)

PATH = click.Path(path_type=Path)


class Number(click.ParamType):
    """A finite number within limits; click's own range lets nan pass.

    Parameters
    ----------
    least, most : float
    above : bool
        Whether the least one itself is left out.
    """

    name = "number"

    def __init__(self, least: float = -math.inf, most: float = math.inf, *, above: bool = False) -> None:
        self.least, self.most, self.above = least, most, above

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number of a text."""
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number) or not self.least <= number <= self.most or (self.above and number == self.least):
            self.fail(f"{value!r} is not a number {self._range()}".rstrip(), param, ctx)
        return number

    def _range(self) -> str:
        if self.least == -math.inf:
            return ""
        if self.above:
            return f"above {self.least:g}" + (f" and at most {self.most:g}" if self.most < math.inf else "")
        return f"from {self.least:g}" + (f" to {self.most:g}" if self.most < math.inf else " on")


class Listed(click.ParamType):
    """Several values in one argument, separated by commas: a tuple.

    Parameters
    ----------
    kind : click.ParamType
        Of each of them.
    count : int, optional
        How many there must be.
    """

    name = "list"

    def __init__(self, kind: click.ParamType = click.STRING, count: int | None = None) -> None:
        self.kind, self.count = kind, count

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple:
        """The values of a text; those of another type, as a default has, stay as they are."""
        if not isinstance(value, str):
            return tuple(value)
        found = tuple(self.kind.convert(part.strip(), param, ctx) for part in value.split(",") if part.strip())
        if not found or self.count not in (None, len(found)):
            wanted = "values" if self.count is None else f"{self.count} values"
            self.fail(f"{value!r} is not a list of {wanted} with commas between", param, ctx)
        return found


NUMBER_LIST = Listed(Number())
NAME_LIST = Listed()
