"""A run on an accelerator that a host thread calls and waits for, as FastRPC calls a DSP.

The thread sleeps while it waits, and its core becomes idle unless something else runs there. When the call returns, the
core has to leave its idle state before anything that needs the result goes on; a busy core has none to leave. A thread
that polls keeps its core busy instead.
"""

from __future__ import annotations

from typing import Any

from simpy.events import Timeout

from socsim.devices.opp import exit_latency
from socsim.devices.threads import Thread
from socsim.simulation.run import Run

__all__ = ["CallRun"]


class CallRun(Run):
    """A segment of a call; parameters as of :class:`socsim.simulation.run.Run`."""

    _called = 0.0
    _poller: Thread | None = None

    def prepare(self) -> None:
        """The host calls, and waits from now on."""
        self._called = self.executor.env.now
        super().prepare()
        context = self.fragment.context
        if context.calls and self.executor.device.accelerators[self.segment.queue].poll:
            self._poller = context.borrow_helper()
            self._poller.on_change = self._ignore
            self.executor.cores.wake(self._poller)

    def _hand_on(self) -> None:
        poller = self._poller
        wait = self._exit_latency() if poller is None else 0.0
        if poller is None and not wait:
            super()._hand_on()
            return
        self.fragment.context.queues[self.segment.queue].finished()
        if poller is None or poller.speed > 0.0:
            self._return_in(wait)
        else:
            poller.on_change = self._polls_again

    def _polls_again(self) -> None:
        """The thread has a core again after others had it, and sees that the call has returned."""
        if self._poller is not None and self._poller.speed > 0.0:
            self._poller.on_change = self._ignore
            self._return_in(0.0)

    def _return_in(self, delay: float) -> None:
        Timeout(self.executor.env, delay).callbacks.append(self._return)

    def _return(self, event: Any) -> None:
        if self._poller is not None:
            self.executor.cores.sleep(self._poller)
            self.fragment.context.give_back(self._poller)
        self._release()
        self.fragment.finish_one()

    def _exit_latency(self) -> float:
        """Time in s that the host's core takes to leave its idle state."""
        executor, context = self.executor, self.fragment.context
        if not context.calls:
            return 0.0
        idle = min(executor.env.now - self._called, executor.cores.idle_time(context.host))
        return exit_latency(executor.device.cores[context.host].idle_states, idle)
