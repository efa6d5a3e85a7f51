"""Tables of the rate-distortion benchmark, as Markdown: dinp by quality, every codec at equal rates, BD-rates.

What is interpolated and how, and what a BD-rate is, is told in `dinp.benchmarks.rd.curves`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from dinp.benchmarks.rd.curves import HIGH, LOW, Curve, Measured, Series, bd_rate, curve_of, mean_curve
from dinp.benchmarks.readme import markdown_table

RATES = (0.05, 0.1, 0.2, 0.3, 0.5)
ANCHORS = ("jpeg", "jpeg2000", "avif", "avif-psnr")  # the strongest last
TITLES = {
    "dinp": "dinp",
    "dinp-plain": "dinp --plain",
    "jpeg": "JPEG",
    "jpeg2000": "JPEG 2000",
    "webp": "WebP",
    "avif": "AVIF",
    "avif-psnr": "AVIF, PSNR",
    "jpegxl": "JPEG XL",
    "heic": "HEIC",
    "dinp1": "dinp, effort 1",
    "dinp3": "dinp, effort 3",
    "dinp1-plain": "dinp --plain, effort 1",
    "dinp3-plain": "dinp --plain, effort 3",
    "psnr": "PSNR",
    "ssim": "SSIM",
    "ms_ssim": "MS-SSIM",
    "ssimulacra2": "SSIMULACRA2",
}
DIGITS = {"psnr": 2, "ssim": 4, "ms_ssim": 4, "ssimulacra2": 1}
DASH = "–"


@dataclass(frozen=True)
class Table:
    """A title, column heads, rows of text, and a note on how to read them."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str

    def markdown(self) -> str:
        """Title in bold, and table."""
        return f"**{self.title}**\n\n{markdown_table(self.head, self.rows)}"


def markdown(found: Sequence[Table], measured: Measured) -> str:
    """Tables, then the note of each kind once, and where the figures come from."""
    notes = dict.fromkeys(table.note for table in found)
    return "\n\n".join([*(table.markdown() for table in found), *notes, provenance(measured)])


def tables(
    measured: Measured, metric: str = "psnr", qualities: Sequence[float] | None = None, per_picture: bool = False
) -> list[Table]:
    """All tables, for each set and mode.

    Parameters
    ----------
    measured : Measured
    metric : str
        What codecs are compared by at equal rates and in BD-rates.
    qualities : sequence of float, optional
        Which qualities of dinp to list; by default all that were measured.
    per_picture : bool
        Whether to add a table of BD-rates on each picture.
    """
    found = []
    for group in measured.groups():
        by_codec = measured.of(group)
        title = ", ".join(group)
        if "dinp" in by_codec:
            found.append(quality_table(title, by_codec["dinp"], qualities))
        curves = curves_by_codec(by_codec, metric)
        found.append(rate_table(title, curves, metric))
        found.append(bd_table(title, by_codec, curves, metric))
        for codec in ("dinp", "dinp1", "dinp3"):
            if codec in curves and f"{codec}-plain" in curves:
                at = title if codec == "dinp" else f"{title}, effort {codec[-1]}"
                same = curves_by_codec({codec: by_codec[codec]}, "plain_psnr") if metric == "psnr" else {}
                found.append(gain_table(at, curves[codec], curves[f"{codec}-plain"], metric, same.get(codec)))
        if per_picture:
            found.append(picture_table(title, curves, metric))
    return found


def provenance(measured: Measured) -> str:
    """One sentence for each kind of run of the measurements."""
    return provenance_of(measured.runs)


def provenance_of(runs: Iterable[dict]) -> str:
    """One sentence for each kind of run: when, of which commit, and with what."""
    sentences = []
    for run in runs:
        commit = f", commit {run['commit'][:10]}{' with changes' if run['modified'] else ''}" if run["commit"] else ""
        jobs = f", {run['jobs']} at a time" if run["jobs"] > 1 else ""
        codecs = [version for name, version in run["codecs"].items() if not name.startswith("dinp")]
        libraries = ", ".join(dict.fromkeys(part for version in codecs for part in version.split(", ")))
        place = f"{run['cpu']} ({run['cpus']} cores{jobs})"
        sentences.append(f"Measured {run['date'][:10]}{commit} on {place}{libraries and '; '}{libraries}.")
    return "\n".join(dict.fromkeys(sentences))


def curves_by_codec(by_codec: dict[str, dict[str, Series]], metric: str) -> dict[str, dict[str, Curve]]:
    """Curves by codec and picture; pictures without the metric are left out."""
    curves = {
        codec: {name: curve for name, series in pictures.items() if (curve := curve_of(series, metric))}
        for codec, pictures in by_codec.items()
    }
    return {codec: curves[codec] for codec in TITLES if curves.get(codec)}


def quality_table(title: str, pictures: dict[str, Series], qualities: Sequence[float] | None = None) -> Table:
    """dinp by quality: means over the pictures, and on how many of them bytes and PSNR rise from row to row."""
    by_quality: dict[float, dict[str, dict]] = {}
    for name, series in pictures.items():
        for row in series.rows:
            if qualities is None or row["settings"] in qualities:
                by_quality.setdefault(row["settings"], {})[name] = row
    metrics = [name for name in DIGITS if any(name in row for rows in by_quality.values() for row in rows.values())]
    head = ["quality", "bpp", *(TITLES[name] for name in metrics), "density", "mask bits", "value bits"]
    head += ["encode s", "decode s", "bytes rise", "PSNR rises"]
    lines = []
    before: dict[str, dict] = {}
    for quality in sorted(by_quality):
        rows = by_quality[quality]
        values = list(rows.values())
        points = sum(row["points"] for row in values)
        line = [f"{quality:g}" + ("" if len(rows) == len(pictures) else f" ({len(rows)} pictures)")]
        line.append(f"{fmean(row['bpp'] for row in values):.4f}")
        line += [_mean((row.get(name) for row in values), DIGITS[name]) for name in metrics]
        line.append(f"{100 * fmean(row['density'] for row in values):.2f} %")
        for kind in ("mask_bits_per_point", "value_bits_per_point"):
            line.append(f"{sum(row[kind] * row['points'] for row in values) / points:.2f}")
        line += [f"{fmean(row[name] for row in values):.2f}" for name in ("encode_s", "decode_s")]
        line += [_rises(before, rows, "bytes"), _rises(before, rows, "psnr")]
        lines.append(tuple(line))
        before = rows
    return Table(
        f"{title}: dinp by quality, mean over {len(pictures)} pictures",
        tuple(head),
        tuple(lines),
        "dinp by quality: density is the first plane's; mask and value bits are per point, all points of all pictures "
        "and planes together. The last two columns: on how many pictures files are larger, and PSNR is higher, than in "
        "the row above.",
    )


def _mean(values: Iterable[float | None], digits: int) -> str:
    known = list(values)
    return DASH if None in known else f"{fmean(known):.{digits}f}"


def _rises(before: dict[str, dict], rows: dict[str, dict], name: str) -> str:
    """On how many of the pictures of two rows a figure rises; a PSNR of None is infinite."""
    pairs = [(before[picture][name], rows[picture][name]) for picture in rows if picture in before]
    rising = sum(old is not None and (new is None or new > old) for old, new in pairs if (old, new) != (None, None))
    return f"{rising} of {len(pairs)}" if pairs else ""


def rate_table(title: str, curves: dict[str, dict[str, Curve]], metric: str) -> Table:
    """Every codec at equal rates: mean over pictures."""
    count = max(map(len, curves.values()), default=0)
    lines = []
    for codec, pictures in curves.items():
        values = np.array([curve.at(np.array(RATES)) for curve in pictures.values()])
        cells = []
        for column in values.T:
            reached = int(np.isfinite(column).sum())
            cells.append(f"{column.mean():.{DIGITS[metric]}f}" if reached == count else f"{DASH} ({reached})")
        lines.append((TITLES[codec], *cells))
    return Table(
        f"{title}: {TITLES[metric]} at equal rates, mean over {count} pictures",
        ("bits per pixel", *(f"{rate:.2f}" for rate in RATES)),
        tuple(lines),
        "Equal rates: interpolated on each picture over the logarithm of the rate, between points on the convex hull "
        "in rate and error. A dash: reached on fewer pictures, in brackets, not on all.",
    )


def gain_table(
    title: str,
    restored: dict[str, Curve],
    plain: dict[str, Curve],
    metric: str,
    same: dict[str, Curve] | None = None,
) -> Table:
    """What restoration gains at equal rates: mean, lowest and highest over the pictures that both reach a rate on.

    `same` are curves of the restored files themselves, plainly decoded; with them the table has that gain, too.
    """
    lines = []
    for rate in RATES:
        line = [f"{rate:.2f}", *_gains(restored, plain, rate, metric)]
        if same:
            line += _gains(restored, same, rate, metric)
        lines.append(tuple(line))
    head = ("bits per pixel", "mean", "lowest", "highest", "pictures")
    note = "Gain by restoration: between files that were coded with and without it, interpolated as above."
    if same:
        head += ("same file: mean", "lowest", "highest", "pictures")
        note += (
            " Same file: against what `dinp decode --plain` makes of the file with restoration, whose values were "
            "chosen with restoration in view."
        )
    return Table(f"{title}: gain in {TITLES[metric]} by restoration, at equal rates", head, tuple(lines), note)


def _gains(restored: dict[str, Curve], plain: dict[str, Curve], rate: float, metric: str) -> list[str]:
    """Mean, lowest and highest gain at a rate, and on how many pictures."""
    common = [name for name in plain if name in restored]
    gains = np.array([restored[name].at(np.array([rate]))[0] - plain[name].at(np.array([rate]))[0] for name in common])
    gains = gains[np.isfinite(gains)]
    told = [DASH] * 3
    if gains.size:
        told = [f"{value:+.{DIGITS[metric]}f}" for value in (gains.mean(), gains.min(), gains.max())]
    return [*told, f"{gains.size} of {len(plain)}"]


def bd_table(
    title: str, by_codec: dict[str, dict[str, Series]], curves: dict[str, dict[str, Curve]], metric: str
) -> Table:
    """BD-rates against each anchor, how they spread against the strongest, and mean times within the range of rates."""
    anchors = [anchor for anchor in ANCHORS if anchor in curves]
    total = len(set().union(*curves.values()))
    head = ["codec", *(f"against {TITLES[anchor]}" for anchor in anchors)]
    if anchors:
        head += ["lowest to highest", "mean curve"]
    lines = []
    for codec, pictures in curves.items():
        line = [TITLES[codec]]
        for anchor in anchors:
            if codec == anchor:
                line.append(DASH)
                continue
            rates = [rate for rate in _bd_by_picture(curves[anchor], pictures).values() if rate is not None]
            partial = "" if len(rates) == total else f" ({len(rates)})"
            line.append(percent(fmean(rates) if rates else None) + partial)
        line += _spread(curves[anchors[-1]], pictures) if anchors else []
        rows = [row for one in by_codec[codec].values() for row in one.rows if LOW <= row["bpp"] <= HIGH]
        line += [f"{fmean(row[name] for row in rows):.3f}" if rows else DASH for name in ("encode_s", "decode_s")]
        lines.append(tuple(line))
    note = (
        f"BD-rate: negative means fewer bits at equal {TITLES[metric]}, over {LOW:g}-{HIGH:g} bits per pixel; the mean "
        "of the pictures' BD-rates; against the last codec named also the range they lie in, and the BD-rate of the "
        "mean curves. In brackets: on how many pictures both codecs reach a common value, if not on all. AVIF "
        "is tuned for looks, as it is by default; AVIF, PSNR is tuned for PSNR. Seconds: means over the files of that "
        "range."
    )
    return Table(f"{title}: BD-rate ({TITLES[metric]})", (*head, "encode s", "decode s"), tuple(lines), note)


def _spread(anchor: dict[str, Curve], pictures: dict[str, Curve]) -> list[str]:
    """Range of the pictures' BD-rates, and the BD-rate of the mean curves; of the anchor itself there are none."""
    if anchor is pictures:
        return [DASH, DASH]
    rates = [rate for rate in _bd_by_picture(anchor, pictures).values() if rate is not None]
    common = [name for name in pictures if name in anchor]
    of_anchor, of_codec = (mean_curve([side[name] for name in common]) for side in (anchor, pictures))
    told = f"{percent(min(rates))} to {percent(max(rates))}" if rates else DASH
    return [told, percent(bd_rate(of_anchor, of_codec))]


def picture_table(title: str, curves: dict[str, dict[str, Curve]], metric: str) -> Table:
    """BD-rates of each codec on each picture."""
    pairs = [(codec, anchor) for anchor in ANCHORS if anchor in curves for codec in curves if codec != anchor]
    columns = {pair: _bd_by_picture(curves[pair[1]], curves[pair[0]]) for pair in pairs}
    names = sorted({name for pictures in curves.values() for name in pictures})
    lines = tuple((name, *(percent(columns[pair].get(name)) for pair in pairs)) for name in names)
    head = ("picture", *(f"{TITLES[codec]} / {TITLES[anchor]}" for codec, anchor in pairs))
    note = "On each picture: the first codec's BD-rate against the second's."
    return Table(f"{title}: BD-rate ({TITLES[metric]}) on each picture", head, lines, note)


def _bd_by_picture(anchor: dict[str, Curve], codec: dict[str, Curve]) -> dict[str, float | None]:
    return {name: bd_rate(anchor[name], curve) for name, curve in codec.items() if name in anchor}


def percent(value: float | None) -> str:
    """A BD-rate as text."""
    return DASH if value is None else f"{value:+.1f} %".replace("-", "\N{MINUS SIGN}")
