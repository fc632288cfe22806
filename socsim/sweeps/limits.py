"""How long a run may take, and how much memory."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from socsim.errors import UsageError

__all__ = ["NO_LIMITS", "Limits", "OutOfTime", "enforced"]

_STATUS = Path("/proc/self/status")
_AGAIN_S = 0.5
"""Between two reminders, for code that catches everything."""


class OutOfTime(BaseException):
    """A run has taken longer than it may; no Exception, so that few handlers catch it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of each run.

    Parameters
    ----------
    time_s
        Wall time in s; None for no limit.
    memory_bytes
        Memory in B that a run may take beside what its process holds; None for no limit.
    """

    time_s: float | None = None
    memory_bytes: float | None = None

    @property
    def patience_s(self) -> float | None:
        """Wall time in s after which a process that does not answer is killed."""
        return None if self.time_s is None else self.time_s + max(1.0, 0.25 * self.time_s)

    def check(self) -> None:
        """Refuse limits that are none, or that this platform cannot keep.

        Raises
        ------
        UsageError
            They are.
        """
        for name, value in (("time", self.time_s), ("memory", self.memory_bytes)):
            if value is not None and not value > 0:
                raise UsageError(f"the {name} that a run may take must be positive, got {value!r}")
        if self.memory_bytes is not None and not _STATUS.exists():
            raise UsageError("the memory of a run can be limited on Linux only")


NO_LIMITS = Limits()


@contextmanager
def enforced(limits: Limits) -> Iterator[None]:
    """Hold what is run in this block to its limits; in the main thread of a process only.

    Raises
    ------
    OutOfTime
        In the block, when its time is over.
    MemoryError
        In the block, when there is no more memory for it.
    """
    with _time(limits.time_s), _memory(limits.memory_bytes):
        yield


@contextmanager
def _time(seconds: float | None) -> Iterator[None]:
    if seconds is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def _memory(size: float | None) -> Iterator[None]:
    if size is None:
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = _held() + int(size)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if hard < 0 else min(wanted, hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _held() -> int:
    """Memory in B that counts to the limit and that this process has already."""
    lines = _STATUS.read_text(encoding="ascii", errors="replace").splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData:")), 0)
