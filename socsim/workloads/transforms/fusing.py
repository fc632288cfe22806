"""Transforms of networks: each takes a graph and returns another, and leaves the first as it was."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from socsim.workloads.editor import GraphEditor
from socsim.workloads.graph import ModelGraph, Operator
from socsim.workloads.idioms import recognised

__all__ = ["FUSABLE_ACTIVATIONS", "fuse"]

_CONVOLUTIONS = frozenset({"conv2d", "grouped_conv2d", "depthwise_conv2d", "deconv2d"})
_PRODUCTS = _CONVOLUTIONS | {"fully_connected", "matmul"}

FUSABLE_ACTIVATIONS = frozenset(
    {
        "celu",
        "clip",
        "elu",
        "gelu",
        "hsigmoid",
        "hswish",
        "leaky_relu",
        "mish",
        "prelu",
        "relu",
        "relu6",
        "selu",
        "sigmoid",
        "softplus",
        "swish",
        "tanh",
    }
)
"""Functions that inference libraries apply to a result before they store it."""

_GATES = {"sigmoid": "swish", "hsigmoid": "hswish"}
"""x * gate(x) -> its name."""

_AFFINE = frozenset({"add", "sub", "mul", "div"})
"""Functions of an activation and a constant that are a scale and a shift; not so a constant divided by it."""


def fuse(graph: ModelGraph) -> ModelGraph:
    """Fuse operators as inference libraries do when they load a network.

    An operator joins the one before it, its host, where it is the only reader of the host's result, which is
    no output of the network, and the host has no activation yet:

    - ``batch_norm``, and ``eltwise`` sums, differences, products and quotients with a constant per channel or
      a scalar (attribute ``constant``), join a convolution, a ``fully_connected``, a ``matmul`` with a
      constant matrix on the right, or, if they are ``eltwise``, a ``batch_norm``;
    - ``activation`` of :data:`FUSABLE_ACTIVATIONS` joins any of these, any other ``matmul``, or an
      ``eltwise`` sum, as its attribute ``activation``;
    - ``x * sigmoid(x)`` and ``x * hsigmoid(x)`` become the ``activation`` functions ``swish`` and ``hswish``.

    Before that, what several operators spell out becomes one: see :func:`socsim.workloads.idioms.recognised`.

    The host keeps its name, MACs and elementary operations, and takes over the output tensor of what joins
    it, whose operations cost nothing any more. Scale and shift disappear into its weights, which grow by a
    bias per channel where something is added to a host without bias; slopes of a ``prelu`` move to the host.

    Parameters
    ----------
    graph
        Any network; one that is fused already comes back equal.

    Returns
    -------
    ModelGraph
        Same name, inputs, outputs (names and shapes) and MACs.
    """
    graph = recognised(graph)
    editor = GraphEditor(graph)
    for op in graph:
        _join(editor, _merge_gate(editor, op))
    return editor.build()


def _merge_gate(editor: GraphEditor, op: Operator) -> Operator:
    """Turn a product of a tensor and its sigmoid into one activation; return `op` or what it became."""
    if op.type != "eltwise" or op.get("function") != "mul" or len(op.inputs) != 2 or op.get("activation"):
        return op
    for x, gated in (op.inputs, op.inputs[::-1]):
        gate = editor.source(gated, op)
        if gate and gate.type == "activation" and gate.inputs == (x,) and gate.get("function") in _GATES:
            attributes = {**op.attributes, "function": _GATES[gate.get("function")]}
            return editor.merge(gate, replace(op, type="activation", inputs=(x,), attributes=attributes))
    return op


def _join(editor: GraphEditor, op: Operator) -> None:
    """Merge `op` into its host, where it has one."""
    if len(op.inputs) != 1 or len(op.outputs) != 1:
        return
    host = editor.source(op.inputs[0], op)
    if host is None or host.get("activation") is not None:
        return
    if op.type == "activation" and _takes_activation(host) and op.get("function") in FUSABLE_ACTIVATIONS:
        weights = host.weights + op.weights
        activation = op.get("function")
    elif _folds(editor, op, host):
        weights = host.weights + (_missing_bias(editor, host) if _shifts(op) else 0)
        activation = op.get("activation")
    else:
        return
    attributes = {**host.attributes, "activation": activation} if activation else host.attributes
    editor.merge(op, replace(host, outputs=op.outputs, weights=weights, attributes=attributes))


def _takes_activation(host: Operator) -> bool:
    added = host.type == "eltwise" and host.get("function") == "add"
    return host.type in _PRODUCTS or host.type == "batch_norm" or added


def _folds(editor: GraphEditor, op: Operator, host: Operator) -> bool:
    """Whether `op` is a scale and shift that the weights of `host` can take in."""
    if op.type == "batch_norm":
        axis = 1
    elif (
        op.type == "eltwise" and op.get("function") in _AFFINE and op.get("constant") in ("channel", "scalar")
    ):
        if op.get("function") == "div" and op.get("reversed"):
            return False
        axis = op.get("axis", _channel_axis(editor, host))
    else:
        return False
    if host.type == "batch_norm":
        return op.type == "eltwise" and axis == 1
    return host.type in _PRODUCTS and _has_matrix(editor, host) and axis == _channel_axis(editor, host)


def _shifts(op: Operator) -> bool:
    return op.type == "batch_norm" or op.get("function") in ("add", "sub")


def _channel_axis(editor: GraphEditor, host: Operator) -> int:
    """Axis of the host's result along which its bias varies."""
    return len(editor.shape(host.outputs[0])) - 1 if host.type in ("fully_connected", "matmul") else 1


def _matrix(editor: GraphEditor, host: Operator) -> int:
    """Number of weights of a host without its bias, which are those that one output position needs."""
    if host.type == "deconv2d":
        shape = editor.shape(host.inputs[0])
        return host.macs // (prod(shape) // shape[1])
    shape = editor.shape(host.outputs[0])
    return host.macs // (prod(shape) // shape[_channel_axis(editor, host)])


def _has_matrix(editor: GraphEditor, host: Operator) -> bool:
    """Whether a host has a bank of filters or one constant matrix on the right, with a bias or without."""
    if len(host.inputs) != 1 or host.type != "matmul":
        return len(host.inputs) == 1
    bias = host.weights - _matrix(editor, host)
    return not host.get("constant_left") and bias in (0, editor.shape(host.outputs[0])[-1])


def _missing_bias(editor: GraphEditor, host: Operator) -> int:
    """Channels of a host without bias, 0 where it has one."""
    if host.type not in _PRODUCTS or host.weights > _matrix(editor, host):
        return 0
    return editor.shape(host.outputs[0])[_channel_axis(editor, host)]
