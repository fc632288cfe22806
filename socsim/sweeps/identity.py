"""What tells one sweep from another, so that none is ever mixed with the runs of another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from socsim._version import __version__
from socsim.results.inputs import input_hashes
from socsim.results.plain import plain
from socsim.sweeps.task import Task
from socsim.words import counted

__all__ = ["differences", "identity_of"]

_MOST = 3
_ABSENT = object()


def identity_of(task: Task) -> dict[str, Any]:
    """All that the results of a sweep depend on, plain enough to be written to a file."""
    config = plain(task.plan.config)
    return {
        "experiment": config,
        "runs": len(task.plan),
        "slowdown": task.slowdown,
        "tables": list(task.tables),
        "inputs": input_hashes(config),
        "socsim": __version__,
    }


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """How an identity differs from an older one, in words; empty where it does not."""
    found = [] if old == new else list(_different(old, new, ""))
    inputs = [text for text in found if text.startswith("inputs.")]
    told = [text for text in found if text not in inputs and not text.startswith("runs ")]
    files = dict.fromkeys(text.removeprefix("inputs.").rpartition(" (")[0] for text in inputs)
    told += [f"the content of {name}" for name in files]
    if not told:
        return ", ".join(found)
    more = len(told) - _MOST
    return ", ".join(told[:_MOST]) + (f" and {counted(more, 'place')} more" if more > 0 else "")


def _different(old: Any, new: Any, place: str) -> Iterator[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys([*old, *new]):
            inner = f"{place}.{key}" if place else str(key)
            yield from _different(old.get(key, _ABSENT), new.get(key, _ABSENT), inner)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for i, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _different(one, other, f"{place}.{i}")
    elif old != new:
        yield f"{place.removeprefix('experiment.')} ({_shown(old)} there, {_shown(new)} here)"


def _shown(value: Any) -> str:
    text = "nothing" if value is _ABSENT else repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
