"""Keys that change together: zipped lists, and samples of a space."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from socsim.errors import nearest
from socsim.sweeps.axes import Axis, Label, Setting, labels_of
from socsim.sweeps.ranges import MOST_VALUES, Range, read_range
from socsim.words import counted
from socsim.yamlfile import Loc, RelativeFaults

__all__ = ["METHODS", "JointAxis", "sample_axes", "zip_axes"]

METHODS = ("latin_hypercube", "random")
"""How points of a space are drawn; the first is the default."""

_FIELDS = ("method", "points", "seed", "over")


@dataclass(frozen=True)
class JointAxis(Axis):
    """An axis of several keys, each value of which sets them all.

    Parameters
    ----------
    titles
        Column of each key.
    rows
        What tables call the value of each key, value by value.
    places
        Where the sweep says the values of a key; of lists, their numbers follow.
    listed
        Whether they do.
    """

    titles: tuple[str, ...] = ()
    rows: Sequence[tuple[Label, ...]] = ()
    places: Mapping[str, Loc] = field(default_factory=dict)
    listed: bool = True

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of tables that it fills."""
        return self.titles

    @property
    def column_keys(self) -> tuple[str, ...]:
        """Whose values the columns hold."""
        return tuple(self.places)

    @property
    def keys(self) -> dict[str, Loc]:
        """The keys that it sets, and where the sweep names each."""
        return dict(self.places)

    def row(self, index: int) -> tuple[Label, ...]:
        """What tables call one of its values, column by column."""
        return self.rows[index]

    def settings(self, index: int) -> tuple[Setting, ...]:
        """What one of its values changes."""
        return tuple(
            Setting(key, value, (*self.places[key], index) if self.listed else self.places[key])
            for key, value in self.variants[index].items()
        )


def _joint(
    name: str, columns: Mapping[str, tuple[str, Sequence[Label], Sequence[Any]]], written: Any,
    place: Loc, *, listed: bool,
) -> JointAxis:  # fmt: skip
    """An axis from the title, the labels and the values of each key."""
    titles = tuple(title for title, _, _ in columns.values())
    rows = list(zip(*(labels for _, labels, _ in columns.values()), strict=True))
    settings = zip(*(values for _, _, values in columns.values()), strict=True)
    variants = [dict(zip(columns, values, strict=True)) for values in settings]
    labels = [", ".join(map(str, row)) for row in rows]
    places = {key: (*place, key) for key in columns}
    return JointAxis(
        name, labels, None, variants, written, titles=titles, rows=rows, places=places, listed=listed
    )


# --- lists that go side by side ---------------------------------------------------------------------------------


def zip_axes(block: Any) -> Iterator[JointAxis]:
    """The axes of a block ``zip``: a mapping of keys and lists of one length, or a list of such mappings.

    Raises
    ------
    RelativeFaults
        It is something else; places are within the block.
    """
    if isinstance(block, Mapping):
        yield _zipped("zip", block, ())
        return
    if not isinstance(block, Sequence) or isinstance(block, str):
        raise _fault((), f"zip is a mapping of keys and lists of one length, got {block!r}")
    for i, one in enumerate(block):
        if not isinstance(one, Mapping):
            raise _fault((i,), f"zip is a mapping of keys and lists of one length, got {one!r}")
        yield _zipped(f"zip.{i}", one, (i,))


def _zipped(name: str, block: Mapping[str, Any], place: Loc) -> JointAxis:
    if not block:
        raise _fault(place, "needs at least one key; leave zip out to zip nothing")
    columns = {}
    for key, values in block.items():
        columns[key] = _listed(key, values, (*place, key))
    lengths = {key: len(values) for key, (_, _, values) in columns.items()}
    first, length = next(iter(lengths.items()))
    for key, own in lengths.items():
        if own != length:
            raise _fault((*place, key), f"has {counted(own, 'value')}, and {first!r} has {length}; zipped lists are "
                         "as long as each other")  # fmt: skip
    return _joint(name, columns, dict(block), ("zip", *place), listed=True)


def _listed(key: str, values: Any, place: Loc) -> tuple[str, Sequence[Label], Sequence[Any]]:
    found = _range(values, place, listed=True) if isinstance(values, str) else None
    if found is not None and (found.whole or found.step is not None or found.count is not None):
        numbers = found.numbers()
        return found.column(key), numbers, [found.written(number) for number in numbers]
    if isinstance(values, range):
        values = list(values)
    if not isinstance(values, Sequence) or isinstance(values, str) or not len(values):
        raise _fault(place, f"should be a list or a range such as 0..9, got {values!r}")
    return key, labels_of(key, values, distinct=False), list(values)


# --- samples ------------------------------------------------------------------------------------------------------


def sample_axes(block: Any) -> Iterator[JointAxis]:
    """The axis of a block ``sample``: points of a space, drawn at random or as a Latin hypercube.

    Parameters
    ----------
    block
        ``points``: their number; ``over``: key -> range (``10 ms..100 ms``, ``1..64 log``) or list of values;
        ``method`` (default the Latin hypercube, in which each key's values are spread evenly over its range) and
        ``seed`` (default 0).

    Raises
    ------
    RelativeFaults
        It is something else; places are within the block.
    """
    if not isinstance(block, Mapping):
        raise _fault((), f"sample is a mapping such as {{points: 20, over: {{seed: 0..99}}}}, got {block!r}")
    for key in block:
        if key not in _FIELDS:
            guess = nearest(str(key), _FIELDS)
            tail = f"did you mean {guess!r}?" if guess else f"known: {', '.join(_FIELDS)}"
            raise _fault((key,), f"unknown key; {tail}")
    method, points, seed = block.get("method", METHODS[0]), block.get("points"), block.get("seed", 0)
    if method not in METHODS:
        raise _fault(("method",), f"should be one of {', '.join(METHODS)}, got {method!r}")
    for name, number, least in (("points", points, 1), ("seed", seed, 0)):
        if isinstance(number, bool) or not isinstance(number, int) or number < least:
            place = (name,) if name in block else ()
            raise _fault(place, f"{name} should be a whole number from {least}, got {number!r}")
        if name == "points" and number > MOST_VALUES:
            raise _fault((name,), f"points should be at most {MOST_VALUES}, got {number}")
    over = block.get("over")
    if not isinstance(over, Mapping) or not over:
        place = ("over",) if "over" in block else ()
        raise _fault(place, f"over is a mapping of keys and ranges or lists, got {over!r}")
    draw = _latin if method == METHODS[0] else _random
    rng, count = Random(seed), int(points or 0)
    columns = {key: _drawn(key, space, draw(rng, count)) for key, space in over.items()}
    yield _joint("sample", columns, dict(block), ("sample", "over"), listed=False)


def _drawn(key: str, space: Any, shares: Sequence[float]) -> tuple[str, Sequence[Label], Sequence[Any]]:
    place = ("over", key)
    found = _range(space, place) if isinstance(space, str) else None
    if found is not None:
        if found.step is not None or found.count is not None:
            numbers: Sequence[Any] = found.numbers()
            chosen = [numbers[int(share * len(numbers))] for share in shares]
        else:
            chosen = [found.at(share) for share in shares]
        return found.column(key), chosen, [found.written(number) for number in chosen]
    values = list(space) if isinstance(space, range) else space
    if not isinstance(values, Sequence) or isinstance(values, str) or not values:
        raise _fault(place, f"should be a range such as 10 ms..50 ms, or a list of values, got {space!r}")
    labels = labels_of(key, values)
    picks = [int(share * len(values)) for share in shares]
    return key, [labels[i] for i in picks], [values[i] for i in picks]


def _random(rng: Random, count: int) -> list[float]:
    return [rng.random() for _ in range(count)]


def _latin(rng: Random, count: int) -> list[float]:
    """One share in each of as many equal parts of [0, 1), in random order."""
    order = sorted(range(count), key=[rng.random() for _ in range(count)].__getitem__)
    return [(i + rng.random()) / count for i in order]


def _range(text: str, place: Loc, *, listed: bool = False) -> Range | None:
    try:
        found = read_range(text)
        if listed and found is not None and found.whole:
            found.check_size()
    except ValueError as error:
        raise _fault(place, str(error)) from None
    return found


def _fault(place: Loc, message: str) -> RelativeFaults:
    return RelativeFaults([(place, message)])
