"""Overrides as they are typed: short keys, and several values between commas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from socsim.errors import UsageError, nearest
from socsim.experiments import application_fields, experiment_fields
from socsim.overrides import override_value, split_override
from socsim.sweeps.ranges import read_range

__all__ = ["full_key", "split_values", "swept_values"]

_CLOSING = {"(": ")", "[": "]", "{": "}"}


def full_key(config: Mapping[str, Any], key: str) -> str:
    """A key of one application without its way there, such as ``scheduler`` or ``net.scheduler``, with it.

    Others come back as they are.

    Parameters
    ----------
    config
        Content of the experiment.
    key
        Dotted path.

    Raises
    ------
    UsageError
        Several applications have it, or none but one that is much like it.
    """
    first = key.split(".")[0]
    apps = config.get("apps")
    if first in config or first in experiment_fields() or not isinstance(apps, list):
        return key
    names = _names(apps)
    if first in names and "." in key:
        return f"apps.{key}"
    owners = [
        i
        for i, app in enumerate(apps)
        if isinstance(app, Mapping) and first in application_fields(str(app.get("kind")))
    ]
    if len(owners) > 1:
        known = " or ".join(f"apps.{names[i]}.{key}" for i in owners)
        raise UsageError(f"key {key!r} is one of several applications; write {known}")
    if owners:
        return f"apps.{names[owners[0]]}.{key}"
    kinds = {str(app.get("kind")) for app in apps if isinstance(app, Mapping)}
    fields = [field for kind in sorted(kinds) for field in application_fields(kind)]
    guess = nearest(first, [*experiment_fields(), *fields])
    if guess and guess not in experiment_fields():
        raise UsageError(f"unknown key {key!r}; did you mean {guess!r}?")
    return key


def _names(apps: Sequence[Any]) -> list[str]:
    """What paths may call applications: their names where these tell them apart and are one step of a path."""
    titles = [
        str(app.get("name") or app.get("model") or app.get("kind")) if isinstance(app, Mapping) else ""
        for app in apps
    ]
    return [
        title if titles.count(title) == 1 and title and not {".", "/"} & set(title) else str(i)
        for i, title in enumerate(titles)
    ]


def swept_values(overrides: Iterable[str]) -> tuple[list[str], dict[str, Any]]:
    """Overrides of one value, and what those of several sweep over.

    Parameters
    ----------
    overrides
        ``key=value``; ``key=value,value`` and ``key=0..9`` are swept over. Commas in brackets and quotes part nothing.

    Raises
    ------
    UsageError
        No ``key=value``, an empty value between commas, or a bracket that is not closed.
    """
    single, several = list[str](), dict[str, Any]()
    for text in overrides:
        key, value = split_override(text)
        parts = [value] if key.startswith("sweep.") or key == "sweep" else split_values(value)
        if len(parts) > 1:
            several[key] = [override_value(part) for part in parts]
        elif ".." in value and not key.startswith("sweep") and _is_range(value):
            several[key] = value
        else:
            single.append(text)
    return single, several


def split_values(text: str) -> list[str]:
    """Values between commas; those in brackets and quotes part nothing.

    Raises
    ------
    UsageError
        An empty value, or a bracket that is not closed.
    """
    parts, closing, quote = [""], list[str](), ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in _CLOSING:
            closing.append(_CLOSING[character])
        elif closing and character == closing[-1]:
            closing.pop()
        elif character == "," and not closing:
            parts.append("")
            continue
        parts[-1] += character
    if closing or quote:
        raise UsageError(f"{text!r} lacks a {quote or closing[-1]!r}")
    stripped = [part.strip() for part in parts]
    if len(stripped) > 1 and not all(stripped):
        raise UsageError(f"{text!r} has an empty value between commas; quote a value that holds one")
    return stripped if len(stripped) > 1 else [text]


def _is_range(text: str) -> bool:
    try:
        return read_range(text) is not None
    except ValueError:
        return True
