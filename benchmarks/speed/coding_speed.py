"""Speed of encoding and decoding, in-process and after imports, by effort, with and without restoration.

    python -m dinp.benchmarks.speed.coding_speed --pictures FILE ... --out coding_speed.json

Grey pictures. What is measured is interleaved, and each figure is the median of some repeats; networks and libraries
are loaded before. Of use on an idle machine only.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

import dinp
from dinp.benchmarks.environment import environment
from dinp.benchmarks.rd.runs import load_picture
from dinp.benchmarks.speed.decoding import timed
from dinp.errors import DinpError
from dinp.pictures.files import check_output, write_output

PACKAGES = ("dinp", "numpy", "scipy", "torch")
EFFORTS = (1, 2, 3)
QUALITIES = (20.0, 35.0, 50.0)


def measure(path: Path, quality: float, efforts: Sequence[int], repeats: int) -> list[dict]:
    """Seconds of a picture's encoding by each effort, and of decoding its files; with restoration and without."""
    picture = load_picture(path, "grey")
    kinds = [(effort, restore) for effort in efforts for restore in (True, False)]
    dinp.decode(dinp.encode(picture[:64, :64], quality=quality))
    seconds: dict[tuple[int, bool], tuple[list[float], list[float]]] = {kind: ([], []) for kind in kinds}
    size = {}
    for _ in range(repeats):
        for effort, restore in kinds:
            data, spent = timed(dinp.encode, picture, quality=quality, effort=effort, restore=restore)
            seconds[effort, restore][0].append(spent)
            seconds[effort, restore][1].append(timed(dinp.decode, data)[1])
            size[effort, restore] = len(data)
    height, width = picture.shape
    return [
        {
            "picture": path.name,
            "size": f"{width}x{height}",
            "quality": quality,
            "effort": effort,
            "restore": restore,
            "bytes": size[effort, restore],
            "encode_seconds": round(statistics.median(encoding), 3),
            "decode_seconds": round(statistics.median(decoding), 3),
        }
        for (effort, restore), (encoding, decoding) in seconds.items()
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m dinp.benchmarks.speed.coding_speed", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--pictures", type=Path, nargs="+", required=True)
    parser.add_argument("--qualities", type=float, nargs="+", default=list(QUALITIES))
    parser.add_argument("--efforts", type=int, nargs="+", choices=EFFORTS, default=list(EFFORTS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, required=True, help="JSON file for the results; replaced if it exists")
    args = parser.parse_args(argv)
    rows: list[dict] = []
    try:
        if args.repeats < 1:
            raise DinpError(f"there must be at least one repeat, not {args.repeats}")
        check_output(str(args.out), force=True, source=str(args.pictures[0]))
        for path in args.pictures:
            for quality in args.qualities:
                for row in measure(path, quality, args.efforts, args.repeats):
                    rows.append(row)
                    sys.stderr.write(f"{json.dumps(row)}\n")
        head = {"benchmark": "coding_speed", **environment(PACKAGES), "repeats": args.repeats}
        write_output(str(args.out), (json.dumps(head | {"results": rows}, indent=1) + "\n").encode(), force=True)
    except DinpError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
