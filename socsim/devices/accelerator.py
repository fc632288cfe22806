"""An accelerator's command queues: in order within a context, one command at a time over all contexts."""

from __future__ import annotations

from collections import deque
from typing import Protocol

__all__ = ["Command", "CommandQueue", "Server"]


class Command(Protocol):
    """Work that a queue starts when it is ready and its turn has come."""

    @property
    def ready(self) -> bool:
        """Whether everything that it waits for has finished."""

    def start(self) -> None:
        """Begin."""


class Server:
    """What runs one command at a time, serving contexts in the order in which their heads became ready."""

    def __init__(self) -> None:
        self.busy = False
        self._waiting: deque[CommandQueue] = deque()

    def request(self, queue: CommandQueue) -> bool:
        """Take the server for the head of `queue`, or line the queue up; True if taken."""
        if self.busy:
            self._waiting.append(queue)
            return False
        self.busy = True
        return True

    def release(self) -> None:
        """Give the server to the queue that has waited longest."""
        self.busy = False
        if self._waiting:
            self.busy = True
            self._waiting.popleft().start_head()


class CommandQueue:
    """The commands of one context, started in order of submission.

    Parameters
    ----------
    server
        What its commands share with other contexts; None for a CPU team, which shares cores instead.
    """

    def __init__(self, server: Server | None = None) -> None:
        self._server = server
        self._commands: deque[Command] = deque()
        self._claimed = False

    def __len__(self) -> int:
        return len(self._commands)

    def submit(self, command: Command) -> None:
        """Append a command."""
        self._commands.append(command)
        if len(self._commands) == 1:
            self.poke()

    def poke(self) -> None:
        """Start the head if it is ready and has not been started: call when a command becomes ready."""
        if not self._claimed and self._commands and self._commands[0].ready:
            self._claimed = True
            if self._server is None or self._server.request(self):
                self.start_head()

    def start_head(self) -> None:
        """Start the head, whose turn it is."""
        self._commands[0].start()

    def finished(self) -> None:
        """The head has finished: free the server and go on with the next command."""
        self._commands.popleft()
        self._claimed = False
        if self._server is not None:
            self._server.release()
        self.poke()
