"""Who may start, who waits and who is dropped: the queue before an application, without a clock."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["Admission", "Ticket", "Waiting"]

_FEW = 64


class Ticket(NamedTuple):
    """One inference that has arrived."""

    number: int
    arrival_s: float
    origin_s: float
    """Arrival in s of the first stage that led to it; -1 for a first stage."""


class Waiting:
    """Tickets in order of arrival, in flat columns: a queue of a million costs what its numbers cost."""

    def __init__(self) -> None:
        self._numbers, self._arrivals, self._origins = array("q"), array("d"), array("d")
        self._head = 0

    def __len__(self) -> int:
        return len(self._numbers) - self._head

    def __iter__(self) -> Iterator[Ticket]:
        for i in range(self._head, len(self._numbers)):
            yield self._at(i)

    def _at(self, i: int) -> Ticket:
        return Ticket(self._numbers[i], self._arrivals[i], self._origins[i])

    def push(self, ticket: Ticket) -> None:
        """Append one."""
        self._numbers.append(ticket.number)
        self._arrivals.append(ticket.arrival_s)
        self._origins.append(ticket.origin_s)

    def pop(self) -> Ticket:
        """Take the oldest away."""
        first = self._at(self._head)
        self._head += 1
        if self._head >= _FEW and 2 * self._head >= len(self._numbers):
            for column in (self._numbers, self._arrivals, self._origins):
                del column[: self._head]
            self._head = 0
        return first


class Admission:
    """Decides what becomes of arrivals.

    Parameters
    ----------
    policy
        ``"queue"``: an arrival waits its turn, ``"latest"``: it takes the place of the one that waits, ``"skip"``: it
        never waits.
    limit
        How many may wait with ``"queue"``; None for any number.
    concurrency
        How many may be under way at once; None for any number.
    """

    def __init__(self, policy: str = "queue", limit: int | None = None, concurrency: int | None = 1) -> None:
        self.policy, self.concurrency = policy, concurrency
        self._room = {"queue": limit, "latest": 1, "skip": 0}[policy]
        self.waiting = Waiting()
        self.under_way = 0

    @property
    def free(self) -> bool:
        """Whether one more may start."""
        return self.concurrency is None or self.under_way < self.concurrency

    def enter(self) -> bool:
        """Let one start that arrives where nobody waits, if it may; else it has to :meth:`arrive`."""
        if self.waiting or not self.free:
            return False
        self.under_way += 1
        return True

    def arrive(self, ticket: Ticket) -> Ticket | None:
        """Let one wait; returns who is dropped for it, which may be itself."""
        if self.free or self._room is None or len(self.waiting) < self._room:
            self.waiting.push(ticket)
            return None
        if self.policy != "latest":
            return ticket
        replaced = self.waiting.pop()
        self.waiting.push(ticket)
        return replaced

    def next(self) -> Ticket | None:
        """Who starts now; None if nobody waits or too many are under way."""
        if not self.waiting or not self.free:
            return None
        self.under_way += 1
        return self.waiting.pop()

    def leave(self) -> None:
        """One that was under way has ended."""
        self.under_way -= 1
