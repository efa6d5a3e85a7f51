"""Seconds and memory of masks, from small pictures to 8 megapixels, each in a process of its own, on one thread.

Masks are timed as they are, but for searches that would take minutes to days: these are extrapolated from a few of
their steps, all of which cost the same: from two batches of our pixel exchange on large pictures, and from a few swaps
of the exchange that inpaints anew for each swap. Both then begin from a mask that stands already, which flatters them.
"""

import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from dinp.benchmarks.masks.measuring import EXCHANGE, METHODS, central_crop, one_thread, peak_memory, pictures_in
from dinp.benchmarks.readme import markdown_table
from dinp.models.masks.analytic import random_mask
from dinp.models.masks.exchange import CYCLES, TRIED, global_exchange_seconds, nonlocal_pixel_exchange

DENSITY = 0.05
OURS = ("learned, one pass", "learned", "learned + fast refinement", "learned + refinement")
EVERY_SWAP = "pixel exchange with a solve for every swap"
OPPONENTS = (EXCHANGE, EVERY_SWAP)
TIMED = (*OURS, *OPPONENTS)
MEASURED = "measured"
LARGE = 1 << 20  # pixels, from which on our exchange is extrapolated
BATCHES = 2
SWAPS_TIMES_PIXELS = 4e6  # swaps that are timed: 20 at most, 2 at least


def inputs(data: Path) -> list[tuple[str, Path, int]]:
    """Name, file and side of the central crop, 0 for all of it, of the three pictures.

    Raises
    ------
    DinpError
        A folder is missing or empty.
    """
    found = []
    for folder, size in (("report/bsds_test", 256), ("report/kodak", 0), ("uhd", 0)):
        path = pictures_in(data / folder)[0]
        found.append((f"{folder}/{path.name}", path, size))
    return found


def timed(path: Path, size: int, method: str, density: float, repeats: int) -> dict:
    """A row: seconds, the least of the repeats, peak memory of this process in MiB, and how the seconds were found."""
    plane = central_crop(path, size)
    row: dict = {"pixels": plane.size, "density": density, "method": method, "how": MEASURED}
    if method == EVERY_SWAP:
        swaps = int(min(20, max(2, SWAPS_TIMES_PIXELS / plane.size)))
        row |= {"how": f"extrapolated from {swaps} swaps"}
        row["seconds"] = global_exchange_seconds(plane, density, swaps=swaps)
    elif method == EXCHANGE and plane.size >= LARGE:
        start, cycles = random_mask(plane, density, 0), BATCHES * TRIED
        row |= {"how": f"extrapolated from {BATCHES} batches"}
        first = _seconds(lambda: nonlocal_pixel_exchange(plane, density, 0, start=start, cycles=0))
        some = _seconds(lambda: nonlocal_pixel_exchange(plane, density, 0, start=start, cycles=cycles))
        row["seconds"] = first + (some - first) * CYCLES / cycles
    else:
        METHODS[method](plane[:64, :64], density, 0)  # loads what the method needs
        repeats = 1 if method == EXCHANGE else repeats
        row["seconds"] = min(_seconds(lambda: METHODS[method](plane, density, 0)) for _ in range(repeats))
    row["seconds"] = float(f"{row['seconds']:.4g}")
    return row | {"peak_mib": peak_memory()}


def _seconds(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def measured(data: Path, density: float = DENSITY, repeats: int = 3) -> Iterator[dict]:
    """A row for each picture and method, each from a new process of one thread."""
    spawn = multiprocessing.get_context("spawn")
    for name, path, size in inputs(data):
        for method in TIMED:
            with one_thread(), ProcessPoolExecutor(1, mp_context=spawn) as pool:
                row = pool.submit(timed, path, size, method, density, repeats).result()
            yield {"picture": name, "load": round(os.getloadavg()[0], 1)} | row


def seconds_table(rows: Sequence[dict]) -> str:
    """Markdown: seconds of each method and picture, and how many times longer the two exchanges take."""
    pictures = list(dict.fromkeys(row["picture"] for row in rows))
    pixels = {row["picture"]: row["pixels"] for row in rows}
    own = {(row["picture"], row["method"]): row for row in rows}
    table = []
    for method in dict.fromkeys(row["method"] for row in rows):
        cells = []
        for picture in pictures:
            row = own[picture, method]
            text = f"{row['seconds']:,.3g}" if row["seconds"] < 999.5 else f"{row['seconds']:,.0f}"
            ratios = [own[picture, o]["seconds"] / row["seconds"] for o in OPPONENTS if (picture, o) in own]
            if method not in OPPONENTS:
                text += f" ({' / '.join(_two_digits(ratio) for ratio in ratios)}), {row['peak_mib']:.0f}"
            elif row["how"] != MEASURED:
                text += " *"
            cells.append(text)
        table.append([method, *cells])
    load = statistics.median(row["load"] for row in rows)
    head = ["seconds (ratios), peak MiB", *(f"{pixels[picture]:,} pixels" for picture in pictures)]
    text = (
        f"A mask of {100 * rows[0]['density']:g} %, one core. In brackets, how many times longer pixel exchange takes: "
        f"ours, and with a solve for every swap. \\* extrapolated, see `how` in the file. Load: {load:g}."
    )
    return f"{text}\n\n{markdown_table(head, table)}"


def _two_digits(ratio: float) -> str:
    rounded = float(f"{ratio:.2g}")
    return f"{rounded:,.0f}" if rounded >= 10 else f"{rounded:g}"
