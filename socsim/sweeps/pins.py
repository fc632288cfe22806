"""Overrides of what is swept: the axes that they leave, and what they change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from socsim.errors import UnknownNameError, UsageError
from socsim.overrides import locate
from socsim.sweeps.axes import Axis
from socsim.yamlfile import Loc

__all__ = ["overlap", "pin"]

Change = tuple[str, Any]


def pin(
    config: dict[str, Any], axes: Iterable[Axis], overrides: Iterable[Change]
) -> tuple[tuple[Axis, ...], list[Change]]:
    """Take the axes out that overrides give one value.

    Parameters
    ----------
    config
        Plain content of the experiment that keys are paths into.
    axes
        What is swept.
    overrides
        (key, value) pairs; for an axis of variants its name and that of a variant.

    Returns
    -------
    The axes that are left, and the (key, value) pairs to change the experiment by.

    Raises
    ------
    UnknownNameError
        No such variant.
    UsageError
        A key that does not exist, or one whose value an axis that is left would replace.
    """
    left, changes, kept = {axis.name: axis for axis in axes}, list[Change](), list[Change]()
    for key, value in overrides:
        axis = left.get(key) or _swept(config, left.values(), key)
        if axis is None:
            kept.append((key, value))
            changes.append((key, value))
        else:
            del left[axis.name]
            changes += _value(axis, value)
    for key, _ in kept:
        _check_kept(config, left.values(), key)
    return tuple(left.values()), changes


def overlap(one: Loc, other: Loc) -> bool:
    """Whether two places are the same, or one is inside the other."""
    return all(a == b for a, b in zip(one, other, strict=False))


def _swept(config: dict[str, Any], axes: Iterable[Axis], key: str) -> Axis | None:
    """The axis of values of a key, however it is written."""
    loc = locate(config, key)
    return next((a for a in axes if a.values is not None and _place(config, a.name) == loc), None)


def _place(config: dict[str, Any], key: str) -> Loc | None:
    try:
        return locate(config, key)
    except UsageError:
        return None


def _value(axis: Axis, value: Any) -> list[Change]:
    if axis.values is not None:
        return [(axis.name, value)]
    variants: Mapping[str, Mapping[str, Any]] = dict(zip(map(str, axis.labels), axis.variants, strict=True))
    if str(value) not in variants:
        raise UnknownNameError(f"variant of {axis.name!r}:", str(value), variants)
    return list(variants[str(value)].items())


def _check_kept(config: dict[str, Any], axes: Iterable[Axis], key: str) -> None:
    loc = locate(config, key)
    for axis in axes:
        for swept in axis.keys:
            own = _place(config, swept)
            if own is not None and overlap(own, loc):
                pin = f"pin it: -s {axis.name}=..."
                if len(axis.columns) > 1:
                    pin = f"leave it out: -s 'sweep.{axis.name.split('.')[0]}={{}}'"
                raise UsageError(f"the sweep over {axis.name!r} sets {swept!r}, which undoes {key!r}; {pin}")
