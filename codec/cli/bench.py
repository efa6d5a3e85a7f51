"""`dinp bench`: each benchmark has its commands where it lives."""

import click

from dinp.cli.lazy import LazyGroup

HOMES = {
    "rd": ("dinp.benchmarks.rd.command:rd", "Measure rate against distortion, next to other codecs."),
    "smooth": ("dinp.benchmarks.rd.smooth:smooth", "Measure piecewise smooth pictures."),
    "lossless": ("dinp.benchmarks.rd.lossless:lossless", "Measure files without loss."),
    "arrays": ("dinp.benchmarks.rd.arrays:arrays", "Measure chunks of depth and elevation arrays."),
    "samples": ("dinp.benchmarks.rd.samples:samples", "Measure depth and flow of 16 bits at the same largest error."),
    "small": ("dinp.benchmarks.rd.small:small", "Measure very small files."),
    "previews": ("dinp.benchmarks.previews.command:measure_previews", "Compare previews of few bytes."),
    "page": ("dinp.benchmarks.speed.page:measure_pages", "Time the page that decodes in the browser."),
    "labels": ("dinp.benchmarks.rd.labels:labels", "Make nine label maps of 21 classes, and time their coding."),
    "chroma": ("dinp.benchmarks.rd.chroma:chroma", "Tell which pictures keep halved chroma."),
    "drawings": ("dinp.benchmarks.rd.drawings:drawings", "Make and measure drawings in colour."),
    "headline": ("dinp.benchmarks.rd.headline:headline", "Print the table of mean BD-rates as Markdown."),
    "masks": ("dinp.benchmarks.masks.command:masks", "Compare inpainting masks at equal density."),
    "speed": ("dinp.benchmarks.speed.command:speed", "Time the solver, side by side with pyamg."),
    "scale": ("dinp.benchmarks.speed.scale:scale", "Measure pictures decoded smaller and larger."),
    "many": ("dinp.benchmarks.speed.many:many", "Time many files by one command, dask and a loop."),
    "table": ("dinp.benchmarks.tables:table", "Print tables of many files, arrays, scales and previews."),
    "coding": ("dinp.benchmarks.speed.coding_speed:coding", "Time encoding and decoding."),
    "engine": ("dinp.benchmarks.speed.engine:engine", "Time two versions side by side."),
    "solver": (
        "dinp.benchmarks.speed.solver_before:solver",
        "Time the solver, beside another installation.",
    ),
}


@click.group(cls=LazyGroup, homes=HOMES, extra="bench")
def bench() -> None:
    """Run a benchmark."""
