"""Tables for the README: a command replaces what stands between two markers, so that no figure is copied by hand."""

import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from dinp.cli import progress
from dinp.errors import DinpError

END = "<!-- end -->"


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first column is aligned left, the others right."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def replace_section(path: Path, marker: str, text: str) -> None:
    """Replace what a file holds between `marker` and the next end marker; the file is complete at every moment.

    Parameters
    ----------
    path : Path
        A text file with the two markers, `marker` and `<!-- end -->`, in this order.
    marker : str
        For example `<!-- masks -->`.
    text : str
        Without the markers.

    Raises
    ------
    DinpError
        The file cannot be read or written, or a marker is missing.
    """
    try:
        before, found, rest = path.read_text(encoding="utf-8").partition(marker)
        _, end, after = rest.partition(END)
        if not found or not end:
            raise DinpError(f"{path} has no section from {marker} to {END}")
        part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            part.write_text(f"{before}{marker}\n{text.strip()}\n{END}{after}", encoding="utf-8")
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise DinpError(f"{path} cannot be changed: {error.strerror}") from error


def tell_table(text: str, page: Path | None, marker: str) -> None:
    """Print a table, or put it into a page between `marker` and the next end marker and print the page's name."""
    if page is None:
        progress.out(text)
    else:
        replace_section(page, marker, text)
        progress.out(page)
