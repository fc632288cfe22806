"""A network while transforms work on it."""

from __future__ import annotations

from socsim.workloads.graph import ModelGraph, Operator

__all__ = ["GraphEditor"]


class GraphEditor:
    """A graph's operators while some of them merge.

    Parameters
    ----------
    graph
        Where they come from.
    """

    def __init__(self, graph: ModelGraph) -> None:
        self.graph = graph
        self._operators = dict(graph.operators)
        self._producer = dict(graph.producer)
        self._readers: dict[str, set[str]] = {}
        for op in graph:
            for tensor in op.inputs:
                self._readers.setdefault(tensor, set()).add(op.name)

    def shape(self, tensor: str) -> tuple[int, ...]:
        """Shape of a tensor."""
        return self.graph.tensors[tensor].shape

    def source(self, tensor: str, reader: Operator) -> Operator | None:
        """The producer of a tensor that nobody but `reader` needs."""
        if tensor in self.graph.outputs or self._readers[tensor] != {reader.name}:
            return None
        producer = self._operators[self._producer[tensor]] if tensor in self._producer else None
        return producer if producer and len(producer.outputs) == 1 else None

    def merge(self, gone: Operator, merged: Operator) -> Operator:
        """Remove an operator, and put `merged` in the place of its neighbour of the same name."""
        del self._operators[gone.name]
        for tensor in gone.inputs:
            self._readers[tensor].discard(gone.name)
        for tensor in merged.inputs:
            self._readers[tensor].add(merged.name)
        self._producer.update(dict.fromkeys(merged.outputs, merged.name))
        self._operators[merged.name] = merged
        return merged

    def change(self, op: Operator) -> Operator:
        """Put an operator in the place of the one of its name, which reads and gives the same tensors."""
        self._operators[op.name] = op
        return op

    def build(self) -> ModelGraph:
        """The graph of what is left."""
        operators = list(self._operators.values())
        used = {*self.graph.inputs, *self.graph.outputs}
        used.update(tensor for op in operators for tensor in (*op.inputs, *op.outputs))
        tensors = [tensor for name, tensor in self.graph.tensors.items() if name in used]
        return self.graph.changed(operators, tensors)
