"""What `dinp.info` returns, as text; and what does the work."""

from dinp.kernels import missing


def without_kernels() -> str | None:
    """A line where the compiled kernels are missing; None where they are there."""
    reason = missing()
    return None if reason is None else f"compiled kernels {reason}: numpy does their work, slower"


def describe(report: dict) -> str:
    """A line about the file, and one about each plane."""
    lines = [
        f"{report['width']} x {report['height']} {report['mode']}, {report['bytes']:,} bytes, {report['bpp']:.4f} bpp, "
        f"format version {report['format_version']}"
    ]
    if report["samples"] != "8-bit unsigned" or report["chunks"] or report["chroma"] == "444":
        ranges = ", ".join(f"{low:g} to {high:g}" for low, high in report["ranges"])
        parts = [f"{report['samples']} samples, {ranges}"]
        parts += [f"chroma {report['chroma']}"] if report["chroma"] else []
        parts += [f"{chunk['name']} {chunk['bytes']:,} bytes" for chunk in report["chunks"]]
        lines.append("; ".join(parts))
    if "lossless" in report:
        return "\n".join([*lines, _lossless(report["lossless"])])
    for plane in report["planes"]:
        if "regions" in plane:
            lines.append(_barriers(plane))
            continue
        lines.append(
            f"{plane['name']:<4} {plane['width']} x {plane['height']}, {plane['bytes']:,} bytes: {plane['structure']}, "
            f"{plane['points']:,} points, density {100 * plane['density']:.2f} %, step {plane['step']:g}, "
            f"{plane['mask_bits_per_point']:.2f} mask + {plane['value_bits_per_point']:.2f} value bits per point"
            + (f", restoration {plane['restoration']}" if plane["restoration"] else "")
        )
    return "\n".join(lines)


def _barriers(plane: dict) -> str:
    """A line about a plane with barriers."""
    per_crack, per_region = plane["crack_bits"] / max(plane["cracks"], 1), plane["first_bits"] / plane["regions"]
    others = plane["points"] - plane["regions"]
    bits = plane["value_bits"] - plane["first_bits"] + plane["division_bits"]
    contours = "contours of plane 0" if plane["shared"] else f"{plane['cracks']:,} cracks ({per_crack:.2f} bits each)"
    return (
        f"{plane['name']:<4} {plane['width']} x {plane['height']}, {plane['bytes']:,} bytes: barriers, {contours}, "
        f"{plane['regions']:,} regions ({per_region:.2f} bits each), {others:,} further values "
        f"({bits / max(others, 1):.2f} bits each), step {plane['step']:g}"
    )


def account(report: dict) -> str:
    """Where the file's bytes go."""
    if "lossless" in report:
        parts = report["lossless"]["parts"]
        rest = report["bytes"] - sum(parts.values())
        return "all  " + ", ".join(f"{name} {size:,} bytes" for name, size in parts.items()) + f", the rest {rest:,}"
    points = sum(plane["points"] for plane in report["planes"])
    parts = []
    for name in ("mask", "value"):
        bits = sum(plane[f"{name}_bits"] for plane in report["planes"])
        parts.append(f"{name}s {bits / 8:,.0f} bytes ({bits / points:.2f} bits per point)")
    rest = report["bytes"] - sum(plane[f"{name}_bits"] for plane in report["planes"] for name in ("mask", "value")) / 8
    return f"all  {points:,} points: {', '.join(parts)}, the rest {rest:,.0f} bytes"


def _lossless(report: dict) -> str:
    """A line about a file of samples, lossless where they are not on a lattice."""
    units = [f"{unit:g}" for unit in dict.fromkeys(report["units"]) if unit]
    name = f"samples in steps of {', '.join(units)}" if units else "lossless"
    if report["method"] == "wide samples":
        return f"{name}, of too many values for a list"
    if report["method"] != "regions":
        return f"{name}, {report['values']:,} {'colours' if report['method'] == 'colours' else 'values'}"
    cracks, parts = max(report["cracks"], 1), report["parts"]
    return (
        f"{name}, {report['regions']:,} regions of {report['values']:,} values, {report['cracks']:,} cracks: "
        f"{8 * parts['contours'] / cracks:.2f} bits a crack, "
        f"{8 * parts['region values'] / report['regions']:.2f} bits a region's value"
    )
