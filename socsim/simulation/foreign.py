"""What other programs do on a device, as an operating system tells an application that asks."""

from __future__ import annotations

from collections.abc import Sequence

from socsim.simulation.context import Context
from socsim.simulation.executor import Executor

__all__ = ["foreign_load"]


def foreign_load(executor: Executor, own: Sequence[Context], processor: str) -> float:
    """How busy others keep a processor at this instant.

    Parameters
    ----------
    executor
        The device.
    own
        What does not count.
    processor
        ``"cpu"`` or an accelerator.

    Returns
    -------
    float
        For the CPU, runnable threads of others per core (``procs_running`` of Linux' ``/proc/stat`` less one's own);
        for an accelerator, the number of others' contexts that have it or wait for it.
    """
    if processor == "cpu":
        running = executor.cores.runnable - sum(context.runnable for context in own)
        return running / len(executor.device.cores)
    queues = [context.queues[processor] for context in own]
    return float(executor.servers[processor].crowd(queues))
