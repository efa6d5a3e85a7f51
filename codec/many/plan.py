"""Which output each input has: folders are looked through, and what cannot be done is refused before any work."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from dinp.errors import DinpError
from dinp.pictures import files
from dinp.pictures.arrays import ENDINGS

REFUSE, SKIP, OVERWRITE = EXISTING = ("refuse", "skip", "overwrite")
_NO_PICTURES = {
    "BUFR",
    "DINP",
    "EPS",
    "GRIB",
    "HDF5",
    "MPEG",
    "PDF",
    "WMF",
}  # that Pillow opens by other programs, or not
_SHOWN = 3  # names in a sentence


@dataclass(frozen=True)
class Task:
    """An input and its output."""

    source: str
    target: str


def is_picture(name: str) -> bool:
    """Whether the ending is that of a picture or array that can be coded."""
    from PIL import Image

    ending = os.path.splitext(name)[1].lower()
    if ending in ENDINGS:
        return True
    kind = Image.registered_extensions().get(ending)
    return kind in Image.OPEN and kind not in _NO_PICTURES


def is_coded(name: str) -> bool:
    """Whether the ending is that of a dinp file."""
    return name.lower().endswith(".dinp")


def is_many(sources: Sequence[str], target: str) -> bool:
    """Whether an output is a folder for what becomes of the inputs, and no file."""
    if len(sources) == 1 and sources[0] == "-":
        return False
    return len(sources) != 1 or names_folder(target) or os.path.isdir(sources[0])


def names_folder(name: str) -> bool:
    """Whether a name is that of a folder, or is written as one is."""
    return os.path.isdir(name) or name.endswith((os.sep, os.altsep or os.sep))


def found_in(source: str, wanted: Callable[[str], bool], *, without: str | None = None) -> Iterator[str]:
    """Files in a folder and in those within, sorted, relative to it; hidden ones and the folder `without` are left out.

    Raises
    ------
    DinpError
        A folder cannot be read.
    """

    def unreadable(error: OSError) -> None:
        raise DinpError(f"cannot read the folder {error.filename}: {(error.strerror or str(error)).lower()}") from error

    for folder, folders, names in os.walk(source, onerror=unreadable):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and (without is None or os.path.realpath(os.path.join(folder, name)) != without)
        )
        for name in sorted(names):
            if not name.startswith(".") and wanted(name):
                yield os.path.relpath(os.path.join(folder, name), source)


def inputs(
    sources: Sequence[str], wanted: Callable[[str], bool], *, folder: str | None = None
) -> list[tuple[str, str]]:
    """Each input, and its name within an output folder: its own, or where it lies within a folder that is an input.

    Raises
    ------
    DinpError
        A folder cannot be read, or holds no wanted file.
    """
    found: dict[tuple[str, str], None] = {}
    without = None if folder is None else os.path.realpath(folder)
    for source in sources:
        if not os.path.isdir(source):
            found[source, os.path.basename(source)] = None
            continue
        names = list(found_in(source, wanted, without=without))
        if not names:
            raise DinpError(f"there is nothing to work on in the folder {source}")
        found |= {(os.path.join(source, name), name): None for name in names}
    return list(found)


def tasks_of(
    sources: Sequence[str], folder: str, *, ending: str, wanted: Callable[[str], bool], existing: str = REFUSE
) -> list[Task]:
    """What is to be done, in the order of the inputs.

    Parameters
    ----------
    sources : sequence of str
        Files, and folders, of which those files count that are `wanted` by their names.
    folder : str
        Where outputs go; it may not exist yet.
    ending : str
        Of the outputs, like ".dinp".
    wanted : callable
    existing : str
        What is done about outputs that exist: REFUSE, SKIP or OVERWRITE.

    Raises
    ------
    DinpError
        Two inputs have one output, an output is an input, outputs exist and `existing` is REFUSE, or the folder can
        neither be used nor made.
    """
    if existing not in EXISTING:
        raise DinpError(f"existing must be one of {', '.join(EXISTING)}, not {existing!r}")
    if "-" in sources:
        raise DinpError("standard input is one input alone: give its output the name of a file")
    if not names_folder(folder) and not os.path.exists(folder) and (is_coded(folder) or is_picture(folder)):
        raise DinpError(f"several inputs need a folder for their outputs, not {folder}: write {folder}/ if it is one")
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise DinpError(f"several inputs need a folder for their outputs, {folder} is a file: name a folder last")
    files.check_folder(folder)
    tasks = [
        Task(source, os.path.join(folder, os.path.splitext(name)[0] + ending))
        for source, name in inputs(sources, wanted, folder=folder)
    ]
    if not tasks:
        raise DinpError("no input is given")
    _check_names(tasks)
    if existing == REFUSE:
        there = [task.target for task in tasks if os.path.lexists(task.target)]
        if there:
            raise DinpError(
                f"{_listed(there)} {'exists' if len(there) == 1 else 'exist'} already: use --skip-existing to leave "
                f"{'it' if len(there) == 1 else 'them'} as {'it is' if len(there) == 1 else 'they are'}, "
                "or --force to overwrite"
            )
    return tasks


def _check_names(tasks: Sequence[Task]) -> None:
    by_target: dict[str, list[str]] = {}
    for task in tasks:
        by_target.setdefault(os.path.normcase(os.path.realpath(task.target)), []).append(task.source)
    for target, sources in by_target.items():
        if len(sources) > 1:
            raise DinpError(
                f"{_listed(sources)} would all become {os.path.basename(target)}: "
                "rename all but one, or give them folders of their own"
            )
    own = {os.path.normcase(os.path.realpath(task.source)): task.source for task in tasks}
    for target in by_target:
        if target in own:
            raise DinpError(f"{own[target]} is an input and would be an output: name another folder")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN:,} more"
