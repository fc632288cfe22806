"""What runs have in common before anything is simulated: networks, priced operators, plans and their lowerings.

All of it is worked out from what is never changed, so a run that finds it is the run that works it out again, to the
last bit.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from socsim.devices.device import Device
from socsim.workloads.graph import ModelGraph
from socsim.workloads.library import Library
from socsim.workloads.pricing import Pricer

__all__ = ["Setups"]

T = TypeVar("T")


class Setups:
    """Keeps what is costly to work out for later runs of one process.

    Parameters
    ----------
    most
        How many things of each kind are kept; those not used for longest go first.
    """

    def __init__(self, most: int = 128) -> None:
        self._most = most
        self._kept: dict[str, OrderedDict[Hashable, Any]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """For other processes: empty."""
        return {"_most": self._most, "_kept": {}}

    def kept(self, kind: str, key: Hashable, make: Callable[[], T]) -> T:
        """What was made for a key, or is made now.

        Parameters
        ----------
        kind
            Of thing, such as ``"plan"``.
        key
            All that it depends on; what is in it by identity must be kept alive by the thing itself.
        make
            Called for a new key; an exception is not kept.
        """
        things = self._kept.setdefault(kind, OrderedDict())
        if key in things:
            things.move_to_end(key)
            found: T = things[key]
            return found
        made = make()
        things[key] = made
        if len(things) > self._most:
            things.popitem(last=False)
        return made

    def pricer(
        self, device: Device, library: Library, graph: ModelGraph, dtype: str = "", cores: str = "",
        cpuset: str = "",
    ) -> Pricer:  # fmt: skip
        """A network under its library on a device, with all that has been asked of it before."""
        key = (id(device), id(library), id(graph), dtype, cores, cpuset)
        return self.kept("pricer", key, lambda: Pricer(device, library, graph, dtype, cores, cpuset))
