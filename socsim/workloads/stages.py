"""Applications that follow others: a recogniser that runs on what a detector found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, Protocol

from socsim.errors import UnknownNameError, UsageError, nearest
from socsim.units import exact_seconds
from socsim.workloads.arrival_spec import quantity

if TYPE_CHECKING:
    import numpy as np

__all__ = ["After", "application_names", "check_stages", "make_after"]


@dataclass(frozen=True)
class After:
    """Each finished inference of another application makes arrivals.

    Parameters
    ----------
    app
        The other application's name.
    fanout
        How many arrivals each makes.
    mean
        In its place, the mean of a Poisson distribution that the number is drawn from; None for a fixed one.
    delay
        Time in s from the other's finish to the arrival.

    Raises
    ------
    UsageError
        A fanout that is no whole number from 1, a mean that is not positive, or a negative delay.
    """

    app: str
    fanout: int = 1
    mean: float | None = None
    delay: float = 0.0

    def __post_init__(self) -> None:
        if isinstance(self.fanout, bool) or not isinstance(self.fanout, int) or self.fanout < 1:
            raise UsageError(f"fanout must be a whole number from 1 or {{mean: NUMBER}}, got {self.fanout!r}")
        if self.mean is not None and not 0.0 < self.mean < inf:
            raise UsageError(f"the mean of fanout must be positive, got {self.mean!r}")
        if not 0.0 <= self.delay < inf:
            raise UsageError(f"delay must not be negative, got {self.delay:g} s")

    def draw(self, rng: np.random.Generator) -> int:
        """How many arrivals one finished inference makes."""
        return self.fanout if self.mean is None else int(rng.poisson(self.mean))

    def describe(self) -> Any:
        """How an experiment file says it."""
        said: dict[str, Any] = {"app": self.app}
        if self.mean is not None:
            said["fanout"] = {"mean": self.mean}
        elif self.fanout != 1:
            said["fanout"] = self.fanout
        if self.delay:
            said["delay"] = exact_seconds(self.delay)
        return self.app if len(said) == 1 else said


def make_after(spec: Any, *, units: bool = False) -> After | None:
    """The stage before, from what a user writes.

    Parameters
    ----------
    spec
        None, a name, ``{"app": name, "fanout": number or {"mean": number}, "delay": time}``, or an :class:`After`.
    units
        Refuse a delay without a unit, as files must have one; else numbers are in s.

    Raises
    ------
    UsageError
        A key that does not exist, no name, or a value outside its rule.
    UnitError
        A text that is no time.
    """
    if spec is None or isinstance(spec, After):
        return spec
    options = {"app": spec} if isinstance(spec, str) else spec
    if not isinstance(options, Mapping) or not isinstance(options.get("app"), str) or not options["app"]:
        raise UsageError(f"after needs the name of an application, got {spec!r}")
    known = ("app", "fanout", "delay")
    for key in options:
        if key not in known:
            guess = nearest(str(key), known)
            raise UsageError(
                f"after has no {key!r}; "
                + (f"did you mean {guess!r}?" if guess else f"known: {', '.join(known)}")
            )
    fanout: Any = options.get("fanout", 1)
    delay = quantity(options["delay"], "delay", units=units) if "delay" in options else 0.0
    if not isinstance(fanout, Mapping):
        return After(options["app"], fanout, delay=delay)
    if set(fanout) != {"mean"}:
        raise UsageError(f"fanout must be a whole number from 1 or {{mean: NUMBER}}, got {dict(fanout)!r}")
    return After(options["app"], mean=quantity(fanout["mean"], "the mean of fanout", "ratio"), delay=delay)


class _App(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def model(self) -> Any: ...


def application_names(apps: Sequence[_App]) -> list[str]:
    """Unique names: the given ones, else the networks' with a number where needed.

    Raises
    ------
    UsageError
        Two applications are given the same name.
    """
    given = Counter(app.name for app in apps if app.name)
    twice = next((name for name, count in given.items() if count > 1), None)
    if twice:
        raise UsageError(f"{given[twice]} applications are named {twice!r}; give each a name of its own")
    wanted = [app.name or getattr(app.model, "name", str(app.model)) for app in apps]
    counts, names = Counter(wanted), list[str]()
    for name in wanted:
        unique, number = name, 1
        while counts[name] > 1 and (unique in counts or unique in names):
            unique, number = f"{name}-{number}", number + 1
        names.append(unique)
    return names


def check_stages(names: Sequence[str], befores: Iterable[After | None]) -> None:
    """Check that every stage follows an application that there is, and none follows itself.

    Parameters
    ----------
    names
        Names of the applications.
    befores
        What each of them follows; None for those that follow nothing.

    Raises
    ------
    UnknownNameError
        A stage after an application that does not exist.
    UsageError
        Stages that follow each other in a circle.
    """
    before = {name: after.app for name, after in zip(names, befores, strict=True) if after}
    for earlier in before.values():
        if earlier not in names:
            raise UnknownNameError("application", earlier, names, "(named by after, of kind inference)")
    for name in before:
        path = list(_path(name, before))
        if path[-1] in before:
            raise UsageError(f"applications follow each other in a circle: {' after '.join(path)}")


def _path(name: str, before: Mapping[str, str]) -> Iterator[str]:
    """A stage, the one before it and so on, until the first or one that was there already."""
    seen: set[str] = set()
    while name not in seen:
        yield name
        seen.add(name)
        if name not in before:
            return
        name = before[name]
    yield name
