"""Fused activations as operators of their own, as frameworks leave them before a library converts the network."""

from __future__ import annotations

from dataclasses import replace

from socsim.workloads.graph import ModelGraph, Operator, Tensor
from socsim.workloads.operators import operator_ops
from socsim.workloads.transforms.steps import next_step

__all__ = ["unfuse"]


def unfuse(graph: ModelGraph) -> ModelGraph:
    """Give every fused activation an operator of its own: the opposite of fusing them, to see what that is worth.

    The activation is named ``NAME/FUNCTION``. Batch normalisations that were folded into weights are not brought back,
    because a graph does not know of them.

    Parameters
    ----------
    graph
        Any network; one without fused activations comes back with the same operators.

    Returns
    -------
    ModelGraph
        Same inputs, outputs and MACs.
    """
    operators: list[Operator] = []
    tensors = list(graph.tensors.values())
    for op in graph:
        function = op.get("activation")
        if function is None or len(op.outputs) != 1:
            operators.append(op)
            continue
        name, shape = f"{op.name}/{function}", graph.output_shape(op)
        plain = {key: value for key, value in op.attributes.items() if key != "activation"}
        operators += [
            replace(op, outputs=(f"{op.name}/plain",), attributes=plain),
            Operator(
                name, "activation", (f"{op.name}/plain",), op.outputs, {"function": function},
                ops=operator_ops("activation", [shape], shape),
            ),
        ]  # fmt: skip
        tensors.append(Tensor(f"{op.name}/plain", shape))
    return graph.changed(operators, tensors, lineage=next_step(graph, "unfuse", free=True))
