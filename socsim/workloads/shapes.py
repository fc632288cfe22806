"""Rules of shapes: sizes, padding and broadcasting."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from numbers import Integral

from socsim.errors import ModelError
from socsim.workloads.operators import conv_output_size

__all__ = [
    "Padding",
    "Pair",
    "axis_of",
    "broadcast",
    "check_groups",
    "cut",
    "joined",
    "matrix_product",
    "pads",
    "permuted",
    "reshaped",
    "slide",
    "windows",
]

Pair = int | tuple[int, int]
Padding = str | int | tuple[int, int] | tuple[int, int, int, int]


def pads(
    padding: Padding,
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
) -> tuple[int, int, int, int]:
    """(top, left, bottom, right) of a padding; ``same`` as TensorFlow pads, the odd element at the end.

    Raises
    ------
    ModelError
        Another word than ``same`` and ``valid``, or another count of numbers.
    """
    if padding == "valid":
        return (0, 0, 0, 0)
    if padding == "same":
        totals = [
            max(0, (-(-n // s) - 1) * s + (k - 1) * d + 1 - n)
            for n, k, s, d in zip(size, kernel, stride, dilation, strict=True)
        ]
        return (totals[0] // 2, totals[1] // 2, totals[0] - totals[0] // 2, totals[1] - totals[1] // 2)
    if isinstance(padding, str):
        raise ModelError(f"padding must be 'same', 'valid' or numbers, got {padding!r}")
    if isinstance(padding, int):
        return (padding,) * 4
    if len(padding) not in (2, 4):
        raise ModelError(f"padding must be one number, two or four, got {padding!r}")
    return padding if len(padding) == 4 else (*padding, *padding)


def slide(
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: Padding,
    dilation: tuple[int, int] = (1, 1),
    *,
    ceil: bool = False,
) -> tuple[tuple[int, int, int, int], tuple[int, int]]:
    """The border that :func:`pads` gives, and the height and width of what a window moved over an image gives."""
    top, left, bottom, right = border = pads(padding, size, kernel, stride, dilation)
    height, width = (
        conv_output_size(n, k, s, both, d, ceil)
        for n, k, s, both, d in zip(size, kernel, stride, (top + bottom, left + right), dilation, strict=True)
    )
    return border, (height, width)


def broadcast(network: str, shapes: list[tuple[int, ...]]) -> tuple[int, ...]:
    """The shape that element-wise operators give, with the rules of NumPy."""
    if not shapes:
        raise ModelError(f"network {network!r}: an element-wise operator needs at least one input, got none")
    rank = max(len(s) for s in shapes)
    padded = [(1,) * (rank - len(s)) + s for s in shapes]
    out = []
    for sizes in zip(*padded, strict=True):
        wide = {s for s in sizes if s != 1}
        if len(wide) > 1:
            raise ModelError(f"network {network!r}: shapes {shapes} do not broadcast")
        out.append(wide.pop() if wide else 1)
    return tuple(out)


def axis_of(network: str, axis: int, shape: tuple[int, ...]) -> int:
    """An axis counted from the front; ModelError for one that the shape does not have."""
    if not -len(shape) <= axis < len(shape):
        raise ModelError(f"network {network!r}: shape {list(shape)} has no axis {axis}")
    return axis % len(shape)


def windows(network: str, **sizes: Pair) -> list[tuple[int, int]]:
    """(height, width) of each size (``kernel``, ``stride``, ...); ModelError unless all are positive whole numbers."""
    found = []
    for what, size in sizes.items():
        numbers = tuple(size) if isinstance(size, Sequence) else (size, size)
        if len(numbers) != 2 or any(not isinstance(n, Integral) or n < 1 for n in numbers):
            raise ModelError(f"network {network!r}: {what} must be one or two positive numbers, got {size!r}")
        found.append((int(numbers[0]), int(numbers[1])))
    return found


def check_groups(network: str, groups: int, *channels: int) -> None:
    """ModelError unless all numbers of channels divide into so many groups."""
    if groups < 1 or any(c % groups for c in channels):
        shown = " -> ".join(map(str, channels))
        raise ModelError(f"network {network!r}: {shown} channels do not divide into {groups} groups")


def matrix_product(
    network: str, left: tuple[int, ...], right: tuple[int, ...], *, transposed: bool = False
) -> tuple[int, ...]:
    """Shape of (..., m, k) x (..., k, n), or x (..., n, k) if `transposed`; ModelError where they do not fit."""
    fits = min(len(left), len(right)) > 1 and left[:-2] == right[:-2]
    n, k = (right[-2:] if transposed else right[:-3:-1]) if fits else (0, 0)
    if not fits or left[-1] != k:
        raise ModelError(f"network {network!r}: cannot multiply {list(left)} by {list(right)}")
    return (*left[:-1], n)


def joined(network: str, shapes: list[tuple[int, ...]], axis: int) -> tuple[int, ...]:
    """The shape of several joined along an axis, counted from the front; ModelError where another axis differs."""
    rest = {(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}
    if len(rest) > 1:
        raise ModelError(f"network {network!r}: cannot join {shapes} along axis {axis}")
    return (*shapes[0][:axis], sum(shape[axis] for shape in shapes), *shapes[0][axis + 1 :])


def cut(network: str, shape: tuple[int, ...], parts: int | Sequence[int], axis: int) -> list[tuple[int, ...]]:
    """The shapes of equal parts, or parts of the given sizes, along an axis; ModelError unless they add up."""
    sizes = [shape[axis] // max(1, parts)] * parts if isinstance(parts, int) else list(parts)
    if sum(sizes) != shape[axis] or min(sizes) < 1:
        raise ModelError(f"network {network!r}: cannot cut axis {axis} of {list(shape)} into {sizes}")
    return [(*shape[:axis], size, *shape[axis + 1 :]) for size in sizes]


def permuted(network: str, shape: tuple[int, ...], axes: Sequence[int]) -> tuple[int, ...]:
    """The shape with its axes in another order; ModelError unless each is named once."""
    if sorted(axes) != list(range(len(shape))):
        raise ModelError(
            f"network {network!r}: transpose must name every axis of {list(shape)} once, from 0 on, got {list(axes)}"
        )
    return tuple(shape[axis] for axis in axes)


def reshaped(network: str, have: tuple[int, ...], wanted: tuple[int, ...]) -> tuple[int, ...]:
    """Another shape for the same elements, one -1 of which is worked out; ModelError where there are more or fewer."""
    if wanted.count(-1) > 1 or any(size < 1 and size != -1 for size in wanted):
        raise ModelError(
            f"network {network!r}: sizes must be positive, and one may be -1; got {list(wanted)}"
        )
    if -1 in wanted:
        wanted = tuple(prod(have) // -prod(wanted) if size == -1 else size for size in wanted)
    if prod(wanted) != prod(have):
        raise ModelError(f"network {network!r}: cannot reshape {list(have)} to {list(wanted)}")
    return wanted
