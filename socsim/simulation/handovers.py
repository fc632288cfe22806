"""Where every tensor can be read, and what it takes to read it elsewhere: maps, waits and layout changes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from socsim.devices.sharing import Handover, from_accelerator, to_accelerator
from socsim.schedulers.plan import Placement
from socsim.simulation.kernelgraph import DELAY, Entry, KernelGraph, Step
from socsim.workloads.pricing import Pricer

__all__ = ["CPU", "NOTHING", "Handovers", "Place"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tensor lies: a processor's memory type."""

    processor: str
    layout: str = ""


CPU = Place("cpu")
NOTHING = -1
"""Producer of a tensor that is there from the start."""


class Handovers:
    """Emits steps while it tracks where every tensor can be read, and since which step.

    Parameters
    ----------
    pricer
        The network under its library on its device.
    inputs
        Where each tensor lies that is there from the start.
    decision_time
        Time in s that the scheduler takes first.
    """

    def __init__(self, pricer: Pricer, inputs: Mapping[str, Place], decision_time: float) -> None:
        self.pricer, self.graph, self.device = pricer, pricer.graph, pricer.device
        self.steps: list[Step] = []
        self.moved: Mapping[str, float] = {}
        """Tensors of which only a share is handed over, the rest being there from the frame before."""
        self._sources: dict[int, tuple[str, ...]] = {}
        self._begin = NOTHING
        if decision_time:
            self._begin = self.delay([Entry("call", "", "cpu", overhead=decision_time)], set())
        self.places: dict[str, dict[Place, int]] = {t: {place: self._begin} for t, place in inputs.items()}

    def require(self, tensors: Sequence[str], place: Place, reader: str) -> set[int]:
        """Make tensors readable at a place; returns the steps after which they are."""
        deps = set() if tensors else {self._begin} - {NOTHING}
        missing: dict[Place, list[str]] = {}
        for tensor in dict.fromkeys(tensors):
            at = self.places[tensor].get(place)
            if at is None:
                missing.setdefault(self._nearest(tensor, place), []).append(tensor)
            elif at != NOTHING:
                deps.add(at)
        for source, group in missing.items():
            deps |= (
                self._copy(group, source, place, reader)
                if self._copies(source, place)
                else (self._move(group, source, place, reader))
            )
        return deps

    def _copies(self, source: Place, target: Place) -> bool:
        return self.pricer.library.copies and source.processor != target.processor

    def _copy(self, tensors: list[str], source: Place, target: Place, reader: str) -> set[int]:
        """One after the other, each with the driver's calls of its own."""
        ends = set[int]()
        for tensor in tensors:
            ends = self._move([tensor], source, target, reader, ends)
        return ends

    def _nearest(self, tensor: str, place: Place) -> Place:
        """The copy to start from: of the same processor, else the CPU's, else the first."""
        places = self.places[tensor]
        same = [p for p in places if p.processor == place.processor]
        return same[0] if same else CPU if CPU in places else next(iter(places))

    def _move(
        self, tensors: list[str], source: Place, target: Place, reader: str, after: Collection[int] = ()
    ) -> set[int]:
        if source.processor != "cpu" and target.processor != "cpu" and source.processor != target.processor:
            after = self._move(tensors, source, CPU, reader, after)
            source = CPU
        accelerator = source.processor if target == CPU else target.processor
        elements = sum(self.graph.tensors[t].elements * self.moved.get(t, 1) for t in tensors)
        size = self._bytes(elements, accelerator)
        deps = ({self.places[t][source] for t in tensors} | set(after)) - {NOTHING}
        if source.processor == target.processor:
            per_byte = self.pricer.sharing[source.processor].transform_per_byte
            ends = self._transform(Handover(per_byte * size, 0.0, 0.0), reader, target, size, deps)
        elif target == CPU:
            image = source.layout == "image"
            handover = from_accelerator(self.pricer.sharing[source.processor], size, image=image)
            begin = self._transform(handover, reader, source, size, deps)
            ends = {self.delay(self._to_cpu(handover, reader, source.processor, size), begin, tensors)}
            ends = self._transpose(tensors, source.processor, reader, ends)
        else:
            image = target.layout == "image"
            deps = self._transpose(tensors, target.processor, reader, deps)
            handover = to_accelerator(self.pricer.sharing[target.processor], size, image=image)
            begin = {self.delay(self._from_cpu(handover, reader, target.processor, size), deps, tensors)}
            ends = self._transform(handover, reader, target, size, begin)
        for tensor in tensors:
            self.places[tensor][target] = next(iter(ends), NOTHING)
        return ends

    def _transform(
        self, handover: Handover, reader: str, place: Place, size: float, deps: set[int]
    ) -> set[int]:
        """A layout change on the accelerator, if one is needed; reads and writes every byte."""
        if not handover.transform:
            return deps
        p = place.processor
        entry = Entry(
            "transform", reader, p, source=p, compute=handover.transform, bytes=2.0 * size,
            reach=self.device.accelerators[p].bandwidth, moved=size,
        )  # fmt: skip
        return {self._emit(Step(p, (entry,), deps))}

    def _transpose(self, tensors: Sequence[str], accelerator: str, reader: str, deps: set[int]) -> set[int]:
        """The CPU puts tensors into the order of who reads them next, if accelerator and CPU differ in it."""
        if not self.pricer.library.transposed(accelerator):
            return deps
        for tensor in tensors:
            elements = self.graph.transposable(tensor) * self.moved.get(tensor, 1)
            if elements:
                cost = self.pricer.transposition(elements)
                entry = Entry(
                    "transform", reader, "cpu", cost.kernel_class, source="cpu", overhead=cost.overhead,
                    compute=cost.compute, bytes=cost.bytes, reach=cost.bandwidth,
                    moved=self._bytes(elements, accelerator),
                )  # fmt: skip
                team = self.pricer.team()
                deps = {self._emit(Step("cpu", (entry,), deps, team, self.weights(team)))}
        return deps

    def weights(self, team: Sequence[int], dtype: str = "") -> tuple[float, ...]:
        """How long the part of each of a team's cores takes, relative to the slowest's."""
        if not team or self.pricer.library.chunking == "capacity":
            return (1.0,) * len(team)
        cores, dtype = [self.device.cores[i] for i in team], dtype or self.pricer.dtype_on("cpu")
        speeds = [c.macs_per_cycle[dtype] * c.max_opp.frequency for c in cores]
        return tuple(min(speeds) / speed for speed in speeds)

    def _to_cpu(self, handover: Handover, reader: str, source: str, size: float) -> list[Entry]:
        sync = self.pricer.sharing[source].sync
        spread = (sync.sd, sync.low, sync.high) if sync.sd else None
        return [
            self._map_entry(handover.map, reader, source, "cpu", size),
            Entry("sync", reader, "cpu", source=source, overhead=handover.sync, spread=spread),
        ]

    def _from_cpu(self, handover: Handover, reader: str, target: str, size: float) -> list[Entry]:
        return [
            self._map_entry(handover.map, reader, "cpu", target, size),
            Entry("sync", reader, target, source="cpu", overhead=handover.sync),
        ]

    def _map_entry(self, time: float, reader: str, source: str, target: str, size: float) -> Entry:
        return Entry("map", reader, target, source=source, overhead=time, moved=size)

    def delay(self, entries: list[Entry], deps: set[int], tensors: Sequence[str] = ()) -> int:
        """A step that only takes time."""
        kept = tuple(e for e in entries if e.overhead) or (Entry("sync", "", "cpu"),)
        index = self._emit(Step(DELAY, kept, deps))
        if tensors and not deps:
            self._sources[index] = tuple(tensors)
        return index

    def root_tensors(self, graph: KernelGraph) -> dict[int, tuple[str, ...]]:
        """Root segment -> the tensors that it hands over."""
        tensors = {id(self.steps[i].entries[0]): names for i, names in self._sources.items()}
        first = {root: id(graph.segments[root].entries[0]) for root in graph.roots}
        return {root: tensors[entry] for root, entry in first.items() if entry in tensors}

    def _emit(self, step: Step) -> int:
        self.steps.append(step)
        return len(self.steps) - 1

    def _place(self, placement: Placement) -> Place:
        if placement.processor == "cpu":
            return CPU
        calibration = self.pricer.calibration(placement.processor, placement.layout, placement.dtype)
        return Place(placement.processor, calibration.layout)

    def _bytes(self, elements: float, processor: str) -> float:
        """Size of what the CPU shares with a processor."""
        return elements * self.pricer.shared_width(processor)
