"""Damaged files with a right checksum: only DinpError, and no work that the bytes do not explain.

python tests/bitstream/fuzz.py --count 10000 --output results.json

Each file is decoded and described in a process of its own, whose CPU time and memory count. Not part of the tests.
"""

import argparse
import itertools
import json
import os
import time
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

import dinp
from dinp.bitstream.container import Container, pack, unpack

LIMIT_SECONDS, LIMIT_BYTES = 2.0, 300 << 20
GOLDEN = Path(__file__).parent / "golden"


def seeds() -> list[bytes]:
    """Files of every kind that decode."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:40, :50]
    grey = (120 + 60 * np.sin(x / 7) + 40 * (x > y)).astype(np.uint8)
    rgb = np.dstack([grey, grey[::-1], 255 - grey])
    soft = np.clip(255 * (15 - np.hypot(y - 20, x - 25)), 0, 255).astype(np.uint8)
    depth = (500 + 40 * x + 5 * y).astype(np.uint16)
    depth[5:12, 8:20] = 0
    flow = np.dstack([np.sin(x / 9), np.cos(y / 5)]).astype(np.float32)
    flow[3:9, 30:40] = np.nan
    zones = np.select([np.hypot(y - 18, x - 20) < 14, x + 2 * y > 90, y < 9], [30, 200, 90], 120).astype(np.uint8)
    slanted = np.where(zones == 120, 100 + x, zones).astype(np.uint8)
    drawn = np.dstack([zones, zones[::-1], 255 - zones])
    noisy = np.clip(grey + rng.normal(0, 4, grey.shape), 0, 255).astype(np.uint8)
    files = [path.read_bytes() for path in sorted(GOLDEN.glob("*.dinp"))]
    for picture, options in (
        (depth, {"quality": 60}),
        (depth, {"max_error": 1}),
        (flow, {"quality": 40}),
        (np.dstack([rgb, soft]), {}),
        (np.dstack([grey, np.where(soft > 99, 255, 0).astype(np.uint8)]), {}),
        (rgb, {"chroma": "444", "quality": 70}),
        (np.full((90, 70), 77, np.uint8), {}),
        (grey, {"mask": rng.random(grey.shape) < 0.1}),
        (zones, {"quality": 40}),
        (np.kron(slanted, np.ones((2, 2), np.uint8)), {"quality": 90}),
        (drawn, {"quality": 60, "chroma": "444"}),
    ):
        files.append(dinp.encode(picture, effort=1, restore=False, **options))
    for picture in (
        zones.astype(np.uint16) * 9,
        drawn,
        noisy,
        np.dstack([noisy, noisy[::-1], 255 - noisy]),
        depth,
        flow,
    ):
        files.append(dinp.encode(picture, lossless=True))
    files += [dinp.encode(picture, max_error=3) for picture in (noisy, depth)]
    found = {plane.get("structure") for file in files for plane in dinp.info(file)["planes"]}
    assert {"tree", "free mask", "barriers"} <= found
    return files


def sealed(body: bytes) -> bytes:
    """A file with its checksum."""
    return body + zlib.crc32(body).to_bytes(4, "little")


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """One of several kinds of damage, and a right checksum."""
    body = bytearray(data[:-4])
    kind = rng.integers(6)
    if kind == 0:  # bytes anywhere behind the version
        for _ in range(rng.integers(1, 4)):
            body[rng.integers(7, len(body))] = rng.integers(256)
    elif kind == 1:  # bytes of header and chunks
        body[rng.integers(7, min(len(body), 40))] = rng.integers(256)
    elif kind == 2:
        del body[rng.integers(10, len(body) + 1) :]
    elif kind == 3:  # what is left of the last stream is random
        at = rng.integers(10, len(body) + 1)
        body[at:] = rng.bytes(int(rng.integers(0, 40)))
    elif kind == 4:
        at = rng.integers(10, len(body) + 1)
        body[at:] = bytes([int(rng.choice([0, 255]))]) * (len(body) - at)
    else:
        return resized(data, rng)
    return sealed(bytes(body))


def resized(data: bytes, rng: np.random.Generator) -> bytes:
    """The same parts for another size."""
    parts = unpack(data)
    width, height = (int(2 ** rng.uniform(0, 14)) for _ in range(2))
    width = min(width, 89_000_000 // height)
    return pack(Container(width, height, parts.layout, parts.sections, parts.alpha, parts.samples, parts.chunks))


def megapixels(data: bytes) -> float | None:
    """Size that a file promises; None if its container is refused."""
    try:
        parts = unpack(data)
    except dinp.DinpError:
        return None
    return round(parts.width * parts.height / 1e6, 1)


def start(data: bytes) -> int:
    """The number of a process that decodes a file."""
    child = os.fork()
    if child == 0:
        code = 3
        try:
            try:
                dinp.info(data)
                dinp.decode_array(data, restore=False)
                code = 0
            except dinp.DinpError:
                code = 1
        except MemoryError:
            code = 2
        finally:
            os._exit(code)
    return child


def outcomes(files: Iterable[bytes], jobs: int) -> Iterator[tuple[int, bytes, str, float, int]]:
    """Of each file, as they end: its number, itself, what became of it, its CPU seconds and most bytes of memory."""
    names = {0: "decoded", 1: "refused", 2: "memory", 3: "other"}
    running: dict[int, tuple[int, bytes]] = {}
    left = enumerate(files)
    while True:
        for number, data in itertools.islice(left, jobs - len(running)):
            running[start(data)] = number, data
        if not running:
            return
        child, status, usage = os.wait4(-1, 0)
        name = names.get(os.waitstatus_to_exitcode(status), "crash")
        yield *running.pop(child), name, usage.ru_utime + usage.ru_stime, usage.ru_maxrss << 10


def main() -> None:
    """Try files, and tell what went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="files at a time")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    files = seeds()
    idle = max(memory for *_, memory in outcomes(files, 1))  # what decoding of small files takes
    begin = time.perf_counter()
    counts: dict[str, int] = {}
    odd = []
    most = {"seconds": 0.0, "megabytes": 0}
    tried = (damaged(files[rng.integers(len(files))], rng) for _ in range(options.count))
    for number, data, name, seconds, memory in outcomes(tried, options.jobs):
        counts[name] = counts.get(name, 0) + 1
        found = {"seconds": round(seconds, 2), "megabytes": memory - idle >> 20}
        most = {key: max(most[key], found[key]) for key in most}
        if name not in ("decoded", "refused") or seconds > LIMIT_SECONDS or memory - idle > LIMIT_BYTES:
            head = {"number": number, "outcome": name} | found
            odd.append(head | {"bytes": len(data), "megapixels": megapixels(data), "hex": data[:48].hex()})
            print(odd[-1], flush=True)
    report = {"count": options.count, "seed": options.seed, "outcomes": counts, "most": most, "odd": odd}
    report["minutes"] = round((time.perf_counter() - begin) / 60, 1)
    print(json.dumps({key: value for key, value in report.items() if key != "odd"}))
    if options.output:
        options.output.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
