"""Random small networks, and what must hold of any network after a transform."""

from __future__ import annotations

from hypothesis import strategies as st

from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph

FUNCTIONS = (None, "relu", "relu6", "sigmoid", "hswish")


@st.composite
def networks(draw: st.DrawFn) -> ModelGraph:
    """Convolutions of all kinds, sums, gates, joins and pooling over an image of 8 or 16 pixels, and a classifier."""
    b = GraphBuilder("random")
    side = draw(st.sampled_from((8, 16)))
    x = b.conv(b.input(1, 3, side, side), 16, 3, activation=draw(st.sampled_from(FUNCTIONS)))
    known = [x]
    for _ in range(draw(st.integers(1, 8))):
        x = draw(st.sampled_from(known))
        known.append(_layer(draw, b, x, known))
    same = [t for t in known if b.shape(t)[2] == b.shape(x)[2]]
    joined = b.concat(*same) if len(same) > 1 else same[0]
    y = b.dense(b.global_avg_pool(joined), 32, activation="relu")
    return b.build(b.softmax(b.dense(y, 10)))


def _layer(draw: st.DrawFn, b: GraphBuilder, x: str, known: list[str]) -> str:
    activation = draw(st.sampled_from(FUNCTIONS))
    kind = draw(
        st.sampled_from(("conv", "point", "depthwise", "grouped", "sum", "gate", "norm", "pool", "split"))
    )
    channels = draw(st.sampled_from((8, 16, 24, 32)))
    if kind == "conv":
        return b.conv(x, channels, 3, draw(st.sampled_from((1, 2))), activation=activation)
    if kind == "point":
        return b.conv(x, channels, activation=activation, bias=draw(st.booleans()))
    if kind == "depthwise":
        return b.depthwise(x, 3, multiplier=draw(st.sampled_from((1, 2))), activation=activation)
    if kind == "grouped":
        return b.conv(x, channels, 3, groups=4, activation=activation)
    if kind == "sum":
        alike = [t for t in known if b.shape(t) == b.shape(x)]
        return b.add_(x, draw(st.sampled_from(alike)), activation=activation)
    if kind == "gate":
        gate = b.conv(b.global_avg_pool(x), b.channels(x), activation="sigmoid")
        return b.mul(x, gate)
    if kind == "norm":
        return b.activation(b.batch_norm(x), "relu")
    if kind == "split":
        first, second = b.split(x, 2)
        return b.channel_shuffle(b.concat(b.conv(first, b.channels(first)), second), 2)
    return b.max_pool(x, 3, 1, padding="same")


def sound(before: ModelGraph, after: ModelGraph) -> None:
    """Inputs and outputs keep names and shapes; every operator's counts fit its shapes."""
    assert (after.inputs, after.outputs) == (before.inputs, before.outputs)
    for name in (*before.inputs, *before.outputs):
        assert after.tensors[name].shape == before.tensors[name].shape
    for op in after:
        assert min(op.macs, op.weights, op.ops) >= 0
        if op.type in ("conv2d", "grouped_conv2d", "depthwise_conv2d"):
            read, given = after.input_shapes(op)[0], after.output_shape(op)
            groups = op.get("groups", 1)
            assert read[1] % groups == given[1] % groups == 0
            kernel = op.get("kernel")
            bank = given[1] * (read[1] // groups) * kernel[0] * kernel[1]
            assert op.macs == bank * given[0] * given[2] * given[3]
            assert op.weights - bank in (0, given[1])
        if op.type == "concat":
            axis = op.get("axis")
            constant = before.output_shape(op)[axis] - sum(s[axis] for s in before.input_shapes(op))
            assert sum(s[axis] for s in after.input_shapes(op)) + constant == after.output_shape(op)[axis]
        if op.type == "split":
            axis = op.get("axis")
            assert sum(after.tensors[t].shape[axis] for t in op.outputs) == after.input_shapes(op)[0][axis]
        if op.type in ("eltwise", "activation", "batch_norm"):
            assert after.output_shape(op) == max(after.input_shapes(op), key=lambda shape: shape[1])
