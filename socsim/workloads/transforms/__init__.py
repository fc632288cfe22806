"""Transforms of networks: each takes a graph and returns another, and leaves the first as it was."""

from socsim.workloads.transforms.accuracy import DropTable, load_drops, transformed
from socsim.workloads.transforms.accuracy_rows import Drop
from socsim.workloads.transforms.catalogue import (
    TRANSFORMS,
    Transform,
    canonical,
    check_steps,
    parse_transform,
    split_transforms,
    transform_set,
)
from socsim.workloads.transforms.fusing import FUSABLE_ACTIVATIONS, fuse
from socsim.workloads.transforms.lowrank import FORMS, low_rank
from socsim.workloads.transforms.pruning import prune
from socsim.workloads.transforms.quantising import quantise
from socsim.workloads.transforms.simplifying import simplify
from socsim.workloads.transforms.unfusing import unfuse

__all__ = [
    "FORMS",
    "FUSABLE_ACTIVATIONS",
    "TRANSFORMS",
    "Drop",
    "DropTable",
    "Transform",
    "canonical",
    "check_steps",
    "fuse",
    "load_drops",
    "low_rank",
    "parse_transform",
    "prune",
    "quantise",
    "simplify",
    "split_transforms",
    "transform_set",
    "transformed",
    "unfuse",
]
