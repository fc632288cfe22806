"""Fused activations as operators of their own, as frameworks leave them before a library converts the network."""

from __future__ import annotations

from dataclasses import replace

from socsim.workloads.graph import ModelGraph, Operator, Tensor
from socsim.workloads.operators import operator_ops
from socsim.workloads.transforms.steps import fresh, next_step

__all__ = ["unfuse"]


def unfuse(graph: ModelGraph) -> ModelGraph:
    """Give every fused activation an operator of its own: the opposite of fusing them, to see what that is worth.

    The activation is named ``NAME/FUNCTION`` (``NAME/FUNCTION_2`` where that name is taken). Batch normalisations
    that were folded into weights are not brought back, because a graph does not know of them.

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
    tensors, taken = list(graph.tensors.values()), {*graph.tensors, *graph.operators}
    for op in graph:
        function = op.get("activation")
        if function is None or len(op.outputs) != 1:
            operators.append(op)
            continue
        name, shape = fresh(f"{op.name}/{function}", taken), graph.output_shape(op)
        between = fresh(f"{op.name}/plain", taken)
        plain = {key: value for key, value in op.attributes.items() if key != "activation"}
        operators += [
            replace(op, outputs=(between,), attributes=plain),
            Operator(
                name, "activation", (between,), op.outputs, {"function": function},
                ops=operator_ops("activation", [shape], shape),
            ),
        ]  # fmt: skip
        tensors.append(Tensor(between, shape))
    return graph.changed(operators, tensors, lineage=next_step(graph, "unfuse", free=True))
