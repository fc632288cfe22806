"""Rules of a device file that hold between its blocks.

They work on the file as read, before its blocks are known to be right, so that their faults come together
with the blocks' own; what a block's rules refuse anyway is passed over here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from socsim import units
from socsim.errors import UnitError, nearest
from socsim.yamlfile import Document, FileFault, Loc, Node, fault_at

__all__ = ["RESERVED", "ROUNDING", "SAME_POINT", "faults", "unknown"]

ROUNDING = 1e-3
"""Relative slack when clocks are compared that different sources round differently."""
SAME_POINT = 0.025
"""The same for votes, which may name a DRAM clock by that of another memory: 2092 MHz for one of 2133 MHz."""
RESERVED = ("cpu", "gpu", "dsp", "npu", "dram", "board", "all")
"""What no cluster is called: these mean other things where clusters are named too."""


def faults(document: Document) -> Iterator[FileFault]:
    """Yield what is wrong between the blocks of a device file."""
    root = document.root
    yield from _clusters(root)
    yield from _rails(root)
    yield from _floors(root)
    yield from _sharing(root)
    yield from _calibration(root)
    yield from _heat(root)
    yield from _throttled(root)


def _items(node: Node | None) -> list[tuple[Any, Node]]:
    """Keys or indices and the nodes under them; nothing for a scalar."""
    value = node.value if node else None
    if isinstance(value, dict):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, list) else []


def _mapping(node: Node | None) -> dict[str, Node]:
    return node.value if node and isinstance(node.value, dict) else {}


def _at(node: Node, *loc: str | int) -> Node | None:
    found: Node | None = node
    for part in loc:
        found = found.child(part) if found else None
    return found


def _named(root: Node) -> list[tuple[int, Node, str]]:
    """Index, node and name of the clusters."""
    names = [(index, cluster, cluster.child("name")) for index, cluster in _items(_at(root, "clusters"))]
    return [
        (index, cluster, name.value) for index, cluster, name in names if name and isinstance(name.value, str)
    ]


def _clusters(root: Node) -> Iterator[FileFault]:
    seen: set[str] = set()
    for index, cluster, name in _named(root):
        if name in seen:
            yield fault_at(
                cluster.value["name"], ("clusters", index, "name"), f"cluster {name!r} is there twice"
            )
        seen.add(name)
        if name in RESERVED:
            loc: Loc = ("clusters", index, "name")
            message = f"{name!r} means something else; call the cluster by its cores, such as 'big'"
            yield fault_at(cluster.value["name"], loc, message)


def _components(root: Node) -> list[str]:
    cpu = [f"cpu.{name}" for _, _, name in _named(root)]
    return [*dict.fromkeys(cpu), *_mapping(_at(root, "accelerators")), "dram", "board"]


def _rails(root: Node) -> Iterator[FileFault]:
    """Each component on exactly one rail, and nothing else on any."""
    known, on = _components(root), dict[str, str]()
    for rail, listed in _items(_at(root, "rails")):
        if listed.value == []:
            message = f"no component is on it; name one of {', '.join(known)}, or leave the rail out"
            yield fault_at(listed, ("rails", rail), message)
        for index, node in _items(listed):
            loc: Loc = ("rails", rail, index)
            if not isinstance(node.value, str):
                continue
            if node.value not in known:
                yield fault_at(node, loc, unknown("component", node.value, known))
            elif node.value in on:
                yield fault_at(node, loc, f"component {node.value!r} is already on rail {on[node.value]!r}")
            else:
                on[node.value] = str(rail)
    rails = _at(root, "rails")
    missing = [name for name in known if name not in on]
    if rails and missing:
        yield fault_at(rails, ("rails",), f"no rail feeds {', '.join(missing)}")


def _floors(root: Node) -> Iterator[FileFault]:
    """A vote is for an operating point that the DRAM has."""
    found = [_hertz(_at(opp, "freq")) for _, opp in _items(_at(root, "memory", "opps"))]
    clocks = [clock for clock in found if clock]
    if len(clocks) < len(found) or not clocks:
        return
    for kind in ("clusters", "accelerators"):
        for key, unit in _items(_at(root, kind)):
            for index, opp in _items(_at(unit, "opps")):
                node = _at(opp, "dram_floor")
                floor = _hertz(node)
                if node and floor and (message := _no_such_clock(node.value, floor, clocks)):
                    yield fault_at(node, (kind, key, "opps", index, "dram_floor"), message)


def _no_such_clock(written: object, floor: float, clocks: list[float]) -> str:
    """Why a vote is for no DRAM clock; ``""`` if it is for one."""
    near = min(clocks, key=lambda clock: abs(clock - floor))
    if abs(near - floor) <= SAME_POINT * near:
        return ""
    best = units.format(near, "frequency")
    if floor > max(clocks):
        return f"votes for {written}, above the fastest DRAM clock, {best}"
    return f"votes for {written}, which is no operating point of the DRAM; the nearest is {best}"


def _sharing(root: Node) -> Iterator[FileFault]:
    """The costs of sharing for each accelerator, and for no other."""
    accelerators, sharing = _mapping(_at(root, "accelerators")), _mapping(_at(root, "sharing"))
    for name, node in sharing.items():
        if name not in accelerators:
            yield fault_at(
                node, ("sharing", name), unknown("accelerator", name, list(accelerators)), key=True
            )
    for name, node in accelerators.items():
        if name not in sharing:
            message = f"no costs of sharing; give sharing.{name}"
            yield fault_at(node, ("accelerators", name), message, key=True)


def _calibration(root: Node) -> Iterator[FileFault]:
    """Calibrations for processors, data types and layouts that the device has."""
    for library, processors in _items(_at(root, "calibration")):
        for processor, dtypes in _items(processors):
            loc: Loc = ("calibration", library, processor)
            unit = _at(root, "accelerators", processor)
            if processor == "cpu":
                clusters = [cluster for _, cluster in _items(_at(root, "clusters"))]
                yield from _dtypes(dtypes, loc, clusters)
                yield from _factors(dtypes, loc, [name for _, _, name in _named(root)])
            elif unit is None:
                if processor in ("gpu", "dsp", "npu"):
                    yield fault_at(dtypes, loc, f"the device has no {processor}", key=True)
            else:
                yield from _dtypes(dtypes, loc, [unit])
                yield from _layouts(dtypes, loc, unit)


def _dtypes(dtypes: Node, loc: Loc, rated: list[Node]) -> Iterator[FileFault]:
    for dtype, node in _items(dtypes):
        if any(_at(unit, "macs_per_cycle", dtype) is None for unit in rated):
            message = f"macs_per_cycle of {loc[-1]} does not tell the rate of {dtype}"
            yield fault_at(node, (*loc, dtype), message, key=True)


def _factors(dtypes: Node, loc: Loc, names: list[str]) -> Iterator[FileFault]:
    """Clusters that a calibration names."""
    for dtype, found in _items(dtypes):
        for name, node in _items(_at(found, "clusters")):
            if name not in names:
                message = f"no cluster of that name; the device has {', '.join(names)}"
                yield fault_at(node, (*loc, dtype, "clusters", name), message, key=True)


def _layouts(dtypes: Node, loc: Loc, unit: Node) -> Iterator[FileFault]:
    known = [node.value for _, node in _items(_at(unit, "layouts"))] or ["buffer"]
    for dtype, layouts in _items(dtypes):
        for layout, node in _items(layouts):
            if layout in ("image", "buffer") and layout not in known:
                message = f"{loc[-1]} has the layouts {', '.join(map(str, known))}"
                yield fault_at(node, (*loc, dtype, layout), message, key=True)


def _heat(root: Node) -> Iterator[FileFault]:
    """All power of every component turns into heat somewhere."""
    nodes, known, found = (
        _at(root, "thermal", "nodes"),
        _components(root),
        dict[str, list[tuple[Loc, Node]]](),
    )
    for name, node in _items(nodes):
        for component, share in _items(_at(node, "heated_by")):
            loc: Loc = ("thermal", "nodes", name, "heated_by", component)
            found.setdefault(component, []).append((loc, share))
    for component, shares in found.items():
        loc, last = shares[-1]
        total = sum(_share(share) for _, share in shares)
        if component not in known:
            yield fault_at(last, loc, unknown("component", component, known), key=True)
        elif abs(total - 1) > ROUNDING:
            yield fault_at(last, loc, f"shares of {component} must add up to 1, got {total:g}")
    missing = [component for component in known if component not in found]
    if nodes and missing:
        yield fault_at(nodes, ("thermal", "nodes"), f"no node is heated by {', '.join(missing)}", key=True)


def _throttled(root: Node) -> Iterator[FileFault]:
    """Thermal governors act on clocks that the device has."""
    known = [name for name in _components(root) if name not in ("dram", "board")]
    for zone, spec in _items(_at(root, "thermal", "zones")):
        for i, trip in _items(_at(spec, "trips")):
            for j, node in _items(_at(trip, "throttles")):
                if node.value not in known:
                    loc: Loc = ("thermal", "zones", zone, "trips", i, "throttles", j)
                    yield fault_at(node, loc, unknown("clock domain", node.value, known))


def _share(node: Node) -> float:
    try:
        return units.parse(node.value, "ratio")
    except UnitError:
        return 0.0


def _hertz(node: Node | None) -> float | None:
    try:
        return units.parse(node.value, "frequency") if node else None
    except UnitError:
        return None


def unknown(kind: str, name: object, known: list[str]) -> str:
    """The sentence on a name that is not among those known."""
    guess = nearest(str(name), known)
    tail = f"did you mean {guess!r}?" if guess else f"known: {', '.join(known) or 'none'}"
    return f"unknown {kind} {name!r}; {tail}"
