"""The nodes of an ONNX graph as plain objects in topological order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import networkx as nx

from socsim.errors import ModelError
from socsim.workloads.onnx_import.files import first_line

__all__ = ["Node", "list_nodes", "live_nodes", "read_nodes", "sort_nodes"]


@dataclass(frozen=True, slots=True)
class Node:
    """One ONNX node.

    Parameters
    ----------
    name
        Unique in its graph: the node's own, else that of its first output.
    op
        Operator type, with its domain in front unless that is ``ai.onnx``.
    inputs, outputs
        Tensor names; ``""`` for optional ones left out.
    attributes
        Numbers, texts, tuples of them, or protobuf messages of tensors and graphs.
    proto
        The ``NodeProto``.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    proto: Any = field(default=None, repr=False, compare=False)

    def get(self, attribute: str, default: Any = None) -> Any:
        """Value of an attribute, or `default`."""
        return self.attributes.get(attribute, default)

    def input(self, index: int) -> str:
        """Name of an input, ``""`` where it is left out."""
        return self.inputs[index] if index < len(self.inputs) else ""

    def fail(self, message: str) -> ModelError:
        """An error that names this node."""
        return ModelError(f"node {self.name!r} ({self.op}): {message}")


def list_nodes(nodes: Iterable[Node], limit: int = 3) -> str:
    """The first few names, for an error sentence."""
    names = [repr(node.name) for node in nodes]
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def read_nodes(proto: Any) -> list[Node]:
    """The nodes of a ``ModelProto``, checked one by one against the operators' schemas.

    Raises
    ------
    ModelError
        A node holds a subgraph, or breaks its operator's schema.
    """
    names: Counter[str] = Counter()
    nodes = [_read_node(node, names) for node in proto.graph.node]
    nested = [node for node in nodes if _has_subgraph(node)]
    if nested:
        types = ", ".join(sorted({node.op for node in nested}))
        raise ModelError(
            f"operators with subgraphs cannot be simulated: {types} ({list_nodes(nested)}); "
            f"export a graph without control flow"
        )
    _check(nodes, proto)
    return nodes


def _read_node(proto: Any, names: Counter[str]) -> Node:
    outputs = tuple(proto.output)
    name = proto.name or next(filter(None, outputs), proto.op_type)
    names[name] += 1
    if names[name] > 1:
        name = f"{name}#{names[name]}"
    op = proto.op_type if proto.domain in ("", "ai.onnx") else f"{proto.domain}.{proto.op_type}"
    return Node(name, op, tuple(proto.input), outputs, {a.name: _value(a) for a in proto.attribute}, proto)


def _value(attribute: Any) -> Any:
    import onnx.helper

    try:
        value = onnx.helper.get_attribute_value(attribute)
    except ValueError:
        return None
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(v.decode(errors="replace") if isinstance(v, bytes) else v for v in value)
    return value


def _has_subgraph(node: Node) -> bool:
    import onnx

    kinds = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)
    return any(attribute.type in kinds for attribute in node.proto.attribute)


def _check(nodes: Iterable[Node], proto: Any) -> None:
    import onnx

    context = onnx.checker.C.CheckerContext()
    context.ir_version = onnx.IR_VERSION
    context.opset_imports = {entry.domain: entry.version for entry in proto.opset_import}
    for node in nodes:
        if not onnx.defs.has(node.proto.op_type, node.proto.domain):
            continue
        try:
            onnx.checker.check_node(node.proto, context)
        except Exception as error:  # the checker's errors share no base but Exception
            raise node.fail(f"breaks the operator's schema: {first_line(error)}") from None


def sort_nodes(nodes: Sequence[Node], known: Iterable[str]) -> list[Node]:
    """Nodes in topological order, as given where that is one.

    Parameters
    ----------
    known
        Tensors that exist before any node runs: inputs and weights.

    Raises
    ------
    ModelError
        A tensor has two producers or none, or there is a cycle.
    """
    producer = _producers(nodes)
    known = set(known)
    dag: nx.DiGraph[int] = nx.DiGraph()
    dag.add_nodes_from(range(len(nodes)))
    for i, node in enumerate(nodes):
        for tensor in filter(None, node.inputs):
            if tensor in producer:
                dag.add_edge(producer[tensor], i)
            elif tensor not in known:
                raise node.fail(f"reads tensor {tensor!r}, which nothing produces")
    try:
        return [nodes[i] for i in nx.lexicographical_topological_sort(dag)]
    except nx.NetworkXUnfeasible:
        cycle = [nodes[edge[0]].name for edge in nx.find_cycle(dag)]
        raise ModelError(f"the graph has a cycle: {' -> '.join([*cycle, cycle[0]])}") from None


def _producers(nodes: Sequence[Node]) -> dict[str, int]:
    producer: dict[str, int] = {}
    for i, node in enumerate(nodes):
        for tensor in filter(None, node.outputs):
            if tensor in producer:
                raise node.fail(f"produces tensor {tensor!r}, as {nodes[producer[tensor]].name!r} does")
            producer[tensor] = i
    return producer


def live_nodes(nodes: Sequence[Node], outputs: Iterable[str]) -> list[Node]:
    """Those of sorted nodes that some output depends on."""
    needed = set(outputs)
    live = []
    for node in reversed(nodes):
        if needed.intersection(node.outputs):
            needed.update(filter(None, node.inputs))
            live.append(node)
    return live[::-1]
