"""Numbers of a device that no rule forbids, but that no phone has: told as warnings."""

from __future__ import annotations

from collections.abc import Iterator

from socsim import units
from socsim.devices.device import Device

__all__ = ["doubts"]

_BOARD_POWER = 100.0
"""W; the highest that a board's own consumption can be without doubt."""

_BANDWIDTH = 1e9
"""B/s; the lowest that DRAM and those who read it can reach without doubt, single cores aside."""


def doubts(device: Device) -> Iterator[str]:
    """Yield a sentence for each number of a device that is out of the ordinary."""
    dram = device.memory.opps[-1].bandwidth
    if device.cpu_bandwidth > dram:
        yield f"cpu_bandwidth is {_rate(device.cpu_bandwidth)}, more than the DRAM's {_rate(dram)}"
    if device.board_power > _BOARD_POWER:
        yield f"board_power is {device.board_power:g} W, more than {_BOARD_POWER:g} W"
    rates = {"cpu_bandwidth": device.cpu_bandwidth, "memory": dram}
    rates |= {f"accelerators.{name}": a.bandwidth for name, a in device.accelerators.items()}
    for name, rate in rates.items():
        if rate < _BANDWIDTH:
            yield f"bandwidth of {name} is {_rate(rate)}, less than {_rate(_BANDWIDTH)}"


def _rate(value: float) -> str:
    return units.format(value, "bandwidth")
