"""Quantisation: a network that is run in fewer bits where its library can."""

from __future__ import annotations

from socsim.errors import UsageError
from socsim.workloads.graph import ModelGraph
from socsim.workloads.transforms.steps import next_step

__all__ = ["quantise"]

_TYPES = ("int8", "fp16")


def quantise(graph: ModelGraph, dtype: str = "int8") -> ModelGraph:
    """A network that wants to be run in another data type.

    Its operators stay. Where library and device have kernels of that type, those are used and weights and activations
    have its width; elsewhere the library's own type is, as :class:`socsim.workloads.pricing.Pricer` says. A data type
    that an application or a comparison asks for itself goes before.

    Parameters
    ----------
    graph
        Any network.
    dtype
        ``"int8"`` (default) or ``"fp16"``.

    Raises
    ------
    UsageError
        Another data type.
    """
    if dtype not in _TYPES:
        raise UsageError(f"quantise: the data type must be {' or '.join(_TYPES)}, got {dtype!r}")
    return graph.changed(dtype=dtype, lineage=next_step(graph, "quantise", (dtype,)))
