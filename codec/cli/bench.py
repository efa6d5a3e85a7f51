"""`dinp bench`: each benchmark has its commands where it lives."""

import click

from dinp.cli.lazy import LazyGroup

HOMES = {
    "rd": ("dinp.benchmarks.rd.command:rd", "Measure rate against distortion, next to other codecs."),
    "masks": ("dinp.benchmarks.masks.command:masks", "Compare inpainting masks at equal density."),
    "speed": ("dinp.benchmarks.speed.command:speed", "Time the solver, side by side with pyamg."),
    "coding": ("dinp.benchmarks.speed.coding_speed:coding", "Time encoding and decoding."),
}


@click.group(cls=LazyGroup, homes=HOMES, extra="bench")
def bench() -> None:
    """Run a benchmark."""
