"""Sets of governors: who sets which clocks of a device, as texts (``"schedutil+adreno_tz"``) or by clock domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from socsim.errors import UsageError
from socsim.schedulers.governors.base import Governor
from socsim.schedulers.governors.registry import GOVERNORS, Spec, make_governor
from socsim.schedulers.spelling import located, module_files

__all__ = ["GovernorSet", "as_sets", "locate_governors", "make_set", "set_files", "split_set"]

_FORMS = "a text such as 'schedutil+adreno_tz', or a mapping such as {'gpu': HalfLoad()}"


@dataclass(frozen=True)
class GovernorSet:
    """Who sets which clocks.

    Parameters
    ----------
    title
        What tables call it; ``"none"`` where it has no governors.
    written
        As a comparison file has it.
    governors
        Clock domain -> governor.
    """

    title: str
    written: str | dict[str, Any]
    governors: Mapping[str, Spec]

    @property
    def described(self) -> dict[str, Any]:
        """As an experiment file has it: clock domain -> governor."""
        return {name: GOVERNORS.describe(spec) for name, spec in self.governors.items()}


def as_sets(given: Any) -> list[str | Mapping[str, Spec]]:
    """The sets that a user gives: a list of them, or a single one.

    Raises
    ------
    UsageError
        None at all, or something that is neither a text nor a mapping.
    """
    single = isinstance(given, (str, Mapping)) or not isinstance(given, Sequence)
    sets = [given] if single else list(given)
    for one in sets:
        if not isinstance(one, (str, Mapping)):
            raise UsageError(f"a set of governors is {_FORMS}, got {one!r}")
    if not sets:
        raise UsageError("a comparison of governors needs at least one set of them, got none")
    return sets


def make_set(given: str | Mapping[str, Spec], domains: Sequence[str]) -> GovernorSet:
    """A set for a device.

    Of a text each governor goes to the domains whose kind is among its :attr:`~Governor.kinds`; where several fit, to
    that with the fewest kinds, so that ``"schedutil+performance"`` leaves to the latter what is no CPU. Domains that
    nobody fits have no governor.

    Parameters
    ----------
    given
        Names joined by ``+``, or clock domain -> governor.
    domains
        Clock domains of the device.

    Raises
    ------
    UnknownNameError
        No such governor.
    UsageError
        Two governors for the same domain, or one for none; a wrong option.
    """
    if isinstance(given, Mapping):
        title = ", ".join(f"{name}={GOVERNORS.write(spec)}" for name, spec in given.items()) or "none"
        return GovernorSet(title, {name: GOVERNORS.describe(spec) for name, spec in given.items()}, given)
    parts = split_set(given)
    made = dict(enumerate(make_governor(part) for part in parts))
    title = "+".join(map(GOVERNORS.write, parts))
    chosen = {name: _fitting(title, made, _kind(name), parts) for name in domains}
    for number, governor in made.items():
        if number not in chosen.values():
            raise UsageError(f"governors {title!r}: {_superfluous(governor, domains)}")
    by_domain = {name: parts[number] for name, number in chosen.items() if number is not None}
    return GovernorSet(title, "+".join(parts), by_domain)


def split_set(text: str) -> list[str]:
    """Names between plus signs, which options in parentheses and paths of files may hold too.

    Raises
    ------
    UsageError
        A name is empty.
    """
    parts, depth = [""], 0
    for character in text:
        depth += (character == "(") - (character == ")")
        path = parts[-1].strip().startswith("/") and ".py:" not in parts[-1]
        if character == "+" and depth == 0 and not path:
            parts.append("")
        else:
            parts[-1] += character
    stripped = [part.strip() for part in parts]
    if not all(stripped):
        raise UsageError(f"a set of governors is names joined by +, none of them empty, got {text!r}")
    return stripped


def _kind(domain: str) -> str:
    return domain.split(".")[0]


def _fitting(title: str, made: Mapping[int, Governor], kind: str, parts: Sequence[str]) -> int | None:
    """The number of the governor for domains of a kind, if any."""
    able = [number for number, governor in made.items() if kind in governor.kinds]
    fewest = min((len(made[number].kinds) for number in able), default=0)
    best = [number for number in able if len(made[number].kinds) == fewest]
    if len(best) > 1:
        one, other = (parts[number] for number in best[:2])
        raise UsageError(
            f"governors {title!r}: {one!r} and {other!r} are both for {kind!r}; a comma makes two sets of them: "
            f"{one},{other}"
        )
    return best[0] if best else None


def _superfluous(governor: Governor, domains: Sequence[str]) -> str:
    kinds = list(dict.fromkeys(map(_kind, domains)))
    what = f"{governor.title!r} is for {', '.join(governor.kinds)}"
    if any(kind in governor.kinds for kind in kinds):
        return f"{what}, and others of the set are for that alone; leave it out"
    return f"{what}, and the device's clock domains are of kind {', '.join(kinds)}"


# --- files ----------------------------------------------------------------------------------------------------


def locate_governors(given: Any, folder: Path) -> Any:
    """Governors of an experiment or sets of a comparison, with absolute paths of the files in `folder` they are in."""
    if isinstance(given, Mapping):
        return {name: located(spec, folder) for name, spec in given.items()}
    if isinstance(given, str) and all(part.strip() for part in given.split("+")):
        return "+".join(located(part, folder) for part in split_set(given))
    return [locate_governors(one, folder) for one in given] if isinstance(given, list) else given


def set_files(given: Any) -> list[Path]:
    """The files that governors of an experiment, or sets of a comparison, come from."""
    if isinstance(given, Mapping):
        return [file for spec in given.values() for file in module_files(spec)]
    if isinstance(given, str) and all(part.strip() for part in given.split("+")):
        return [file for part in split_set(given) for file in module_files(part)]
    return [file for one in given for file in set_files(one)] if isinstance(given, list) else []
