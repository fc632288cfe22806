"""Between the simulation and the code of schedulers, governors and managers: checks, and where failures are."""

from __future__ import annotations

import inspect
from math import inf
from pathlib import Path
from types import TracebackType
from typing import Protocol

from socsim.errors import SimulationError, SocsimError, UsageError
from socsim.schedulers.base import Scheduler

__all__ = ["blamed", "check_time", "check_times"]


def check_time(name: str, setting: str, time: object) -> None:
    """Refuse a ``decision_time`` or ``replan_period`` that is none.

    Parameters
    ----------
    name
        The scheduler's, for messages.
    setting
        Which of the two; only a ``replan_period`` may be infinite.
    time
        Its value.

    Raises
    ------
    UsageError
        It is no number, negative, infinite or not a number.
    """
    finite = setting != "replan_period"
    number = time if isinstance(time, (int, float)) and not isinstance(time, bool) else -1.0
    if not number >= 0.0 or (finite and number == inf):
        rule = f"at least 0 seconds{', and finite' * finite}"
        raise UsageError(f"scheduler {name!r}: {setting} must be {rule}, got {time!r}")


def check_times(scheduler: Scheduler) -> None:
    """Check the times that a scheduler's class or object sets; raises as :func:`check_time`."""
    for setting in ("decision_time", "replan_period"):
        if hasattr(scheduler, setting):
            check_time(scheduler.title, setting, getattr(scheduler, setting))


class Titled(Protocol):
    """A scheduler, a governor, a manager: something with a name for tables."""

    @property
    def title(self) -> str:
        """Name for tables."""


class blamed:
    """Tell failures of own code of a scheduler, say, in a ``with`` block, as such, with the place in its file.

    Parameters
    ----------
    decider, method, subject
        Whose code runs, which method of it, and on what: a network, a clock domain, an application.
    kind
        What it is, for messages; ``"scheduler"`` by default.

    Raises
    ------
    SimulationError
        The code inside raised something that is not socsim's; the cause is kept.
    """

    def __init__(self, decider: Titled, method: str, subject: str, kind: str = "scheduler") -> None:
        self._decider, self._method, self._subject, self._kind = decider, method, subject, kind

    def __enter__(self) -> None:
        """Let the code run."""

    def __exit__(self, kind: object, error: BaseException | None, trace: TracebackType | None) -> None:
        """Pass on what is socsim's, or no failure; tell the rest."""
        if not isinstance(error, Exception) or isinstance(error, SocsimError):
            return
        cls, title = type(self._decider), self._decider.title
        who = title if cls.__module__.startswith("socsim.") else f"{cls.__module__}:{cls.__name__}"
        where, what = _place(trace, cls), f"{type(error).__name__}: {error}"
        raise SimulationError(
            f"{self._kind} {who!r} failed in {self._method}() on {self._subject!r} ({where}): {what}"
        ) from error


def _place(trace: TracebackType | None, cls: type) -> str:
    """The last line in the file of a class or, if there is none, of all."""
    own, last = "", "?"
    file = inspect.getsourcefile(cls) if hasattr(inspect.getmodule(cls), "__file__") else None
    while trace is not None:
        code = trace.tb_frame.f_code
        last = f"{Path(code.co_filename).name}:{trace.tb_lineno}"
        own = last if code.co_filename == file else own
        trace = trace.tb_next
    return own or last
