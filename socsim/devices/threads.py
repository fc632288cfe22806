"""A thread as the operating system sees it: where it may run, how heavy it is, and whether it holds a core."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from socsim.devices.pelt import ThreadLoad

__all__ = ["Thread"]


def _nobody() -> None:
    """What a thread tells when nobody listens."""


class Thread:
    """A schedulable thread.

    Parameters
    ----------
    name
        For traces and messages: its process, a dot, and which of that's threads it is.
    kind
        What it does, for the accounts: ``"kernel"``, ``"host"`` (dispatching, mapping) or ``"other"``.
    allowed
        Cores that it may run on (affinity and cpuset), by preference.
    home
        Core that it takes whenever it is idle; None for none.
    weight
        CFS weight, 1024 at nice 0.
    reference
        Pace of the core on which its work takes the time that is said of it.
    uclamp
        Least and highest utilisation that it counts with where clocks and cores are chosen, from 0 to 1024.
    """

    __slots__ = (
        "activity", "allowed", "core", "drew", "home", "iowait", "kind", "load", "name", "on_change", "order",
        "process", "ran", "reference", "runnable", "share", "speed", "traffic", "uclamp", "vruntime", "weight",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        kind: str,
        allowed: Sequence[int],
        *,
        home: int | None = None,
        weight: int = 1024,
        reference: float = 1.0,
        uclamp: tuple[float, float] = (0.0, 1024.0),
    ) -> None:
        self.name, self.kind, self.allowed, self.home = name, kind, tuple(allowed), home
        self.weight, self.reference, self.uclamp = weight, reference, uclamp
        self.process = name.rpartition(".")[0]
        self.ran = [0.0]
        """Time in s that it has had cores of each group of them, since who keeps accounts last took it away."""
        self.drew = [0.0]
        """The same times, each by the thread's activity then."""
        self.activity = 1.0
        """What a core draws beyond idle while it runs, as a share of a busy core's."""
        self.core = -1
        """Where it runs or ran last; -1 before it first wakes up."""
        self.runnable = False
        self.share = 0.0
        """Share of its core that it has now."""
        self.speed = 0.0
        """Speed of its work now: 1 alone on its reference core at the highest clock, 0 without a core."""
        self.on_change: Callable[[], None] = _nobody
        """Called whenever `speed` has changed, but by its own going to sleep or waking up on an idle core; must not
        wake or stop any thread."""
        self.traffic = 0.0
        """DRAM traffic in B/s while it computes, of threads that are no part of an inference."""
        self.iowait = False
        """Whether it sleeps to wait for input or output, so that governors help it when it wakes up."""
        self.vruntime = 0.0
        self.order = 0
        """Decides between equal vruntimes: earlier queued first."""
        self.load: ThreadLoad | None = None
        """Its utilisation, where queues keep account of it."""

    def __repr__(self) -> str:
        state = "asleep" if not self.runnable else "running" if self.share else "waiting"
        return f"Thread({self.name!r}, {state} on core {self.core})"
