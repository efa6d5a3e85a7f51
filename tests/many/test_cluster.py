"""Many files by a cluster of dask, one of whose processes is killed in the middle of its work."""

import json
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import dinp
from dinp.cli.root import command

distributed = pytest.importorskip("distributed")

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # dask's own sockets, of a process that was killed
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
NAMES = "abcdef"


@pytest.fixture(scope="module")
def cluster():
    setting = {"distributed.comm.timeouts.connect": "10s", "distributed.worker.memory.terminate": False}
    import dask

    with (
        dask.config.set(setting),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0"
        ) as started,
    ):
        yield started


@pytest.fixture
def folder(tmp_path, monkeypatch):
    from skimage.data import camera

    monkeypatch.chdir(tmp_path)
    Path("pics").mkdir()
    for number, name in enumerate(NAMES):
        Image.fromarray(camera()[number : 96 + number, :96]).save(f"pics/{name}.png")
    Path("pics/bad.png").write_text("no picture")
    return tmp_path


def test_a_worker_is_killed_and_its_files_are_done_by_the_others(folder, cluster):
    victims = []

    def kill():
        """End the process of a worker by force, as soon as it works on a file after the first output is there."""
        while not list(Path().glob("OUT/*.dinp")):
            time.sleep(0.01)
        worker = next(iter(cluster.workers.values()))  # the process's nanny
        victims.append(worker.process.pid)
        os.kill(worker.process.pid, signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    address = cluster.scheduler_address

    words = ["encode", "--json", "--scheduler", address, "pics", "OUT"]
    result = CliRunner().invoke(command, words, prog_name="dinp")
    thread.join()
    assert victims
    assert result.exit_code == 1, result.output
    rows = {row["source"]: row for row in map(json.loads, result.stdout.splitlines())}
    assert {name: row["status"] for name, row in rows.items()} == {f"pics/{name}.png": "done" for name in NAMES} | {
        "pics/bad.png": "failed"
    }
    assert "Error: 1 of 7 files failed" in result.stderr
    assert sorted(path.name for path in Path("OUT").glob("*.dinp")) == [f"{name}.dinp" for name in NAMES]
    for name in NAMES:
        data = (Path("OUT") / f"{name}.dinp").read_bytes()
        assert len(data) == rows[f"pics/{name}.png"]["bytes"]
        dinp.info(data)
    # the same bytes as without a cluster
    assert Path("OUT/a.dinp").read_bytes() == dinp.encode(Image.open("pics/a.png"))


def test_a_bag_of_the_manual(folder, cluster):
    """The recipe of docs/many-files.md."""
    import dask.bag

    def coded(name):
        with Image.open(name) as image:
            return name, dinp.encode(image, effort=1)

    with cluster.get_client():
        names = [str(folder / f"pics/{name}.png") for name in NAMES[:3]]
        found = dict(dask.bag.from_sequence(names, npartitions=2).map(coded).compute())
    assert list(found) == names
    assert np.asarray(dinp.decode(found[names[0]])).shape == (96, 96)


def test_a_scheduler_that_is_lost_is_told(folder):
    """What was done is kept: the same command goes on with it."""
    import dask

    with dask.config.set({"distributed.comm.timeouts.connect": "1s"}):
        lost = distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
        )
        running = dinp.encode_many(["pics"], "OUT", scheduler=lost.scheduler_address, effort=1)
        first = next(running)
        lost.close()
        with pytest.raises(dinp.DinpError, match=r"the scheduler of dask was lost: .*skip-existing"):
            list(running)
    assert first.status in ("done", "failed")
    assert not list(Path().glob("OUT/.*"))


def test_no_scheduler_is_told(folder, monkeypatch):
    from dinp.many import engines

    monkeypatch.setattr(engines, "_PATIENCE", 0.3)
    result = CliRunner().invoke(command, ["encode", "--scheduler", "tcp://127.0.0.1:9", "pics", "OUT"])
    assert result.exit_code == 1
    assert "no scheduler of dask answers at tcp://127.0.0.1:9" in result.stderr
    assert not Path("OUT").exists()


def test_without_dask_it_says_what_to_install(folder, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "distributed", None)
    result = CliRunner().invoke(command, ["encode", "--scheduler", "local", "pics", "OUT"])
    assert result.exit_code == 1
    assert "pip install 'dinp[dask]'" in result.stderr
