"""From a scheduler's plan to the kernel graph that inferences follow: once, or anew as its predictor learns."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from socsim.schedulers.base import Scheduler, StaticScheduler
from socsim.schedulers.guard import blamed
from socsim.schedulers.plan import Plan
from socsim.schedulers.prediction import Predictor
from socsim.schedulers.reuse.base import ReusePolicy
from socsim.schedulers.spelling import module_files
from socsim.schedulers.validation import resolve
from socsim.schedulers.view import Load, View
from socsim.simulation.basis import added, bases
from socsim.simulation.kernelgraph import KernelGraph
from socsim.simulation.lowering import lower_plan
from socsim.simulation.pacing import UNPACED, Pacing
from socsim.simulation.partial import Changed, input_share_in_blocks, recomputed
from socsim.simulation.records import AppRecord
from socsim.simulation.setups import Setups
from socsim.workloads.lifetimes import RELEASED
from socsim.workloads.pricing import Pricer

__all__ = ["Planner", "plan_identity"]


@dataclass(slots=True)
class _Lowered:
    """A plan, what it became, and how many inferences have followed it."""

    plan: Plan
    key: Hashable
    graph: KernelGraph
    inferences: int = 0
    share: float = 1.0
    """Share of the network's multiply-accumulates that is computed."""


@dataclass(slots=True)
class _Repeatable:
    """A plan with its key that may be followed again; None until it is known."""

    answer: tuple[Plan, Hashable] | None = None


def plan_identity(spec: Any, scheduler: Scheduler) -> Hashable:
    """What tells how a scheduler plans, or None where only itself knows.

    Parameters
    ----------
    spec
        What names it in an application.
    scheduler
        What was made of that.
    """
    if not isinstance(spec, str | Mapping) or "repeatable" not in vars(type(scheduler)):
        return None
    files = [(str(file), file.stat().st_mtime_ns) for file in module_files(spec) if file.exists()]
    return type(scheduler), repr(spec), tuple(files)


class Planner:
    """What the inferences of a static scheduler follow.

    Where the predictor is constant there is one plan. Where it learns, the scheduler plans anew as an inference
    starts, at most every :attr:`StaticScheduler.replan_period`; plans are lowered once each.

    Parameters
    ----------
    pricer, scheduler, predictor
        What is planned, by whom, and by which belief.
    now
        Simulated time in s.
    pacing
        How kernels are sent to the GPU.
    others
        How busy other programs keep a processor.
    setups
        Where plans and lowerings of other runs are found.
    identity
        What tells the scheduler from all others that plan differently; None where that cannot be told, and then it is
        always asked.
    """

    def __init__(
        self, pricer: Pricer, scheduler: StaticScheduler, predictor: Predictor, now: Callable[[], float],
        *, pacing: Pacing = UNPACED, others: Callable[[str], float] = lambda processor: 0.0,
        setups: Setups | None = None, identity: Hashable = None,
    ) -> None:  # fmt: skip
        self._pricer, self._scheduler, self._now, self._pacing = pricer, scheduler, now, pacing
        self._setups = Setups() if setups is None else setups
        self._identity = identity if predictor.constant else None
        self._looked = False
        load = Load(
            lambda: self._look(now()), lambda: (), lambda processor: 0.0, lambda job, processor: 0.0,
            others=lambda processor: self._look(others(processor)),
        )  # fmt: skip
        self._view = View(pricer, predictor, load)
        self._lowered: dict[Hashable, _Lowered] = {}
        self._period = inf if predictor.constant else scheduler.replan_period
        self.lifetimes = RELEASED
        """When memory is given back."""
        self.computed = 1.0
        """Share of the network's multiply-accumulates in the graph given last."""
        self._planned_at = now()
        self._current = self._plan()
        self._before: _Lowered | None = None

    def next_graph(self, changed: Changed | None = None) -> KernelGraph:
        """The kernel graph of an inference that starts now.

        Parameters
        ----------
        changed
            What of its input has changed since the inference before; None for all of it. Where the plan has changed,
            everything is computed: what there was lies elsewhere.
        """
        if self._now() - self._planned_at >= self._period:
            self._planned_at = self._now()
            self._current = self._plan()
        chosen = self._current
        if changed is not None and self._before is chosen:
            chosen = self._part(chosen, changed)
        self._before = self._current
        chosen.inferences += 1
        self.computed = chosen.share
        return chosen.graph

    def _look(self, answer: float) -> float:
        """Note that a plan depends on more than the network, the device and the library."""
        self._looked = True
        return answer

    def _plan(self) -> _Lowered:
        plan, key = self._decide()
        lowered = self._lowered.get(key)
        if lowered is None:
            lowered = self._lowered[key] = _Lowered(plan, key, self._lower(plan, key))
        return lowered

    def _decide(self) -> tuple[Plan, Hashable]:
        """The scheduler's plan with its key, or that of an earlier run which it would only repeat."""
        if self._identity is None:
            return self._ask()
        repeatable = _Repeatable()
        found = self._setups.kept("plan", (self._pricer, self._identity), lambda: repeatable)
        if found.answer is None:
            self._looked = False
            answer = self._ask()
            if self._looked:
                return answer
            found.answer = answer
        return found.answer

    def _ask(self) -> tuple[Plan, Hashable]:
        pricer, scheduler = self._pricer, self._scheduler
        with blamed(scheduler, "plan", pricer.graph.name):
            raw = scheduler.plan(pricer.graph, self._view)
        plan = resolve(raw, pricer)
        return plan, plan.key

    def _part(self, whole: _Lowered, changed: Changed) -> _Lowered:
        """A plan for a part of its input."""
        share = input_share_in_blocks(self._pricer.graph, changed.share, changed.policy.block)
        if share >= 1.0:
            return whole
        key = (whole.key, share)
        if key not in self._lowered:
            graph, computed = self._partly(whole, share, changed.policy)
            self._lowered[key] = _Lowered(whole.plan, key, graph, share=computed)
        return self._lowered[key]

    def _partly(self, whole: _Lowered, share: float, policy: ReusePolicy) -> tuple[KernelGraph, float]:
        """A plan lowered for a share of its input, and which share of all work that is."""
        pricer, time, pacing = self._pricer, self._scheduler.decision_time, self._pacing

        def lower() -> tuple[KernelGraph, float]:
            parts = recomputed(pricer, whole.plan, share, policy)
            graph = lower_plan(pricer, whole.plan, decision_time=time, pacing=pacing, recomputed=parts)
            return graph, parts.share

        key = (pricer, whole.key, time, pacing, share, policy.boundary, policy.copies)
        return self._setups.kept("part", key, lower)

    def _lower(self, plan: Plan, key: Hashable) -> KernelGraph:
        pricer, time, pacing = self._pricer, self._scheduler.decision_time, self._pacing
        return self._setups.kept(
            "lowering", (pricer, key, time, pacing),
            lambda: lower_plan(pricer, plan, decision_time=time, pacing=pacing),
        )  # fmt: skip

    @property
    def inferences(self) -> int:
        """How many inferences have followed its plans."""
        return sum(x.inferences for x in self._lowered.values())

    def record(self, app: str) -> AppRecord:
        """What was run under an application's name, and what the plans that were followed cost per inference."""
        pricer, network = self._pricer, self._pricer.graph
        followed = [x for x in self._lowered.values() if x.inferences] or [self._current]
        total = sum(x.inferences for x in followed)
        weights = [x.inferences / total if total else 1.0 for x in followed]
        fallbacks = {op: why for x in followed for op, why in x.plan.fallbacks.items()}
        processors = dict.fromkeys(p for x in followed for p in x.plan.processors())
        dtypes = sorted({pricer.dtype_on(p) for p in processors})

        def mean(values: list[float]) -> float:
            return sum(w * v for w, v in zip(weights, values, strict=True))

        return AppRecord(
            app=app,
            model=network.name,
            library=pricer.library.name,
            scheduler=self._scheduler.title,
            dtype="+".join(dtypes),
            operators=len(network),
            unsupported=len(fallbacks),
            fallbacks=fallbacks,
            kernels=mean([x.graph.kernels for x in followed]),
            transfer_bytes=mean([x.graph.transfer_bytes for x in followed]),
            sync_s=mean([x.graph.sync_s for x in followed]),
            peak_memory_bytes=max(
                self.lifetimes.peak_bytes(network, dtype, x.plan.order) for dtype in dtypes for x in followed
            ),
            macs=network.macs,
            top1_drop=network.top1_drop,
            drop_source=network.lineage.source if network.lineage else "",
            bases=added((w, bases(x.graph, pricer)) for w, x in zip(weights, followed, strict=True)),
        )
