"""Training of the restoration network on pictures that this codec coded.

    dinp train restoration-data --data DATA --out runs/restoration/files_1.npz --seed 1
    dinp train restoration-data --data DATA --out runs/restoration/tune.npz --set tune
    dinp train restoration runs/restoration/files_*.npz \\
        --tune runs/restoration/tune.npz --data DATA --out runs/restoration --minutes 60 --seed 1 [--resume]

Trains on crops of 128 x 128 pixels (`--crop`) of grey, luma and chroma planes, those of low rates more often if wanted
(`--low-rates`). The loss is the squared error over the squared error that diffusion alone leaves in the crop's whole
plane, so that every rate and picture counts alike, as it does in dB. The folder `--out` receives `checkpoint.pt`,
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
from torch import Tensor

from dinp.errors import DinpError
from dinp.models.networks.restoration import RestorationNetwork
from dinp.models.training.processes import launched, world_size
from dinp.models.training.restoration_data import Example, load_examples
from dinp.models.training.run import Run
from dinp.models.weights.files import read_weights
from dinp.restoration import MULTIPLE, correction_scale, network_input

CROP = 128  # pixels
PIXELS = 16 * CROP**2  # of a batch
LEAST_ERROR = 0.5  # squared grey levels: planes that are better than this do not count more
LOW_RATES = (7.0, 45.0)  # grey levels: steps of 0.05 to 0.3 bits per pixel, on photographs
ALIGNED = MULTIPLE // 2  # of the network's pixels
TRANSPOSED = [0, 2, 1, 3, 4, 6, 5, 7, 8, 9]


class Crops:
    """Random crops of examples, in the network's own form.

    Parameters
    ----------
    found : list of Example
        At least `side` x `side` pixels each; smaller ones are left out.
    side : int
        Side of a crop, pixels, a multiple of 16. Crops begin at multiples of 16, where the network's blocks of all
        strides lie as the cells of the tree do: as in whole planes.
    low_rates : float
        How much more often than others a plane is drawn whose step is one of low rates.
    """

    def __init__(self, found: Sequence[Example], side: int = CROP, low_rates: float = 1.0) -> None:
        self.half = side // 2
        self.inputs, self.targets, self.weight, size = [], [], [], []
        for example in found:
            plane = example.decoded
            x = network_input(plane)
            height, width = plane.mask.shape
            error = example.original - plane.reconstruction
            height, width = height - height % 2, width - width % 2
            if min(height, width) < side:
                continue
            scale = correction_scale(plane.step)
            blocks = (error[:height, :width] / scale).reshape(height // 2, 2, width // 2, 2)
            self.inputs.append(x[:, : height // 2, : width // 2].astype(np.float16))
            self.targets.append(blocks.transpose(1, 3, 0, 2).reshape(4, height // 2, width // 2).astype(np.float16))
            self.weight.append(scale**2 / max(LEAST_ERROR, float(np.mean(error**2))))
            low, high = LOW_RATES
            size.append(height * width * (low_rates if low <= plane.step <= high else 1.0))
        if not size:
            raise DinpError(f"there is no plane of {side} x {side} pixels or more to train on")
        self.share = np.array(size, dtype=np.float64) / sum(size)

    def draw(self, batch: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Inputs (B, 10, S, S), targets (B, 4, S, S) and weights (B,), float32; S is half the side of a crop."""
        half = self.half
        x = np.empty((batch, 10, half, half), dtype=np.float32)
        t = np.empty((batch, 4, half, half), dtype=np.float32)
        w = np.empty(batch, dtype=np.float32)
        for b, i in enumerate(rng.choice(self.share.size, size=batch, p=self.share)):
            _, height, width = self.inputs[i].shape
            y0, x0 = (ALIGNED * int(rng.integers((side - half) // ALIGNED + 1)) for side in (height, width))
            x[b] = self.inputs[i][:, y0 : y0 + half, x0 : x0 + half]
            t[b] = self.targets[i][:, y0 : y0 + half, x0 : x0 + half]
            w[b] = self.weight[i]
            if rng.integers(2):  # known pixels stand at the lower right of a cell's centre: transposing keeps that
                x[b] = x[b][TRANSPOSED].transpose(0, 2, 1)
                t[b] = t[b][TRANSPOSED[:4]].transpose(0, 2, 1)
        return x, t, w


def to_tensors(x: np.ndarray, t: np.ndarray, w: np.ndarray, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """What `Crops.draw` gives, on a device."""
    x_, t_, w_ = (torch.as_tensor(a).to(device, non_blocking=True) for a in (x, t, w))
    return x_.contiguous(memory_format=torch.channels_last), t_, w_


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


def gains(network: torch.nn.Module, found: Sequence[Example], device: torch.device) -> np.ndarray:
    """Gain in PSNR of each plane by the network, in one orientation, dB."""
    out = []
    with torch.inference_mode():
        for example in found:
            plane = example.decoded
            x = torch.from_numpy(network_input(plane))[None].to(device, memory_format=torch.channels_last)
            y = torch.pixel_shuffle(network(x).float(), 2)[0, 0].cpu().numpy() * correction_scale(plane.step)
            height, width = plane.mask.shape
            error = [
                np.mean((np.clip(u, 0, 255) - example.original) ** 2)
                for u in (plane.reconstruction, plane.reconstruction + y[:height, :width])
            ]
            out.append(10 * np.log10((error[0] + 1e-3) / (error[1] + 1e-3)))
    return np.array(out)


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
    widths : 4 ints, optional
        Channels of the network.
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
    if resume and start is not None:
        raise DinpError("a run that is resumed has its weights already: give either --resume or --start")
    make = partial(RestorationNetwork, **({"widths": tuple(widths)} if widths else {}))
    run = Run.start("restoration", {"restoration": make}, seed, place, optimiser=optimiser)
    batch = max(1, PIXELS // crop**2)
    crops = Crops(load_examples(data, files)[1], crop, low_rates)
    validation = load_examples(data, [tune])[1]
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
