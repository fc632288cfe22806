"""Operating points of a clock domain, and the power drawn at them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["IdleState", "Opp", "PowerModel", "exit_latency"]


@dataclass(frozen=True, slots=True)
class Opp:
    """An operating performance point.

    Parameters
    ----------
    frequency
        Clock in Hz.
    voltage
        Supply in V; 0 where the platform does not tell.
    dram_floor
        DRAM clock in Hz that the point votes for while its domain is busy; 0 for none.
    l3_floor
        The same for the L3 cache.
    """

    frequency: float
    voltage: float = 0.0
    dram_floor: float = 0.0
    l3_floor: float = 0.0


@dataclass(frozen=True, slots=True)
class PowerModel:
    """``P = coefficient * f * V^2 * activity + leakage * V`` while busy, `idle` while not.

    Of one core, or of an accelerator.

    Parameters
    ----------
    coefficient
        Dynamic power in W / (Hz V^2).
    leakage
        Static power in W / V.
    idle
        Power of an idle, clock-gated unit in W.
    activity
        Factor of the dynamic part while DNN kernels run, against the integer code the fit comes from.
    idle_voltage
        Supply in V at which it draws `idle`; what a clock-gated unit draws is leakage, in proportion to its supply.
        With 0 it draws as much at every point.
    """

    coefficient: float
    leakage: float = 0.0
    idle: float = 0.0
    activity: float = 1.0
    idle_voltage: float = 0.0

    def idle_at(self, opp: Opp) -> float:
        """Power in W of a clock-gated unit at an operating point."""
        return self.idle * opp.voltage / self.idle_voltage if self.idle_voltage else self.idle

    def busy(self, opp: Opp, *, kernels: bool = True) -> float:
        """Power in W at an operating point, running DNN kernels or (``kernels=False``) other code."""
        factor = self.activity if kernels else 1.0
        return self.coefficient * opp.frequency * opp.voltage**2 * factor + self.leakage * opp.voltage


@dataclass(frozen=True, slots=True)
class IdleState:
    """An idle state: times in s; `scope` is ``"cluster"`` where all cores of the cluster have to be idle for it.

    `share` is what is drawn in it of what clock-gated cores draw; 1 where nothing is known.
    """

    name: str
    entry: float
    exit: float
    min_residency: float
    scope: str = "core"
    share: float = 1.0


def exit_latency(states: Iterable[IdleState], idle: float) -> float:
    """Time in s that a core takes to run again after it has been idle.

    Its governor is taken to have known for how long that would be: the core was in the deepest state whose least
    residency is not longer. States of whole clusters are left out: with the display on, the system's own work, which
    is not simulated, keeps some core awake.

    Parameters
    ----------
    states
        Of its cluster; without one that fits, the core has only stopped its clock, and runs at once.
    idle
        Time in s for which the core has been idle.
    """
    fitting = [s for s in states if s.scope == "core" and s.min_residency <= idle]
    return max(fitting, key=lambda state: state.min_residency).exit if fitting else 0.0
