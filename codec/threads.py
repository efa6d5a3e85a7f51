"""Work on several processor cores, with results that do not depend on how many there are.

What is shared out are parts that are always cut in the same way, each done by one thread. Linear algebra libraries,
whose own threads would compete with these, and may sum in another order, use one thread meanwhile. The number of
threads is that of the cores at this process's disposal, or `OMP_NUM_THREADS`.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cache
from threading import Lock, local
from typing import TypeVar

from threadpoolctl import ThreadpoolController

T = TypeVar("T")
R = TypeVar("R")

MOST = 8  # more threads gain nothing: memory is what they wait for
_lock = Lock()
_own = local()  # whether a thread is one of those that share work
_inside = 0
_libraries = None  # as the first thread inside found them


def thread_count() -> int:
    """How many threads share the work, 1 to `MOST`."""
    wanted = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(int(wanted) if wanted.isdigit() else cores, MOST))


def in_parallel(work: Callable[[T], R], parts: Iterable[T]) -> list[R]:
    """What the work makes of every part, in their order; several are done at a time.

    Work that is itself a part of other such work is done by the thread that asks for it.

    Raises
    ------
    Whatever `work` raises for one of the parts; others may have been done.
    """
    count, parts = thread_count(), list(parts)
    if count == 1 or len(parts) < 2 or getattr(_own, "working", False):
        return [work(part) for part in parts]
    results: list = [None] * len(parts)
    numbers = iter(range(len(parts)))  # whoever is free takes the next

    def some() -> None:
        _own.working = True
        try:
            with single_blas():
                for number in numbers:
                    results[number] = work(parts[number])
        finally:
            _own.working = False

    others = [_pool(count, os.getpid()).submit(some) for _ in range(min(count, len(parts)) - 1)]
    try:
        some()
    finally:
        wait(others)
    for other in others:
        other.result()
    return results


@contextmanager
def single_blas() -> Iterator[None]:
    """Linear algebra libraries use one thread. May be nested, and entered by several threads at once.

    Where the number of threads is that of the whole process, the first thread that is inside sets and restores it.
    """
    global _inside, _libraries
    if getattr(_own, "single", False):
        yield
        return
    with _lock:
        if not _inside:  # libraries may have been loaded since the last time
            _libraries = ThreadpoolController()
        _inside += 1
    _own.single = True
    try:
        with _libraries.limit(limits=1, user_api="blas"):
            yield
    finally:
        _own.single = False
        with _lock:
            _inside -= 1


@cache
def _pool(count: int, _process: int) -> ThreadPoolExecutor:
    """Threads, which live on; a forked process needs its own."""
    return ThreadPoolExecutor(count, "dinp")
