"""The base class of managers: who picks the level of each inference."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from socsim.schedulers.managers.view import ManagerView

__all__ = ["Manager"]


class Manager(ABC):
    """Picks which sub-network of its family an application runs.

    Each application of each run has an object of its own, so that what a manager remembers may be in attributes. It
    sees its application and nothing else. Being asked takes no simulated time.
    """

    name: ClassVar[str] = ""
    """What messages call it; the class name where empty."""

    runs_on: ClassVar[str] = ""
    """Scheduler that applications have where only a manager is named, as in comparisons; the first accelerator of the
    library where empty."""

    written: str = ""
    """How it was asked for, where that says more than its name: ``"latency_window(target=60 ms)"``."""

    @property
    def title(self) -> str:
        """Name for messages: as it was asked for where it has options, else its name."""
        return self.written or self.name or type(self).__name__

    def start(self, view: ManagerView) -> int:
        """Level of the first inference; by default the application's."""
        return view.level

    @abstractmethod
    def next_level(self, view: ManagerView) -> int:
        """Level of the next inference; asked each time one has finished."""
