"""Files of results: read with a check of whose they are."""

import json
from pathlib import Path

from dinp.errors import DinpError


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
