"""The exceptions that socsim raises for bad input: one base, one sentence each."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = [
    "Fault",
    "FileError",
    "MissingExtraError",
    "ModelError",
    "PlanError",
    "SimulationError",
    "SocsimError",
    "SweepError",
    "UnitError",
    "UnknownNameError",
    "UsageError",
    "nearest",
]


class SocsimError(Exception):
    """Base of every error that socsim raises on purpose.

    Each is made again from its ``args``: errors travel between processes, and through SimPy's.
    """


_SHOWN = 40
"""So many known names at most are told where none is near."""


class UnknownNameError(SocsimError, LookupError):
    """A device, model, library, scheduler, operator or processor that does not exist.

    Parameters
    ----------
    kind
        What was asked for, in the singular (``"device"``).
    name
        The name got.
    known
        The names that exist; the nearest of them is suggested.
    hint
        One more sentence, for names that may also be paths, say.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = "") -> None:
        self.kind, self.name, self.known, self.hint = kind, name, sorted(known), hint
        super().__init__(kind, name, self.known, hint)

    def __str__(self) -> str:
        guess = nearest(self.name, self.known)
        stop = "." if self.hint[:1].isupper() else ""
        known = ", ".join(repr(name) if "," in name else name for name in self.known[:_SHOWN]) or "none"
        known += f" and {len(self.known) - _SHOWN} more" if len(self.known) > _SHOWN else ""
        tail = f"did you mean {guess!r}?" if guess else f"known: {known}{stop}"
        return f"unknown {self.kind} {self.name!r}; {tail}{' ' + self.hint if self.hint else ''}"


class UnitError(SocsimError, ValueError):
    """A quantity without a unit, with an unknown unit, or of the wrong dimension."""


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing wrong with a file.

    ``line`` and ``column`` count from 1; 0 means that the place is not known.
    """

    line: int
    column: int
    path: str
    message: str

    def render(self, file: str) -> str:
        """``file:line:col: path: message``."""
        place = f"{file}:{self.line}:{self.column}" if self.line else file
        return f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


class FileError(SocsimError, ValueError):
    """A file that breaks its rules, with all faults found in one pass."""

    def __init__(self, file: str, faults: Iterable[Fault]) -> None:
        self.file = file
        self.faults = tuple(sorted(faults, key=lambda fault: _by_file(fault, file)))
        super().__init__(file, self.faults)

    def __str__(self) -> str:
        return "\n".join(fault.render(self.file) for fault in self.faults)


def _by_file(fault: Fault, file: str) -> tuple[bool, str, Fault]:
    """Faults of the file that was asked for come first, then those of others, file by file."""
    own = getattr(fault, "file", "") or file
    return own != file, own, fault


class ModelError(SocsimError, ValueError):
    """A network that cannot be read, shaped or built."""


class PlanError(SocsimError, ValueError):
    """A scheduler's plan that leaves an operator out, splits it wrongly or places it where it cannot run."""


class UsageError(SocsimError, ValueError):
    """An argument outside its rule."""


class MissingExtraError(SocsimError, ImportError):
    """A feature whose optional packages are not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        self.feature, self.extra = feature, extra
        super().__init__(feature, extra)

    def __str__(self) -> str:
        return f"{self.feature} needs the extra [{self.extra}]: pip install 'socsim[{self.extra}]'"


class SimulationError(SocsimError, RuntimeError):
    """A run whose scheduler or invariants failed."""


class SweepError(SocsimError, RuntimeError):
    """A sweep that cannot go on; what it has finished is kept."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name most like `name`, or None if none is close."""
    folded = {k.lower(): k for k in known}
    hits = difflib.get_close_matches(name.lower(), list(folded), n=1, cutoff=0.65)
    return folded[hits[0]] if hits else None
