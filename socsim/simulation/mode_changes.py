"""Power modes that change in a run: caps and floors of all clocks move at the instant, as nvpmodel's do."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import inf
from typing import Any

from simpy.events import Timeout

from socsim.devices.device import Device
from socsim.devices.modes import clock_bounds, spanned
from socsim.simulation.clocks import Clocks
from socsim.workloads.mode_schedule import ModeChange

__all__ = ["device_for", "first_device", "start_modes"]

_WHO = "power mode"


def first_device(device: Device, changes: Sequence[ModeChange]) -> Device:
    """A device in the mode that a run begins in: its own, unless a change comes at 0 s.

    Raises
    ------
    UsageError
        The device has no modes.
    UnknownNameError
        It has others.
    """
    return device.in_mode(changes[0].mode) if changes and changes[0].at <= 0.0 else device


def device_for(device: Device, changes: Sequence[ModeChange]) -> Device:
    """The device that a run with changes of its mode is simulated on: in its first mode, with the clocks of them all.

    Raises
    ------
    UsageError
        The device has no modes, or modes with other cores are to follow each other.
    UnknownNameError
        It has other modes.
    """
    first = first_device(device, changes)
    return spanned(first, [change.mode for change in changes]) if changes else first


def start_modes(clocks: Clocks, changes: Sequence[ModeChange]) -> None:
    """Keep clocks within what the device's mode allows, and after each change within what that one does."""
    if not changes:
        return
    _set(clocks, clocks.device.mode, at_once=True)
    for change in changes:
        if change.at > 0.0:
            timer = Timeout(clocks.env, change.at)
            timer.callbacks.append(partial(_change, clocks, change.mode))


def _change(clocks: Clocks, mode: str, event: Any) -> None:
    _set(clocks, mode)


def _set(clocks: Clocks, mode: str, *, at_once: bool = False) -> None:
    for domain, (low, high) in clock_bounds(clocks.device, mode).items():
        cap = None if high == inf else high
        clocks.limit(domain, _WHO, cap=cap, floor=low or None, at_once=at_once)
