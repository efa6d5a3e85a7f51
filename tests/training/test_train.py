"""Training: learns, repeats itself, resumes where it stopped, and leaves what it promises."""

import json

import numpy as np
import pytest
import torch
from conftest import dinp_command, printed_by_two_processes
from test_models_data import make_folder

from dinp.errors import DinpError
from dinp.models.training import data, run, train
from dinp.models.weights.hub import NETWORKS, load_network
from dinp.models.weights.mask_model import load_mask_model
from dinp.models.weights.predictors import load_tree_model

LOADERS = {"mask": load_mask_model, "tree": load_tree_model}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(train, "BATCH", 2)
    monkeypatch.setattr(run, "WARM_UP", 5)
    return make_folder(tmp_path, monkeypatch, pictures=6)


@pytest.mark.parametrize("kind", ["mask", "tree"])
def test_a_run_leaves_weights_and_a_falling_loss_curve(folder, kind):
    out = folder / "run"
    assert dinp_command("train", kind, "--data", folder, "--out", out, "--steps", 30, "--limit", 4) == 0
    curve = json.loads((out / "curve.json").read_text())
    assert curve["step"] == 30
    assert curve["network"] == kind
    assert len(curve["curve"][-1]["valid_parts"]) == len(curve["base_rate"]) == len(curve["loss_parts"])
    begun = started(kind, 1)
    _, held = train.LOADERS[kind](folder, 4)
    before = np.mean(train.validate(begun, held, torch.device("cpu")))
    assert curve["curve"][-1]["valid"] < 0.9 * before
    result = LOADERS[kind](out / "weights.npz")(np.zeros((10, 12)), 0.1)
    assert np.all(np.isfinite(result if kind == "mask" else result[0]))


def started(kind, seed):
    return run.Run.start(kind, {kind: NETWORKS[kind]}, seed, torch.device("cpu"))


def _weights(followed):
    return torch.cat([p.detach().flatten() for p in followed.network.parameters()])


def test_a_run_by_steps_is_repeatable_and_the_seed_matters(folder):
    runs = [train.train("mask", folder, folder / f"run-{i}", steps=3, seed=s) for i, s in enumerate((1, 1, 2))]
    assert torch.equal(_weights(runs[0]), _weights(runs[1]))
    assert not torch.equal(_weights(runs[0]), _weights(runs[2]))


def test_a_resumed_run_ends_where_an_undisturbed_one_does(folder, monkeypatch):
    whole = train.train("tree", folder, folder / "whole", steps=4)
    save = run.Run.save

    def save_and_stop(followed, out, settings):
        save(followed, out, settings)
        if followed.step == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(run.Run, "save", save_and_stop)
    with pytest.raises(KeyboardInterrupt):
        train.train("tree", folder, folder / "halves", steps=4, every=0)
    monkeypatch.undo()
    monkeypatch.setattr(train, "BATCH", 2)
    monkeypatch.setattr(run, "WARM_UP", 5)
    monkeypatch.setattr(data, "TREE_CROP", 64)
    resumed = train.train("tree", folder, folder / "halves", steps=4, resume=True)
    assert resumed.step == 4
    assert [row["step"] for row in resumed.curve] == [1, 2, 4]
    assert torch.equal(_weights(whole), _weights(resumed))


def test_a_run_begins_with_weights(folder, capsys):
    first = train.train("mask", folder, folder / "first", steps=3)
    weights = folder / "first" / "weights.npz"
    second = started("mask", 9)
    second.begin_with(load_network("mask", weights))
    wanted = torch.cat([p.detach().flatten() for p in first.averaged().parameters()])
    torch.testing.assert_close(_weights(second), wanted, rtol=1e-3, atol=1e-6)  # stored as 16-bit floats
    options = ["--data", str(folder), "--out", str(folder / "on"), "--steps", "1", "--start", str(weights)]
    assert dinp_command("train", "mask", *options) == 0
    assert dinp_command("train", "tree", *options) == 1
    assert dinp_command("train", "mask", *options, "--resume") == 1
    assert "either --resume or --start" in capsys.readouterr().err


def test_there_must_be_something_to_resume(folder, capsys):
    arguments = ["--data", str(folder), "--out", str(folder / "new"), "--steps", "1", "--resume"]
    assert dinp_command("train", "mask", *arguments) == 1
    assert "nothing to resume" in capsys.readouterr().err
    train.train("mask", folder, folder / "run", steps=1)
    with pytest.raises(DinpError, match="belongs to a mask network"):
        train.train("tree", folder, folder / "run", steps=1, resume=True)


def test_the_learning_rate_warms_up_and_falls_to_a_hundredth():
    assert run.learning_rate(0, 0.0) == pytest.approx(run.LEARNING_RATE / run.WARM_UP)
    assert run.learning_rate(10**6, 0.0) == pytest.approx(run.LEARNING_RATE)
    assert run.learning_rate(10**6, 1.0) == pytest.approx(run.LEARNING_RATE / 100)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--steps", "1", "--device", "nonsense"], "device nonsense cannot be used"),
        (["--steps", "1", "LABELS"], "holds no masks to imitate"),
        (["--steps", "1", "MASKS"], "holds no masks to imitate"),
    ],
)
def test_bad_options_are_one_sentence(folder, capsys, options, message):
    (folder / "LABELS").write_text("no archive")
    np.savez(folder / "MASKS", bits=np.zeros(3))
    (folder / "MASKS.npz").rename(folder / "MASKS")
    options = [str(folder / o) if o in ("LABELS", "MASKS") else o for o in options]
    assert dinp_command("train", "mask", "--data", folder, "--out", folder / "run", *options) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("Error: ")
    assert message in line
    assert not (folder / "run").exists()


@pytest.mark.parametrize("options", [["--minutes", "0"], ["--minutes", "nan"], ["--steps", "0"], ["--seed", "-1"]])
def test_wrong_numbers_are_wrong_usage(folder, capsys, options):
    assert dinp_command("train", "mask", "--data", folder, "--out", folder / "run", *options) == 2
    assert f"Invalid value for '{options[0]}'" in capsys.readouterr().err
    assert not (folder / "run").exists()


@pytest.mark.parametrize("load", [data.load_masks, data.load_trees])
def test_damaged_labels_are_one_sentence(folder, load):
    for name in ("teacher_masks", "teacher_trees"):
        path = folder / "train" / f"{name}.npz"
        with np.load(path) as found:
            np.savez_compressed(path, **found)
        content = bytearray(path.read_bytes())
        content[80:120] = bytes(40)
        path.write_bytes(content)
    with pytest.raises(DinpError, match=r"teacher_(masks|trees)\.npz holds no (masks|trees) to imitate: "):
        load(folder)


def test_without_labels_or_something_to_resume_nothing_is_left(folder, capsys):
    for kind in ("mask", "tree", "surrogate", "solver"):
        arguments = ["--data", folder / "none", "--out", folder / "deep" / "run", "--steps", 1]
        assert dinp_command("train", kind, *arguments) == 1
        assert dinp_command("train", kind, *arguments, "--resume") == 1
        assert capsys.readouterr().err.count("Error: ") == 2
    for what in (["mask", "--data", folder / "none"], ["tree", folder / "none.npz"]):
        assert dinp_command("train", "entropy", *what, "--out", folder / "deep" / "run") == 1
    for what in ("mask-labels", "restoration-data", "context-data"):
        assert dinp_command("train", what, "--data", folder / "none", "--out", folder / "deep" / "data.npz") == 1
    assert not (folder / "deep").exists()


def test_the_results_need_a_folder(folder, capsys):
    (folder / "file").write_text("")
    assert dinp_command("train", "tree", "--data", folder, "--out", folder / "file", "--steps", 1) == 1
    assert "cannot be made a folder" in capsys.readouterr().err


def test_the_same_pictures_are_held_out_whatever_has_labels(folder, monkeypatch):
    monkeypatch.setattr(data, "HELD_OUT", 4)  # of the six pictures the third
    with np.load(folder / "train" / "teacher_masks.npz") as found:
        np.savez(folder / "few.npz", **{name: found[name][1:] for name in found.files})
    every, few = (data.load_masks(folder, files=files)[1] for files in (None, [folder / "few.npz"]))
    assert len(every) == len(few) == 1
    assert np.array_equal(every.planes, few.planes)


PROCESS = """
import sys
from pathlib import Path
from dinp.models.training import data, train
train.BATCH, data.MASK_CROP = 2, 64
folder = Path(sys.argv[1])
run = train.train("mask", folder, folder / "run", steps=2, limit=4, device="cpu")
print(*(p.double().sum().item() for p in run.network.parameters()))
"""


def test_several_processes_imitate_masks_together(folder):
    first, second = (printed.split() for printed in printed_by_two_processes(PROCESS, str(folder)))
    assert len(first) > 10
    assert first == second
