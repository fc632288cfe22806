"""What the block `thermal` of a device file may say, the rules that hold inside it, and what it is built into."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from math import inf
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from socsim import units
from socsim.devices.spec_fields import Interval, Name, PositiveShare, quantity
from socsim.devices.thermal import Coupling, ThermalModel, ThermalNode, ThermalZone, Trip
from socsim.errors import nearest
from socsim.yamlfile import Loc, RelativeFaults

__all__ = ["GovernorSpec", "NodeSpec", "ThermalSpec", "TripSpec", "ZoneSpec", "build_thermal"]

_Fault = tuple[Loc, str]


Temperature = Annotated[float, quantity("temperature"), Field(gt=-273.15)]
Difference = Annotated[float, quantity("temperature difference"), Field(ge=0)]
Capacity = Annotated[float, quantity("heat capacity"), Field(gt=0)]
Resistance = Annotated[float, quantity("thermal resistance"), Field(gt=0)]
Weight = Annotated[float, quantity("ratio"), Field(gt=0)]
Power = Annotated[float, quantity("power"), Field(gt=0)]
Gain = Annotated[float, quantity("thermal conductance"), Field(ge=0)]
Derivative = Annotated[float, quantity("heat capacity"), Field(ge=0)]

_SEVERITY = {"active": 0, "passive": 0, "hot": 1, "critical": 2}
_OPTIONS: dict[str, tuple[str, ...]] = {
    "step_wise": (),
    "fair_share": (),
    "bang_bang": ("state",),
    "power_allocator": ("sustainable_power", "k_po", "k_pu", "k_i", "k_d", "integral_cutoff"),
}


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _refuse(faults: Iterable[_Fault]) -> None:
    if found := tuple(faults):
        raise RelativeFaults(found)


class TripSpec(_Block):
    """A temperature at which the platform acts."""

    kind: Literal["active", "passive", "hot", "critical"]
    temperature: Temperature
    hysteresis: Difference = 0.0
    throttles: list[str] = []


class GovernorSpec(_Block):
    """A thermal governor with its parameters; those left out are the governor's own."""

    name: Literal["step_wise", "bang_bang", "fair_share", "power_allocator"]
    state: Annotated[int, Field(strict=True, ge=1)] | None = None
    sustainable_power: Power | None = None
    k_po: Gain | None = None
    k_pu: Gain | None = None
    k_i: Gain | None = None
    k_d: Derivative | None = None
    integral_cutoff: Difference | None = None

    @model_validator(mode="after")
    def _own(self) -> GovernorSpec:
        known = _OPTIONS[self.name]
        tail = f"it has {', '.join(known)}" if known else "it has none"
        others = [name for name in self.options if name not in known]
        _refuse(((name,), f"is no parameter of {self.name}; {tail}") for name in others)
        return self

    @property
    def options(self) -> dict[str, float]:
        """The parameters that are given."""
        return self.model_dump(exclude={"name"}, exclude_none=True)


def _governor(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class ZoneSpec(_Block):
    """A temperature sensor, its trips, and the governor that acts on them."""

    node: str
    trips: Annotated[list[TripSpec], Field(min_length=1)]
    governor: Annotated[GovernorSpec, BeforeValidator(_governor)] = GovernorSpec(name="step_wise")
    weights: dict[str, Weight] = {}
    polling: Interval = 1.0
    passive_polling: Interval = 0.1

    @model_validator(mode="after")
    def _rules(self) -> ZoneSpec:
        _refuse(self._order())
        _refuse((*self._throttles(), *self._weights()))
        return self

    def _order(self) -> Iterator[_Fault]:
        for i, (before, trip) in enumerate(pairwise(self.trips), start=1):
            low, high = (units.format(t.temperature, "temperature") for t in (before, trip))
            if _SEVERITY[trip.kind] < _SEVERITY[before.kind]:
                rule = f"must not follow a {before.kind} trip; the mildest comes first"
                yield ("trips", i, "kind"), f"{rule}, got {trip.kind}"
            elif trip.temperature < before.temperature:
                got = f"{trip.kind} at {high} after {before.kind} at {low}"
                yield ("trips", i, "temperature"), f"must not fall from trip to trip, got {got}"
            elif trip.kind == before.kind and trip.temperature == before.temperature:
                yield ("trips", i, "temperature"), f"two {trip.kind} trips at {high}"

    def _throttles(self) -> Iterator[_Fault]:
        last = max((i for i, trip in enumerate(self.trips) if trip.kind == "passive"), default=0)
        for i, trip in enumerate(self.trips):
            loc: Loc = ("trips", i, "throttles")
            if trip.throttles and _SEVERITY[trip.kind]:
                yield loc, f"a {trip.kind} trip throttles nothing; passive ones do"
            elif trip.throttles and self.governor.name == "power_allocator" and i != last:
                yield loc, "power_allocator throttles at the last passive trip alone; name the domains there"
            for j, domain in enumerate(trip.throttles):
                if domain in trip.throttles[:j]:
                    yield (*loc, j), f"{domain!r} is listed twice"

    def _weights(self) -> Iterator[_Fault]:
        throttled = [domain for trip in self.trips for domain in trip.throttles]
        if self.weights and self.governor.name not in ("fair_share", "power_allocator"):
            yield ("weights",), f"{self.governor.name} knows no weights; fair_share and power_allocator do"
        for domain in self.weights:
            if domain not in throttled:
                yield ("weights", domain), f"no trip of the zone throttles {domain!r}"


class NodeSpec(_Block):
    """A part of the device that has one temperature."""

    capacity: Capacity
    resistance: Resistance | None = None
    heated_by: dict[str, PositiveShare] = {}


class CouplingSpec(_Block):
    """A path of heat between two nodes."""

    between: Annotated[list[str], Field(min_length=2, max_length=2)]
    resistance: Resistance


class ThermalSpec(_Block):
    """How a device warms up, and what it does about it."""

    ambient: Temperature
    nodes: Annotated[dict[Name, NodeSpec], Field(min_length=1)]
    couplings: list[CouplingSpec] = []
    zones: dict[Name, ZoneSpec] = {}

    @model_validator(mode="after")
    def _rules(self) -> ThermalSpec:
        _refuse((*self._unknown(), *self._couplings(), *self._cold_trips()))
        lost = ThermalModel.isolated(_nodes(self), _couplings(self))
        rule = "no heat gets from here to the air; give a resistance, or a coupling to a node that has one"
        _refuse((("nodes", name), rule) for name in lost)
        _refuse(self._useless())
        return self

    def _unknown(self) -> Iterator[_Fault]:
        named: list[tuple[Loc, str]] = [
            (("zones", name, "node"), zone.node) for name, zone in self.zones.items()
        ]
        for i, path in enumerate(self.couplings):
            named += [(("couplings", i, "between", j), node) for j, node in enumerate(path.between)]
        for loc, node in named:
            if node not in self.nodes:
                guess = nearest(node, self.nodes)
                tail = f"did you mean {guess!r}?" if guess else f"known: {', '.join(self.nodes)}"
                yield loc, f"unknown node {node!r}; {tail}"

    def _useless(self) -> Iterator[_Fault]:
        """Nodes that nothing warms up and no path of heat leads to."""
        reached = {name for path in self.couplings for name in path.between}
        for name, node in self.nodes.items():
            if not node.heated_by and name not in reached:
                rule = "nothing warms it up; give heated_by, a coupling, or leave the node out"
                yield ("nodes", name), rule

    def _cold_trips(self) -> Iterator[_Fault]:
        """Trips that the idle device would have passed already, or could never leave again."""
        for name, zone in self.zones.items():
            for i, trip in enumerate(zone.trips):
                loc: Loc = ("zones", name, "trips", i)
                air = units.format(self.ambient, "temperature")
                if trip.temperature <= self.ambient:
                    got = units.format(trip.temperature, "temperature")
                    yield (*loc, "temperature"), f"must be above the air's {air}, got {got}"
                elif trip.temperature - trip.hysteresis <= self.ambient:
                    got = units.format(trip.hysteresis, "temperature difference")
                    yield (*loc, "hysteresis"), f"must end above the air's {air}, got {got} below the trip"

    def _couplings(self) -> Iterator[_Fault]:
        seen = list[set[str]]()
        for i, path in enumerate(self.couplings):
            pair, loc = set(path.between), ("couplings", i, "between")
            if len(pair) == 1:
                yield loc, f"couples {path.between[0]!r} to itself"
            elif pair in seen:
                yield loc, f"{' and '.join(path.between)} are coupled twice"
            seen.append(pair)


def _nodes(spec: ThermalSpec) -> tuple[ThermalNode, ...]:
    return tuple(
        ThermalNode(name, n.capacity, n.resistance or inf, MappingProxyType(n.heated_by))
        for name, n in spec.nodes.items()
    )


def _couplings(spec: ThermalSpec) -> tuple[Coupling, ...]:
    return tuple(Coupling(path.between[0], path.between[1], path.resistance) for path in spec.couplings)


def _zone(name: str, spec: ZoneSpec) -> ThermalZone:
    return ThermalZone(
        name,
        spec.node,
        tuple(Trip(t.kind, t.temperature, t.hysteresis, tuple(t.throttles)) for t in spec.trips),
        spec.governor.name,
        MappingProxyType(spec.governor.options),
        MappingProxyType(spec.weights),
        spec.polling,
        spec.passive_polling,
    )


def build_thermal(spec: ThermalSpec) -> ThermalModel:
    """The frozen description of a device's heat from what its file says of it."""
    zones = tuple(_zone(name, zone) for name, zone in spec.zones.items())
    return ThermalModel(spec.ambient, _nodes(spec), _couplings(spec), zones)
