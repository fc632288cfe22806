"""What a converter sees of the graph, and what it returns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from socsim.errors import ModelError
from socsim.workloads.onnx_import.nodes import Node

__all__ = ["Converter", "Draft", "Shaped"]

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """An operator before its costs are counted.

    Parameters
    ----------
    type
        A key of :data:`socsim.workloads.operators.OPERATOR_TYPES`.
    inputs
        Activations read.
    attributes
        As of :class:`~socsim.workloads.graph.Operator`; those that are None are left out.
    weights
        Number of parameters.
    macs
        Multiply-accumulates where they do not follow from the shapes of inputs and output. Default: they do.
    """

    type: str
    inputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    weights: int = 0
    macs: int | None = None


@dataclass(frozen=True, slots=True)
class Shaped:
    """A graph whose shapes are known.

    Parameters
    ----------
    shapes
        Shapes of activations and constants.
    constant
        Names of constants.
    values
        Values of the small ones.
    """

    shapes: Mapping[str, Shape]
    constant: frozenset[str]
    values: Mapping[str, np.ndarray[Any, Any]]

    def shape(self, tensor: str) -> Shape:
        """Shape of an activation or a constant."""
        try:
            return self.shapes[tensor]
        except KeyError:
            raise ModelError(f"the shape of {tensor!r} is not known") from None

    def is_constant(self, tensor: str) -> bool:
        """Whether a tensor is a weight."""
        return tensor in self.constant

    def activations(self, node: Node) -> tuple[str, ...]:
        """Inputs of a node that are not constant."""
        return tuple(name for name in node.inputs if name and name not in self.constant)

    def activation(self, node: Node, index: int = 0) -> str:
        """Input of a node that has to be an activation."""
        name = node.input(index)
        if not name or name in self.constant:
            raise node.fail(f"input {index} must be an activation, got {name or 'nothing'!r}, a constant")
        return name

    def weights(self, tensors: Iterable[str]) -> int:
        """Elements of those tensors that are constant."""
        return sum(prod(self.shape(name)) for name in tensors if name in self.constant)

    def number(self, node: Node, attribute: str, index: int) -> float | None:
        """A number from an attribute or an input; None where there is none or it is unknown."""
        if attribute in node.attributes:
            return float(node.attributes[attribute])
        value = self.values.get(node.input(index))
        return float(value.ravel()[0]) if value is not None and value.size == 1 else None

    def numbers(self, node: Node, attribute: str, index: int) -> tuple[int, ...] | None:
        """Whole numbers from an attribute or an input; None where there are none or they are unknown."""
        if attribute in node.attributes:
            return tuple(node.attributes[attribute])
        value = self.values.get(node.input(index))
        return tuple(int(n) for n in value.ravel()) if value is not None else None


Converter = Callable[[Node, Shaped], Draft | None]
"""Turns a node into an operator; None means that the node passes its first activation on unchanged."""
