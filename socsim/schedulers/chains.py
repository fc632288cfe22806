"""Chains of operators that are divided alike by rows: what may form one, and what its parts compute beside their own.

A chain's parts do not meet inside it, so that each computes all that its later operators read. CoDL keeps tensors with
their border, and computes the border of what is read inside a chain like any other value: a part grows by ``kernel -
stride`` rows in front of every operator, at the map's edge too, and the CPU's, whose tensors are its own, by as many
columns. The GPU's part is a piece of the whole tensor and as wide as that.

References
----------
.. [1] F. Jia et al., "CoDL: Efficient CPU-GPU co-execution for deep learning inference on mobile devices", MobiSys
   2022, and its code (conv_2d_part_plan.cc, op_test_task_chain.cc).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from socsim.workloads.graph import ModelGraph, Operator
from socsim.workloads.kernels import Part

__all__ = ["chain_parts", "follower"]


def chain_parts(
    graph: ModelGraph, chain: Sequence[Operator], share: float, processor: str, dimension: str = "H"
) -> list[Part]:
    """What one processor computes of each operator of a chain.

    The last operator's part is its share only. Of every earlier one it is what the next one reads: ``(rows - 1) *
    stride + kernel`` rows, at most all, and on the CPU as many columns.

    Parameters
    ----------
    chain
        Operators in sequence, each reading the one before.
    share
        Share of the output rows, 0 to 1; a processor that has all of them needs nothing beside.
    processor
        ``"cpu"`` computes columns of the border too.
    dimension
        Along which the operators are divided; channels have no halo.
    """
    if dimension != "H" or not 0.0 < share < 1.0:
        return [Part(share, dimension) for _ in chain]
    rows, columns = _rows(graph, chain, share), [0] * len(chain)
    if processor == "cpu":
        columns = _columns(graph, chain)
    return [Part(share, dimension, *halo) for halo in zip(rows, columns, strict=True)]


def _rows(graph: ModelGraph, chain: Sequence[Operator], share: float) -> list[int]:
    """Rows beyond ``ceil(share * height)`` of every operator."""
    halos = [0] * len(chain)
    rows = _own_rows(graph, chain[-1], share)
    for i in range(len(chain) - 2, -1, -1):
        own = _own_rows(graph, chain[i], share)
        rows = min(_size(graph, chain[i], 2), max(own, _read(chain[i + 1], rows, 0)))
        halos[i] = rows - own
    return halos


def _columns(graph: ModelGraph, chain: Sequence[Operator]) -> list[int]:
    """Columns beyond its width of every operator."""
    halos = [0] * len(chain)
    columns = _size(graph, chain[-1], 3)
    for i in range(len(chain) - 2, -1, -1):
        own = _size(graph, chain[i], 3)
        columns = max(own, _read(chain[i + 1], columns, 1))
        halos[i] = columns - own
    return halos


def follower(graph: ModelGraph, op: Operator) -> Operator | None:
    """The one operator that may follow `op` in a chain: the only reader of what it produces.

    Returns
    -------
    None if the output has several readers or none, or leaves the network.
    """
    readers = list(graph.dag.successors(op.name))
    if len(readers) != 1 or any(tensor in graph.outputs for tensor in op.outputs):
        return None
    return graph.operators[readers[0]]


def _read(reader: Operator, outputs: int, axis: int) -> int:
    """Rows (axis 0) or columns (1) read for so many of the output's."""
    kernel, stride = reader.get("kernel", (1, 1))[axis], reader.get("stride", (1, 1))[axis]
    return int((outputs - 1) * stride + kernel)


def _size(graph: ModelGraph, op: Operator, axis: int) -> int:
    shape = graph.output_shape(op)
    return shape[axis] if len(shape) == 4 else 1


def _own_rows(graph: ModelGraph, op: Operator, share: float) -> int:
    return ceil(share * _size(graph, op, 2) - 1e-9)
