"""Work shared by threads: the same results for any number of them, errors that arrive, linear algebra on one thread."""

import os
import signal
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import smooth_plane
from threadpoolctl import OpenBLASController, ThreadpoolController, threadpool_limits

import dinp
from dinp import threads
from dinp.threads import begun, in_parallel, joint, side_by_side, single_blas, thread_count


@pytest.fixture(params=["1", "3"])
def count(request, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", request.param)
    return int(request.param)


def test_results_come_in_the_order_of_the_parts(count):
    assert thread_count() == count
    names, together = set(), threading.Barrier(count)

    def work(part):
        names.add(threading.current_thread().name)
        together.wait(60)
        return part * part

    assert in_parallel(work, range(30)) == [part * part for part in range(30)]
    assert len(names) == count


def test_work_may_share_out_work(count):
    assert in_parallel(lambda a: sum(in_parallel(lambda b: a * b, range(20))), range(20)) == [
        190 * a for a in range(20)
    ]


def test_long_work_is_done_side_by_side_and_may_share_out_its_own(count):
    together, names = threading.Barrier(count), {}

    def work(part):
        names[part] = threading.current_thread().name
        if part in (0, 4, 3)[:count]:
            together.wait(60)
        return sum(in_parallel(lambda b: part * b, range(20)))

    assert side_by_side(work, range(5)) == [190 * part for part in range(5)]
    assert names[0] == threading.main_thread().name
    assert len(set(names.values())) == count
    assert side_by_side(abs, []) == []


def test_work_that_is_begun_gives_its_result_when_it_is_asked_for(count):
    names = []

    def work():
        names.append(threading.current_thread().name)
        return 7

    assert begun(work)() == 7
    assert names == ["dinp-ahead" if count > 1 else threading.main_thread().name]

    def wrong():
        raise ZeroDivisionError

    result = begun(wrong)
    with pytest.raises(ZeroDivisionError):
        result()


@pytest.mark.parametrize("bad", [0, 2])
@pytest.mark.parametrize("error", [IndexError, KeyboardInterrupt])
def test_an_error_of_long_work_arrives(count, bad, error):
    def work(part):
        if part == bad:
            raise error

    with pytest.raises(error):
        side_by_side(work, range(3))


def test_progress_of_work_side_by_side_is_told_by_one_thread_and_never_falls(count):
    told = []
    report = joint(lambda fraction: told.append((threading.current_thread(), fraction)), [8, 1, 1])
    side_by_side(lambda part: [report(part, fraction) for fraction in (0.25, 1.0, 0.5)], range(3))
    assert {thread for thread, _ in told} == {threading.main_thread()}
    fractions = [fraction for _, fraction in told]
    assert fractions == sorted(fractions)
    assert 0.8 <= fractions[-1] <= 1


@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.parametrize("in_caller", [True, False])
def test_an_error_of_a_part_arrives(number, in_caller, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", str(number))
    together = threading.Barrier(number)

    def work(_):
        together.wait(60)
        if number == 1 or (threading.current_thread() is threading.main_thread()) == in_caller:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        in_parallel(work, range(number))


def test_without_helpers_the_caller_does_everything(monkeypatch):
    """Where no thread can be started; what was queued all the same comes late, and finds nothing to do."""
    queued, done = [], []

    def no_thread(_, work):
        queued.append(work)
        raise RuntimeError("can't start new thread")

    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setattr(threads.ThreadPoolExecutor, "submit", no_thread)
    assert in_parallel(lambda part: done.append(part) or -part, [-1, -2, -3]) == [1, 2, 3]
    assert len(queued) == 1
    queued[0]()
    assert done == [-1, -2, -3]


class Library:
    """A linear algebra library that has a number of threads for each thread that calls it."""

    user_api, internal_api = "blas", "mkl"

    def __init__(self):
        self.numbers = {}

    @property
    def num_threads(self):
        return self.numbers.get(threading.get_ident(), 4)

    def set_num_threads(self, number):
        self.numbers[threading.get_ident()] = number


def test_libraries_with_a_number_for_each_thread(monkeypatch):
    library = Library()
    monkeypatch.setattr(threads, "ThreadpoolController", lambda: SimpleNamespace(lib_controllers=[library]))
    entered, leave = threading.Event(), threading.Event()
    seen = []

    def other():
        with single_blas():
            seen.append(library.num_threads)
            entered.set()
            leave.wait(60)
        seen.append(library.num_threads)

    thread = threading.Thread(target=other)
    with single_blas():
        thread.start()
        assert entered.wait(60)
        assert library.num_threads == 1
    assert library.num_threads == 4
    leave.set()
    thread.join()
    assert seen == [1, 4]


@pytest.mark.parametrize("text", ["", "none", "0", "999", "2,1"])
def test_numbers_of_threads_are_within_limits(text, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", text)
    assert 1 <= thread_count() <= threads.MOST
    if text == "2,1":
        assert thread_count() == 2


def blas_threads():
    return [library.num_threads for library in ThreadpoolController().lib_controllers if library.user_api == "blas"]


@pytest.fixture
def four():
    """Linear algebra libraries use four threads."""
    with threadpool_limits(4, "blas"):
        OpenBLASController.clear_controlling_thread()  # other threads may set their number, too
        assert set(blas_threads()) == {4}
        yield


@pytest.mark.usefixtures("four")
@pytest.mark.parametrize("first_leaves_first", [True, False])
def test_linear_algebra_gets_its_threads_back(first_leaves_first):
    entered, left = [threading.Event(), threading.Event()], [threading.Event(), threading.Event()]
    leave = [threading.Event(), threading.Event()]
    seen = []

    def one(number):
        with single_blas(), single_blas():
            entered[number].set()
            assert leave[number].wait(60)
            seen.append(set(blas_threads()))
        left[number].set()

    running = [threading.Thread(target=one, args=(number,)) for number in (0, 1)]
    for thread, event in zip(running, entered, strict=True):
        thread.start()
        assert event.wait(60)
        assert set(blas_threads()) == {1}
    for number in (0, 1) if first_leaves_first else (1, 0):
        leave[number].set()
        assert left[number].wait(60)
    for thread in running:
        thread.join()
    assert seen == [{1}, {1}]
    assert set(blas_threads()) == {4}
    with pytest.raises(KeyError), single_blas():
        raise KeyError
    assert set(blas_threads()) == {4}


@pytest.mark.usefixtures("four")
def test_linear_algebra_uses_one_thread_in_shared_work(count):
    assert all(set(found) == {1} for found in in_parallel(lambda _: blas_threads(), range(30)))
    assert set(blas_threads()) == {4}


def test_several_threads_may_encode_at_once():
    picture = np.clip(smooth_plane((64, 80), seed=3), 0, 255).astype(np.uint8)
    alone = dinp.encode(picture, quality=45)
    with ThreadPoolExecutor(3) as pool:
        assert set(pool.map(lambda _: dinp.encode(picture, quality=45), range(6))) == {alone}


def test_files_and_pictures_do_not_depend_on_the_number_of_threads(monkeypatch):
    plane = smooth_plane((400, 430), seed=3)
    rng = np.random.default_rng(1)
    picture = np.stack([np.clip(plane + rng.normal(0, 9, plane.shape), 0, 255) for _ in "RGB"], axis=2).astype(np.uint8)
    found = []
    for number in ("1", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", number)
        data = dinp.encode(picture, quality=45)
        found.append((data, np.asarray(dinp.decode(data)).tobytes()))
    assert dinp.info(found[0][0])["planes"][0]["restoration"] == 3
    assert found[0] == found[1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("effort", [1, 3])
def test_a_forked_process_encodes_and_decodes_like_the_one_that_has_already(count, effort):
    """Threads, of ours and of the networks' runtime, stay behind in a fork."""
    picture = np.clip(smooth_plane((64, 80), seed=3), 0, 255).astype(np.uint8)
    data = dinp.encode(picture, quality=30, effort=effort)
    shown = dinp.decode(data).tobytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.alarm(120)
            again = dinp.encode(picture, quality=30, effort=effort)
            code = 0 if again == data and dinp.decode(data).tobytes() == shown else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.usefixtures("four")
def test_a_fork_waits_for_what_is_begun(monkeypatch):
    """Modules that are being imported would stay locked in the forked process."""
    monkeypatch.setenv("OMP_NUM_THREADS", "2")  # with one thread nothing is begun beside other work
    done = threading.Event()
    begun(lambda: time.sleep(0.2) or done.set())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        os._exit(0 if done.is_set() and not threads._ahead else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.usefixtures("four")
def test_a_forked_process_has_threads_of_its_own(count):
    in_parallel(abs, range(4))
    before = blas_threads()
    entered, leave = threading.Event(), threading.Event()

    def other():
        with single_blas():
            entered.set()
            leave.wait(60)

    thread = threading.Thread(target=other)
    thread.start()
    assert entered.wait(60)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # from Python 3.12 on: that there are threads is the point
        child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.alarm(60)
            right = in_parallel(abs, [-1, -2, -3]) == [1, 2, 3] and threads._inside == 0 and blas_threads() == before
            again = os.fork()
            if again == 0:
                os._exit(0 if in_parallel(abs, [-1, -2, -3]) == [1, 2, 3] else 1)
            code = 0 if right and os.waitpid(again, 0)[1] == 0 else 1
        finally:
            os._exit(code)
    leave.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
