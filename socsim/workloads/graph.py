"""A DNN as a directed acyclic graph of operators over shaped tensors."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import nan, prod
from types import MappingProxyType
from typing import Any

import networkx as nx

from socsim.errors import ModelError, UnknownNameError
from socsim.words import counted

__all__ = ["DTYPE_BYTES", "Lineage", "ModelGraph", "Operator", "Tensor"]

DTYPE_BYTES: Mapping[str, int] = MappingProxyType({"fp32": 4, "fp16": 2, "int8": 1, "int32": 4, "int64": 8})
"""Bytes of one element, by data type."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """An activation.

    Parameters
    ----------
    name
        Unique in its graph.
    shape
        Dimensions in NCHW order for images, (batch, tokens, features) for sequences; all positive.
    """

    name: str
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        for size in self.shape:
            if size <= 0:
                raise ModelError(
                    f"tensor {self.name!r}: every dimension must be positive, got {list(self.shape)}"
                )

    @property
    def elements(self) -> int:
        """Number of elements."""
        return prod(self.shape)


@dataclass(frozen=True, slots=True)
class Operator:
    """One node of a network.

    Parameters
    ----------
    name
        Unique in its graph.
    type
        One of :data:`socsim.workloads.operators.OPERATOR_TYPES`, such as ``"conv2d"``.
    inputs, outputs
        Names of activations; weights are counted in `weights` instead.
    attributes
        What the type needs: ``kernel``, ``stride``, ``groups``, ``activation``, ``axis``, ... Values are hashable.
    weights
        Number of parameters (weights and biases) that the operator reads.
    macs
        Multiply-accumulates of one inference.
    ops
        Elementary operations beside the MACs (comparisons of a pooling, exponentials of a softmax, ...).
    """

    name: str
    type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    weights: int = 0
    macs: int = 0
    ops: int = 0

    def get(self, attribute: str, default: Any = None) -> Any:
        """Value of an attribute, or `default`."""
        return self.attributes.get(attribute, default)

    def __hash__(self) -> int:
        return hash((self.name, self.type, self.outputs))


@dataclass(frozen=True, slots=True)
class Lineage:
    """How a network came about from another one.

    Parameters
    ----------
    base
        Name of the network that it was.
    steps
        Transforms in order, as they are written: ``("prune(0.5)", "quantise(int8)")``.
    top1_drop
        Points of Top-1 accuracy that all of them cost; nan where nobody has said.
    source
        Grade and source of that; empty where it is not known, or nothing by construction.
    """

    base: str
    steps: tuple[str, ...]
    top1_drop: float = nan
    source: str = ""

    @property
    def name(self) -> str:
        """``"resnet50+prune(0.5)"``."""
        return "+".join((self.base, *self.steps))


class ModelGraph:
    """An immutable network: operators in topological order over named tensors.

    Iterating yields :class:`Operator` objects in topological order (stable: as given, where that is one).

    Parameters
    ----------
    name
        What the network is called.
    operators
        Every operator. Order does not matter; ties of the topological order keep it.
    tensors
        Every activation that the operators name.
    inputs, outputs
        Tensors that enter and leave the network.
    dtype
        Data type that it wants to be run in, as a quantised network does; ``""`` (default) for the library's.
    lineage
        What it was, and which transforms made it what it is; None (default) for a network as it was written.

    Raises
    ------
    ModelError
        Two operators or tensors of one name, a tensor with two producers or none, a cycle, or an empty graph.
    """

    def __init__(
        self,
        name: str,
        operators: Iterable[Operator],
        tensors: Iterable[Tensor],
        inputs: Iterable[str],
        outputs: Iterable[str],
        *,
        dtype: str = "",
        lineage: Lineage | None = None,
    ) -> None:
        self.name, self.dtype, self.lineage = name, dtype, lineage
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)
        self.tensors: Mapping[str, Tensor] = _unique(name, "tensor", tensors)
        given = _unique(name, "operator", operators)
        if not given:
            raise ModelError(f"network {name!r} has no operators")
        self.producer: Mapping[str, str] = _producers(name, given.values())
        self._check_tensors(given.values())
        self.dag: nx.DiGraph[str] = self._build_dag(given)
        self.operators: Mapping[str, Operator] = {n: given[n] for n in self._order(given)}

    def _check_tensors(self, operators: Iterable[Operator]) -> None:
        readable = set(self.inputs) | set(self.producer)
        for op in operators:
            for tensor in (*op.inputs, *op.outputs):
                if tensor not in self.tensors:
                    raise ModelError(
                        f"network {self.name!r}: operator {op.name!r} names unknown tensor {tensor!r}"
                    )
            for tensor in op.inputs:
                if tensor not in readable:
                    raise ModelError(
                        f"network {self.name!r}: nothing produces tensor {tensor!r}, read by {op.name!r}"
                    )
        for tensor in self.outputs:
            if tensor not in readable:
                raise ModelError(f"network {self.name!r}: nothing produces its output {tensor!r}")

    def _build_dag(self, operators: Mapping[str, Operator]) -> nx.DiGraph[str]:
        dag: nx.DiGraph[str] = nx.DiGraph()
        dag.add_nodes_from(operators)
        for op in operators.values():
            for tensor in op.inputs:
                if tensor in self.producer:
                    dag.add_edge(self.producer[tensor], op.name)
        return dag

    def _order(self, operators: Mapping[str, Operator]) -> list[str]:
        position = {name: i for i, name in enumerate(operators)}
        try:
            return list(nx.lexicographical_topological_sort(self.dag, key=position.__getitem__))
        except nx.NetworkXUnfeasible:
            cycle = [edge[0] for edge in nx.find_cycle(self.dag)]
            raise ModelError(
                f"network {self.name!r} has a cycle: {' -> '.join([*cycle, cycle[0]])}"
            ) from None

    def __iter__(self) -> Iterator[Operator]:
        return iter(self.operators.values())

    def __len__(self) -> int:
        return len(self.operators)

    def __getitem__(self, name: str) -> Operator:
        try:
            return self.operators[name]
        except KeyError:
            raise UnknownNameError("operator", name, self.operators) from None

    def __repr__(self) -> str:
        return f"ModelGraph({self.name!r}, {counted(len(self), 'operator')}, {self.macs / 1e6:.1f} MMAC)"

    def changed(
        self,
        operators: Iterable[Operator] | None = None,
        tensors: Iterable[Tensor] | None = None,
        *,
        dtype: str | None = None,
        lineage: Lineage | None = None,
    ) -> ModelGraph:
        """A network like this one with other operators, tensors, data type or lineage, which names it.

        What is None stays as it is.
        """
        lineage = lineage or self.lineage
        return ModelGraph(
            lineage.name if lineage else self.name,
            self.operators.values() if operators is None else operators,
            self.tensors.values() if tensors is None else tensors,
            self.inputs,
            self.outputs,
            dtype=self.dtype if dtype is None else dtype,
            lineage=lineage,
        )

    @property
    def top1_drop(self) -> float:
        """Points of Top-1 accuracy that its transforms cost: 0 without any, nan where that is not known."""
        return self.lineage.top1_drop if self.lineage else 0.0

    def predecessors(self, op: Operator) -> list[Operator]:
        """Operators that produce what `op` reads, each once, in the order of its inputs."""
        names = dict.fromkeys(self.producer[t] for t in op.inputs if t in self.producer)
        return [self.operators[n] for n in names]

    def successors(self, op: Operator) -> list[Operator]:
        """Operators that read what `op` produces."""
        return [self.operators[n] for n in self.dag.successors(op.name)]

    def input_shapes(self, op: Operator) -> list[tuple[int, ...]]:
        """Shapes of the activations that `op` reads."""
        return [self.tensors[t].shape for t in op.inputs]

    def output_shape(self, op: Operator) -> tuple[int, ...]:
        """Shape of the first output of `op`."""
        return self.tensors[op.outputs[0]].shape

    def input_elements(self, op: Operator) -> int:
        """Elements of all activations that `op` reads."""
        return sum(self.tensors[t].elements for t in op.inputs)

    def output_elements(self, op: Operator) -> int:
        """Elements of all activations that `op` produces."""
        return sum(self.tensors[t].elements for t in op.outputs)

    def transposable(self, tensor: str) -> int:
        """Elements of a tensor whose dimensions libraries order as they like: four-dimensional, inside the network.

        0 of any other.
        """
        if tensor in self.inputs or tensor in self.outputs or len(self.tensors[tensor].shape) != 4:
            return 0
        return self.tensors[tensor].elements

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(op.macs for op in self)

    @cached_property
    def parameters(self) -> int:
        """Number of weights and biases."""
        return sum(op.weights for op in self)

    @cached_property
    def signature(self) -> str:
        """A digest of everything that a simulation reads of the network: equal for equal networks."""
        return self.digest()

    def digest(self) -> str:
        """:attr:`signature`, worked out anew: it shows whether anybody has changed the network since."""
        digest = hashlib.blake2b(digest_size=12)
        for op in self:
            key = (
                op.name,
                op.type,
                op.inputs,
                op.outputs,
                sorted(op.attributes.items()),
                op.weights,
                op.macs,
                op.ops,
            )
            digest.update(repr(key).encode())
        digest.update(repr([(t.name, t.shape) for t in self.tensors.values()]).encode())
        digest.update(repr((self.inputs, self.outputs, sorted(self.dag.edges))).encode())
        if self.dtype:
            digest.update(self.dtype.encode())
        return digest.hexdigest()

    def peak_memory_bytes(
        self, dtype: str = "fp32", *, release: bool = True, order: Sequence[str] = ()
    ) -> int:
        """Weights plus the most activation memory that is alive at once, in bytes.

        Parameters
        ----------
        dtype
            Data type of weights and activations.
        release
            Free a tensor after its last use (default); otherwise hold all of them.
        order
            Names of the operators in the order in which they run; by default the graph's own.
        """
        width = DTYPE_BYTES[dtype]
        if not release:
            return width * (self.parameters + sum(t.elements for t in self.tensors.values()))
        operators = [self.operators[name] for name in order or self.operators]
        last = {t: i for i, op in enumerate(operators) for t in op.inputs}
        last.update(dict.fromkeys(self.outputs, len(self)))
        alive = sum(self.tensors[t].elements for t in self.inputs)
        peak = alive
        for i, op in enumerate(operators):
            alive += self.output_elements(op)
            peak = max(peak, alive)
            done = {t for t in (*op.inputs, *op.outputs) if last.get(t, i) <= i}
            alive -= sum(self.tensors[t].elements for t in done)
        return width * (self.parameters + peak)


def _unique(graph: str, kind: str, items: Iterable[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in items:
        if item.name in found:
            raise ModelError(f"network {graph!r}: two {kind}s are named {item.name!r}")
        found[item.name] = item
    return found


def _producers(graph: str, operators: Iterable[Operator]) -> dict[str, str]:
    producer: dict[str, str] = {}
    for op in operators:
        for tensor in op.outputs:
            if tensor in producer:
                raise ModelError(
                    f"network {graph!r}: tensor {tensor!r} has two producers, {producer[tensor]!r} and {op.name!r}"
                )
            producer[tensor] = op.name
    return producer
