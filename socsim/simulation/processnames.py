"""Names of processes, each its own."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["ProcessNames"]


class ProcessNames:
    """The processes of a run.

    Parameters
    ----------
    inferences
        Names of the applications that infer, each one process.
    """

    def __init__(self, inferences: Iterable[str]) -> None:
        self.processes = {name: (name, "inference") for name in inferences}
        """Process -> its application and the kind of that."""

    def add(self, wanted: str, app: str, kind: str) -> str:
        """A name for a process of an application that no other process of the run has."""
        name, number = wanted, 1
        while name in self.processes:
            number += 1
            name = f"{wanted}-{number}"
        shows = kind not in ("competitor", "replay")
        self.processes[name] = (name if shows else app, kind)
        return name
