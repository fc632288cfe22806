"""Pinning the dynamic dimensions of a model's inputs."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral

from socsim.errors import ModelError, UnknownNameError, UsageError
from socsim.words import counted

__all__ = ["Dims", "parse_shape", "pin"]

Shape = tuple[int, ...]
Dims = tuple[int | str, ...]
"""Sizes, or the names of dynamic dimensions (``"?"`` where they have none)."""


def parse_shape(text: str) -> tuple[str, Shape]:
    """Read ``"input=1x3x224x224"`` as the input's name and shape.

    Raises
    ------
    UsageError
        The name or a size is missing, or a size is not a positive whole number.

    Examples
    --------
    >>> parse_shape("input=1x3x224x224")
    ('input', (1, 3, 224, 224))
    """
    name, _, sizes = text.rpartition("=")
    if not name.strip() or not sizes.strip():
        raise UsageError(f"a shape is written NAME=SIZExSIZEx..., such as input=1x3x224x224; got {text!r}")
    return name.strip(), tuple(_size(part, text) for part in sizes.lower().split("x"))


def _size(part: str, text: str) -> int:
    part = part.strip()
    if part.isascii() and part.isdigit() and int(part) > 0:
        return int(part)
    raise UsageError(f"every size of a shape is a positive whole number; got {part!r} in {text!r}")


def pin(inputs: Mapping[str, Dims], shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    """Shapes of all inputs: as given in `shapes`, else as the model says.

    Raises
    ------
    ModelError
        A shape has another rank than its input or sizes below 1, or dynamic dimensions stay unpinned.
    UnknownNameError
        `shapes` names no input.
    """
    for name, shape in shapes.items():
        if name not in inputs:
            raise UnknownNameError("input", name, inputs)
        _check_pin(name, shape, inputs[name])
    pinned = {name: tuple(shapes.get(name, dims)) for name, dims in inputs.items()}
    dynamic = {name: dims for name, dims in pinned.items() if any(isinstance(size, str) for size in dims)}
    if dynamic:
        raise ModelError(_unpinned(dynamic))
    for name, sizes in pinned.items():
        if any(not isinstance(size, Integral) or int(size) < 1 for size in sizes):
            raise ModelError(f"input {name!r}: every size must be positive, got {_text(sizes)}")
    return {name: tuple(int(size) for size in sizes) for name, sizes in pinned.items()}


def _check_pin(name: str, shape: Shape, dims: Dims) -> None:
    if len(shape) != len(dims):
        raise ModelError(
            f"input {name!r} has {counted(len(dims), 'dimension')} ({_text(dims)}), "
            f"its pinned shape has {len(shape)} ({_text(shape)})"
        )


def _unpinned(dynamic: Mapping[str, Dims]) -> str:
    """The error sentence, with a shape of the usual size for every input."""
    found = ", ".join(f"{name!r} ({_text(dims)})" for name, dims in dynamic.items())
    options = " ".join(f"--shape {name}={_text(_usual(dims))}" for name, dims in dynamic.items())
    example = ", ".join(f"{name!r}: {_usual(dims)}" for name, dims in dynamic.items())
    return (
        f"the size of input{'s' * (len(dynamic) > 1)} {found} is dynamic; pin it, for example with {options} "
        f"or load_onnx(..., shapes={{{example}}})"
    )


def _usual(dims: Dims) -> Shape:
    """A plausible shape: one image of 224 x 224, or 128 tokens."""
    usual = (1, 3, 224, 224) if len(dims) == 4 else (1, *(128,) * (len(dims) - 1))
    return tuple(
        size if isinstance(size, int) and size > 0 else u for size, u in zip(dims, usual, strict=True)
    )


def _text(dims: Dims) -> str:
    return "x".join(map(str, dims)) or "no dimensions"
