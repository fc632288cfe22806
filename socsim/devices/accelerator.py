"""An accelerator's command queues: in order within a context, one command at a time over all contexts.

Contexts of equal priority are served in the order in which their commands were enqueued, those of a higher priority
first, from the next kernel on: what runs is never interrupted within a kernel.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Callable, Collection
from math import inf
from typing import Protocol

__all__ = ["Command", "CommandQueue", "Server"]


class Command(Protocol):
    """Work that a queue starts when it is ready and its turn has come: a run of kernels."""

    @property
    def ready(self) -> bool:
        """Whether everything that it waits for has finished."""

    @property
    def enqueued(self) -> bool:
        """Whether its next kernel has been enqueued by the host."""

    def prepare(self) -> None:
        """Its turn in its own queue has come: let the host enqueue."""

    def seek_later(self) -> None:
        """Let its queue seek the accelerator once its next kernel is enqueued."""

    def start(self) -> None:
        """Begin, or go on: it has the accelerator."""

    def contend(self, priority: float) -> None:
        """A context of some priority wants the accelerator: give it up at the kernel at which it is due."""


class Server:
    """What runs one command at a time.

    Attributes
    ----------
    holder
        The queue whose head has it; None while it is free.
    patience
        Time in s without work after which it powers down, until work arrives; inf unless somebody has to know.

    Parameters
    ----------
    clock
        Tells the present instant in s.
    """

    def __init__(self, clock: Callable[[], float] = lambda: 0.0) -> None:
        self.holder: CommandQueue | None = None
        self._clock, self.patience = clock, inf
        self._free_since, self._suspended = 0.0, 0.0
        self.watch: Callable[[], None] | None = None
        """Called whenever work begins or ends."""
        self._waiting: list[tuple[float, int, CommandQueue]] = []
        self._number = 0

    @property
    def free(self) -> bool:
        """Whether nobody has it or waits for it."""
        return self.holder is None and not self._waiting

    def suspended_s(self, now: float) -> float:
        """Time in s until an instant, not before the last change, for which it was powered down."""
        return self._suspended + (self._down_for(now) if self.holder is None else 0.0)

    def is_suspended(self, now: float) -> bool:
        """Whether it is powered down."""
        return self.holder is None and self._down_for(now) > 0.0

    def _down_for(self, now: float) -> float:
        return max(0.0, now - self._free_since - self.patience)

    def crowd(self, but: Collection[CommandQueue]) -> int:
        """Number of queues that have it or wait for it, but for some."""
        users = [item[2] for item in self._waiting]
        if self.holder is not None:
            users.append(self.holder)
        return sum(user not in but for user in users)

    def take(self, queue: CommandQueue) -> None:
        """Give it, free, to the head of a queue."""
        if self.patience < inf:
            self._suspended += self._down_for(self._clock())
        self.holder = queue
        queue.start_head()
        if self.watch is not None:
            self.watch()

    def wait(self, queue: CommandQueue) -> None:
        """Line up the head of a queue; who has the server is told."""
        self._number += 1
        insort(self._waiting, (-queue.priority, self._number, queue), key=lambda item: item[:2])
        if self.holder is None:
            self._serve()
        else:
            self.holder.contend(queue.priority)

    def release(self) -> None:
        """Give it to whoever comes next."""
        self.holder = None
        if self.patience < inf:
            self._free_since = self._clock()
        self._serve()
        if self.watch is not None and self.holder is None:
            self.watch()

    def _serve(self) -> None:
        if not self._waiting:
            return
        queue = self._waiting.pop(0)[2]
        self.take(queue)
        for priority in {-item[0] for item in self._waiting}:
            if self.holder is queue:
                queue.contend(priority)


class CommandQueue:
    """The commands of one context, started in order of submission.

    Parameters
    ----------
    server
        What its commands share with other contexts; None for a CPU team, which shares cores instead.
    priority
        Of the context: higher first.
    """

    def __init__(self, server: Server | None = None, priority: float = 0) -> None:
        self.priority = priority
        self._server = server
        self._commands: deque[Command] = deque()
        self._claimed = False

    def __len__(self) -> int:
        return len(self._commands)

    @property
    def free(self) -> bool:
        """Whether its head may start at once."""
        return self._server is None or self._server.free

    def submit(self, command: Command) -> None:
        """Append a command."""
        self._commands.append(command)
        if len(self._commands) == 1:
            self.poke()

    def poke(self) -> None:
        """Let the head seek the server if it is ready and has not: call when a command becomes ready."""
        if not self._claimed and self._commands and self._commands[0].ready:
            self._claimed = True
            self._commands[0].prepare()
            self.seek()

    def seek(self) -> None:
        """Start the head if the server is free; else line it up, once its next kernel is enqueued."""
        server = self._server
        if server is None:
            self.start_head()
        elif server.free:
            server.take(self)
        elif self._commands[0].enqueued:
            server.wait(self)
        else:
            self._commands[0].seek_later()

    def start_head(self) -> None:
        """Start the head, whose turn it is."""
        self._commands[0].start()

    def contend(self, priority: float) -> None:
        """Tell the head that a context of some priority waits."""
        self._commands[0].contend(priority)

    def give_up(self) -> None:
        """The head pauses between two kernels: another context's turn, after which it seeks the server again."""
        assert self._server is not None
        self._server.release()

    def finished(self) -> None:
        """The head has finished: free the server and go on with the next command."""
        self._commands.popleft()
        self._claimed = False
        if self._server is not None:
            self._server.release()
        self.poke()
