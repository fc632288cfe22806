"""Rules of a device file's power modes and meters, with the places of what breaks them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from socsim import units
from socsim.devices.crosscheck import ROUNDING, unknown
from socsim.devices.modes import PowerMode
from socsim.devices.spec import DeviceSpec, PowerModeSpec
from socsim.yamlfile import Document, FileFault, Loc

__all__ = ["faults"]


def faults(spec: DeviceSpec, document: Document) -> Iterator[FileFault]:
    """Yield what is wrong; the blocks themselves have been found sound."""
    for loc, message in _faults(spec):
        yield document.fault(loc, message)


def _faults(spec: DeviceSpec) -> Iterator[tuple[Loc, str]]:
    yield from _meters(spec)
    modes = spec.power_modes
    if modes is None:
        return
    if modes.default not in modes.modes:
        yield ("power_modes", "default"), unknown("power mode", modes.default, list(modes.modes))
    for name, mode in modes.modes.items():
        at: Loc = ("power_modes", "modes", name)
        yield from _cores(spec, mode, at)
        yield from _clocks(spec, mode, at)


def _meters(spec: DeviceSpec) -> Iterator[tuple[Loc, str]]:
    """Meters see rails that there are, each once."""
    for meter, rails in spec.meters.items():
        if meter in spec.rails:
            yield ("meters", meter), f"a rail is called {meter!r} too; give the meter a name of its own"
        if not rails:
            yield (
                ("meters", meter),
                f"sees no rail; name one of {', '.join(spec.rails)}, or leave the meter out",
            )
        for index, rail in enumerate(rails):
            if rail not in spec.rails:
                yield ("meters", meter, index), unknown("rail", rail, list(spec.rails))
            elif rail in rails[:index]:
                yield ("meters", meter, index), f"rail {rail!r} is listed twice"


def _cores(spec: DeviceSpec, mode: PowerModeSpec, at: Loc) -> Iterator[tuple[Loc, str]]:
    counts = {cluster.name: cluster.count for cluster in spec.clusters}
    for cluster, online in mode.cores.items():
        if cluster not in counts:
            yield (*at, "cores", cluster), unknown("cluster", cluster, list(counts))
        elif online > counts[cluster]:
            message = f"cluster {cluster!r} has {counts[cluster]} cores, got {online}"
            yield (*at, "cores", cluster), message


def _clocks(spec: DeviceSpec, mode: PowerModeSpec, at: Loc) -> Iterator[tuple[Loc, str]]:
    """Bounds are operating points of what they bound, and leave one."""
    domains = _domains(spec, mode)
    for block, bounds in (("caps", mode.caps), ("floors", mode.floors)):
        for domain, clock in bounds.items():
            if domain not in domains:
                yield (*at, block, domain), unknown("clock domain", domain, list(domains))
            elif _is_off(spec, mode, domain):
                yield (
                    (*at, block, domain),
                    f"{domain} is off in this mode, which lists {', '.join(mode.cores)}",
                )
            elif message := _no_point(domains[domain], clock):
                yield (*at, block, domain), message
    limits = PowerMode(str(at[-1]), mode.cores, mode.caps, mode.floors)
    crossed: dict[Loc, str] = {}
    for unit in list(domains)[1:]:
        low, high = limits.bounds(unit, cpu=unit in domains["cpu"])
        if low > high * (1 + ROUNDING):
            got, cap = (units.format(clock, "frequency") for clock in (low, high))
            domain = unit if unit in mode.floors else "cpu"
            crossed[(*at, "floors", domain)] = f"is {got}, above the cap of {cap}"
    yield from crossed.items()


def _is_off(spec: DeviceSpec, mode: PowerModeSpec, domain: str) -> bool:
    """Whether a domain is a cluster without cores that are online."""
    return domain in (cluster.name for cluster in spec.clusters) and domain not in mode.cores


def _domains(spec: DeviceSpec, mode: PowerModeSpec) -> dict[str, dict[str, list[float]]]:
    """What a bound may be of -> what it holds for, and the clocks of that."""
    clusters = {c.name: [o.freq for o in c.opps] for c in spec.clusters}
    cpu = {name: clocks for name, clocks in clusters.items() if name in mode.cores}
    others = {str(name): [o.freq for o in a.opps] for name, a in spec.accelerators.items()}
    others["dram"] = [o.freq for o in spec.memory.opps]
    return {"cpu": cpu, **{name: {name: clocks} for name, clocks in (clusters | others).items()}}


def _no_point(bounded: Mapping[str, list[float]], clock: float) -> str:
    """Why a clock cannot bound a domain; ``""`` if it can."""
    for name, clocks in bounded.items():
        near = min(clocks, key=lambda c: abs(c - clock))
        if abs(near - clock) > ROUNDING * near:
            got, best = (units.format(c, "frequency") for c in (clock, near))
            return f"{got} is no operating point of {name}; the nearest is {best}"
    return ""
