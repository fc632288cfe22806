"""Rules of shapes: sizes, padding and broadcasting."""

from __future__ import annotations

from socsim.errors import ModelError

__all__ = ["Padding", "Pair", "broadcast", "pads", "pair"]

Pair = int | tuple[int, int]
Padding = str | int | tuple[int, int] | tuple[int, int, int, int]


def pair(value: Pair) -> tuple[int, int]:
    """(height, width) of a size that may be one number for both."""
    return (value, value) if isinstance(value, int) else value


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
        Another word than ``same`` and ``valid``.
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
    return padding if len(padding) == 4 else (*padding, *padding)


def broadcast(network: str, shapes: list[tuple[int, ...]]) -> tuple[int, ...]:
    """The shape that element-wise operators give, with the rules of NumPy."""
    rank = max(len(s) for s in shapes)
    padded = [(1,) * (rank - len(s)) + s for s in shapes]
    out = []
    for sizes in zip(*padded, strict=True):
        wide = {s for s in sizes if s != 1}
        if len(wide) > 1:
            raise ModelError(f"network {network!r}: shapes {shapes} do not broadcast")
        out.append(wide.pop() if wide else 1)
    return tuple(out)
