"""Work shared by threads: the same results for any number of them, errors that arrive, linear algebra on one thread."""

import os
import threading

import numpy as np
import pytest
from conftest import smooth_plane
from threadpoolctl import ThreadpoolController

import dinp
from dinp import threads
from dinp.threads import in_parallel, single_blas, thread_count


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


def test_an_error_of_a_part_arrives(count):
    with pytest.raises(ZeroDivisionError):
        in_parallel(lambda part: 1 / part, [3, 2, 1, 0])


@pytest.mark.parametrize("text", ["", "none", "0", "999", "2,1"])
def test_numbers_of_threads_are_within_limits(text, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", text)
    assert 1 <= thread_count() <= threads.MOST
    if text == "2,1":
        assert thread_count() == 2


def blas_threads():
    return [library.num_threads for library in ThreadpoolController().lib_controllers if library.user_api == "blas"]


def test_linear_algebra_gets_its_threads_back():
    before = blas_threads()
    inside, leave = threading.Event(), threading.Event()

    def other():
        with single_blas(), single_blas():
            inside.set()
            leave.wait(60)

    thread = threading.Thread(target=other)
    with single_blas():
        assert set(blas_threads()) == {1}
        thread.start()
        inside.wait(60)
        with single_blas():
            pass
        assert set(blas_threads()) == {1}
        leave.set()
        thread.join()
        assert set(blas_threads()) == {1}
    assert blas_threads() == before
    with pytest.raises(KeyError), single_blas():
        raise KeyError
    assert blas_threads() == before


def test_linear_algebra_uses_one_thread_in_shared_work(count):
    with single_blas():
        assert all(set(found) == {1} for found in in_parallel(lambda _: blas_threads(), range(30)))


def test_files_and_pictures_do_not_depend_on_the_number_of_threads(monkeypatch):
    plane = smooth_plane((400, 430), seed=3)
    picture = np.clip(plane + np.random.default_rng(1).normal(0, 9, plane.shape), 0, 255).astype(np.uint8)
    found = []
    for number in ("1", "2", "5"):
        monkeypatch.setenv("OMP_NUM_THREADS", number)
        data = dinp.encode(picture, quality=45)
        found.append((data, np.asarray(dinp.decode(data)).tobytes()))
    assert dinp.info(found[0][0])["planes"][0]["restoration"] == 1
    assert found[0] == found[1] == found[2]


def test_a_forked_process_has_threads_of_its_own(count):
    in_parallel(abs, range(4))
    child = os.fork() if hasattr(os, "fork") else pytest.skip("no fork here")
    if child == 0:
        os._exit(0 if in_parallel(abs, [-1, -2, -3]) == [1, 2, 3] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
