"""Energy-aware scheduling (EAS): on which core a waking thread costs the least energy; pure decisions.

While every core has capacity to spare, a thread that wakes up is put where an energy model says that it costs least:
of each cluster the core with most capacity to spare is looked at, and the core that it ran on last. Once a core is used
beyond 80 %, energy counts no more, and load is balanced.

References
----------
.. [1] Linux 5.4, kernel/sched/fair.c: `find_energy_efficient_cpu`, `compute_energy`, `cpu_util_next`,
   `cpu_overutilized`, `update_misfit_status`; EAS was merged in 5.0.
.. [2] Linux 5.4, include/linux/energy_model.h (`em_pd_energy`) and include/linux/sched/cpufreq.h (`map_util_freq`).
.. [3] Linux 5.4, drivers/opp/of.c (`_get_cpu_power`): power is `dynamic-power-coefficient * f * V^2`.

Notes
-----
What differs from Linux: utilisation is continuous, not whole numbers; that a core is used beyond 80 % holds for as long
as it is, not from a tick to the next look of the load balancer; whole cores are there for fair threads (no interrupts,
no real-time threads, no heat); `schedtune` is left out, and so is Android 4.14's own search
(`find_best_target`), which puts threads of the application in front on idle cores. Clamps of utilisation (uclamp) are
those of Linux 5.6: they count where a core is chosen and where its clock is foreseen, and not where energy is summed up
or a core is taken to be overutilised.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf

from socsim.devices.device import Cluster, Device

__all__ = [
    "MARGIN",
    "EnergyDomain",
    "Usage",
    "Waking",
    "clamped",
    "efficient_core",
    "energy_domains",
    "fits",
    "is_asymmetric",
    "misfit_moves",
    "overutilised",
]

MARGIN = 1.25
"""Capacity that is kept for each unit used: `capacity_margin` of 1280 in 1024."""
_WORTH_MOVING = 1.0 / 16.0
"""Share of the energy that a move has to save."""
_NEGLIGIBLE = 1.0
"""Utilisation below which Linux sees none."""


def clamped(utilisation: float, clamp: tuple[float, float]) -> float:
    """A utilisation within a least and a highest one; of two that contradict each other the least counts."""
    least, most = clamp
    return max(min(utilisation, most), least)


def fits(utilisation: float, capacity: float) -> bool:
    """Whether a capacity serves a utilisation with the usual margin."""
    return utilisation * MARGIN <= capacity


def overutilised(utilisations: Iterable[float], capacities: Iterable[float]) -> bool:
    """Whether a core is used beyond 80 % of its capacity."""
    return any(not fits(u, c) for u, c in zip(utilisations, capacities, strict=True))


@dataclass(frozen=True, slots=True)
class EnergyDomain:
    """A cluster in the energy model.

    Parameters
    ----------
    cores
        Their numbers.
    points
        (capacity, power in W of a busy core) at each operating point, ascending.
    """

    cores: tuple[int, ...]
    points: tuple[tuple[float, float], ...]

    @property
    def capacity(self) -> float:
        """Of one core at the highest point."""
        return self.points[-1][0]

    def power(self, utilisations: Sequence[float], counted: Sequence[float] = ()) -> float:
        """Mean power in W of the cluster's cores with these utilisations.

        The clock is the lowest that serves the core used most with the usual margin, as `schedutil` would choose it.

        Parameters
        ----------
        utilisations
            Of each core.
        counted
            The same within clamps, for the choice of the clock; as they are by default.
        """
        wanted = MARGIN * max(counted or utilisations)
        capacity, power = next((point for point in self.points if point[0] >= wanted), self.points[-1])
        return power * sum(utilisations) / capacity


def energy_domains(device: Device) -> tuple[EnergyDomain, ...]:
    """The energy model of a device: dynamic power at each operating point, of code that is no kernel."""
    return tuple(
        EnergyDomain(tuple(device.cluster_cores(cluster.name)), _points(cluster))
        for cluster in device.clusters
    )


def _points(cluster: Cluster) -> tuple[tuple[float, float], ...]:
    top = cluster.max_opp.frequency
    coefficient = cluster.power.coefficient
    return tuple(
        (cluster.capacity * opp.frequency / top, coefficient * opp.frequency * opp.voltage**2)
        for opp in cluster.opps
    )


def is_asymmetric(device: Device) -> bool:
    """Whether cores differ in capacity: Linux is energy-aware nowhere else."""
    return len({cluster.capacity for cluster in device.clusters}) > 1


@dataclass(frozen=True, slots=True)
class Usage:
    """How much of a core is used.

    Parameters
    ----------
    average
        Utilisation by all threads that ran there last, asleep or not.
    expected
        What its runnable threads are expected to use, by what is remembered of them.
    clamp
        Least and highest utilisation that its runnable threads ask for.
    idle
        Whether it has nothing to run: its clamp is that of who has gone, and nothing to who comes.
    """

    average: float
    expected: float = 0.0
    clamp: tuple[float, float] = (0.0, 1024.0)
    idle: bool = False

    @property
    def total(self) -> float:
        """The larger of both."""
        return max(self.average, self.expected)


@dataclass(frozen=True, slots=True)
class Waking:
    """A thread that wakes up.

    Parameters
    ----------
    average
        Its utilisation now, which is part of its last core's.
    expected
        What it is expected to use.
    last
        Core that it ran on last.
    allowed
        Cores that it may run on.
    clamp
        Least and highest utilisation that it asks for.
    """

    average: float
    expected: float
    last: int
    allowed: tuple[int, ...]
    clamp: tuple[float, float] = (0.0, 1024.0)

    @property
    def total(self) -> float:
        """The larger of both utilisations."""
        return max(self.average, self.expected)


def efficient_core(thread: Waking, usage: Sequence[Usage], domains: Sequence[EnergyDomain]) -> int:
    """Core on which a waking thread costs the least energy.

    It stays where it ran last, if nothing fits, or if the best other core saves no more than a 16th of the energy.
    Of equal cores the first is taken.

    Parameters
    ----------
    thread
        Who wakes up.
    usage
        Of each core, by core number.
    domains
        The energy model.
    """
    if thread.total < _NEGLIGIBLE:
        return thread.last
    base, best, best_cost, stay_cost = 0.0, thread.last, inf, inf
    for domain in domains:
        without = [_used(thread, usage[core], core, joins=False) for core in domain.cores]
        counted = [clamped(u, usage[core].clamp) for u, core in zip(without, domain.cores, strict=True)]
        idle_power = domain.power([min(u, domain.capacity) for u in without], counted)
        base += idle_power
        for core in _candidates(thread, usage, domain):
            index, used = core - domain.cores[0], _used(thread, usage[core], core, joins=True)
            joined = [*without[:index], used, *without[index + 1 :]]
            asked = [*counted[:index], _counted(used, thread, usage[core]), *counted[index + 1 :]]
            cost = domain.power([min(u, domain.capacity) for u in joined], asked) - idle_power
            if core == thread.last:
                stay_cost = cost
            if cost < best_cost:
                best, best_cost = core, cost
    if stay_cost < inf and stay_cost - best_cost <= (stay_cost + base) * _WORTH_MOVING:
        return thread.last
    return best


def _candidates(thread: Waking, usage: Sequence[Usage], domain: EnergyDomain) -> list[int]:
    """The last core, and the one with most capacity to spare, if the thread fits there."""
    found, most, roomiest = list[int](), 0.0, -1
    for core in domain.cores:
        if core not in thread.allowed:
            continue
        used = _counted(_used(thread, usage[core], core, joins=True), thread, usage[core])
        if not fits(used, domain.capacity):
            continue
        if core == thread.last:
            found.append(core)
        if domain.capacity - used > most:
            most, roomiest = domain.capacity - used, core
    return found if roomiest in (*found, -1) else [*found, roomiest]


def _counted(used: float, thread: Waking, usage: Usage) -> float:
    """What a core counts as used with a thread on it."""
    if usage.idle:
        return clamped(used, thread.clamp)
    both = max(usage.clamp[0], thread.clamp[0]), max(usage.clamp[1], thread.clamp[1])
    return clamped(used, both)


def _used(thread: Waking, usage: Usage, core: int, *, joins: bool) -> float:
    """What is used of a core with or without the thread."""
    average, expected = usage.average, usage.expected
    if core == thread.last and not joins:
        average = max(0.0, average - thread.average)
    elif core != thread.last and joins:
        average += thread.average
    return max(average, (expected + thread.expected) if joins else expected)


def misfit_moves(
    running: Sequence[tuple[int, float, Sequence[int]]], idle: Iterable[int], capacities: Sequence[float]
) -> list[tuple[int, int]]:
    """Which running threads that need more than 80 % of their cores move to idle, larger ones.

    Who uses most goes first, to the largest core; of equals the first.

    Parameters
    ----------
    running
        (core, utilisation, allowed cores) of each running thread.
    idle
        Cores without anything to run.
    capacities
        By core number.

    Returns
    -------
    (Index in `running`, core) of each move.
    """
    free, moves = set(idle), list[tuple[int, int]]()
    for index, (core, utilisation, allowed) in sorted(enumerate(running), key=lambda row: -row[1][1]):
        if fits(utilisation, capacities[core]):
            continue
        better = [other for other in free.intersection(allowed) if capacities[other] > capacities[core]]
        if better:
            target = max(better, key=lambda other: (capacities[other], -other))
            free.discard(target)
            moves.append((index, target))
    return moves
