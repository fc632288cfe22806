"""Frames that a video or a user interface should have shown, and what became of each."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["FRAME_STATUSES", "FrameLog", "FrameRecord"]

FRAME_STATUSES = ("presented", "late", "dropped", "pending")
"""What a frame may be at the end of a run."""
_UNDER_WAY, _DROPPED = -1.0, -2.0


class FrameRecord(NamedTuple):
    """One frame of a video or a user interface."""

    app: str
    number: int
    begin_s: float
    """Its vsync, at which it begins."""
    due_s: float
    """The next vsync, by which it must be composed."""
    composed_s: float
    """When it was composed; -1 if it never was."""
    status: str
    """``presented`` in time, ``late`` (composed after its vsync), ``dropped`` (no buffer was free when it should have
    begun), or ``pending`` at the end of the run, before its vsync."""


class FrameLog:
    """Frames of one application in flat columns.

    Parameters
    ----------
    app
        Its name.
    """

    def __init__(self, app: str) -> None:
        self.app = app
        self._begins, self._dues, self._composed = array("d"), array("d"), array("d")

    def begin(self, now: float, due: float) -> None:
        """The vsync of the next frame has come; frames are numbered from 0."""
        self._begins.append(now)
        self._dues.append(due)
        self._composed.append(_UNDER_WAY)

    def drop(self, number: int) -> None:
        """It found no buffer."""
        self._composed[number] = _DROPPED

    def finish(self, number: int, now: float) -> None:
        """It has been composed."""
        self._composed[number] = now

    def records(self, end: float) -> Iterator[FrameRecord]:
        """All frames, as they are at an instant in s; one that is not composed at its vsync is late."""
        for number, (begin, due, at) in enumerate(zip(self._begins, self._dues, self._composed, strict=True)):
            if at == _DROPPED:
                status = "dropped"
            elif at == _UNDER_WAY:
                status = "pending" if due > end else "late"
            else:
                status = "presented" if at <= due * (1.0 + 1e-12) else "late"
            yield FrameRecord(self.app, number, begin, due, max(at, -1.0), status)
