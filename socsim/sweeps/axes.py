"""One dimension of a sweep: values of one key, or named variants that change several."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from socsim.schedulers.registry import SCHEDULERS
from socsim.sweeps.ranges import read_range
from socsim.yamlfile import Loc, RelativeFaults

__all__ = ["Axis", "Label", "Setting", "labels_of", "make_axis"]

Label = str | int | float | bool
"""What tables call a value of an axis."""

_FORMS = "a list, a range such as 0..9, or a mapping of named variants"


@dataclass(frozen=True, slots=True)
class Setting:
    """A value of a key.

    Parameters
    ----------
    key
        Dotted path into the experiment.
    value
        What it is set to.
    place
        Where the sweep says so, from its top.
    """

    key: str
    value: Any
    place: Loc


@dataclass(frozen=True)
class Axis:
    """One dimension of a grid.

    Parameters
    ----------
    name
        The key that it sweeps over, or what its variants are variants of.
    labels
        What tables call each of its values, all different; all are texts, or all numbers.
    values
        The values of the key; None for variants.
    variants
        Key -> value of each variant; empty for values.
    written
        As an experiment file has it.
    title
        Name of its column; by default its own.
    """

    name: str
    labels: Sequence[Label]
    values: Sequence[Any] | None
    variants: Sequence[Mapping[str, Any]]
    written: Any
    title: str = ""

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def keys(self) -> dict[str, Loc]:
        """The keys that it sets, and where the sweep names each first."""
        if self.values is not None:
            return {self.name: (self.name,)}
        settings = [setting for i in range(len(self)) for setting in self.settings(i)]
        return {setting.key: setting.place for setting in reversed(settings)}

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of tables that it fills."""
        return (self.title or self.name,)

    @property
    def column_keys(self) -> tuple[str, ...]:
        """Whose values the columns hold: keys, or its own name."""
        return (self.name,)

    def row(self, index: int) -> tuple[Label, ...]:
        """What tables call one of its values, column by column."""
        return (self.labels[index],)

    def settings(self, index: int) -> tuple[Setting, ...]:
        """What one of its values changes."""
        if self.values is not None:
            place = (self.name,) if isinstance(self.written, str) else (self.name, index)
            return (Setting(self.name, self.values[index], place),)
        variant = str(self.labels[index])
        return tuple(
            Setting(key, value, (self.name, variant, key)) for key, value in self.variants[index].items()
        )


def make_axis(name: str, written: Any) -> Axis:
    """The axis that a sweep block says of a key, or of a name of your own.

    Parameters
    ----------
    name
        A dotted path, or the name of something that has variants.
    written
        A list of values; a range (``"0..9"``, both ends included; ``"10 ms..50 ms by 10 ms"``; ``"1..64 in 4 log"``);
        or named variants, each a mapping of dotted paths and values.

    Raises
    ------
    RelativeFaults
        All its faults, with their places from its top: values that are none of these, none at all or twice the same,
        and ranges that run backwards.
    """
    if isinstance(written, Mapping):
        return _variants(name, written)
    if isinstance(written, str):
        return _ranged(name, written)
    if isinstance(written, range):
        numbers = _not_empty(written)
        return Axis(name, numbers, numbers, (), list(numbers))
    if not isinstance(written, Sequence):
        raise _fault(f"should be {_FORMS}, got {written!r}")
    _not_empty(written)
    if faults := list(_repeated(written)):
        raise RelativeFaults(faults)
    return Axis(name, labels_of(name, written), list(written), (), list(written))


def _variants(name: str, written: Mapping[str, Any]) -> Axis:
    if "." in name:
        raise _fault(
            "a mapping holds named variants, and what they are variants of has a name of your own, such as 'variant'; "
            "values of a key are a list"
        )
    _not_empty(written)
    faults = [
        ((variant,), f"a variant is a mapping of keys and values, got {settings!r}; {{}} changes nothing")
        for variant, settings in written.items()
        if not isinstance(settings, Mapping)
    ]
    if faults:
        raise RelativeFaults(faults)
    return Axis(name, list(written), None, list(written.values()), dict(written))


def _ranged(name: str, text: str) -> Axis:
    try:
        found = read_range(text)
        if found is not None and found.whole:
            found.check_size()
    except ValueError as error:
        raise _fault(str(error)) from None
    if found is None:
        hint = "a range is of whole numbers, such as 0..9" if ".." in text else f"write [{text}]"
        raise _fault(f"should be {_FORMS}, got {text!r}; {hint}")
    if found.whole and found.step is None and found.count is None:
        whole = range(int(found.low), int(found.high) + 1)
        return Axis(name, whole, whole, (), text)
    if found.step is None and found.count is None:
        hint = "a range is of whole numbers, such as 0..9, or says its steps: 0..1 by 0.25, 1 ms..9 ms in 5"
        raise _fault(f"should be {_FORMS}, got {text!r}; {hint}")
    numbers = found.numbers()
    return Axis(name, numbers, [found.written(number) for number in numbers], (), text, found.column(name))


def _not_empty(values: Any) -> Any:
    if not len(values):
        raise _fault("needs at least one value; leave the key out to keep that of the experiment")
    return values


def _repeated(values: Sequence[Any]) -> Iterator[tuple[Loc, str]]:
    seen: dict[str, int] = {}
    for i, value in enumerate(values):
        text = _text(value)
        if text in seen:
            yield (
                (i,),
                f"repeats value {seen[text] + 1}, {value!r}; repetitions are made by a sweep over seed",
            )
        seen.setdefault(text, i)


def labels_of(key: str, values: Sequence[Any], *, distinct: bool = True) -> list[Label]:
    """Values as they are where all are numbers or all truth values, else as the shortest texts that tell them apart.

    Parameters
    ----------
    key
        Whose values they are.
    distinct
        Whether no value is there twice; if not, equal ones have equal labels.
    """
    if not distinct:
        unique = {_text(value): value for value in values}
        names = dict(zip(unique, labels_of(key, list(unique.values())), strict=True))
        return [names[_text(value)] for value in values]
    kinds = {type(value) for value in values}
    if kinds in ({bool}, {int}, {float}, {int, float}):
        return list(values)
    texts = [_text(value) for value in values]
    plain = [value if isinstance(value, str) else text for value, text in zip(values, texts, strict=True)]
    short = [_short(key.rpartition(".")[2], value) for value in values]
    return list(next(labels for labels in (short, plain, texts) if len(set(labels)) == len(labels)))


def _short(key: str, value: Any) -> str:
    """Without the folders of files, and a mapping with a name as that with options."""
    if (key in ("scheduler", "manager") and isinstance(value, str)) or (
        isinstance(value, Mapping) and "name" in value
    ):
        return SCHEDULERS.write(value)
    if key in ("device", "library", "model") and isinstance(value, str):
        return Path(value).name
    return value if isinstance(value, str) else _text(value)


def _text(value: Any) -> str:
    return json.dumps(value, default=repr)


def _fault(message: str) -> RelativeFaults:
    return RelativeFaults([((), message)])
