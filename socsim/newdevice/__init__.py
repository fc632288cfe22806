"""A starting profile from public specifications alone: cores, clocks, GPU, memory."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from socsim.devices.device import Device
from socsim.newdevice.hardware import Taken
from socsim.newdevice.specification import Specification, read_specification, specification
from socsim.newdevice.transfer import Transferred

__all__ = [
    "NewDevice",
    "Specification",
    "Taken",
    "Transferred",
    "new_device",
    "rates_for",
    "read_specification",
    "specification",
]


@dataclass(frozen=True, slots=True)
class NewDevice:
    """A starting profile.

    Parameters
    ----------
    text
        The device file.
    hardware
        Where what was not told of each part is from.
    rates
        The parameter sets, with where each is from and how uncertain it is.
    """

    text: str
    hardware: tuple[Taken, ...]
    rates: tuple[Transferred, ...]


def new_device(spec: Specification, exclude: Collection[str] = ()) -> NewDevice:
    """A device file from what is publicly told of a device.

    Parameters
    ----------
    spec
        Cores, clocks, GPU, memory.
    exclude
        Names of devices from which nothing is taken: to predict one that ships as if it had not been measured.
    """
    from socsim.newdevice.build import built
    from socsim.newdevice.hardware import hardware
    from socsim.newdevice.transfer import transferred
    from socsim.newdevice.writing import device_text

    blocks, notes = hardware(spec, exclude)
    sets = transferred(built(blocks), exclude)
    return NewDevice(device_text(_COMMENT.format(spec.title), blocks, sets), tuple(notes), tuple(sets))


def rates_for(
    device: Device, exclude: Collection[str] = (), donors: Iterable[Device] | None = None
) -> tuple[Transferred, ...]:
    """Parameter sets for hardware that is known, from the nearest devices that were calibrated.

    Parameters
    ----------
    device
        A device, with or without parameter sets of its own, which are not looked at.
    exclude
        Names of devices from which nothing is taken, such as its own.
    donors
        Devices to take from; default those that come with socsim and were calibrated.
    """
    from socsim.newdevice.transfer import transferred

    return tuple(transferred(device, exclude, donors))


_COMMENT = (
    "{}: a starting profile from public specifications. Nothing was measured on it; what is not told is as on the\n"
    "nearest devices, which the sources name."
)
