"""Tables of results of many files, arrays, previews and scales, for pages.

    dinp bench table benchmarks/results/many.json [--page docs/many-files.md]
    dinp bench table benchmarks/results/previews.json --brief --page README.md

With --page the table stands between a marker with the benchmark's name, as <!-- many -->, and the next end marker.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import fmean

import click

from dinp.benchmarks.previews.command import summary
from dinp.benchmarks.rd.tables import DASH, provenance_of
from dinp.benchmarks.readme import markdown_table, tell_table
from dinp.benchmarks.result_files import load_results
from dinp.cli.options import PATH
from dinp.errors import DinpError

KINDS = {"pictures": "pictures", "labels": "label maps, --lossless"}
CODECS = {"dinp": "dinp", "blosc-zstd": "blosc-zstd", "jpegxl": "JPEG XL", "lerc": "LERC"}
STRUCTURES = {"tree": "photographs: cells", "barriers": "piecewise smooth: barriers", "free mask": "free masks"}
LABELS = {"dinp": "dinp", "png": "PNG, optimised", "webp": "WebP, lossless"}
HIGHEST = 60  # dB that an exact picture counts as


def measured(content: dict) -> str:
    """When, of which commit, and with what."""
    others = {
        name: f"{name} {version}" for name, version in content["versions"].items() if name not in ("dinp", "numpy")
    }
    told = provenance_of([{**content, "jobs": 1, "codecs": others}])
    return f"{told} Load of the machine before: {content['load']:.1f}." if "load" in content else told


def many_text(content: dict) -> str:
    """Ways to code many files; what became of bad files and of a run interrupted; bytes of label maps."""
    lines = []
    for row in content["results"]:
        whole = content["count"] * row["seconds"] / row["measured"] if row["way"] == "shell loop" else row["seconds"]
        few = f" ({row['measured']} measured: {row['seconds']:.0f} s)" if row["way"] == "shell loop" else ""
        way = f"{row['way']}{few}"
        cells = (f"{whole:.0f}", f"{row['peak_megabytes']:,}", f"{row['exit_code']}", f"{row['failed']}")
        lines.append((KINDS[row["files"]], way, *cells))
    count, first, again = content["count"], content["results"][0], content["interrupted"]
    same = "the same" if again["same_files"] else "NOT the same"
    table = markdown_table(("files", "way", "seconds", "most MB at a time", "exit code", "failed"), lines)
    told = "\n".join(f"    {line}" for line in first["told"])
    labels, sizes = content["labels"], content["labels"]["bytes"]
    bytes_table = markdown_table(
        (f"{count} label maps", *(LABELS[name] for name in sizes)),
        [("bytes", *(f"{size:,}" for size in sizes.values()))],
    )
    return "\n\n".join(
        [
            table,
            f"{count} pictures of 128x128 to 192x128 in colour, coded at effort 1, and {count} label maps of 21 "
            f"classes, made of pictures of the folder {content['folder']}. Dask's seconds have the start of its "
            "processes. Loops are measured on some of the files and told for all. The pictures have three bad files "
            "among them; all others are done, and the end tells:",
            told,
            f"A run on the label maps, interrupted after {again['seconds']:.0f} s: exit code {again['exit_code']}, "
            f"{again['complete']} files are there, {again['partial']} in part. Again with `--skip-existing`: "
            f"{again['again_skipped']} skipped, {again['again_done']} done in {again['again_seconds']:.0f} s; "
            f"all files are {same} as of one run.",
            bytes_table,
            f"dinp's is the smallest on {labels['smallest_by_dinp']} of {count}; {labels['exact']} come back exactly, "
            f"decoded by one command in {labels['decode_seconds']:.0f} s.",
        ]
    )


def arrays_text(content: dict) -> str:
    """Bytes by array, bound of the error and codec, the least in bold."""
    groups: dict[tuple, dict[str, dict]] = {}
    for row in content["results"]:
        size = "x".join(str(side) for side in row["shape"][::-1])
        key = (row["array"].replace("_uint16", ""), f"{row['type']} {size}", row["max_error"])
        groups.setdefault(key, {})[row["codec"]] = row
    lines = []
    for (array, kind, error), rows in groups.items():
        least = min(row["bytes"] for row in rows.values() if row["bytes"])
        cells = [_bytes(rows[codec]["bytes"], least) for codec in CODECS]
        own = rows["dinp"]
        seconds = (f"{own['encode_seconds']:.1f}", f"{own['decode_seconds']:.1f}")
        lines.append((array, kind, "exact" if error is None else f"{error:g}", *cells, *seconds))
    head = ("array", "samples", "largest error", *CODECS.values(), "dinp: encode s", "decode s")
    note = "Bytes of one chunk. A dash: the codec does not take such samples. Errors are in the arrays' units."
    return f"{markdown_table(head, lines)}\n\n{note}"


def _bytes(size: int | None, least: int) -> str:
    if not size:
        return DASH
    return f"**{size:,}**" if size == least else f"{size:,}"


def scale_text(content: dict) -> str:
    """PSNR and seconds by scale and way, of files with cells and of files with barriers."""
    found = []
    qualities = ", ".join(f"{quality:g}" for quality in dict.fromkeys(row["quality"] for row in content["results"]))
    for structure, title in STRUCTURES.items():
        rows = [row for row in content["results"] if row["structure"] == structure]
        lines = []
        for scale, way in dict.fromkeys((row["scale"], row["way"]) for row in rows):
            own = [row for row in rows if (row["scale"], row["way"]) == (scale, way)]
            psnr = fmean(HIGHEST if row["psnr"] is None else min(HIGHEST, row["psnr"]) for row in own)
            seconds = fmean(row["seconds"] for row in own)
            lines.append((f"{scale}, {way}", str(len(own)), f"{psnr:.2f}", f"{1000 * seconds:.0f}"))
        if lines:
            found.append(f"**{title}**\n\n{markdown_table(('scale, way', 'files', 'PSNR', 'ms'), lines)}")
    note = (
        f"Grey, qualities {qualities}. Smaller: against the original averaged over the same cells. Larger: the "
        "original is averaged, coded, and compared with the whole one. Means. *scale*: `dinp decode --scale`."
    )
    return "\n\n".join([*found, note])


def previews_text(content: dict) -> str:
    """Means by preview."""
    table = summary(content["results"])
    script = f"The script that paints dinp's: {content['script_bytes']:,} bytes, gzipped, tables included."
    return f"{markdown_table(table.head, table.rows)}\n\n{table.title}. {table.note} {script}"


def brief_previews(content: dict) -> str:
    """Bytes, PSNR and SSIM, a column for each preview."""
    rows = summary(content["results"]).rows
    pictures = len(dict.fromkeys(row["picture"] for row in content["results"]))
    few = [row[0] if row[1] == str(pictures) else f"{row[0]} ({row[1]})" for row in rows]
    lines = [(name, *(row[column] for row in rows)) for column, name in ((2, "bytes"), (3, "PSNR"), (4, "SSIM"))]
    return markdown_table((f"previews of {pictures} photographs", *few), lines)


TABLES: dict[str, Callable[[dict], str]] = {
    "many": many_text,
    "arrays": arrays_text,
    "scale": scale_text,
    "previews": previews_text,
}


def text_of(content: dict, *, brief: bool) -> str:
    """The table of a result, with notes and where it comes from; briefly, the table alone.

    Raises
    ------
    DinpError
        There is no brief table of it.
    """
    if brief and content["benchmark"] != "previews":
        raise DinpError("only previews have a brief table: leave out --brief")
    if brief:
        return brief_previews(content)
    return f"{TABLES[content['benchmark']](content)}\n\n{measured(content)}"


@click.command("table")
@click.argument("results", type=PATH, nargs=-1, required=True)
@click.option("--page", type=PATH, metavar="FILE", help="Write into this file, between markers, as <!-- many -->.")
@click.option("--brief", is_flag=True, help="Of previews: bytes, PSNR and SSIM alone.")
def table(results: Iterable[Path], page: Path | None, brief: bool) -> None:
    """Print tables of many files, arrays, scales and previews.

    RESULTS are JSON files of these benchmarks.
    """
    for path in results:
        content = load_results(path, *TABLES)
        tell_table(text_of(content, brief=brief), page, f"<!-- {content['benchmark']} -->")
