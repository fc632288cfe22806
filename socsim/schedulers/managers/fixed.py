"""A manager that stays at one level."""

from __future__ import annotations

from socsim.schedulers.managers.base import Manager
from socsim.schedulers.managers.view import ManagerView

__all__ = ["Fixed"]


class Fixed(Manager):
    """Stay at one level.

    Parameters
    ----------
    level
        Which one; None (default) for the application's.
    """

    name = "fixed"

    def __init__(self, level: int | None = None) -> None:
        self.level = level

    def start(self, view: ManagerView) -> int:
        """The level."""
        return view.level if self.level is None else self.level

    def next_level(self, view: ManagerView) -> int:
        """The level it was."""
        return view.level
