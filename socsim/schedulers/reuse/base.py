"""The base class of policies of reuse: what becomes of a frame that resembles the one computed last."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

__all__ = ["WAYS", "ReusePolicy", "Way"]

Way = Literal["none", "frame", "layer"]
WAYS: tuple[Way, ...] = ("none", "frame", "layer")
"""Compute all of it; give the last result again; recompute what has changed, layer by layer."""


class ReusePolicy(ABC):
    """Decides frame by frame what is computed.

    Each application of each run has an object of its own. Every frame is first compared with the one computed last, on
    one core of the CPU: both are read from memory. Deciding itself takes no simulated time.
    """

    name: ClassVar[str] = ""
    """What tables call it; the class name where empty."""

    written: str = ""
    """How it was asked for, where that says more than its name: ``"frame(threshold=0.1)"``."""

    keeps: str = "frame"
    """What is held from one frame to the next: ``""`` nothing, ``"frame"`` the last frame computed and its result,
    ``"layers"`` the feature maps of all layers, which ``"layer"`` needs."""

    passes: float = 1.0
    """How often both frames are read to compare them: once tells what has changed in place, a search for blocks that
    have moved reads them several times."""

    block: int = 8
    """Rows of the network's input that change together; the changed region is rounded up to them."""

    boundary: float = 10e-6
    """Time in s of the CPU for each operator computed in part: to work out its region, and to start it there.
    An assumption (grade D)."""

    copies: bool = False
    """Whether rows that are reused are copied into new feature maps, read and written once; otherwise feature maps stay
    where they are and changed rows are written over."""

    @property
    def title(self) -> str:
        """Name for tables and messages: as it was asked for where it has options, else its name."""
        return self.written or self.name or type(self).__name__

    @property
    def compares(self) -> bool:
        """Whether frames are compared at all."""
        return bool(self.keeps)

    @abstractmethod
    def decide(self, changed: float, skipped: int) -> Way:
        """What becomes of a frame.

        Parameters
        ----------
        changed
            Share of it that differs from the frame computed last.
        skipped
            How many results have been given again since then.

        Returns
        -------
        ``"none"``: compute all of it; ``"frame"``: give the last result again; ``"layer"``: recompute what has changed.
        """
