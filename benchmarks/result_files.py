"""Files of results: read with a check of whose they are; and rows, kept as they are measured."""

import json
from pathlib import Path

import click

from dinp.benchmarks.environment import environment
from dinp.errors import DinpError
from dinp.pictures.files import write_output

PACKAGES = ("dinp", "numpy", "scipy", "pyamg")


def load_results(path: Path, *benchmarks: str) -> dict:
    """The content of a file that one of some benchmarks has written; their names as they stand in files.

    Raises
    ------
    DinpError
        It cannot be read, or is not a result of these benchmarks.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DinpError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict) or content.get("benchmark") not in benchmarks:
        raise DinpError(f"{path} holds no results of the benchmark {' or '.join(benchmarks)}")
    return content


def kept_rows(path: Path) -> list[dict]:
    """The rows of a file of `keep_row`; none if there is no such file yet."""
    return json.loads(path.read_text())["rows"] if path.exists() else []


def keep_row(path: Path, rows: list[dict], row: dict) -> None:
    """Add a row to those measured before, tell it, and write them all."""
    rows.append(row)
    click.echo(json.dumps(row))
    report = {"environment": environment(PACKAGES), "rows": rows}
    write_output(str(path), (json.dumps(report, indent=1) + "\n").encode(), force=True)
