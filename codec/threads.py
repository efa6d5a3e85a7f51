"""Work on several processor cores, with results that do not depend on how many there are.

What is shared out are parts that are always cut in the same way, each done by one thread. Linear algebra libraries,
whose own threads would compete with these, and may sum in another order, use one thread meanwhile. The number of
threads is that of the cores at this process's disposal, or `OMP_NUM_THREADS`.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from functools import cache
from threading import Condition, Lock, Thread, current_thread, local
from typing import TypeVar

from threadpoolctl import LibController, ThreadpoolController

T = TypeVar("T")
R = TypeVar("R")

MOST = 8  # more threads gain nothing: memory is what they wait for
LARGE = 1 << 24  # samples of all planes
_lock = Lock()
_own = local()  # `working`: the thread shares work at present; `single`: it is inside `single_blas`
_inside = 0  # threads inside `single_blas`
_shared: list[tuple[LibController, int]] = []  # libraries that the first of them limited, and their threads before
_by_thread: list[LibController] = []  # libraries that each of them limits for itself
_generation = 0  # of processes
_ahead: set[Thread] = set()  # of `begun`, not done yet


def thread_count() -> int:
    """How many threads share the work, 1 to `MOST`."""
    wanted = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    return max(1, min(int(wanted) if wanted.isdigit() else cores(), MOST))


def cores() -> int:
    """How many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_parallel(work: Callable[[T], R], parts: Iterable[T], *, blas: bool = True) -> list[R]:
    """What the work makes of every part, in their order; several are done at a time.

    Work that is itself a part of other such work is done by the thread that asks for it. Work without linear algebra
    (`blas` false) is spared a millisecond in which its libraries are looked for.

    Raises
    ------
    Whatever `work` raises for one of the parts; others may have been done.
    """
    parts = list(parts)
    results: list = [None] * len(parts)
    limited = single_blas if blas else nullcontext
    numbers = iter(range(len(parts)))  # whoever is free takes the next

    def some() -> None:
        with limited():
            for number in numbers:
                results[number] = work(parts[number])

    count = min(thread_count(), len(parts))
    if count < 2 or getattr(_own, "working", False):
        some()
        return results
    helpers = _Helpers(some)
    with limited(), helpers:
        with suppress(RuntimeError):  # no thread can be started, or not any more: then there is less help
            for _ in range(count - 1):
                _pool(thread_count(), os.getpid()).submit(helpers.help)
        some()
    if helpers.error is not None:
        raise helpers.error
    return results


def side_by_side(work: Callable[[T], R], parts: Iterable[T]) -> list[R]:
    """What long work makes of every part, in their order; several are done at a time, and each may share out its own.

    The thread that asks takes the parts from the first on, others from the last on.

    Raises
    ------
    Whatever `work` raises for one of the parts, when all that have begun are done.
    """
    parts = list(parts)
    results: list = [None] * len(parts)
    left = deque(range(1, len(parts)))

    def some(take: Callable[[], int], number: int | None = None) -> None:
        while True:
            try:
                number = take() if number is None else number
            except IndexError:  # nothing is left
                return
            try:
                results[number] = work(parts[number])
            except BaseException:
                left.clear()
                raise
            number = None

    if not parts:
        return results
    count = min(thread_count(), len(parts)) - 1
    if count < 1 or getattr(_own, "working", False):
        some(left.popleft, 0)
        return results
    with ThreadPoolExecutor(count, "dinp-long") as others:
        helpers = []
        with suppress(RuntimeError):  # no thread can be started: then there is less help
            helpers += [others.submit(some, left.pop) for _ in range(count)]
        some(left.popleft, 0)
    for helper in helpers:
        helper.result()
    return results


def begun(work: Callable[[], R]) -> Callable[[], R]:
    """Work that will be needed later, begun in a thread of its own, where there is more than one.

    Returns
    -------
    callable
        What the work makes, when it is done; raises what it raises.
    """
    done: Future[R] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # who asks for the result raises it
            done.set_exception(error)
        finally:
            _ahead.discard(thread)

    if thread_count() < 2:
        return work
    thread = Thread(target=run, name="dinp-ahead")
    _ahead.add(thread)
    try:
        thread.start()
    except RuntimeError:  # no thread can be started
        _ahead.discard(thread)
        return work
    return done.result


def is_large(shapes: Iterable[tuple[int, int]]) -> bool:
    """Whether planes of such shapes are so large that one at a time is worked on, as memory is short then.

    Little time is lost: what is done with a large plane is itself shared out.
    """
    return sum(height * width for height, width in shapes) > LARGE


def in_turn(work: Callable[[T], R], parts: Iterable[T]) -> list[R]:
    """What `side_by_side` gives, part after part."""
    return [work(part) for part in parts]


def joint(progress: Callable[[float], None] | None, sizes: Sequence[int]) -> Callable[[int, float], None]:
    """What tells the progress, 0-1, of work side by side by that of its parts: (number of the part, fraction of it).

    Told by the thread that asks for the work, and by no other.
    """
    done, thread = [0.0] * len(sizes), current_thread()

    def report(number: int, fraction: float) -> None:
        done[number] = max(done[number], fraction)
        if progress and current_thread() is thread:
            progress(sum(size * part for size, part in zip(sizes, done, strict=True)) / sum(sizes))

    return report


class _Helpers:
    """Threads that do the same as the one inside this context, which lasts until all that have begun are done."""

    def __init__(self, work: Callable[[], None]) -> None:
        self.work = work
        self.error: BaseException | None = None
        self._active = 0
        self._closed = False
        self._changed = Condition()

    def help(self) -> None:
        """Do the work, unless all is done: a thread may come late."""
        with self._changed:
            if self._closed:
                return
            self._active += 1
        _own.working = True
        try:
            self.work()
        except BaseException as error:  # the thread that waits raises it
            self.error = error
        finally:
            _own.working = False
            with self._changed:
                self._active -= 1
                self._changed.notify_all()

    def __enter__(self) -> None:
        _own.working = True

    def __exit__(self, *_: object) -> None:
        _own.working = False
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: not self._active)


@contextmanager
def single_blas() -> Iterator[None]:
    """Linear algebra libraries use one thread. May be nested, and entered by several threads at once.

    Some libraries have one number of threads for the whole process: the first thread that enters sets it, and the last
    one that leaves restores it. Of those that have one for each thread (MKL, OpenBLAS with OpenMP), each sets its own.
    """
    global _inside
    if getattr(_own, "single", False):
        yield
        return
    with _lock:
        if not _inside:
            libraries = [library for library in ThreadpoolController().lib_controllers if library.user_api == "blas"]
            _by_thread[:] = [library for library in libraries if _is_by_thread(library)]
            _shared[:] = [(library, library.num_threads) for library in libraries if not _is_by_thread(library)]
            _set((library, 1) for library, _ in _shared)
        _inside += 1
        mine = [(library, library.num_threads) for library in _by_thread]
        _set((library, 1) for library, _ in mine)
        generation = _generation
    _own.single = True
    try:
        yield
    finally:
        _own.single = False
        with _lock:
            _set(mine)
            if generation == _generation:
                _inside -= 1
                if not _inside:
                    _set(_shared)


def _set(numbers: Iterable[tuple[LibController, int]]) -> None:
    for library, number in numbers:
        library.set_num_threads(number)
        # threadpoolctl lets only the thread that set a number last set another, until told that it is done
        getattr(library, "clear_controlling_thread", lambda: None)()


def _is_by_thread(library: LibController) -> bool:
    openmp = library.internal_api == "openblas" and library.threading_layer == "openmp"
    return openmp or library.internal_api == "mkl"


@cache
def _pool(count: int, _process: int) -> ThreadPoolExecutor:
    """Threads, which live on; a forked process needs its own."""
    return ThreadPoolExecutor(count, "dinp")


def _before_fork() -> None:
    """Wait for what is begun: modules that it imports would stay locked in the forked process, and be waited for."""
    for thread in list(_ahead):
        if thread is not current_thread() and thread.is_alive():
            thread.join()
    _lock.acquire()


def _begin_anew() -> None:
    """In a forked process: the other threads, and what they would have restored, are gone."""
    global _inside, _own, _generation
    if _inside:
        _set(_shared)
    _inside, _own, _generation = 0, local(), _generation + 1
    _ahead.clear()
    _lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_lock.release, after_in_child=_begin_anew)
