"""Inferences of a family: each runs the network of the present level, which a manager picks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from simpy.events import Timeout

from socsim.errors import UsageError
from socsim.schedulers.guard import blamed
from socsim.schedulers.managers import Manager, ManagerView
from socsim.simulation.accuracy import LevelLogs, PredictionLog
from socsim.simulation.planning import Planner
from socsim.simulation.records import AppRecord
from socsim.simulation.stream import StaticStream
from socsim.workloads.dynamic import DynamicFamily

__all__ = ["Level", "LevelStream", "Levels"]


@dataclass(frozen=True, slots=True)
class Level:
    """What inferences of one level follow, and what was predicted of them."""

    planner: Planner
    log: PredictionLog


class Levels:
    """The levels of a family for one application, each planned when it first runs.

    Parameters
    ----------
    family
        Whose levels.
    log
        Of all predictions.
    prepare
        Makes a level from its number.
    """

    def __init__(self, family: DynamicFamily, log: LevelLogs, prepare: Callable[[int], Level]) -> None:
        self.family, self._log, self._prepare = family, log, prepare
        self._known: dict[int, Level] = {}

    @property
    def top1(self) -> dict[int, float]:
        """Level -> Top-1 accuracy in %."""
        return {member.level: member.top1 for member in self.family.levels}

    def planner(self, level: int) -> Planner:
        """The plans of a level that runs next."""
        known = self._known.get(level)
        if known is None:
            known = self._known[level] = self._prepare(level)
            self._log.add(known.log)
        self._log.current = known.log
        return known.planner

    def record(self, app: str) -> AppRecord:
        """What was run under an application's name; numbers are means over its inferences."""
        planners = [level.planner for level in self._known.values()]
        followed = [p for p in planners if p.inferences] or planners[:1]
        total = sum(p.inferences for p in followed)
        weights = [p.inferences / total if total else 1.0 for p in followed]
        return _mean([p.record(app) for p in followed], weights, self.family.name, self.top1)


def _mean(
    records: Sequence[AppRecord], weights: Sequence[float], family: str, top1: Mapping[int, float]
) -> AppRecord:
    """Records of an application's levels as one; its memory is that of the largest, its fallbacks are those of all."""

    def mean(of: Callable[[AppRecord], float]) -> float:
        return sum(w * of(r) for w, r in zip(weights, records, strict=True))

    return replace(
        records[0],
        model=family,
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
    """Inferences of a family, one at a time.

    Where the level of an inference is not that of the one before, its first operator waits for the family's switch
    cost: a pause of this stream, in which it uses no processor.

    Parameters
    ----------
    levels
        What the inferences of each level follow.
    level
        Of the first inference, unless the manager says otherwise.
    manager
        Who picks the level of the others; None keeps it.
    """

    def __init__(self, *args: Any, levels: Levels, level: int, manager: Manager | None) -> None:
        super().__init__(*args, planner=levels.planner(level))
        self._levels, self._manager = levels, manager
        env = self.executor.env
        self._view = ManagerView(levels.top1, level, self.app.wanted, lambda: float(env.now))
        self._before: int | None = None
        if manager is not None:
            self._view.level = self._asked("start")

    def accept(self, index: int, arrival: float) -> None:
        """Launch the kernel graph of the present level, after a switch where that is another one than before."""
        before, self.running_level = self._before, self._view.level
        self._before = self.running_level
        pause = self._levels.family.switch.between(before, self.running_level)
        if not pause:
            self._infer(index, arrival)
            return
        self._starts[index] = -1.0
        timer = Timeout(self.executor.env, pause)
        timer.callbacks.append(lambda event: self._infer(index, arrival))

    def _infer(self, index: int, arrival: float) -> None:
        self.planner = self._levels.planner(self.running_level)
        super().accept(index, arrival)

    def finish(self, index: int, arrival: float, start: float) -> None:
        """Ask for the next level, and go on."""
        now = float(self.executor.env.now)
        self._view.finished(now - arrival, now - start)
        if self._manager is not None:
            self._view.level = self._asked("next_level")
        super().finish(index, arrival, start)

    def _asked(self, method: str) -> int:
        """What the manager answers, if that is a level."""
        manager, family = self._manager, self._levels.family
        assert manager is not None
        with blamed(manager, method, self.name, "manager"):
            level = getattr(manager, method)(self._view)
        try:
            return family[level].level
        except UsageError as error:
            raise UsageError(f"manager {manager.title!r} of {self.name!r}, {method}(): {error}") from None

    def record(self) -> AppRecord:
        """What was run, and what it costs per inference."""
        return self._levels.record(self.name)
