"""Dynamic DNNs: families of sub-networks as data, what they are, and what they cost."""

from socsim.workloads.dynamic.family import DynamicFamily, SubNetwork, SwitchCost
from socsim.workloads.dynamic.files import (
    family_names,
    is_family,
    is_member,
    load_family,
    load_member,
    split_level,
)
from socsim.workloads.dynamic.front import Point, best, interpolate, pareto

__all__ = [
    "DynamicFamily",
    "Point",
    "SubNetwork",
    "SwitchCost",
    "best",
    "family_names",
    "interpolate",
    "is_family",
    "is_member",
    "load_family",
    "load_member",
    "pareto",
    "split_level",
]
