"""Which ONNX operators are understood, and what becomes of each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from socsim.errors import ModelError, nearest
from socsim.words import counted
from socsim.workloads.onnx_import import elementwise, movement, products, reductions, windows
from socsim.workloads.onnx_import.nodes import Node, list_nodes
from socsim.workloads.onnx_import.shaped import Converter

__all__ = ["check_supported", "converters"]


_CONVERTERS: Mapping[str, Converter] = MappingProxyType(
    {
        "ArgMax": reductions.arg_reduce("argmax"),
        "ArgMin": reductions.arg_reduce("argmin"),
        "AveragePool": windows.avg_pool,
        "BatchNormalization": reductions.batch_norm,
        "Cast": movement.copy("cast"),
        "Clip": elementwise.clip,
        "Concat": movement.concat,
        "Conv": windows.conv,
        "ConvTranspose": windows.conv_transpose,
        "DepthToSpace": movement.block("depth_to_space"),
        "DequantizeLinear": movement.copy("cast"),
        "Dropout": movement.skip,
        "Einsum": products.einsum,
        "Expand": movement.repeat,
        "Flatten": movement.reshape,
        "Gather": movement.gather,
        "GatherElements": movement.gather,
        "GatherND": movement.gather,
        "Gemm": products.gemm,
        "GlobalAveragePool": reductions.global_pool("mean"),
        "GlobalLpPool": reductions.global_pool("l2"),
        "GlobalMaxPool": reductions.global_pool("max"),
        "GroupNormalization": reductions.group_norm,
        "Identity": movement.skip,
        "InstanceNormalization": reductions.normalise("instance_norm"),
        "LRN": reductions.normalise("lrn"),
        "LayerNormalization": reductions.layer_norm,
        "LpNormalization": reductions.layer_norm,
        "LpPool": windows.avg_pool,
        "MatMul": products.matmul,
        "MaxPool": windows.max_pool,
        "MeanVarianceNormalization": reductions.normalise("instance_norm"),
        "PRelu": elementwise.prelu,
        "Pad": movement.pad,
        "QuantizeLinear": movement.copy("cast"),
        "RMSNormalization": reductions.layer_norm,
        "Reshape": movement.reshape,
        "Resize": movement.resize,
        "Slice": movement.slice_,
        "SpaceToDepth": movement.block("space_to_depth"),
        "Split": movement.split,
        "Squeeze": movement.copy("squeeze"),
        "Tile": movement.repeat,
        "TopK": reductions.top_k,
        "Transpose": movement.transpose,
        "Unsqueeze": movement.reshape,
        "Upsample": movement.resize,
        **{op: elementwise.activation(name) for op, name in elementwise.ACTIVATIONS.items()},
        **{op: elementwise.arithmetic(name) for op, name in elementwise.ARITHMETIC.items()},
        **{op: reductions.reduce(name) for op, name in reductions.REDUCTIONS.items()},
    }
)
"""ONNX operator -> converter, of those that are the same in all operator sets."""


def converters(opset: int) -> Mapping[str, Converter]:
    """ONNX operator -> converter.

    Parameters
    ----------
    opset
        Version of the ``ai.onnx`` operator set.
    """
    # Up to version 12 softmax worked on the axes from 1 on.
    softmax = reductions.softmax(-1 if opset >= 13 else 1)
    return {**_CONVERTERS, "LogSoftmax": softmax, "Softmax": softmax}


def check_supported(nodes: Iterable[Node], known: Mapping[str, Converter]) -> None:
    """Raise :class:`ModelError` with every operator that is not in the table.

    Each is listed with how often and where it occurs, and the supported one whose name is nearest.
    """
    unknown: dict[str, list[Node]] = defaultdict(list)
    for node in nodes:
        if node.op not in known:
            unknown[node.op].append(node)
    if unknown:
        found = "; ".join(_describe(op, unknown[op], known) for op in sorted(unknown))
        raise ModelError(f"{counted(len(unknown), 'unsupported operator')}: {found}")


def _describe(op: str, nodes: list[Node], known: Mapping[str, Converter]) -> str:
    guess = nearest(op.rpartition(".")[2], known)
    hint = f", nearest supported: {guess}" if guess else ""
    return f"{op} x{len(nodes)} ({list_nodes(nodes)}{hint})"
