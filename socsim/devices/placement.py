"""Which core a waking thread is put on, and which waiting threads move: pure decisions on the state of all cores."""

from __future__ import annotations

from collections.abc import Sequence

from socsim.devices.threads import Thread

__all__ = ["balance_moves", "choose_core", "least_loaded", "pull_source"]


def choose_core(thread: Thread, runnable: Sequence[int], pace: Sequence[float]) -> int:
    """Core for a thread that wakes up.

    An idle one if there is any: its home, where it ran last, else the fastest. On a busy phone it stays where it ran
    last, as Linux does; a new one goes to its home, or where there is the least to do.

    Parameters
    ----------
    thread
        Who wakes up.
    runnable
        Number of runnable threads by core.
    pace
        Speed of each core.
    """
    home, last = thread.home, thread.core
    if home is not None and not runnable[home]:
        return home
    if last >= 0 and not runnable[last]:
        return last
    idle = [core for core in thread.allowed if not runnable[core]]
    if idle:
        return max(idle, key=lambda core: (pace[core], -core))
    if last >= 0:
        return last
    return home if home is not None else least_loaded(thread.allowed, runnable, pace)


def least_loaded(cores: Sequence[int], runnable: Sequence[int], pace: Sequence[float]) -> int:
    """The core with the fewest runnable threads for its speed; of equals the fastest, then the first."""
    return min(cores, key=lambda core: ((runnable[core] + 1) / pace[core], -pace[core], core))


def pull_source(core: int, waiting: Sequence[Sequence[Thread]]) -> Thread | None:
    """The thread that an idle core takes over: of the core where most wait, the one that would run next."""
    best: Thread | None = None
    most = 0
    for queue in waiting:
        movable = [thread for thread in queue if core in thread.allowed]
        if len(movable) and len(queue) > most:
            best, most = movable[0], len(queue)
    return best


def balance_moves(waiting: Sequence[Sequence[Thread]], runnable: Sequence[int]) -> list[tuple[Thread, int]]:
    """Moves that leave no core with two threads more than another that could take one."""
    counts, queues = list(runnable), [list(queue) for queue in waiting]
    moves: dict[Thread, int] = {}
    while (move := _next_move(queues, counts)) is not None:
        thread, source, target = move
        queues[source].remove(thread)
        queues[target].append(thread)
        counts[source] -= 1
        counts[target] += 1
        moves[thread] = target
    return [(thread, core) for thread, core in moves.items() if core != thread.core]


def _next_move(queues: list[list[Thread]], counts: list[int]) -> tuple[Thread, int, int] | None:
    for source in sorted(range(len(counts)), key=lambda core: (-counts[core], core)):
        for thread in reversed(queues[source]):
            target = min(thread.allowed, key=lambda core: (counts[core], core))
            if counts[source] - counts[target] >= 2:
                return thread, source, target
    return None
