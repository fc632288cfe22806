"""Dotted paths into an experiment: ``seed``, ``apps.detector.period``, ``limits.cpu.gold.max``."""

from __future__ import annotations

from typing import Any

from socsim import yamlfile
from socsim.errors import UsageError, nearest

__all__ = ["locate", "override_value", "parse_override", "put", "split_override"]

Loc = tuple[str | int, ...]

_BLOCKS = {"governors": 1, "limits": 2, "mechanisms": 1}
"""Mappings that a file may lack and a path makes, and how deep: ``limits``, and ``limits.gpu`` in it."""
_BY_DOMAIN = ("governors", "limits")
"""Those whose keys are clock domains, which may have a dot in them."""
_LIMITS = ("min", "max")


def parse_override(text: str) -> tuple[str, Any]:
    """Key and value of ``key=value``; raises as :func:`split_override` and :func:`override_value` do."""
    key, value = split_override(text)
    return key, override_value(value)


def put(config: dict[str, Any], key: str, value: Any) -> Loc:
    """Change one value; returns its place.

    Parameters
    ----------
    config
        Plain content of an experiment file; changed.
    key
        Dotted path; an application goes by its position or by its name (or network, or kind), a clock domain by its
        name, dot and all. Blocks of governors, limits and mechanisms are made where the file has none.
    value
        Put there, even where there was none; whether it may be there is for others to tell.

    Raises
    ------
    UsageError
        A path through something that does not exist.
    """
    loc = locate(config, key)
    target: Any = config
    for part in loc[:-1]:
        target = target.setdefault(part, {}) if isinstance(target, dict) else target[part]
    target[loc[-1]] = value
    return loc


def locate(config: dict[str, Any], key: str) -> Loc:
    """The place that a dotted path means; raises as :func:`put` does."""
    *path, last = _parts(config, key)
    target: Any = config
    loc: list[str | int] = []
    for i, part in enumerate(path):
        if isinstance(target, dict) and part not in target and i < _BLOCKS.get(path[0], 0):
            loc.append(part)
            target = {}
            continue
        loc.append(_step(target, part, ".".join(path[: i + 1])))
        target = target[loc[-1]]
    if isinstance(target, dict):
        return (*loc, last)
    if isinstance(target, list):
        return (*loc, _step(target, last, key))
    raise UsageError(f"key {key!r}: {'.'.join(path)!r} is a value and has no {last!r}")


def _parts(config: dict[str, Any], key: str) -> list[str]:
    """The steps of a path, clock domains in one piece: ``limits``, ``cpu.gold``, ``max``."""
    block, *rest = key.split(".")
    if block not in _BY_DOMAIN or len(rest) < 2 or rest[0] != "cpu":
        return [block, *rest]
    found = config.get(block)
    policies = found if isinstance(found, dict) else {}
    of_all = rest[1] in _LIMITS if block == "limits" else isinstance(policies.get("cpu"), dict)
    if of_all and ".".join(rest[:2]) not in policies:
        return [block, *rest]
    return [block, ".".join(rest[:2]), *rest[2:]]


def _step(target: Any, part: str, shown: str) -> str | int:
    """The key or the position that one step into the file means; applications also go by their names."""
    if isinstance(target, list):
        names = [
            str(i.get("name") or i.get("model") or i.get("kind")) if isinstance(i, dict) else ""
            for i in target
        ]
        if part.isascii() and part.isdecimal() and int(part) < len(target):
            return int(part)
        if part in names:
            return names.index(part)
        guess, positions = nearest(part, names), f"0 to {len(target) - 1}" if len(target) > 1 else "0"
        tail = (
            f"did you mean {guess!r}?" if guess else f"known: {', '.join([positions, *filter(None, names)])}"
        )
        raise UsageError(f"unknown key {shown!r}; {tail}")
    if isinstance(target, dict) and part in target:
        return part
    known = target if isinstance(target, dict) else ()
    guess = nearest(part, known)
    tail = f"did you mean {guess!r}?" if guess else f"known: {', '.join(known) or 'none'}"
    raise UsageError(f"unknown key {shown!r}; {tail}")


def split_override(override: str) -> tuple[str, str]:
    """Key and text of ``key=value``.

    Raises
    ------
    UsageError
        Something else.
    """
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise UsageError(f"an override is key=value, got {override!r}")
    return key, text


def override_value(text: str) -> Any:
    """What YAML makes of a text; numbers such as ``1e-3`` too, and words such as ``on`` stay words.

    Raises
    ------
    UsageError
        A list or mapping that is no YAML.
    """
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    if text[:1] not in ("{", "[", '"', "'"):
        return text
    return yamlfile.value_of(text)
