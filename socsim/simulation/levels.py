"""Inferences that run one of several networks, in one of several places, picked anew for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import nan
from typing import Any, NamedTuple

from simpy.events import Timeout

from socsim.errors import UsageError
from socsim.schedulers.guard import blamed
from socsim.schedulers.managers import Manager, ManagerView
from socsim.simulation.accuracy import LevelLogs, PredictionLog
from socsim.simulation.planning import Planner
from socsim.simulation.records import AppRecord, SwitchRecord
from socsim.simulation.stream import StaticStream
from socsim.workloads.dynamic import DynamicFamily, SubNetwork, SwitchCost
from socsim.workloads.graph import ModelGraph

__all__ = ["Choice", "Level", "LevelStream", "Levels", "Picking", "family_of_one"]


class Choice(NamedTuple):
    """Which network an inference runs, and where."""

    level: int
    place: str = ""
    """Scheduler that it follows, where there are several."""


@dataclass(frozen=True, slots=True)
class Level:
    """What inferences of one choice follow, and what was predicted of them."""

    planner: Planner
    log: PredictionLog


class Levels:
    """The networks of an application by level and place, each planned when it first runs.

    Parameters
    ----------
    family
        Whose levels.
    log
        Of all predictions.
    prepare
        Makes a level from its choice.
    """

    def __init__(self, family: DynamicFamily, log: LevelLogs, prepare: Callable[[Choice], Level]) -> None:
        self.family, self._log, self._prepare = family, log, prepare
        self._known: dict[Choice, Level] = {}

    @property
    def top1(self) -> dict[int, float]:
        """Level -> Top-1 accuracy in %."""
        return {member.level: member.top1 for member in self.family.levels}

    def planner(self, choice: Choice) -> Planner:
        """The plans of what runs next."""
        known = self._known.get(choice)
        if known is None:
            known = self._known[choice] = self._prepare(choice)
            self._log.add(known.log)
        self._log.current = known.log
        return known.planner

    def switch_cost(self, before: Choice | None, after: Choice) -> float:
        """Time in s ahead of an inference: a change of place is taken to cost what one of level costs."""
        return 0.0 if before is None or before == after else self.family.switch.seconds

    def record(self, app: str) -> AppRecord:
        """What was run under an application's name; numbers are means over its inferences."""
        planners = [level.planner for level in self._known.values()]
        followed = [p for p in planners if p.inferences] or planners[:1]
        total = sum(p.inferences for p in followed)
        weights = [p.inferences / total if total else 1.0 for p in followed]
        top1 = {level: value for level, value in self.top1.items() if value == value}
        return _mean([p.record(app) for p in followed], weights, self.family.name, top1)


def family_of_one(graph: ModelGraph) -> DynamicFamily:
    """One network as a family: its accuracy is not known, and there is nothing to switch to."""
    only = SubNetwork(graph.name, 1, nan, _Built(graph), "A", "", None, None, {})
    return DynamicFamily(graph.name, graph.name, (only,), SwitchCost(0.0, "A", ""), {}, {}, ())


@dataclass(frozen=True)
class _Built:
    """How to build a network that is there already."""

    graph: ModelGraph
    resolution = blocks = 0

    def build(self, name: str) -> ModelGraph:
        """The network."""
        return self.graph


def _mean(
    records: Sequence[AppRecord], weights: Sequence[float], family: str, top1: Mapping[int, float]
) -> AppRecord:
    """Records of an application's levels as one; its memory is that of the largest, its fallbacks are those of all."""

    def mean(of: Callable[[AppRecord], float]) -> float:
        return sum(w * of(r) for w, r in zip(weights, records, strict=True))

    return replace(
        records[0],
        model=family,
        scheduler="+".join(dict.fromkeys(r.scheduler for r in records)),
        dtype="+".join(sorted({dtype for r in records for dtype in r.dtype.split("+")})),
        fallbacks={op: why for r in records for op, why in r.fallbacks.items()},
        peak_memory_bytes=max(r.peak_memory_bytes for r in records),
        top1=top1,
        operators=round(mean(lambda r: r.operators)),
        unsupported=round(mean(lambda r: r.unsupported)),
        kernels=mean(lambda r: r.kernels),
        transfer_bytes=mean(lambda r: r.transfer_bytes),
        sync_s=mean(lambda r: r.sync_s),
        macs=round(mean(lambda r: r.macs)),
    )


class LevelStream(StaticStream):
    """Inferences of which each runs what :attr:`wanted` says when it begins.

    Where that is not what the one before ran, its first operator waits for the family's switch cost: a pause of this
    stream, in which it uses no processor.

    Parameters
    ----------
    levels
        What the inferences of each choice follow.
    first
        What the first one runs, unless somebody says otherwise before.
    """

    def __init__(self, *args: Any, levels: Levels, first: Choice) -> None:
        super().__init__(*args, planner=levels.planner(first))
        self.levels, self.wanted = levels, first
        """What the next inference runs."""
        self.on_finish: Callable[[float, float], None] = _nobody
        """Told latency and service time in s of each inference that has finished, before the next one begins."""
        self.last: Choice | None = None
        """What the inference that finished last has run."""
        self.switches: list[SwitchRecord] = []
        """Every change of level or place."""
        self._running: dict[int, Choice] = {}
        self._before: Choice | None = None

    def accept(self, index: int, arrival: float) -> None:
        """Launch the kernel graph that is wanted, after a switch where that is another one than before."""
        before, chosen = self._before, self.wanted
        self._before = self._running[index] = chosen
        pause = self.levels.switch_cost(before, chosen)
        if before is not None and before != chosen:
            now = float(self.executor.env.now)
            self.switches.append(SwitchRecord(self.name, index, now, now + pause, *chosen))
        if not pause:
            self._infer(index, arrival)
            return
        self._starts[index] = -1.0
        timer = Timeout(self.executor.env, pause)
        timer.callbacks.append(lambda event: self._infer(index, arrival))

    def _infer(self, index: int, arrival: float) -> None:
        self.planner = self.levels.planner(self._running[index])
        super().accept(index, arrival)

    def finish(self, index: int, arrival: float, start: float) -> None:
        """Let somebody decide on the next inference, and go on."""
        self.last = self._running[index]
        now = float(self.executor.env.now)
        self.on_finish(now - arrival, now - start)
        super().finish(index, arrival, start)
        del self._running[index]

    def running(self, index: int) -> tuple[int, str]:
        """Level and place of an inference under way; of one that runs nothing of its own, those of the last result."""
        return self._running.get(index) or self.last or self.wanted

    def record(self) -> AppRecord:
        """What was run, and what it costs per inference."""
        return self.levels.record(self.name)


def _nobody(latency: float, service: float) -> None:
    """Nobody decides."""


class Picking:
    """Lets a manager pick the levels of a stream.

    Parameters
    ----------
    stream
        Whose inferences.
    manager
        Who is asked once before the first of them, and after each.
    """

    def __init__(self, stream: LevelStream, manager: Manager) -> None:
        self._stream, self._manager = stream, manager
        env = stream.executor.env
        self._view = ManagerView(
            stream.levels.top1, stream.wanted.level, stream.app.wanted, lambda: float(env.now)
        )
        stream.on_finish = self._finished
        self._ask("start")

    def _finished(self, latency: float, service: float) -> None:
        self._view.finished(latency, service)
        self._ask("next_level")

    def _ask(self, method: str) -> None:
        """Take what the manager answers, if that is a level."""
        stream, manager = self._stream, self._manager
        with blamed(manager, method, stream.name, "manager"):
            level = getattr(manager, method)(self._view)
        try:
            self._view.level = stream.levels.family[level].level
        except UsageError as error:
            raise UsageError(f"manager {manager.title!r} of {stream.name!r}, {method}(): {error}") from None
        stream.wanted = Choice(self._view.level, stream.wanted.place)
