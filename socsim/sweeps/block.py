"""A sweep block: its axes, what goes together, and what is left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from socsim.sweeps.axes import Axis, make_axis
from socsim.sweeps.exclusion import Exclusion, make_exclusions
from socsim.sweeps.joint import sample_axes, zip_axes
from socsim.yamlfile import Loc, RelativeFaults

__all__ = ["EXCLUDE", "RESERVED", "make_axes", "read_exclusions", "written_block"]

_JOINT: Mapping[str, Callable[[Any], Iterator[Axis]]] = {"zip": zip_axes, "sample": sample_axes}

EXCLUDE = "exclude"
"""The key of conditions that leave points out."""

RESERVED = (*_JOINT, EXCLUDE)
"""Keys of a block that are no keys of an experiment and no names of one's own."""


def make_axes(block: Mapping[str, Any]) -> tuple[Axis, ...]:
    """The axes that a sweep block says, in its order; what it excludes is not looked at.

    Parameters
    ----------
    block
        As for :func:`socsim.sweeps.axes.make_axis`, name by name; ``zip`` and ``sample`` are of several keys each, see
        :mod:`socsim.sweeps.joint`, and none where they are empty.

    Raises
    ------
    RelativeFaults
        All its faults, with their places from its top.
    """
    axes, faults = list[Axis](), list[tuple[Loc, str]]()
    for name, written in block.items():
        try:
            axes += _axes(name, written)
        except RelativeFaults as error:
            faults += [((name, *loc), message) for loc, message in error.faults]
    if faults:
        raise RelativeFaults(faults)
    return tuple(axes)


def _axes(name: str, written: Any) -> Iterable[Axis]:
    if name == EXCLUDE:
        return ()
    if name in _JOINT:
        return list(_JOINT[name](written)) if written else ()
    return (make_axis(name, written),)


def read_exclusions(written: Any, axes: Sequence[Axis], names: Sequence[str]) -> tuple[Exclusion, ...]:
    """The conditions of a block; `names` are the short names of the axes' columns.

    Raises
    ------
    RelativeFaults
        Faults with their places in the block.
    """
    if not written:
        return ()
    columns = [column for axis in axes for column in axis.columns]
    keys = [key for axis in axes for key in axis.column_keys]
    numbers = {name: i for several in (names, columns, keys) for i, name in enumerate(several)}
    return make_exclusions(written, {**_ends(keys), **numbers})


def _ends(keys: Sequence[str]) -> dict[str, int]:
    """Ends of dotted paths that only one of them has, and its number."""
    found: dict[str, set[int]] = {}
    for i, key in enumerate(keys):
        parts = key.split(".")
        for length in range(1, len(parts)):
            found.setdefault(".".join(parts[-length:]), set()).add(i)
    return {end: own.pop() for end, own in found.items() if len(own) == 1}


def written_block(axes: Sequence[Axis], exclude: Any) -> dict[str, Any]:
    """The block that axes come from."""
    block: dict[str, Any] = {}
    for axis in axes:
        name, dot, _ = axis.name.partition(".")
        if name == "zip" and dot:
            block.setdefault(name, []).append(axis.written)
        else:
            block[axis.name] = axis.written
    return {**block, **({EXCLUDE: exclude} if exclude else {})}
