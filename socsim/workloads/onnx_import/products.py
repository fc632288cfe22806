"""Matrix products."""

from __future__ import annotations

from math import prod
from typing import Any

from socsim.workloads.onnx_import.nodes import Node
from socsim.workloads.onnx_import.shaped import Draft, Shaped

__all__ = ["einsum", "gemm", "matmul"]


def gemm(node: Node, shaped: Shaped) -> Draft:
    """``Gemm``: fully connected where only the left factor is an activation that is not transposed."""
    a, b = node.inputs[:2]
    rows, depth = shaped.shape(a)[:: -1 if node.get("transA", 0) else 1]
    macs = rows * depth * shaped.shape(node.outputs[0])[1]
    plain = shaped.is_constant(b) and not node.get("transA", 0)
    if plain:
        return Draft("fully_connected", shaped.activations(node), {}, shaped.weights(node.inputs))
    attributes = {
        "transpose_a": bool(node.get("transA", 0)) or None,
        "transpose_b": bool(node.get("transB", 0)) or None,
        "constant_left": shaped.is_constant(a) or None,
    }
    return Draft("matmul", shaped.activations(node), attributes, shaped.weights(node.inputs), macs)


def matmul(node: Node, shaped: Shaped) -> Draft:
    """``MatMul``: fully connected where an activation of two dimensions meets a constant of two."""
    a, b = node.inputs
    ranks = len(shaped.shape(a)), len(shaped.shape(b))
    weights = shaped.weights(node.inputs)
    if shaped.is_constant(b) and ranks == (2, 2):
        return Draft("fully_connected", (a,), {}, weights)
    attributes: dict[str, Any] = {"constant_left": True} if shaped.is_constant(a) else {}
    macs = prod(shaped.shape(node.outputs[0])) * shaped.shape(a)[-1]
    return Draft("matmul", shaped.activations(node), attributes, weights, macs)


def einsum(node: Node, shaped: Shaped) -> Draft:
    """``Einsum`` of two factors: one multiply-accumulate for every combination of indices."""
    equation = node.get("equation").replace(" ", "")
    terms = equation.partition("->")[0].split(",")
    if len(terms) != 2 or len(node.inputs) != 2 or "." in equation:
        raise node.fail(f"only products of two factors without an ellipsis are supported, got {equation!r}")
    sizes: dict[str, int] = {}
    for term, name in zip(terms, node.inputs, strict=True):
        shape = shaped.shape(name)
        if len(term) != len(shape):
            raise node.fail(f"{term!r} of {equation!r} does not fit the {len(shape)} dimensions of {name!r}")
        for letter, size in zip(term, shape, strict=True):
            sizes[letter] = max(size, sizes.get(letter, 1))
    weights = shaped.weights(node.inputs)
    return Draft("matmul", shaped.activations(node), {"equation": equation}, weights, prod(sizes.values()))
