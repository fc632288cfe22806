"""Heat: a network of thermal resistances and capacities, warmed by the components' power, and the zones that watch it.

Every node has one temperature. Heat flows between nodes, and from nodes to the air, in proportion to the difference of
temperatures; what the components draw enters the nodes. While the powers are constant the solution is a sum of
exponentials, one for each mode of the network, so that temperatures are exact however long the step is.

References
----------
.. [1] K. Skadron et al., "Temperature-aware microarchitecture: Modeling and implementation", ACM TACO 1(1), 2004: the
   duality of heat flow and RC circuits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import inf
from typing import TYPE_CHECKING, TypeAlias

from socsim.errors import UnknownNameError, UsageError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    _Array: TypeAlias = npt.NDArray[np.float64]

__all__ = ["Coupling", "Temperatures", "ThermalModel", "ThermalNode", "ThermalZone", "Trip"]


@dataclass(frozen=True, slots=True)
class Trip:
    """A temperature at which the platform acts.

    Parameters
    ----------
    kind
        ``"passive"`` (clocks are capped), ``"active"`` (fans run), ``"hot"`` (the system is told) or ``"critical"`` (it
        shuts down).
    temperature, hysteresis
        In degrees Celsius, and in kelvin below.
    throttles
        Clock domains that the zone's governor caps because of it: ``cpu.<cluster>`` and accelerators.
    """

    kind: str
    temperature: float
    hysteresis: float = 0.0
    throttles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ThermalZone:
    """A temperature sensor with its trips and the governor that acts on them.

    Parameters
    ----------
    name
        ``"cpu"``, ``"gpu"``, ``"skin"``, ...
    node
        Node of the network whose temperature it reads.
    trips
        From the mildest to the most severe.
    governor
        Name of its thermal governor.
    options
        The governor's parameters in SI units: ``{"sustainable_power": 2.1}``.
    weights
        Weight of clock domains where the governor divides something among them; empty for equal ones.
    period, passive_period
        Time in s between readings, and while the governor throttles.
    """

    name: str
    node: str
    trips: tuple[Trip, ...]
    governor: str = "step_wise"
    options: Mapping[str, float] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    period: float = 1.0
    passive_period: float = 0.1

    @property
    def domains(self) -> tuple[str, ...]:
        """Clock domains that any of its trips throttles."""
        return tuple(dict.fromkeys(domain for trip in self.trips for domain in trip.throttles))


@dataclass(frozen=True, slots=True)
class ThermalNode:
    """A part with one temperature.

    Parameters
    ----------
    name
        ``"cpu"``, ``"soc"``, ``"case"``, ...
    capacity
        Heat capacity in J/K.
    resistance
        Thermal resistance to the air in K/W; infinite for none.
    heated_by
        Shares, by component (``"cpu.gold"``, ``"gpu"``, ``"dram"``, ``"board"``), of power that turns into heat here.
    """

    name: str
    capacity: float
    resistance: float = inf
    heated_by: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Coupling:
    """A path of heat between two nodes; `resistance` in K/W."""

    first: str
    second: str
    resistance: float


@dataclass(frozen=True)
class ThermalModel:
    """A thermal network with its zones.

    Parameters
    ----------
    ambient
        Temperature of the air in degrees Celsius.
    nodes, couplings, zones
        Its parts; every node has a path to the air.

    Raises
    ------
    UsageError
        A node that has no path to the air.
    """

    ambient: float
    nodes: tuple[ThermalNode, ...]
    couplings: tuple[Coupling, ...] = ()
    zones: tuple[ThermalZone, ...] = ()

    def __post_init__(self) -> None:
        if lost := self.isolated(self.nodes, self.couplings):
            raise UsageError(f"node {lost[0]!r} has no path to the air; give it a resistance or a coupling")

    @staticmethod
    def isolated(nodes: tuple[ThermalNode, ...], couplings: tuple[Coupling, ...]) -> list[str]:
        """Names of the nodes from which no heat gets to the air."""
        reached = {node.name for node in nodes if node.resistance < inf}
        for _ in nodes:
            for path in couplings:
                if reached & {path.first, path.second}:
                    reached |= {path.first, path.second}
        return [node.name for node in nodes if node.name not in reached]

    @cached_property
    def index(self) -> Mapping[str, int]:
        """Number of each node."""
        return {node.name: i for i, node in enumerate(self.nodes)}

    def node_index(self, name: str) -> int:
        """Number of a node.

        Raises
        ------
        UnknownNameError
            No node of that name.
        """
        if name not in self.index:
            raise UnknownNameError("thermal node", name, self.index)
        return self.index[name]

    @cached_property
    def conductance(self) -> _Array:
        """Heat flow in W per K: what leaves each node (row) as each node (column) gets warmer than the air."""
        import numpy as np

        matrix = np.diag([1.0 / node.resistance for node in self.nodes])
        for path in self.couplings:
            i, j, flow = self.node_index(path.first), self.node_index(path.second), 1.0 / path.resistance
            matrix[[i, j], [i, j]] += flow
            matrix[[i, j], [j, i]] -= flow
        return matrix

    @cached_property
    def capacity(self) -> _Array:
        """Heat capacity of each node in J/K."""
        import numpy as np

        return np.array([node.capacity for node in self.nodes])

    @cached_property
    def modes(self) -> tuple[_Array, _Array, _Array]:
        """Rates in 1/s at which the network's modes decay, and the matrices that lead to the modes and back.

        With temperatures weighted by the roots of the capacities the network is symmetric, so that the modes are real
        and orthogonal, and the rates positive.
        """
        import numpy as np

        root = np.sqrt(self.capacity)
        rates, modes = np.linalg.eigh(self.conductance / np.outer(root, root))
        return rates, modes.T * root, modes / root[:, None]

    def heat(self, power: Mapping[str, float]) -> _Array:
        """Heat in W that enters each node.

        Parameters
        ----------
        power
            In W by component; components that heat no node are left out.
        """
        import numpy as np

        nodes = self.nodes
        return np.array([sum(share * power.get(c, 0.0) for c, share in n.heated_by.items()) for n in nodes])

    def steady(self, power: Mapping[str, float]) -> dict[str, float]:
        """Temperature in degrees Celsius that each node tends to under constant powers in W by component."""
        import numpy as np

        rise = np.linalg.solve(self.conductance, self.heat(power))
        return {name: self.ambient + float(rise[i]) for name, i in self.index.items()}

    def zone(self, name: str) -> ThermalZone:
        """A zone by its name.

        Raises
        ------
        UnknownNameError
            No zone of that name.
        """
        for zone in self.zones:
            if zone.name == name:
                return zone
        raise UnknownNameError("thermal zone", name, [zone.name for zone in self.zones])


class Temperatures:
    """Present temperatures of a network.

    Parameters
    ----------
    model
        The network.
    start
        Temperatures in degrees Celsius by node; nodes left out are as warm as the air.

    Raises
    ------
    UnknownNameError
        A node that the network does not have.
    """

    __slots__ = ("_above", "_model")

    def __init__(self, model: ThermalModel, start: Mapping[str, float] | None = None) -> None:
        self._model = model
        import numpy as np

        self._above = np.zeros(len(model.nodes))
        for name, temperature in (start or {}).items():
            self._above[model.node_index(name)] = temperature - model.ambient

    def advance(self, seconds: float, power: Mapping[str, float]) -> None:
        """Let time pass under constant powers.

        Parameters
        ----------
        seconds
            How long, in s.
        power
            In W by component, as :meth:`ThermalModel.heat` takes it.

        Raises
        ------
        UsageError
            Less than no time.
        """
        import numpy as np

        if not seconds >= 0.0:
            raise UsageError(f"temperatures advance by 0 s or more, got {seconds:g} s")
        rates, into, back = self._model.modes
        tends_to = back.T @ self._model.heat(power) / rates
        # as a change of what is there: short steps lose no digits
        self._above += back @ ((into @ self._above - tends_to) * np.expm1(-rates * seconds))

    def of(self, node: str) -> float:
        """Temperature of a node in degrees Celsius.

        Raises
        ------
        UnknownNameError
            No node of that name.
        """
        return self._model.ambient + float(self._above[self._model.node_index(node)])

    @property
    def stored(self) -> float:
        """Heat in J that the nodes hold above what they hold at the temperature of the air."""
        return float(self._model.capacity @ self._above)

    def all(self) -> dict[str, float]:
        """Temperature of every node in degrees Celsius."""
        return {name: self.of(name) for name in self._model.index}
