"""How a library feeds the GPU so that others get a turn: short kernels, and few of them enqueued at a time.

References
----------
.. [1] MACE, ``limit_opencl_kernel_time`` and ``opencl_queue_window_size`` of its deployment files; its FAQ recommends
   both where the user interface stutters.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import floor

from socsim.simulation.kernelgraph import Entry

__all__ = ["UNPACED", "Pacer", "Pacing"]


@dataclass(frozen=True, slots=True)
class Pacing:
    """Limits on what is sent to the GPU.

    Parameters
    ----------
    kernel_limit
        Time in s above which a kernel is split into equal blocks, ``floor(time / limit) + 1`` of them; 0 for no limit.
    window
        Number of commands after which the host waits until all have finished; 0 for any number.
    blocking
        Whether the host waits for each operator on an accelerator before it goes on to the next.
    """

    kernel_limit: float = 0.0
    window: int = 0
    blocking: bool = False


UNPACED = Pacing()


class Pacer:
    """Applies a pacing to the commands of one inference, in their order.

    Parameters
    ----------
    pacing
        The limits.
    wait
        Time in s from the end of a window's last command to the next window's first: the host has to see the one and to
        enqueue the other.
    """

    def __init__(self, pacing: Pacing, wait: float) -> None:
        self._pacing, self._wait, self._count = pacing, wait, 0

    def commands(self, entry: Entry, kernel_overhead: float) -> tuple[Entry, ...]:
        """A kernel as the commands that the host enqueues; every block has the kernel's overhead.

        Blocks have no placement: nobody predicts the time of a part of a kernel.
        """
        limit = self._pacing.kernel_limit
        body = max(entry.compute, entry.bytes / entry.reach)
        blocks = floor((body + kernel_overhead) / limit) + 1 if limit else 1
        block = replace(
            entry, share=entry.share / blocks, compute=entry.compute / blocks, bytes=entry.bytes / blocks,
            placement=None,
        )  # fmt: skip
        later = replace(block, overhead=kernel_overhead, dispatch=entry.dispatch - entry.host)
        parts = [block, *[later] * (blocks - 1)] if blocks > 1 else [entry]
        return tuple(self._windowed(part) for part in parts)

    def _windowed(self, entry: Entry) -> Entry:
        window = self._pacing.window
        first = window and self._count and self._count % window == 0
        self._count += 1
        return replace(entry, overhead=entry.overhead + self._wait, waits=True) if first else entry
