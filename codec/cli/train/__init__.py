"""`dinp train`: a command for every network, and for what they are trained with; `networks.py` and `data.py` have them.

Several processes train one network as `torchrun --nproc-per-node 4 -m dinp train mask ...`.
"""

import click

from dinp.cli.lazy import LazyGroup

HOMES = {
    "mask": ("dinp.cli.train.networks:mask", "Train the mask network by imitation of optimised masks."),
    "mask-passes": (
        "dinp.cli.train.networks:mask_passes",
        "Train the mask network to place points in several passes.",
    ),
    "tree": ("dinp.cli.train.networks:tree", "Train the tree network by imitation of optimised trees."),
    "surrogate": ("dinp.cli.train.networks:surrogate", "Train a mask network jointly with a surrogate of inpainting."),
    "solver": ("dinp.cli.train.networks:solver", "Train a mask network through the inpainting itself."),
    "restoration": ("dinp.cli.train.networks:restoration", "Train the restoration network on coded pictures."),
    "entropy": ("dinp.cli.train.networks:entropy", "Train an integer context model of the entropy coder."),
    "mask-labels": ("dinp.cli.train.data:mask_labels", "Make optimised masks for the mask network to imitate."),
    "restoration-data": ("dinp.cli.train.data:restoration_data", "Code pictures for the restoration network."),
    "restoration-planes": (
        "dinp.cli.train.data:restoration_planes",
        "Decode coded pictures and have a teacher restore them.",
    ),
    "restoration-start": (
        "dinp.cli.train.data:restoration_start",
        "Make a smaller restoration network from a larger one.",
    ),
    "mask-start": ("dinp.cli.train.data:mask_start", "Make a lighter mask network from a larger one."),
    "tree-start": ("dinp.cli.train.data:tree_start", "Make a lighter tree network from a larger one."),
    "context-data": ("dinp.cli.train.data:context_data", "Make samples for the context models."),
    "graphs": ("dinp.cli.train.data:graphs", "Make the graphs of the shipped networks."),
}


@click.group(cls=LazyGroup, homes=HOMES, extra="train")
def train() -> None:
    """Train a network, or make what one is trained with."""
