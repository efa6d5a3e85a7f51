"""Work on several processor cores, with results that do not depend on how many there are.

What is shared out are parts that are always cut in the same way, each done by one thread. Linear algebra libraries,
whose own threads would compete with these, and may sum in another order, use one thread meanwhile. The number of
threads is that of the cores at this process's disposal, or `OMP_NUM_THREADS`.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from functools import cache
from threading import Lock, local
from typing import TypeVar

from threadpoolctl import LibController, ThreadpoolController

T = TypeVar("T")
R = TypeVar("R")

MOST = 8  # more threads gain nothing: memory is what they wait for
_lock = Lock()
_own = local()  # `working`: the thread shares work at present; `single`: it is inside `single_blas`
_inside = 0  # threads inside `single_blas`
_limited: list[tuple[LibController, int]] = []  # libraries that the first of them limited, and their threads before


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
    parts = list(parts)
    results: list = [None] * len(parts)
    numbers = iter(range(len(parts)))  # whoever is free takes the next

    def some() -> None:
        with single_blas():
            for number in numbers:
                results[number] = work(parts[number])

    def helped() -> None:
        _own.working = True
        try:
            some()
        finally:
            _own.working = False

    count = min(thread_count(), len(parts))
    if count < 2 or getattr(_own, "working", False):
        some()
        return results
    with single_blas():
        others: list[Future] = []
        with suppress(RuntimeError):  # no thread can be started, or not any more: then there is less help
            others += (_pool(thread_count(), os.getpid()).submit(helped) for _ in range(count - 1))
        try:
            helped()
        finally:
            wait(others)
    for other in others:
        other.result()
    return results


@contextmanager
def single_blas() -> Iterator[None]:
    """Linear algebra libraries use one thread. May be nested, and entered by several threads at once.

    Most libraries have one number of threads for the whole process: the first thread that enters sets it, and the last
    one that leaves restores it. Of those that have one for each thread (OpenBLAS with OpenMP), each sets its own.
    """
    global _inside
    if getattr(_own, "single", False):
        yield
        return
    with _lock:
        if not _inside:
            libraries = [library for library in ThreadpoolController().lib_controllers if library.user_api == "blas"]
            _limited[:] = [(library, library.num_threads) for library in libraries]
            _set((library, 1) for library, _ in _limited)
        _inside += 1
        mine = [(library, library.get_num_threads()) for library, _ in _limited if _by_thread(library)]
    _set((library, 1) for library, _ in mine)
    _own.single = True
    try:
        yield
    finally:
        _own.single = False
        _set(mine)
        with _lock:
            _inside -= 1
            if not _inside:
                _set(_limited)


def _set(numbers: Iterable[tuple[LibController, int]]) -> None:
    for library, number in numbers:
        library.set_num_threads(number)
        # threadpoolctl lets only the thread that set a number last set another, until told that it is done
        getattr(library, "clear_controlling_thread", lambda: None)()


def _by_thread(library: LibController) -> bool:
    return library.internal_api == "openblas" and library.threading_layer == "openmp"


@cache
def _pool(count: int, _process: int) -> ThreadPoolExecutor:
    """Threads, which live on; a forked process needs its own."""
    return ThreadPoolExecutor(count, "dinp")


def _begin_anew() -> None:
    """In a forked process: what other threads held when it began, nobody will ever give back."""
    global _lock, _inside, _own
    _lock, _inside, _own = Lock(), 0, local()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
