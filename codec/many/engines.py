"""What shares the work on many files out: this process, processes of its own, or a cluster of dask.

Each is a generator of results, in the order in which they are done, with their numbers; one that is closed stops what
works for it. Requests and results are those of `dinp.many.work`.
"""

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from dinp.errors import DinpError
from dinp.many.work import FileResult, perform
from dinp.threads import cores

if TYPE_CHECKING:
    from distributed import Client

Results = Iterator[tuple[int, FileResult]]
MOST_JOBS = 8  # by default: a process takes some hundred megabytes
WORKER = ("-P", "-m", "dinp.many.worker")  # not what lies in the current folder
_GRACE = 10  # seconds to tidy up in
_PATIENCE = 20  # seconds in which a scheduler must answer


def results(requests: Sequence[dict], *, jobs: int | None = None, scheduler: str | None = None) -> Results:
    """Do what is requested.

    Parameters
    ----------
    requests : sequence of dict
    jobs : int, optional
        Files at a time; by default as many as there are cores, at most 8. They share the cores.
    scheduler : str, optional
        Address of a scheduler of dask ("tcp://host:8786"), or "local" for a cluster on this machine.

    Raises
    ------
    DinpError
        dask is not installed, or there is no such scheduler.
    """
    count = max(1, min(jobs or min(cores(), MOST_JOBS), len(requests)))
    if scheduler is not None:
        return on_cluster(requests, scheduler, count)
    return here(requests) if count == 1 else in_processes(requests, count)


def here(requests: Sequence[dict]) -> Results:
    """One after the other, in this process."""
    for number, asked in enumerate(requests):
        yield number, perform(asked)


def in_processes(requests: Sequence[dict], count: int) -> Results:
    """In `count` processes, each with its share of the cores.

    They are interpreters of their own: nothing is forked where threads may run, and a program that calls this needs no
    guard. One that ends by force, as where memory is short, costs the file that it worked on; another takes its place.
    """
    done: queue.SimpleQueue = queue.SimpleQueue()
    numbers, taken = iter(range(len(requests))), threading.Lock()
    stopped = threading.Event()
    workers = [_Worker(max(1, cores() // count), stopped) for _ in range(count)]

    def serve(worker: _Worker) -> None:
        try:
            while not stopped.is_set():
                with taken:
                    number = next(numbers, None)
                if number is None:
                    break
                done.put((number, worker.result(requests[number])))
            worker.finish()
        except BaseException as error:  # the thread that waits raises it
            done.put(error)

    threads = [threading.Thread(target=serve, args=(worker,), daemon=True) for worker in workers]
    try:
        for thread in threads:
            thread.start()
        for _ in requests:
            found = done.get()
            if isinstance(found, BaseException):
                raise found
            yield found
    finally:
        stopped.set()
        for worker in workers:
            worker.stop()
        for thread in threads:
            if thread.ident is not None:
                thread.join()


class _Worker:
    """A process that works on one file after the other; it begins with the first, and again after its end."""

    def __init__(self, threads: int, stopped: threading.Event) -> None:
        self._environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
        self._stopped = stopped
        self._process: subprocess.Popen | None = None
        self._lock = threading.Lock()

    def result(self, asked: dict) -> FileResult:
        """What became of a request."""
        from dinp.many.worker import packed, unpacked

        process = self._started()
        answer = b""
        with suppress(OSError, ValueError):
            process.stdin.write(packed(asked))
            process.stdin.flush()
            answer = process.stdout.readline()
        if answer.endswith(b"\n"):
            told = unpacked(answer)
            return FileResult(**(told | {"notices": tuple(told["notices"])}))  # JSON makes lists of them
        self.finish()
        how = f"signal {-process.returncode}" if process.returncode < 0 else f"exit code {process.returncode}"
        sentence = f"the process that worked on it ended ({how}): there may be too little memory for so many jobs"
        return FileResult(asked["source"], asked["target"], "failed", sentence)

    def _started(self) -> subprocess.Popen:
        with self._lock:
            if self._process is None:
                # Ctrl-C at the terminal is for the process that asks, which then stops the others
                own = {"process_group": 0} if os.name == "posix" else {}
                self._process = subprocess.Popen(
                    [sys.executable, *WORKER],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    env=self._environment,
                    **own,
                )
                if self._stopped.is_set():
                    self._process.terminate()
            return self._process

    def finish(self) -> None:
        """Wait for the process to end, which has nothing more to do."""
        process = self._process
        if process is None:
            return
        with suppress(OSError, ValueError):
            process.stdin.close()
        process.wait()
        process.stdout.close()
        self._process = None

    def stop(self) -> None:
        """Have the process tidy up and end."""
        with self._lock:
            process = self._process
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            process.kill()


def on_cluster(requests: Sequence[dict], scheduler: str, jobs: int) -> Results:
    """By the workers of a dask cluster, which see the same files under the same names.

    The work of one that ends is done again by the others; its output is complete or not there.
    """
    try:
        import dask
        import distributed
    except ModuleNotFoundError as error:
        raise DinpError("a scheduler is one of dask, which is not installed: pip install 'dinp[dask]'") from error

    def client() -> "Client":
        if scheduler != "local":
            return distributed.Client(scheduler, timeout=_PATIENCE, set_as_default=False)
        share = {"OMP_NUM_THREADS": str(max(1, cores() // jobs))}
        with dask.config.set({"distributed.nanny.pre-spawn-environ": share}):
            cluster = distributed.LocalCluster(
                n_workers=jobs, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0"
            )
        return cluster.get_client()

    try:
        connected = client()
    except (OSError, ValueError, TimeoutError) as error:
        raise DinpError(f"no scheduler of dask answers at {scheduler}: {error}") from error
    return _by_client(connected, requests, connected.cluster if scheduler == "local" else None)


def _by_client(client: "Client", requests: Sequence[dict], cluster: object) -> Results:
    import distributed
    from distributed.client import FutureCancelledError as CancelledError

    with closing(client) if cluster is None else closing(cluster), closing(client):
        asked = [
            request | {name: os.path.abspath(request[name]) for name in ("source", "target")} for request in requests
        ]
        futures = client.map(perform, asked, pure=False, batch_size=64)
        numbers = {future.key: number for number, future in enumerate(futures)}
        for future in distributed.as_completed(futures, loop=client.loop):
            number = numbers[future.key]
            names = {name: requests[number][name] for name in ("source", "target")}
            error = future.exception()
            if error is None:
                try:
                    result = future.result()
                except CancelledError as lost:
                    raise DinpError(
                        "the scheduler of dask was lost: start it again, and go on with what is there (--skip-existing)"
                    ) from lost
                yield number, FileResult(**(vars(result) | names))
            else:
                sentence = f"the cluster gave it up: {type(error).__name__}: {error}"
                yield number, FileResult(**names, status="failed", error=sentence)
            future.release()
