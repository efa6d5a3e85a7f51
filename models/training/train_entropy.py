"""Training of the integer context models: `python -m dinp.models.training.train_entropy tree|values|mask`.

    python -m dinp.models.training.train_entropy tree --samples runs/contexts_*.npz --minutes 6
    python -m dinp.models.training.train_entropy values --samples runs/contexts_*.npz --minutes 12
    python -m dinp.models.training.train_entropy mask --data DATA --minutes 4

Features come from the coder itself (`dinp.models.training.context_data`), so that training and coding cannot disagree;
the network is trained in floating point and rounded to the integers that the coder evaluates exactly. `mask` learns
from the teacher masks below the data folder.

A changed table changes the meaning of every file: tables are part of the format version.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from dinp.entropy import mask_coder
from dinp.entropy.fixed import UNIT
from dinp.entropy.value_coder import COMPONENTS
from dinp.models.training.context_data import flag_samples
from dinp.models.training.data import dihedral

# A picture at a fine step has many more values than at a coarse one, but a saved bit counts for less there: values are
# taken with a probability proportional to their step, in 1/16 grey level, up to this one.
FULL_STEP = 256
TABLES = Path(__file__).resolve().parents[2] / "entropy" / "tables"


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


def gathered(paths: list[Path], names: list[str]) -> dict[str, np.ndarray]:
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
    network: nn.Sequential, loss: "Loss", count: int, held_out: int, minutes: float, batch: int, seed: int
) -> list[dict[str, float]]:
    """AdamW, cosine learning rate over `minutes`; the last `held_out` of `count` samples validate; the curve."""
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-4)
    start, step, curve = time.monotonic(), 0, []
    trained = count - held_out
    running = 0.0
    validation = torch.arange(trained, count)
    while True:
        done = (time.monotonic() - start) / (60 * minutes)
        if step % 500 == 0 or done >= 1:
            with torch.no_grad():
                value = float(np.mean([loss(network, part).item() for part in validation.split(1 << 16)]))
            seconds = round(done * 60 * minutes, 1)
            curve.append({"step": step, "seconds": seconds, "train": running, "validation": value})
            print(f"step {step:6d}  {done:6.1%}  train {running:.4f}  validation {value:.4f} bits", flush=True)
            if done >= 1:
                return curve
        for group in optimiser.param_groups:
            group["lr"] = 3e-3 * (0.5 + 0.5 * np.cos(np.pi * min(done, 1))) + 1e-5
        sample = torch.randint(trained, (batch,), generator=generator)
        value = loss(network, sample)
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        running = value.item() if step == 0 else 0.99 * running + 0.01 * value.item()
        step += 1


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


def main(argv: list[str] | None = None) -> None:
    """Train one context model and write its tables and loss curve."""
    parser = argparse.ArgumentParser(
        prog="python -m dinp.models.training.train_entropy", description=__doc__.splitlines()[0]
    )
    parser.add_argument("what", choices=["tree", "values", "mask"])
    parser.add_argument(
        "--samples", type=Path, nargs="+", help="files of dinp.models.training.context_data (tree, values)"
    )
    parser.add_argument("--data", type=Path, help="data folder (mask)")
    parser.add_argument("--out", type=Path, default=TABLES, help="folder for NAME.npz and NAME_curve.json")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--limit", type=int, default=2000, help="number of teacher labels")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)
    if args.data is None if args.what == "mask" else args.samples is None:
        parser.error("give --data for mask, --samples for tree and values")
    if args.what == "values":
        samples = gathered(args.samples, ["features", "offset", "scale", "step"])
        keep = rng.random(samples["step"].size) < samples["step"] / FULL_STEP
        samples = {name: column[keep] for name, column in samples.items()}
        loss: Loss = ValueLoss(samples)
        count = samples["step"].size
        network = mlp([samples["features"].shape[1], 128, 64, 3 * COMPONENTS])
    else:
        if args.what == "tree":
            features, flags = gathered(args.samples, ["flag_features", "flags"]).values()
        else:
            features, flags = mask_samples(args.data, args.limit, rng)
        loss, count = FlagLoss(features, flags), flags.size
        network = mlp([features.shape[1], 64, 24, 1])
    print(f"{count} samples", flush=True)
    curve = fit(network, loss, count, count // 10, args.minutes, 4096, args.seed)
    arrays = integer_arrays(network) | shared_tables(args.what)
    args.out.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(args.out / f"{args.what}.npz", **arrays)
    record = {"what": args.what, "samples": count, "seed": args.seed, "minutes": args.minutes, "bits": "per sample"}
    (args.out / f"{args.what}_curve.json").write_text(json.dumps({**record, "curve": curve}, indent=1) + "\n")


if __name__ == "__main__":
    main()
