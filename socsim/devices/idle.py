"""Idle states of a cluster's cores: what idle cores draw as time goes on, and accounts of it.

An idle core is taken to be in the deepest state whose least residency is not longer than it stays idle, as of a
governor that knows for how long that will be; so is a cluster all of whose cores are idle. By its meaning a state's
least residency is how long a core has to stay there for entry and exit to cost no more than has been saved. So the
energy of an idle time, entry and exit included, is what it would be if the core drew the power of each state from that
state's least residency on, and no later choice changes what has been drawn by now.

References
----------
.. [1] Linux, Documentation/devicetree/bindings/cpu/idle-states.yaml: `min-residency-us`, and its figure of the energies
   of two states against the time in them.
.. [2] Linux, drivers/cpuidle/governors/{menu,teo}.c: governors that predict how long a core will be idle.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf

import simpy

from socsim.devices.opp import IdleState
from socsim.devices.parts import Cluster

__all__ = ["IdleTimes", "Rest", "Steps", "rest_of", "saved", "share_after"]

Steps = tuple[tuple[float, float], ...]
"""(least residency in s, by how much the share of the clock-gated power falls there), ascending."""


def saved(steps: Steps, idle: float) -> float:
    """Time in s for which a clock-gated core would have drawn what idle states have saved in `idle` s."""
    return sum(drop * (idle - residency) for residency, drop in steps if idle > residency)


def share_after(steps: Steps, idle: float) -> float:
    """Share of the clock-gated power that is drawn after `idle` s."""
    return 1.0 - sum(drop for residency, drop in steps if idle >= residency)


@dataclass(frozen=True, slots=True)
class Rest:
    """How what a cluster draws falls while its cores are idle.

    Parameters
    ----------
    count
        Number of its cores.
    cores
        Of each core, from when it has been idle.
    cluster
        Further, of each core, from when all of them have been idle.
    """

    count: int
    cores: Steps = ()
    cluster: Steps = ()

    @property
    def longest(self) -> float:
        """Time in s after which nothing changes any more."""
        return max([residency for residency, _ in (*self.cores, *self.cluster)], default=0.0)

    @property
    def share(self) -> float:
        """Share of the clock-gated power that a cluster draws which has been idle for long."""
        return share_after((*self.cores, *self.cluster), inf)


def rest_of(cluster: Cluster) -> Rest:
    """What a cluster's idle states save: those of the cluster as a whole come on top of its cores' deepest one."""
    cores, deepest = _steps(cluster.idle_states, "core", 1.0)
    whole, _ = _steps(cluster.idle_states, "cluster", deepest)
    return Rest(cluster.count, cores, whole)


def _steps(states: Iterable[IdleState], scope: str, share: float) -> tuple[Steps, float]:
    """Falls from a share on, and the share after the last one."""
    found = []
    for state in by_depth(states, scope):
        found.append((state.min_residency, max(0.0, share - state.share)))
        share = min(share, state.share)
    return tuple(found), share


def by_depth(states: Iterable[IdleState], scope: str) -> list[IdleState]:
    """The states of a scope, the least deep first."""
    return sorted((s for s in states if s.scope == scope), key=lambda s: s.min_residency)


class _Ledger:
    """How long idle times were, by the deepest state that they were long enough for.

    What they saved is linear in their sums, so that nothing else has to be kept.
    """

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self.residencies = [residency for residency, _ in steps]
        self.pages = [[0.0, 0.0] for _ in range(len(steps) + 1)]
        """Sum in s and number of idle times: of those too short for any state, then by state."""

    def add(self, idle: float) -> None:
        """Book an idle time."""
        page = self.pages[bisect_right(self.residencies, idle)]
        page[0] += idle
        page[1] += 1.0

    def saved(self) -> float:
        """As of :func:`saved`, of all idle times."""
        total = 0.0
        for depth, (time, number) in enumerate(self.pages):
            if number:
                total += sum(drop * (time - number * residency) for residency, drop in self._steps[:depth])
        return total


class IdleTimes:
    """Accounts of how long cores were idle.

    Before a run all cores have been idle for longer than their deepest states ask for.

    Parameters
    ----------
    env
        The SimPy clock.
    clusters
        In order of their cores.
    runnable
        Number of threads that run or wait on each core; who changes it keeps `since`, and tells :meth:`woke`.

    Attributes
    ----------
    since
        Since when each core has had nothing to run, in s.
    patience
        Idle time in s of each core up to which :meth:`woke` need not be told.
    """

    def __init__(self, env: simpy.Environment, clusters: Sequence[Cluster], runnable: Sequence[int]) -> None:
        self._env, self._runnable, self._clusters = env, runnable, clusters
        self._rests = [rest_of(cluster) for cluster in clusters]
        self._cores: list[range] = []
        self._slot: list[int] = []
        for slot, cluster in enumerate(clusters):
            self._cores.append(range(len(self._slot), len(self._slot) + cluster.count))
            self._slot += [slot] * cluster.count
        self._before = [2.0 * rest.longest for rest in self._rests]
        """Time in s for which each cluster's cores have been idle when a run begins."""
        self.since = [-self._before[slot] for slot in self._slot]
        self._alone = [_Ledger(rest.cores) for rest in self._rests]
        self._together = [_Ledger(rest.cluster) for rest in self._rests]
        self.patience = [self._shortest(slot, 0) for slot in self._slot]
        self._short = [self._shortest(slot, 1) for slot in self._slot]
        self._first = [self._alone[slot].pages[:2][-1] for slot in self._slot]
        self._books = [
            (self._alone[slot], self._together[slot], [i for i in self._cores[slot] if i != core])
            for core, slot in enumerate(self._slot)
        ]

    def _shortest(self, slot: int, skipped: int) -> float:
        """Least residency of a cluster's states, some of its cores' own skipped."""
        rest = self._rests[slot]
        return min([residency for residency, _ in (*rest.cores[skipped:], *rest.cluster)], default=inf)

    def woke(self, core: int, idle: float) -> None:
        """A core that had nothing to run for `idle` s has a thread now."""
        if idle < self._short[core]:
            page = self._first[core]
            page[0] += idle
            page[1] += 1.0
            return
        alone, together, others = self._books[core]
        page = alone.pages[bisect_right(alone.residencies, idle)]
        page[0] += idle
        page[1] += 1.0
        if not together.residencies:
            return
        runnable, since = self._runnable, self.since
        begun = own = since[core]
        for other in others:
            if runnable[other]:
                return
            if since[other] > begun:
                begun = since[other]
        together.add(idle + own - begun)

    def saved(self, slot: int) -> float:
        """Core-seconds of clock-gated power that a cluster's idle states have saved until now; changes nothing.

        What was saved before the run is in it.
        """
        rest = self._rests[slot]
        if not rest.longest:
            return 0.0
        total = self._alone[slot].saved() + rest.count * self._together[slot].saved()
        alone, together = self._under_way(slot)
        total += sum(saved(rest.cores, idle) for idle in alone)
        return total + rest.count * sum(saved(rest.cluster, idle) for idle in together)

    def _under_way(self, slot: int) -> tuple[list[float], list[float]]:
        """Idle times in s until now: of each core that has nothing to run, and, if none has, of all together."""
        now = float(self._env.now)
        alone = [now - self.since[core] for core in self._cores[slot] if not self._runnable[core]]
        return alone, [min(alone)] if len(alone) == self._rests[slot].count else []

    def spent(self, slot: int) -> list[tuple[IdleState, float, int]]:
        """Each state of a cluster, how long its cores (or all of it) have been in it until now, in s, and how often."""
        alone, together = self._under_way(slot)
        found = self._pages("core", slot, alone, self._rests[slot].count)
        return [*found, *self._pages("cluster", slot, together, 1)]

    def _pages(
        self, scope: str, slot: int, under_way: Sequence[float], units: int
    ) -> list[tuple[IdleState, float, int]]:
        """Times in the states of a scope; the first idle time of each unit began before the run."""
        kept = self._alone[slot] if scope == "core" else self._together[slot]
        ledger = _Ledger(self._rests[slot].cores if scope == "core" else self._rests[slot].cluster)
        ledger.pages = [list(page) for page in kept.pages]
        for idle in under_way:
            ledger.add(idle)
        ledger.pages[-1][0] -= units * self._before[slot]
        states = by_depth(self._clusters[slot].idle_states, scope)
        return [
            (state, max(0.0, time), int(often))
            for state, (time, often) in zip(states, ledger.pages[1:], strict=True)
        ]
