"""Conditions that leave points of a grid out."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from socsim import units
from socsim.errors import UnitError, nearest
from socsim.yamlfile import Loc, RelativeFaults

__all__ = ["Exclusion", "make_exclusions"]

_COMPARISON = re.compile(r"\s*(<=|>=|!=|==|<|>)\s*(.+?)\s*")
_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
_FORM = "exclude is a mapping of swept keys and values, or a list of them"


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A condition on what a point sets; all its parts must hold.

    Parameters
    ----------
    parts
        Number of the column, and what its label must be like.
    """

    parts: tuple[tuple[int, Callable[[Any], bool]], ...]

    def holds(self, labels: Sequence[Any]) -> bool:
        """Whether a point with these labels is left out."""
        return all(test(labels[column]) for column, test in self.parts)


def make_exclusions(block: Any, columns: Mapping[str, int]) -> tuple[Exclusion, ...]:
    """The conditions of a block ``exclude``; a point is left out where one of them holds.

    Parameters
    ----------
    block
        A mapping, all of which must hold, or a list of them: name of a column -> a value, a list of values, or a
        comparison such as ``"> 3"``, ``"<= 20 ms"`` or ``"!= cpu"``.
    columns
        Names of columns, and their numbers; several names may mean one.

    Raises
    ------
    RelativeFaults
        Something else, or a column that is not swept; places are within the block.
    """
    if isinstance(block, Mapping):
        return (_exclusion(block, (), columns),)
    if not isinstance(block, Sequence) or isinstance(block, str):
        raise RelativeFaults([((), f"{_FORM}, got {block!r}")])
    return tuple(_exclusion(one, (i,), columns) for i, one in enumerate(block))


def _exclusion(block: Any, place: Loc, columns: Mapping[str, int]) -> Exclusion:
    if not isinstance(block, Mapping) or not block:
        raise RelativeFaults([(place, f"{_FORM}, got {block!r}")])
    faults = list(_unknown(block, place, columns))
    if faults:
        raise RelativeFaults(faults)
    return Exclusion(tuple((columns[key], _test(wanted)) for key, wanted in block.items()))


def _unknown(keys: Iterable[str], place: Loc, columns: Mapping[str, int]) -> Iterator[tuple[Loc, str]]:
    for key in keys:
        if key not in columns:
            guess = nearest(key, columns)
            tail = (
                f"did you mean {guess!r}?"
                if guess
                else f"swept: {', '.join(dict.fromkeys(columns)) or 'nothing'}"
            )
            yield (*place, key), f"{key!r} is not swept; {tail}"


def _test(wanted: Any) -> Callable[[Any], bool]:
    """What a label must be like."""
    if isinstance(wanted, list | tuple):
        tests = [_test(one) for one in wanted]
        return lambda label: any(test(label) for test in tests)
    match = _COMPARISON.fullmatch(wanted) if isinstance(wanted, str) else None
    if match is None:
        return lambda label: _same(label, wanted)
    compare, right = _OPERATORS[match[1]], match[2]
    if match[1] in ("==", "!="):
        return lambda label: _same(label, right) == (match[1] == "==")
    return lambda label: _ordered(compare, label, right)


def _same(label: Any, wanted: Any) -> bool:
    if type(label) is type(wanted):
        return bool(label == wanted)
    return _comparable(label, wanted, operator.eq) or str(label) == str(wanted)


def _ordered(compare: Callable[[Any, Any], bool], label: Any, wanted: Any) -> bool:
    return _comparable(label, wanted, compare)


def _comparable(label: Any, wanted: Any, compare: Callable[[Any, Any], bool]) -> bool:
    """Whether two numbers, or quantities of one dimension, are so; those that are neither are not."""
    for dimension in ("ratio", *units.DIMENSIONS):
        try:
            return compare(units.parse(label, dimension), units.parse(wanted, dimension))
        except UnitError:
            continue
    return False
