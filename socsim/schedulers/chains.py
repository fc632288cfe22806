"""Chains of operators that are divided alike by rows: what may form one, and the rows it computes twice."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from socsim.workloads.graph import ModelGraph, Operator

__all__ = ["chain_halos", "follower"]


def chain_halos(graph: ModelGraph, chain: Sequence[Operator], share: float) -> list[int]:
    """Extra output rows of each operator of a chain, for a half that owns `share` of the rows (CoDL).

    The last operator computes its share only. Every earlier one computes the rows that the next one reads:
    ``(rows - 1) * stride + kernel - padding``, at most all of them.

    Parameters
    ----------
    chain
        Operators in sequence, each reading the one before.
    share
        Share of the output rows, 0 to 1.

    Returns
    -------
    Rows beyond ``ceil(share * height)``, one number for each operator.
    """
    halos = [0] * len(chain)
    rows = _own_rows(graph, chain[-1], share)
    for i in range(len(chain) - 2, -1, -1):
        own = _own_rows(graph, chain[i], share)
        rows = min(_height(graph, chain[i]), max(own, _rows_read(chain[i + 1], rows)))
        halos[i] = rows - own
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


def _rows_read(reader: Operator, rows: int) -> int:
    kernel, stride = reader.get("kernel", (1, 1))[0], reader.get("stride", (1, 1))[0]
    return int((rows - 1) * stride + kernel - reader.get("padding", (0, 0, 0, 0))[0])


def _height(graph: ModelGraph, op: Operator) -> int:
    shape = graph.output_shape(op)
    return shape[2] if len(shape) == 4 else 1


def _own_rows(graph: ModelGraph, op: Operator, share: float) -> int:
    return ceil(share * _height(graph, op) - 1e-9)
