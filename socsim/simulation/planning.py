"""From a scheduler's plan to the kernel graph that inferences follow: once, or anew as its predictor learns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from socsim.schedulers.base import StaticScheduler
from socsim.schedulers.guard import blamed
from socsim.schedulers.plan import Plan
from socsim.schedulers.prediction import Predictor
from socsim.schedulers.validation import resolve
from socsim.schedulers.view import Load, View
from socsim.simulation.kernelgraph import KernelGraph
from socsim.simulation.lowering import lower_plan
from socsim.simulation.pacing import UNPACED, Pacing
from socsim.simulation.partial import Changed, Recomputed, input_share_in_blocks, recomputed
from socsim.simulation.records import AppRecord
from socsim.workloads.lifetimes import RELEASED
from socsim.workloads.pricing import Pricer

__all__ = ["Planner"]


@dataclass(slots=True)
class _Lowered:
    """A plan, what it became, and how many inferences have followed it."""

    plan: Plan
    graph: KernelGraph
    inferences: int = 0
    share: float = 1.0
    """Share of the network's multiply-accumulates that is computed."""


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
    """

    def __init__(
        self, pricer: Pricer, scheduler: StaticScheduler, predictor: Predictor, now: Callable[[], float],
        *, pacing: Pacing = UNPACED, others: Callable[[str], float] = lambda processor: 0.0,
    ) -> None:  # fmt: skip
        self._pricer, self._scheduler, self._now, self._pacing = pricer, scheduler, now, pacing
        load = Load(now, lambda: (), lambda processor: 0.0, lambda job, processor: 0.0, others=others)
        self._view = View(pricer, predictor, load)
        self._lowered: dict[tuple[object, ...], _Lowered] = {}
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

    def _part(self, whole: _Lowered, changed: Changed) -> _Lowered:
        """A plan for a part of its input."""
        pricer, policy = self._pricer, changed.policy
        share = input_share_in_blocks(pricer.graph, changed.share, policy.block)
        if share >= 1.0:
            return whole
        key = (whole.plan.key, share)
        if key not in self._lowered:
            parts = recomputed(pricer, whole.plan, share, policy)
            self._lowered[key] = _Lowered(whole.plan, self._lower(whole.plan, parts), share=parts.share)
        return self._lowered[key]

    def _plan(self) -> _Lowered:
        pricer, scheduler = self._pricer, self._scheduler
        with blamed(scheduler, "plan", pricer.graph.name):
            raw = scheduler.plan(pricer.graph, self._view)
        plan = resolve(raw, pricer)
        lowered = self._lowered.get(plan.key)
        if lowered is None:
            lowered = self._lowered[plan.key] = _Lowered(plan, self._lower(plan))
        return lowered

    def _lower(self, plan: Plan, parts: Recomputed | None = None) -> KernelGraph:
        time = self._scheduler.decision_time
        return lower_plan(self._pricer, plan, decision_time=time, pacing=self._pacing, recomputed=parts)

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
        )
