"""Training of the integer context models: `dinp train entropy tree|values|mask`.

    dinp train entropy tree runs/contexts_*.npz --out runs/tree --minutes 6
    dinp train entropy values runs/contexts_*.npz --out runs/values --minutes 12
    dinp train entropy mask --data DATA --out runs/mask --minutes 4

Features come from the coder itself (`dinp.models.training.context_data`), so that training and coding cannot disagree;
the network is trained in floating point and rounded to the integers that the coder evaluates exactly. `mask` learns
from the teacher masks below the data folder.

A changed table changes the meaning of every file: tables are part of the format version.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from dinp.entropy import mask_coder
from dinp.entropy.fixed import UNIT
from dinp.entropy.value_model import COMPONENTS
from dinp.models.training.context_data import flag_samples
from dinp.models.training.data import dihedral
from dinp.models.training.run import Run, replace

# A picture at a fine step has many more values than at a coarse one, but a saved bit counts for less there: values are
# taken with a probability proportional to their step, in 1/16 grey level, up to this one.
FULL_STEP = 256
BATCH = 4096
PEAK = 1.5  # factor on the learning rate that all trainings share


def mask_samples(data: Path, limit: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Samples of the teacher masks (192x192 crops), in random orientation."""
    archive = np.load(data / "train" / "teacher_masks.npz")
    sides = [32, 16, 8, 4, 2, 1]
    samples = []
    for i in rng.permutation(archive["density"].size)[:limit]:
        mask = np.unpackbits(archive["bits"][i])[: 192 * 192].reshape(192, 192).astype(bool)
        flags = mask_coder.occupancy(dihedral(mask, int(rng.integers(8))), sides)
        samples.append(flag_samples(flags, (192, 192), sides))
    return np.concatenate([s[0] for s in samples]), np.concatenate([s[1] for s in samples])


def gathered(paths: Sequence[Path], names: list[str]) -> dict[str, np.ndarray]:
    """The named arrays of several files of samples, one after another."""
    archives = [np.load(path) for path in paths]
    return {name: np.concatenate([archive[name] for archive in archives]) for name in names}


def mlp(sizes: list[int]) -> nn.Sequential:
    """Fully connected network with ReLUs between its layers."""
    layers: list[nn.Module] = []
    for k in range(len(sizes) - 1):
        layers.append(nn.Linear(sizes[k], sizes[k + 1]))
        if k < len(sizes) - 2:
            layers.append(nn.ReLU())
    return nn.Sequential(*layers)


def integer_arrays(network: nn.Sequential) -> dict[str, np.ndarray]:
    """Weights in units of 2^-12 and biases in units of 2^-22, rounded, named for `IntegerNetwork.from_arrays`."""
    arrays = {}
    linear = [layer for layer in network if isinstance(layer, nn.Linear)]
    for k, layer in enumerate(linear):
        weight = layer.weight.detach().double().numpy().T
        arrays[f"w{k}"] = np.clip(np.rint(weight * 2**12), -(2**17) + 1, 2**17 - 1).astype(np.int32)
        arrays[f"b{k}"] = np.rint(layer.bias.detach().double().numpy() * 2**22).astype(np.int64)
    return arrays


def fit(
    what: str,
    sizes: list[int],
    loss: "Loss",
    count: int,
    out: Path,
    *,
    minutes: float,
    steps: int | None = None,
    seed: int = 0,
    resume: bool = False,
    every: float = 30.0,
) -> Run:
    """Train a network of these sizes on `count` samples, of which the last tenth validates; see the module's text."""
    tables = shared_tables(what)

    def write(run: Run, folder: Path) -> None:
        arrays = integer_arrays(run.average.module) | tables
        replace(folder / f"{what}.npz", lambda path: save_arrays(path, arrays))

    run = Run.start(what, {what: partial(mlp, sizes)}, seed, torch.device("cpu"), write=write)
    if resume:
        run.resume(out)
    trained = count - max(1, count // 10)
    validation = torch.arange(trained, count)
    drawn = run.batches(lambda rng: rng.integers(trained, size=BATCH))

    def one_step(_: float, rate: float) -> float:
        value = loss(run.model, next(drawn))
        run.update(value, rate)
        return value.item()

    def measure(recent: list[float]) -> dict:
        network = run.averaged()
        with torch.no_grad():
            bits = float(np.mean([loss(network, part).item() for part in validation.split(1 << 16)]))
        return {"train": round(float(np.mean(recent)), 5), "validation": round(bits, 5)}

    settings = run.settings(what=what, sizes=sizes, samples=count, seed=seed, batch=BATCH, bits="per sample")
    return run.follow(one_step, measure, out, settings, minutes=minutes, steps=steps, peak=PEAK, every=every)


def save_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write a compressed .npz file under any name."""
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)


class Loss:
    """Mean code length in bits of the samples with given indices."""

    def __call__(self, network: nn.Sequential, index: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError


class FlagLoss(Loss):
    """Binary cross-entropy; the network gives log-odds."""

    def __init__(self, features: np.ndarray, flags: np.ndarray) -> None:
        self.features, self.flags = torch.from_numpy(features), torch.from_numpy(flags)

    def __call__(self, network: nn.Sequential, index: torch.Tensor) -> torch.Tensor:
        x = self.features[index].float() / UNIT
        log_odds = network(x)[:, 0].clamp(-8, 8)
        return nn.functional.binary_cross_entropy_with_logits(log_odds, self.flags[index].float()) / np.log(2)


class ValueLoss(Loss):
    """Code length of levels under the mixture that `value_coder.frequencies` evaluates in integers."""

    def __init__(self, samples: dict[str, np.ndarray]) -> None:
        self.samples = {name: torch.from_numpy(a) for name, a in samples.items()}

    def __call__(self, network: nn.Sequential, index: torch.Tensor) -> torch.Tensor:
        k = COMPONENTS
        x = self.samples["features"][index].float() / UNIT
        # value relative to the base prediction, its cell's half width, both in units of the local scale
        scale = self.samples["scale"][index].float()
        value = self.samples["offset"][index].float() / scale
        half = self.samples["step"][index].float() / scale / 2
        out = network(x.clamp(-32, 32))
        log_weight = torch.log_softmax(out[:, :k] * np.log(2), dim=1)
        mean = out[:, k : 2 * k].clamp(-8, 8)
        width = torch.exp2(out[:, 2 * k :].clamp(-6, 4))
        upper = torch.sigmoid((value + half)[:, None].sub(mean) / width)
        lower = torch.sigmoid((value - half)[:, None].sub(mean) / width)
        mass = (log_weight.exp() * (upper - lower)).sum(dim=1)
        return -torch.log2(mass * (1 - 2.0**-10) + 2.0**-16).mean()


def shared_tables(what: str) -> dict[str, np.ndarray]:
    """Integer tables of the functions that the coder looks up."""
    if what == "values":
        z = np.arange(-2048, 2048) / 128
        exp2 = np.rint(2.0 ** (16 + np.arange(UNIT) / UNIT)).astype(np.int64)
        return {"logistic": np.rint(2.0**16 / (1 + np.exp(-z))).astype(np.int64), "exp2": exp2}
    z = np.arange(-4096, 4096) / (UNIT // 2)
    return {"logistic": np.rint(2.0**16 / (1 + np.exp(-z))).astype(np.int32)}


def train(
    what: str,
    samples: Sequence[Path],
    data: Path | None,
    out: Path,
    *,
    minutes: float = 5.0,
    limit: int = 2000,
    seed: int = 0,
) -> Run:
    """Train one context model and write its tables and loss curve.

    Parameters
    ----------
    what : str
        "tree", "values" or "mask".
    samples : sequence of Path
        Files of `dinp.models.training.context_data`, for "tree" and "values".
    data : Path, optional
        Data folder, for "mask", of whose labels `limit` are taken.
    out : Path
        Where the results go.
    """
    rng = np.random.default_rng(seed)
    if what == "values":
        found = gathered(samples, ["features", "offset", "scale", "step"])
        keep = rng.random(found["step"].size) < found["step"] / FULL_STEP
        found = {name: column[keep] for name, column in found.items()}
        loss: Loss = ValueLoss(found)
        count = found["step"].size
        sizes = [found["features"].shape[1], 128, 64, 3 * COMPONENTS]
    else:
        if what == "tree":
            features, flags = gathered(samples, ["flag_features", "flags"]).values()
        else:
            features, flags = mask_samples(data, limit, rng)
        loss, count = FlagLoss(features, flags), flags.size
        sizes = [features.shape[1], 64, 24, 1]
    return fit(what, sizes, loss, count, out, minutes=minutes, seed=seed)
