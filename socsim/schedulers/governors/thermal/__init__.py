"""Thermal governors: what a zone's temperature means for the clocks, as Linux 6.1 decides it.

Each is a decision without a clock of its own: a reading in, caps on clock domains out, and what it has to remember in
the governor.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from socsim.errors import UnknownNameError, UsageError
from socsim.schedulers.governors.thermal.bang_bang import BangBang
from socsim.schedulers.governors.thermal.base import ActorView, StateGovernor, ThermalGovernor, ZoneView
from socsim.schedulers.governors.thermal.fair_share import FairShare
from socsim.schedulers.governors.thermal.power_allocator import PowerAllocator, divide
from socsim.schedulers.governors.thermal.step_wise import StepWise

__all__ = [
    "THERMAL_GOVERNORS",
    "ActorView",
    "BangBang",
    "FairShare",
    "PowerAllocator",
    "StateGovernor",
    "StepWise",
    "ThermalGovernor",
    "ZoneView",
    "divide",
    "make_thermal_governor",
]

THERMAL_GOVERNORS: Mapping[str, type[ThermalGovernor]] = MappingProxyType(
    {
        "step_wise": StepWise,
        "bang_bang": BangBang,
        "fair_share": FairShare,
        "power_allocator": PowerAllocator,
    }
)
"""Thermal governors by the name that device files use."""


def make_thermal_governor(name: str, options: Mapping[str, float] | None = None) -> ThermalGovernor:
    """A fresh thermal governor from a name and parameters, as :class:`~socsim.devices.thermal.ThermalZone` has them.

    Raises
    ------
    UnknownNameError
        No governor of that name.
    UsageError
        A parameter that it does not have.
    """
    if name not in THERMAL_GOVERNORS:
        raise UnknownNameError("thermal governor", name, THERMAL_GOVERNORS)
    try:
        return THERMAL_GOVERNORS[name](**(options or {}))
    except TypeError as error:
        raise UsageError(f"thermal governor {name!r}: {str(error).rpartition('() ')[2]}") from None
