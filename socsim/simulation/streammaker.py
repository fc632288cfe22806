"""Makes the streams of a run: who decides for each, with which predictor, and what makes its inferences arrive."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from socsim.errors import PlanError, UsageError
from socsim.schedulers.base import OnlineScheduler, Scheduler, StaticScheduler
from socsim.schedulers.guard import blamed, check_times
from socsim.schedulers.managers import make_manager
from socsim.schedulers.prediction import Predictor
from socsim.schedulers.predictors import make_predictor, predictor_class, predictor_names, predictor_title
from socsim.schedulers.registry import make_scheduler
from socsim.schedulers.view import View
from socsim.simulation.accuracy import LevelLogs, PredictionLog
from socsim.simulation.dispatcher import Dispatcher
from socsim.simulation.executor import Executor
from socsim.simulation.feeds import Feed, LoopFeed, StageFeed, TimedFeed
from socsim.simulation.foreign import foreign_load
from socsim.simulation.levels import Level, Levels, LevelStream
from socsim.simulation.online import OnlineStream
from socsim.simulation.planning import Planner, plan_identity
from socsim.simulation.profiling import bench
from socsim.simulation.setups import Setups
from socsim.simulation.stream import Noise, StaticStream, Stream, pacing_of
from socsim.workloads.apps import Inference
from socsim.workloads.dynamic import DynamicFamily
from socsim.workloads.graph import ModelGraph
from socsim.workloads.library import load_library
from socsim.workloads.pricing import Pricer
from socsim.workloads.units import cut

__all__ = ["StreamMaker"]

_ARRIVALS, _DELAYS = 1, 3
"""Tell a stream's generators of arrivals and of synchronisation times from that of its noise."""


class StreamMaker:
    """Makes all streams of one run.

    Parameters
    ----------
    executor
        The device.
    seed
        Of all random draws.
    noise
        Draw run-to-run spread.
    setups
        What this run shares with others of the process; default nothing.
    """

    def __init__(self, executor: Executor, *, seed: int, noise: bool, setups: Setups | None = None) -> None:
        self.executor, self._seed, self._noise = executor, seed, noise
        self._setups = Setups() if setups is None else setups
        self.streams: list[Stream] = []
        self.predictions: dict[str, PredictionLog] = {}
        """What was predicted, by application."""
        self.dispatchers: dict[int | str, Dispatcher] = {}
        """Who hands jobs out, by shared scheduler or application."""
        self._services: dict[Any, Scheduler] = {}

    def make(self, apps: Sequence[Inference], names: Sequence[str]) -> list[Stream]:
        """A stream for each application, fed.

        Raises
        ------
        UsageError
            A network that is not loaded, or a scheduler that is none.
        PlanError
            A job of an online scheduler that no processor supports.
        """
        self.streams = [
            self._stream(app, name, i) for i, (app, name) in enumerate(zip(apps, names, strict=True))
        ]
        for number, stream in enumerate(self.streams):
            stream.feed = self._feed(stream, number)
        return self.streams

    def _stream(self, app: Inference, name: str, number: int) -> Stream:
        scheduler = self._scheduler(app.scheduler)
        check_times(scheduler)
        if isinstance(app.model, DynamicFamily):
            return self._dynamic(app, name, app.model, scheduler, number)
        if not isinstance(app.model, ModelGraph):
            raise UsageError(f"application {name!r}: load the network first, got {app.model!r}")
        pricer = self._pricer(app, app.model)
        noise = self._spread(number, pricer)
        if isinstance(scheduler, OnlineScheduler):
            return self._online(app, name, pricer, scheduler, noise)
        if isinstance(scheduler, StaticScheduler):
            return self._static(app, name, pricer, scheduler, noise)
        raise UsageError(
            f"a scheduler must be a StaticScheduler or an OnlineScheduler, got {type(scheduler).__name__}"
        )

    def _pricer(self, app: Inference, graph: ModelGraph) -> Pricer:
        """A network under its application's library, on the device."""
        return self._setups.pricer(
            self.executor.device, load_library(app.library), graph, app.dtype, app.cores, app.cpuset
        )

    def _spread(self, number: int, pricer: Pricer) -> Noise | None:
        if not self._noise:
            return None
        rng, delays = (np.random.default_rng([self._seed, number, *own]) for own in ((), (_DELAYS,)))
        return Noise(rng, pricer, delays)

    def _scheduler(self, spec: Any) -> Scheduler:
        """A scheduler of an application's own, or the one that it shares with others."""
        scheduler = make_scheduler(spec)
        if not (isinstance(scheduler, OnlineScheduler) and scheduler.shared):
            return scheduler
        key = repr(spec) if isinstance(spec, (str, Mapping)) else spec
        return self._services.setdefault(key, scheduler)

    def _feed(self, stream: Stream, number: int) -> Feed:
        """What makes a stream's inferences arrive, with a generator of its own."""
        rng, app = np.random.default_rng([self._seed, number, _ARRIVALS]), stream.app
        if app.stage is not None:
            before = next(s for s in self.streams if s.name == app.stage.app)
            return StageFeed(stream, before, app.stage, rng)
        return LoopFeed(stream) if app.source is None else TimedFeed(stream, app.source, rng)

    def _static(
        self, app: Inference, name: str, pricer: Pricer, scheduler: StaticScheduler, noise: Noise | None
    ) -> Stream:
        planner = self._planner(app, pricer, scheduler, self._predictor(name, pricer, scheduler))
        return StaticStream(self.executor, app, name, pricer, scheduler, noise, planner=planner)

    def _planner(
        self, app: Inference, pricer: Pricer, scheduler: StaticScheduler, predictor: Predictor
    ) -> Planner:
        return Planner(
            pricer, scheduler, predictor, lambda: float(self.executor.env.now), pacing=pacing_of(app, scheduler),
            others=self._others(scheduler), setups=self._setups, identity=plan_identity(app.scheduler, scheduler),
        )  # fmt: skip

    def _dynamic(
        self, app: Inference, name: str, family: DynamicFamily, scheduler: Scheduler, number: int
    ) -> Stream:
        """The stream of an application of a family."""
        if not isinstance(scheduler, StaticScheduler):
            raise UsageError(_online_refusal(name, scheduler.title, family))
        fused = load_library(app.library).fuses
        level = family[len(family) if app.level is None else app.level].level
        logs = LevelLogs(name, predictor_title(scheduler.predictor))

        def prepare(level: int) -> Level:
            pricer = self._pricer(app, family.graph(level, fused=fused))
            predictor = self._made_predictor(scheduler, pricer)
            log = PredictionLog(name, pricer, predictor, logs.title)
            return Level(self._planner(app, pricer, scheduler, predictor), log)

        first = self._pricer(app, family.graph(level, fused=fused))
        manager = None if app.manager is None else make_manager(app.manager)
        self.predictions[name] = logs
        return LevelStream(
            self.executor, app, name, first, scheduler, self._spread(number, first),
            levels=Levels(family, logs, prepare), level=level, manager=manager,
        )  # fmt: skip

    def _online(
        self, app: Inference, name: str, pricer: Pricer, scheduler: OnlineScheduler, noise: Noise | None
    ) -> Stream:
        predictor = self._predictor(name, pricer, scheduler)
        view = View(pricer, predictor)
        with blamed(scheduler, "support", pricer.graph.name):
            support = scheduler.support(pricer.graph, view)
        units = cut(pricer.graph, scheduler.granularity, lambda op: support[op.name])
        homeless = next((unit for unit in units if not unit.processors), None)
        if homeless:
            raise PlanError(
                f"no processor supports all of a job of {name!r}: {', '.join(map(repr, homeless.operators))}"
            )
        key = id(scheduler) if scheduler.shared else name
        dispatcher = self.dispatchers.setdefault(
            key, Dispatcher(self.executor.env, scheduler, self._others(scheduler))
        )
        return OnlineStream(
            self.executor, app, name, pricer, scheduler, noise, units=units, predictor=predictor,
            dispatcher=dispatcher, setups=self._setups,
        )  # fmt: skip

    def _made_predictor(self, scheduler: Scheduler, pricer: Pricer) -> Predictor:
        """A predictor; one that comes with socsim and does not learn serves all runs."""
        spec = scheduler.predictor

        def make() -> Predictor:
            return make_predictor(spec, pricer, bench)

        if not (isinstance(spec, str) and spec in predictor_names() and predictor_class(spec).constant):
            return make()
        return self._setups.kept("predictor", (pricer, spec), make)

    def _others(self, scheduler: Scheduler) -> Callable[[str], float]:
        """How busy programs that a scheduler has nothing to do with keep a processor."""

        def load(processor: str) -> float:
            own = [stream.context for stream in self.streams if stream.scheduler is scheduler]
            return foreign_load(self.executor, own, processor)

        return load

    def _predictor(self, name: str, pricer: Pricer, scheduler: Scheduler) -> Predictor:
        """The application's predictor, whose errors are kept and which is told what it predicted took."""
        predictor = self._made_predictor(scheduler, pricer)
        title = predictor_title(scheduler.predictor)
        self.predictions[name] = PredictionLog(name, pricer, predictor, title)
        return predictor


def _online_refusal(name: str, scheduler: str, family: DynamicFamily) -> str:
    return (
        f"application {name!r}: scheduler {scheduler!r} decides at run time, and families need one that plans, such as "
        f"'gpu' or 'heft'; or name one network, {family.name}@{len(family)}"
    )
