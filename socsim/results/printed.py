"""What prints itself as it looks in a terminal."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["Printed"]


class Printed(ABC):
    """Something whose text is its table, 120 columns wide and without colours."""

    @abstractmethod
    def render(self) -> RenderableType:
        """What a terminal shows."""

    def __str__(self) -> str:
        from rich.console import Console

        console = Console(width=120, color_system=None)
        with console.capture() as capture:
            console.print(self.render())
        return capture.get()
