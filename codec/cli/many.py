"""What commands share that take many files: one bar, lines of JSON, and at the end what failed."""

import json
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from dinp.cli.progress import counted, out, say
from dinp.errors import DinpError
from dinp.many.plan import OVERWRITE, REFUSE, SKIP, Task, tasks_of

if TYPE_CHECKING:
    from dinp.many.work import FileResult


def asked_as_many(options: dict) -> bool:
    """Whether the options of `dinp.cli.options.of_many` ask for one file to be treated as many are."""
    return options["skip_existing"] or options["as_json"] or options["scheduler"] is not None


def existing_of(*, force: bool, skip: bool) -> str:
    """What is done about outputs that exist, by the options."""
    if force and skip:
        raise click.UsageError("--force and --skip-existing exclude one another.")
    return OVERWRITE if force else SKIP if skip else REFUSE


def tasks_for(
    sources: Sequence[str], target: str, *, many: bool, ending: str, wanted: Callable[[str], bool], existing: str
) -> list[Task]:
    """What is to be done: each input and its output; `many` if outputs go into a folder.

    Raises
    ------
    DinpError
        See `dinp.many.plan.tasks_of`, and of one output also `dinp.pictures.files.check_output`.
    """
    if many:
        return tasks_of(sources, target, ending=ending, wanted=wanted, existing=existing)
    from dinp.pictures import files

    if "-" in (*sources, target):
        raise DinpError("lines of JSON and skipped outputs are of files by name: give names in place of -")
    files.check_output(target, sources[0], force=existing != REFUSE)
    return [Task(sources[0], target)]


def do_all(
    kind: str,
    tasks: Sequence[Task],
    *,
    existing: str,
    options: dict,
    verbose: bool,
    jobs: int | None,
    scheduler: str | None,
    skip_existing: bool,
    as_json: bool,
) -> None:
    """Work on files, draw a bar, and tell what became of them.

    `skip_existing` is in `existing` already.

    Raises
    ------
    DinpError
        A file failed: all others are done.
    """
    from dinp.many.engines import results
    from dinp.many.work import request

    start = time.perf_counter()
    requests = [request(kind, task.source, task.target, existing, options) for task in tasks]
    found: dict[int, FileResult] = {}
    running = results(requests, jobs=jobs, scheduler=scheduler)
    try:
        with counted("encoding" if kind == "encode" else "decoding", len(requests)) as one:
            for number, result in running:
                found[number] = result
                one()
                if as_json:
                    out(json.dumps(result.told()))
                elif verbose and result.status == "done":
                    say(f"{result.source}: {_figures(result)}{result.seconds:.2f} s")
    finally:
        running.close()
    ordered = [found[number] for number in sorted(found)]
    for result in ordered:
        for notice in result.notices:
            say(f"note: {result.source}: {notice}")
    failed = [result for result in ordered if result.status == "failed"]
    for result in failed:
        say(f"failed: {result.source}: {result.error}")
    done = [result for result in ordered if result.status == "done"]
    skipped = len(ordered) - len(done) - len(failed)
    parts = [f"{len(done):,} file{'s' if len(done) != 1 else ''}", f"{sum(r.bytes for r in done):,} bytes"]
    parts += [f"{skipped:,} skipped"] if skipped else []
    say(", ".join([*parts, f"{time.perf_counter() - start:.2f} s"]))
    if failed:
        raise DinpError(f"{len(failed):,} of {len(ordered):,} files failed")


def _figures(result: "FileResult") -> str:
    return "" if result.bpp is None else f"{result.bytes:,} bytes, {result.bpp:.4f} bpp, "
