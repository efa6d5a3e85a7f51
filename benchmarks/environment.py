"""Where and with what a result was measured: date, commit, processor and versions; and the libraries it needs."""

import importlib
import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType

from dinp.errors import DinpError

SOURCES = ("codec", "models", "entropy", "benchmarks", "constraints.txt")


def environment(packages: Sequence[str]) -> dict:
    """Ready for JSON.

    Parameters
    ----------
    packages : sequence of str
        Distributions whose versions to tell; those that are not installed are left out.

    Returns
    -------
    dict
        `date` (UTC), `commit` (None outside a checkout), `modified` (whether sources differed from the commit), `cpu`,
        `cpus`, `python` and `versions`.
    """
    root = Path(__file__).resolve().parent.parent
    commit = revision(root)
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit,
        "modified": None if commit is None else bool(_git(root, "status", "--porcelain", "-uno", "--", *SOURCES)),
        "cpu": _processor(),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: found for name in packages if (found := _version(name))},
    }


def revision(root: Path) -> str | None:
    """The commit of a checkout, None outside of one."""
    return _git(root, "rev-parse", "HEAD") if (root / ".git").exists() else None


def library(name: str) -> ModuleType:
    """A module of a package that only benchmarks need, imported when it is used.

    Raises
    ------
    DinpError
        It is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise DinpError(f"this benchmark needs the package {error.name}: pip install 'dinp[bench]'") from error


def _git(root: Path, *arguments: str) -> str | None:
    """What git prints, or None if it fails or there is none."""
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    cpu = Path("/proc/cpuinfo")
    if cpu.exists():
        for line in cpu.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
