"""Training of the restoration network on pictures that this codec coded.

    dinp train restoration-data --data DATA --out runs/restoration/files_1.npz --seed 1
    dinp train restoration-data --data DATA --out runs/restoration/tune.npz --set tune
    dinp train restoration runs/restoration/files_*.npz \\
        --tune runs/restoration/tune.npz --data DATA --out runs/restoration --minutes 60 --seed 1 [--resume]

Trains on crops of 128 x 128 pixels (`--crop`) of grey, luma and chroma planes, those of low rates more often if wanted
(`--low-rates`). The loss is the squared error over the squared error that diffusion alone leaves in the crop's whole
plane, so that every rate and picture counts alike, as it does in dB. A network is distilled from another by files of
`dinp.models.training.restoration_planes` and `--distil SHARE`: by that share the target is the teacher's correction,
which is the same as that share of the squared distance to it in the loss. The folder `--out` receives `checkpoint.pt`,
`curve.json` and `weights.npz`, as those of `dinp.models.training.train`; `valid_db` in the curve is the mean gain in
PSNR on whole planes of the tuning pictures, of the network itself: the restoration, which is the mean over both
orientations, gains a little more.
"""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from dinp.errors import DinpError
from dinp.models.networks.restoration import RestorationNetwork
from dinp.models.training.processes import launched, world_size
from dinp.models.training.restoration_crops import CROP, PIXELS, Crops, read_planes, to_tensors
from dinp.models.training.restoration_data import Example
from dinp.models.training.restoration_planes import correction
from dinp.models.training.run import Run, check_beginning
from dinp.models.weights.files import read_weights


def widen(network: torch.nn.Module, weights: dict[str, np.ndarray]) -> None:
    """Copy a narrower network's weights into a network, which then gives the same correction.

    Its further channels keep their initial weights, but what they add to the narrower network's channels is zero.

    Raises
    ------
    DinpError
        The weights do not fit: other names, or more channels than the network has.

    References
    ----------
    T. Chen, I. Goodfellow, J. Shlens: Net2Net: Accelerating Learning via Knowledge Transfer. ICLR 2016.
    """
    state = network.state_dict()
    if state.keys() != weights.keys():
        raise DinpError("the weights to begin with are those of another network")
    for name, tensor in state.items():
        old = torch.from_numpy(weights[name].astype(np.float32))
        if old.ndim != tensor.ndim or any(a > b for a, b in zip(old.shape, tensor.shape, strict=True)):
            raise DinpError("the weights to begin with are those of a wider network")
        tensor[: len(old)] = 0
        tensor[tuple(slice(n) for n in old.shape)] = old


def gain(example: Example, change: np.ndarray) -> float:
    """Gain in PSNR of a plane by what is added to it (H, W), dB."""
    plane = example.decoded
    error = [
        np.mean((np.clip(u, 0, 255) - example.original) ** 2)
        for u in (plane.reconstruction, plane.reconstruction + change)
    ]
    return float(10 * np.log10((error[0] + 1e-3) / (error[1] + 1e-3)))


def gains(network: torch.nn.Module, found: Sequence[Example], device: torch.device) -> np.ndarray:
    """Gain in PSNR of each plane by the network, in one orientation, dB."""
    return np.array([gain(e, correction(network, e.decoded, both=False, device=device)) for e in found])


@launched
def train(
    data: Path,
    files: Sequence[Path],
    tune: Path,
    out: Path,
    *,
    minutes: float = 60.0,
    steps: int | None = None,
    seed: int = 1,
    widths: Sequence[int] | None = None,
    encode: Sequence[int] | None = None,
    decode: Sequence[int] | None = None,
    head: int = 3,
    distil: float = 0.0,
    crop: int = CROP,
    start: Path | None = None,
    peak: float = 1.0,
    low_rates: float = 1.0,
    optimiser: str = "adamw",
    compiled: bool = False,
    device: str = "auto",
    bf16: bool = True,
    resume: bool = False,
    every: float = 240.0,
    progress: Callable[[str], object] = sys.stderr.write,
) -> Run:
    """Train the network; see the module's text.

    Parameters
    ----------
    data : Path
        Folder with train/ and tune/.
    files, tune : Paths
        Files of `dinp.models.training.restoration_data`: training pictures, tuning pictures.
    out : Path
        Where the results go.
    minutes : float
        Wall-clock budget, resumed time included; reading the data is not counted.
    steps : int, optional
        Stop after so many steps instead; the learning rate then follows the steps.
    widths, encode, decode, head
        Of the network, see `dinp.models.networks.restoration`.
    distil : float
        Share of the teacher's correction in the target, 0 to 1.
    crop : int
        Side of the crops, pixels, a multiple of 16; a batch holds as many pixels as 16 crops of 128 x 128.
    start : Path, optional
        Weights to begin with, of a network at most as wide; see `widen`.
    peak : float
        Factor on the learning rate.
    low_rates : float
        See `Crops`.
    optimiser : str
        A name of `dinp.models.training.optimisers`.
    compiled : bool
        Let torch compile the network, which needs a C++ compiler; on a CPU steps then take a fifth less time.
    device : str
        "auto" (CUDA if there is one), "cpu", "cuda", ...
    bf16 : bool
        Convolutions in bfloat16.
    every : float
        Seconds between validations and checkpoints.

    Raises
    ------
    DinpError
        Files or pictures are missing, there is nothing to resume, both `start` and `resume` are given, or torch lacks
        the optimiser or cannot compile.
    """
    place = torch.device(device)
    if crop < 16 or crop % 16:
        raise DinpError(f"crops need a side that is a multiple of 16, not {crop}")
    check_beginning(resume, start)
    config = {"widths": widths, "encode": encode, "decode": decode, "head": head}
    make = partial(RestorationNetwork, **{name: value for name, value in config.items() if value})
    run = Run.start("restoration", {"restoration": make}, seed, place, optimiser=optimiser)
    batch = max(1, PIXELS // crop**2)
    found, taught = read_planes(data, files)
    if distil and taught is None:
        raise DinpError("to distil, give files of restoration_planes, which hold a teacher's corrections")
    crops = Crops(found, crop, low_rates, taught if distil else None, distil)
    validation, _ = read_planes(data, [tune])
    del found, taught
    if resume:
        run.resume(out, "valid_db")
    elif start is not None:
        widen(run.network, read_weights("restoration", start).arrays)
        run.begin_with(run.network)
    run.share()
    network = run.model
    if compiled:
        network = torch.compile(run.model)
        try:
            with torch.autocast(place.type, torch.bfloat16, enabled=bf16):
                network(to_tensors(*crops.draw(batch, np.random.default_rng(0)), place)[0]).sum().backward()
        except RuntimeError as error:
            raise DinpError(f"torch cannot compile the network here: {str(error).splitlines()[0]}") from error
    settings = run.settings(
        network="restoration",
        config=run.network.config,
        parameters=sum(p.numel() for p in run.network.parameters()),
        seed=seed,
        batch=batch * world_size(),
        crop=crop,
        start=start and start.name,
        peak=peak,
        distil=distil,
        optimiser=optimiser,
        low_rates=low_rates,
        files=[path.name for path in files],
        planes=int(crops.share.size),
        validation_planes=len(validation),
        bf16=bf16,
        compiled=compiled,
    )
    drawn = run.batches(partial(crops.draw, batch))

    def one_step(_: float, rate: float) -> float:
        x, target, weight = to_tensors(*next(drawn), place)
        with torch.autocast(place.type, torch.bfloat16, enabled=bf16):
            y = network(x)
        loss = ((y.float() - target).square().mean(dim=(1, 2, 3)) * weight).mean()
        run.update(loss, rate)
        return loss.detach().item()

    def measure(recent: list[float]) -> dict:
        gain = gains(run.averaged(), validation, place)
        return {
            "train": round(float(np.mean(recent)), 5),
            "valid_db": round(float(gain.mean()), 4),
            "valid_least_db": round(float(gain.min()), 4),
        }

    budget = {"minutes": minutes, "steps": steps, "peak": peak, "every": every}
    return run.follow(one_step, measure, out, settings, **budget, progress=progress)
