"""Training of the integer context models: learns, resumes, and writes the tables that the coder reads."""

import json

import numpy as np
import torch

from dinp.entropy.fixed import UNIT, IntegerNetwork
from dinp.models.training import run
from dinp.models.training.train_entropy import FlagLoss, fit


def samples(count=4000):
    """Features of which the first decides nine flags of ten."""
    rng = np.random.default_rng(5)
    features = rng.integers(-UNIT, UNIT, (count, 3))
    flags = (features[:, 0] > 0) ^ (rng.random(count) < 0.1)
    return features, flags


def test_tables_hold_what_was_learned_and_a_run_can_be_resumed(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "WARM_UP", 5)
    features, flags = samples()
    loss = FlagLoss(features, flags)
    fit("tree", [3, 8, 8, 1], loss, flags.size, tmp_path, minutes=1, steps=200)
    fitted = fit("tree", [3, 8, 8, 1], loss, flags.size, tmp_path, minutes=1, steps=600, resume=True)
    assert fitted.step == 600
    curve = json.loads((tmp_path / "curve.json").read_text())
    assert curve["curve"][-1]["validation"] < 0.65  # of 1 bit; the entropy is 0.47
    with np.load(tmp_path / "tree.npz") as tables:
        network = IntegerNetwork.from_arrays(dict(tables))
        assert tables["logistic"].size == 8192
    held = slice(-400, None)
    log_odds = network(features[held].astype(np.int64))[:, 0]
    assert np.mean((log_odds > 0) == flags[held]) > 0.85
    with torch.no_grad():
        exact = fitted.averaged()(torch.from_numpy(features[held]).float() / UNIT)[:, 0].numpy()
    assert np.abs(log_odds / UNIT - exact).max() < 0.05
