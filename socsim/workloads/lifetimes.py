"""How long tensors are held, and what memory that takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from socsim.workloads.graph import DTYPE_BYTES, ModelGraph

__all__ = ["LIFETIMES", "RELEASED", "Lifetimes"]

LIFETIMES = ("release", "hold")
"""Activations are freed after their last use, or held until the inference ends."""


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """When memory is given back.

    Parameters
    ----------
    release
        Free activations after their last use, in the order in which operators run; otherwise hold all of them.
    keeps
        What is held between inferences beside the weights: ``""`` nothing, ``"frame"`` the last input and the last
        results, ``"layers"`` all activations of the last inference, as the next one reuses them.
    copies
        With ``"layers"``, every operator writes a new output beside the one kept; otherwise it writes over that.
    """

    release: bool = True
    keeps: str = ""
    copies: bool = False

    def peak_bytes(self, graph: ModelGraph, dtype: str, order: Sequence[str] = ()) -> int:
        """Weights plus the most activations that are held at once, in bytes.

        Parameters
        ----------
        graph, dtype
            The network, and the data type of weights and activations.
        order
            Names of its operators in the order in which they run; by default the network's.
        """
        if self.keeps == "layers":
            held = graph.peak_memory_bytes(dtype, release=False)
            return held + DTYPE_BYTES[dtype] * self._new_elements(graph)
        peak = graph.peak_memory_bytes(dtype, release=self.release, order=order)
        if self.keeps != "frame":
            return peak
        return peak + DTYPE_BYTES[dtype] * _elements(graph, (*graph.inputs, *graph.outputs))

    def _new_elements(self, graph: ModelGraph) -> int:
        """What is written beside what is kept: a new frame, or the largest output of an operator."""
        frame = _elements(graph, graph.inputs)
        return max(frame, *(graph.output_elements(op) for op in graph)) if self.copies else frame


RELEASED = Lifetimes()
"""Activations are freed after their last use."""


def _elements(graph: ModelGraph, tensors: Sequence[str]) -> int:
    return sum(graph.tensors[tensor].elements for tensor in tensors)
