"""The dinp command: encode, decode and inspect files, and run training and benchmarks.

Data and the output of `info` go to stdout, messages to stderr. Exit codes: 0 done, 1 bad input or failure, 2 usage.
"""

import importlib
import json
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from typing import TYPE_CHECKING, NoReturn

import click

from dinp._version import FORMAT_VERSION, __version__
from dinp.bitstream.container import MAGIC
from dinp.errors import DinpError
from dinp.limits import MAX_PIXELS, check_size
from dinp.pictures import files

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

_SAVE_OPTIONS = {"JPEG": {"quality": 95}, "WEBP": {"lossless": True}}


class _Commands(click.Group):
    """A group whose commands end with one sentence and exit code 1 on all but mistakes in the program."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except DinpError as error:
            message = str(error)
        except KeyboardInterrupt:
            message = "interrupted"
        except MemoryError:
            message = "there is not enough memory for a picture of this size"
        except BrokenPipeError:
            message = "the output was closed before everything was written"
            _discard_stdout()
        except OSError as error:
            message = f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"
            _discard_stdout()
        except RuntimeError as error:
            if "allocate memory" not in str(error):  # torch's way of saying MemoryError
                raise
            message = "there is not enough memory for a picture of this size"
        raise click.ClickException(message)


def _discard_stdout() -> None:
    """Keep what is still buffered from being flushed, and failing again, when the interpreter exits."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message=f"dinp %(version)s, file format version {FORMAT_VERSION}")
def main() -> None:
    """Image codec that rebuilds pictures by diffusion inpainting from a learned mask."""


def _check_quality(ctx: click.Context, param: click.Parameter, value: float | None) -> float | None:
    if value is not None and not 0 <= value <= 100:  # unlike click's FloatRange, this catches nan
        raise click.BadParameter("must be a number from 0 to 100")
    return value


_max_pixels = click.option(
    "--max-pixels", type=click.IntRange(min=1), default=MAX_PIXELS, show_default=True, help="Refuse larger pictures."
)
_force = click.option("-f", "--force", is_flag=True, help="Overwrite OUTPUT.")
_verbose = click.option("-v", "--verbose", is_flag=True, help="Tell more on stderr.")


@main.command()
@click.argument("source", metavar="INPUT")
@click.argument("target", metavar="OUTPUT")
@click.option(
    "-q",
    "--quality",
    type=float,
    callback=_check_quality,
    help="0 (smallest file) to 100 (best picture).  [default: 50]",
)
@click.option(
    "--target-size", type=click.IntRange(min=1), metavar="BYTES", help="Best quality in at most so many bytes."
)
@click.option("--target-bpp", type=float, metavar="BPP", help="Best quality in at most so many bits per pixel.")
@click.option("--target-psnr", type=float, metavar="DB", help="Smallest file with at least this PSNR.")
@click.option(
    "-e",
    "--effort",
    type=click.IntRange(1, 3),
    default=2,
    show_default=True,
    help="1: the network alone places the points; 2: and growth where the error is; 3: and more of it, for restoring.",
)
@click.option("--plain", is_flag=True, help="Do without restoration: the picture is that of the diffusion alone.")
@click.option("--mask", metavar="FILE", help="Take the known pixels from this picture (not black: known).")
@_force
@_max_pixels
@_verbose
def encode(
    source: str,
    target: str,
    quality: float | None,
    target_size: int | None,
    target_bpp: float | None,
    target_psnr: float | None,
    effort: int,
    plain: bool,
    mask: str | None,
    force: bool,
    max_pixels: int,
    verbose: bool,
) -> None:
    """Code a picture as a dinp file.

    INPUT is a picture in any format that Pillow opens, OUTPUT the file to write; "-" stands for stdin or stdout.
    """
    if sum(option is not None for option in (quality, target_size, target_bpp, target_psnr)) > 1:
        raise click.UsageError("--quality and the targets exclude one another.")
    files.check_output(target, force=force, source=source)
    import dinp

    with _open_picture(source, max_pixels) as picture, _progress("encoding") as progress:
        known = None if mask is None else _read_mask(mask, max_pixels)
        if target_bpp is not None:
            target_size = _bytes_at(target_bpp, picture.width * picture.height)
        encoding = dinp.encode_with_report(
            picture,
            quality=quality,
            target_bytes=target_size,
            target_psnr=target_psnr,
            effort=effort,
            restore=not plain,
            mask=known,
            max_pixels=max_pixels,
            progress=progress,
        )
    files.write_output(target, encoding.data, force=force)
    for notice in encoding.notices:
        _say(f"note: {notice}")
    _say(
        f"{len(encoding.data):,} bytes, {encoding.bpp:.4f} bpp, density {100 * encoding.density:.2f} %, "
        f"PSNR {encoding.psnr:.2f} dB, {encoding.seconds:.2f} s"
    )
    if verbose:
        _say(_describe(dinp.info(encoding.data, max_pixels=max_pixels)))


def _bytes_at(bpp: float, pixels: int) -> int:
    """The most bytes that are not more than so many bits per pixel."""
    if not bpp * pixels < float("inf"):
        raise DinpError(f"{bpp:g} bits per pixel cannot be aimed at: give a smaller --target-bpp")
    if bpp * pixels < 8:
        raise DinpError(f"{bpp:g} bits per pixel of this picture are not a byte: give a larger --target-bpp")
    return int(bpp * pixels / 8)


@main.command()
@click.argument("source", metavar="INPUT")
@click.argument("target", metavar="OUTPUT")
@click.option("--plain", is_flag=True, help="Do without restoration: show what the diffusion alone makes.")
@_force
@_max_pixels
@_verbose
def decode(source: str, target: str, plain: bool, force: bool, max_pixels: int, verbose: bool) -> None:
    """Decode a dinp file to a picture.

    The ending of OUTPUT tells its format; "-" stands for stdin, and for PNG on stdout.
    """
    picture_format = _picture_format(target)
    files.check_output(target, force=force, source=source)
    import dinp

    data = files.read_dinp(source)
    start = time.perf_counter()
    with _progress("decoding") as progress, warnings.catch_warnings(record=True) as notices:
        warnings.simplefilter("always", dinp.DinpNotice)
        picture = dinp.decode(data, restore=not plain, max_pixels=max_pixels, progress=progress)
    seconds = time.perf_counter() - start
    saved = _save(picture, picture_format)
    files.write_output(target, saved, force=force)
    for notice in notices:
        _say(f"note: {notice.message}")
    if not _kept(picture, saved):
        _say(f"note: {picture_format} does not keep the decoded values exactly; PNG does")
    if verbose:
        _say(_describe(dinp.info(data, max_pixels=max_pixels)))
        _say(f"decoded in {seconds:.2f} s, saved as {picture_format}")


@main.command()
@click.argument("source", metavar="INPUT")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_max_pixels
@click.option("-v", "--verbose", is_flag=True, help="Add where the bytes go.")
def info(source: str, as_json: bool, max_pixels: int, verbose: bool) -> None:
    """Tell what a dinp file holds.

    "-" stands for stdin.
    """
    import dinp

    report = dinp.info(files.read_dinp(source), max_pixels=max_pixels)
    click.echo(json.dumps(report, indent=2) if as_json else _describe(report))
    if verbose and not as_json:
        click.echo(_account(report))


def _check_density(ctx: click.Context, param: click.Parameter, value: float) -> float:
    if not 0 < value <= 1:
        raise click.BadParameter("must be above 0 and at most 1")
    return value


@main.command()
@click.argument("source", metavar="INPUT")
@click.argument("target", metavar="OUTPUT")
@click.option(
    "-m",
    "--method",
    default="learned",
    show_default=True,
    help="random, analytic, learned, learned-surrogate, sparsification, sparsification-exchange, densification, "
    "densification-exchange, learned-refinement or learned-long-refinement.",
)
@click.option("-d", "--density", type=float, default=0.05, callback=_check_density, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--picture", metavar="FILE", help="Show mask, inpainting and error (x 4) side by side in this picture.")
@_force
@_max_pixels
def mask(
    source: str, target: str, method: str, density: float, seed: int, picture: str | None, force: bool, max_pixels: int
) -> None:
    """Choose an inpainting mask for a picture.

    OUTPUT is a picture of the mask, known pixels white, as encode --mask takes it. Of colour pictures the luma counts.
    Tells the PSNR of the inpainting with the picture's own values (plain) and with tonally optimised ones. A search
    that is interrupted leaves the best mask so far.
    """
    mask_format = _picture_format(target)
    if not _keeps_masks(mask_format):
        raise DinpError(f"{mask_format} may not keep a mask exactly: name the output like mask.png")
    files.check_output(target, force=force, source=source)
    if picture is not None:
        picture_format = _picture_format(picture)
        files.check_output(picture, force=force, source=source)
        if os.path.realpath(picture) == os.path.realpath(target):
            raise DinpError("the mask and the picture are the same file: give one another name")
    from PIL import Image

    from dinp.models.masks import report as mask_report
    from dinp.pictures.planes import picture_from_image, split_planes

    with _open_picture(source, max_pixels) as opened:
        pixels, notices = picture_from_image(opened, max_pixels=max_pixels)
    plane = split_planes(pixels)[0]
    with _progress(method) as progress:
        chosen = mask_report.choose_mask(method, plane, density, seed, progress)
    files.write_output(target, _save(Image.fromarray(chosen.mask), mask_format), force=force)
    worth = mask_report.mask_worth(plane, chosen.mask)
    if picture is not None:
        shown = Image.fromarray(mask_report.side_by_side(plane, chosen.mask, worth.reconstruction))
        files.write_output(picture, _save(shown, picture_format), force=force)
    for notice in notices:
        _say(f"note: {notice}")
    if not chosen.complete:
        _say("note: interrupted: this is the best mask so far")
    points = int(chosen.mask.sum())
    _say(
        f"{points:,} points, density {100 * points / chosen.mask.size:.3f} %, PSNR {worth.plain_psnr:.2f} dB plain, "
        f"{worth.tonal_psnr:.2f} dB tonally optimised, {chosen.seconds:.2f} s"
    )


@contextmanager
def _open_picture(name: str, max_pixels: int) -> "Iterator[Image.Image]":
    """The picture in a file, not yet loaded; Pillow's own limit and warnings give way to ours for the time."""
    from PIL import Image

    limit = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        with files.open_input(name) as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if stream.read(len(MAGIC)) == MAGIC:
                raise DinpError(f"{files.display(name)} is a dinp file already: use dinp decode")
            stream.seek(0)
            try:
                picture = Image.open(stream)
            except (MemoryError, KeyboardInterrupt):
                raise
            except Exception as error:  # Pillow's readers raise a dozen classes on damaged files
                raise DinpError(f"{files.display(name)} is not a picture that Pillow can open") from error
            check_size(picture.width, picture.height, max_pixels)
            yield picture
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _read_mask(name: str, max_pixels: int) -> "np.ndarray":
    """An inpainting mask from a picture: known is what is not black; transparency counts for nothing."""
    import numpy as np
    from PIL import ImageOps

    with _open_picture(name, max_pixels) as picture:
        try:
            upright = ImageOps.exif_transpose(picture)
            if upright.mode not in ("1", "L", "LA", "I", "I;16", "F", "RGB", "RGBA"):
                upright = upright.convert("RGB")
            pixels = np.asarray(upright)
            colours = pixels.reshape(*pixels.shape[:2], -1)[..., : 1 if upright.mode == "LA" else 3]
            return colours.any(axis=2)
        except (OSError, ValueError, SyntaxError) as error:
            raise DinpError(f"{files.display(name)} cannot be read as a mask: {error}") from error


def _picture_format(name: str) -> str:
    """Pillow's name of the format that an output is to have; DinpError if its ending tells none that can be written."""
    ending = os.path.splitext(name)[1].lower()
    if name == "-" or (not ending and files.is_special(name)):
        return "PNG"
    from PIL import Image

    picture_format = Image.registered_extensions().get(ending)
    if picture_format not in Image.SAVE:
        told = f"the ending '{ending}'" if ending else "a name without an ending"
        raise DinpError(f"{told} does not tell a picture format to write: name the output like picture.png")
    return picture_format


def _save(picture: "Image.Image", picture_format: str) -> bytes:
    """The picture as a file of the format."""
    buffer = BytesIO()
    try:
        picture.save(buffer, picture_format, **_SAVE_OPTIONS.get(picture_format, {}))
    except (OSError, ValueError, KeyError) as error:
        raise DinpError(f"the picture cannot be saved as {picture_format}: {error}: choose PNG") from error
    return buffer.getvalue()


def _kept(picture: "Image.Image", saved: bytes) -> bool:
    """Whether a saved picture opens as it was, pixel by pixel."""
    from PIL import Image

    try:
        with Image.open(BytesIO(saved)) as found:
            mode = "L" if picture.mode == "1" else picture.mode  # in which a grey that was black shows
            return found.size == picture.size and found.convert(mode).tobytes() == picture.convert(mode).tobytes()
    except Exception:  # Pillow's readers raise a dozen classes; a format may have none
        return False


def _keeps_masks(picture_format: str) -> bool:
    """Whether a format keeps a mask, tried on one that is larger than an icon and has points alone."""
    from PIL import Image

    trial = Image.new("1", (300, 290))
    for place in range(0, 290, 7):
        trial.putpixel((place, (31 * place) % 290), 1)
    return _kept(trial, _save(trial, picture_format))


def _describe(report: dict) -> str:
    """Text form of what `dinp.info` returns."""
    lines = [
        f"{report['width']} x {report['height']} {report['mode']}, {report['bytes']:,} bytes, {report['bpp']:.4f} bpp, "
        f"format version {report['format_version']}"
    ]
    for plane in report["planes"]:
        lines.append(
            f"{plane['name']:<4} {plane['width']} x {plane['height']}, {plane['bytes']:,} bytes: {plane['structure']}, "
            f"{plane['points']:,} points, density {100 * plane['density']:.2f} %, step {plane['step']:g}, "
            f"{plane['mask_bits_per_point']:.2f} mask + {plane['value_bits_per_point']:.2f} value bits per point"
            + (f", restoration {plane['restoration']}" if plane["restoration"] else "")
        )
    return "\n".join(lines)


def _account(report: dict) -> str:
    """Where a file's bytes go, from what `dinp.info` returns."""
    points = sum(plane["points"] for plane in report["planes"])
    parts = []
    for name in ("mask", "value"):
        bits = sum(plane[f"{name}_bits"] for plane in report["planes"])
        parts.append(f"{name}s {bits / 8:,.0f} bytes ({bits / points:.2f} bits per point)")
    rest = report["bytes"] - sum(plane[f"{name}_bits"] for plane in report["planes"] for name in ("mask", "value")) / 8
    return f"all  {points:,} points: {', '.join(parts)}, the rest {rest:,.0f} bytes"


def _say(message: str) -> None:
    click.echo(message, err=True)


@contextmanager
def _progress(label: str) -> Iterator[Callable[[float], None] | None]:
    """A function that draws a bar on stderr when given a fraction, from the second second on; None if nobody looks."""
    if not sys.stderr.isatty():
        yield None
        return
    start = shown = time.monotonic()

    def draw(fraction: float) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - start < 1 or now - shown < 0.1:
            return
        shown = now
        done = round(30 * min(max(fraction, 0.0), 1.0))
        click.echo(f"\r{label} [{'#' * done}{'.' * (30 - done)}] {100 * fraction:3.0f} %", err=True, nl=False)

    try:
        yield draw
    finally:
        if shown > start:
            click.echo("\r" + " " * 60 + "\r", err=True, nl=False)


class _Forwarding(click.Command):
    """A command that hands its arguments, untouched, to the function `main(argv)` of a module."""

    def __init__(self, name: str, module: str, help_text: str) -> None:
        super().__init__(name, help=help_text, add_help_option=False)
        self.module = module

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.args = list(args)
        return ctx.args

    def invoke(self, ctx: click.Context) -> NoReturn:
        try:
            entry = importlib.import_module(self.module).main
        except ModuleNotFoundError as error:
            extra = "train" if self.module.startswith("dinp.models") else "bench"
            raise DinpError(f"this command needs the package {error.name}: pip install 'dinp[{extra}]'") from error
        sys.exit(entry(ctx.args))


@main.group()
def bench() -> None:
    """Run a benchmark; each has its own --help."""


main.add_command(_Forwarding("train", "dinp.models.training.train", "Train a network; see dinp train --help."))
bench.add_command(_Forwarding("speed", "dinp.benchmarks.speed.command", "Time the solver and the codec."))
bench.add_command(_Forwarding("masks", "dinp.benchmarks.masks.command", "Compare masks at equal density."))
bench.add_command(_Forwarding("rd", "dinp.benchmarks.rd.command", "Measure rate against distortion."))
