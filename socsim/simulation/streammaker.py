"""Makes the streams of a run: who decides for each, with which predictor, and what makes its inferences arrive."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from socsim.errors import PlanError, UsageError
from socsim.schedulers.base import OnlineScheduler, Scheduler, StaticScheduler
from socsim.schedulers.guard import blamed, check_times
from socsim.schedulers.managers import make_app_manager
from socsim.schedulers.prediction import Predictor
from socsim.schedulers.predictors import make_predictor, predictor_class, predictor_names, predictor_title
from socsim.schedulers.registry import SCHEDULERS, make_scheduler
from socsim.schedulers.view import View
from socsim.simulation.accuracy import LevelLogs, PredictionLog
from socsim.simulation.costing import Work
from socsim.simulation.dispatcher import Dispatcher
from socsim.simulation.executor import Executor
from socsim.simulation.feeds import Feed, LoopFeed, StageFeed, TimedFeed
from socsim.simulation.foreign import foreign_load
from socsim.simulation.levels import Choice, Level, Levels, LevelStream, Picking, family_of_one
from socsim.simulation.managedview import AppView
from socsim.simulation.online import OnlineStream
from socsim.simulation.planning import Planner, plan_identity
from socsim.simulation.profiling import bench
from socsim.simulation.reusing import Reusing, check_layers, lifetimes_of, reuse_of
from socsim.simulation.setups import Setups
from socsim.simulation.stream import Noise, StaticStream, Stream, pacing_of
from socsim.workloads.apps import Inference
from socsim.workloads.dynamic import DynamicFamily
from socsim.workloads.graph import ModelGraph
from socsim.workloads.library import load_library
from socsim.workloads.pricing import Pricer
from socsim.workloads.units import cut

__all__ = ["StreamMaker"]

_ARRIVALS, _SCENES, _DELAYS = 1, 3, 4
"""Tell a stream's generators of arrivals, of its scene and of synchronisation times from that of its noise."""


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
    managed
        Whether a manager of the device settles levels and places of what plans and has no manager of its own.
    setups
        What this run shares with others of the process; default nothing.
    """

    def __init__(
        self, executor: Executor, *, seed: int, noise: bool, managed: bool = False, setups: Setups | None = None
    ) -> None:  # fmt: skip
        self.executor, self._seed, self._noise, self._is_managed = executor, seed, noise, managed
        self._setups = Setups() if setups is None else setups
        self.streams: list[Stream] = []
        self.managed: list[AppView] = []
        """Applications that a manager of the device has to do with."""
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
            stream.lifetimes = lifetimes_of(stream.app)
            stream.reusing = self._reusing(stream, number)
        return self.streams

    def _stream(self, app: Inference, name: str, number: int) -> Stream:
        scheduler = self._scheduler(app.scheduler)
        check_times(scheduler)
        model = app.model
        if isinstance(model, str):
            raise UsageError(f"application {name!r}: load the network first, got {model!r}")
        if self._is_managed and app.manager is None and isinstance(scheduler, StaticScheduler):
            family = model if isinstance(model, DynamicFamily) else family_of_one(model)
            return self._managed(app, name, family, scheduler, number)
        if isinstance(model, DynamicFamily):
            return self._dynamic(app, name, model, scheduler, number)
        if app.wanted.rows:
            raise UsageError(_useless_targets(name))
        pricer = self.pricer(app, model)
        noise = self._spread(number, pricer)
        if isinstance(scheduler, OnlineScheduler):
            return self._online(app, name, pricer, scheduler, noise)
        if isinstance(scheduler, StaticScheduler):
            return self._static(app, name, pricer, scheduler, noise)
        raise UsageError(
            f"a scheduler must be a StaticScheduler or an OnlineScheduler, got {type(scheduler).__name__}"
        )

    def pricer(self, app: Inference, graph: ModelGraph) -> Pricer:
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

    def _reusing(self, stream: Stream, number: int) -> Reusing | None:
        """What a stream reuses from frame to frame; its scene has a generator of its own."""
        app = stream.app
        if app.scenery is None:
            return None
        policy = reuse_of(app)
        in_layers = type(stream) is StaticStream
        check_layers(policy, stream.name, in_layers)
        changes = app.scenery.changes(np.random.default_rng([self._seed, number, _SCENES]))
        return Reusing(stream, changes, policy, in_layers=in_layers)

    def _static(
        self, app: Inference, name: str, pricer: Pricer, scheduler: StaticScheduler, noise: Noise | None
    ) -> Stream:
        own = _Place(app.scheduler, scheduler)
        planner = self._planner(app, pricer, own, self._predictor(name, pricer, scheduler))
        return StaticStream(self.executor, app, name, pricer, scheduler, noise, planner=planner)

    def _planner(self, app: Inference, pricer: Pricer, place: _Place, predictor: Predictor) -> Planner:
        scheduler = place.scheduler
        planner = Planner(
            pricer, scheduler, predictor, lambda: float(self.executor.env.now), pacing=pacing_of(app, scheduler),
            others=self._others(scheduler), setups=self._setups, identity=place.identity,
        )  # fmt: skip
        planner.lifetimes = lifetimes_of(app)
        return planner

    def _dynamic(
        self, app: Inference, name: str, family: DynamicFamily, scheduler: Scheduler, number: int
    ) -> Stream:
        """The stream of an application of a family."""
        if not isinstance(scheduler, StaticScheduler):
            raise UsageError(_online_refusal(name, scheduler.title, family))
        networks = _Networks(self, app, family)
        stream = self._level_stream(app, name, networks, {"": _Place(app.scheduler, scheduler)}, number)
        if app.manager is not None:
            Picking(stream, make_app_manager(app.manager))
        return stream

    def _managed(
        self, app: Inference, name: str, family: DynamicFamily, scheduler: StaticScheduler, number: int
    ) -> Stream:
        """The stream of an application whose level and place a manager of the device settles."""
        networks = _Networks(self, app, family)
        places = self._places(app, name, scheduler, networks)
        stream = self._level_stream(app, name, networks, places, number)
        works: dict[Choice, Work] = {}

        def work(choice: Choice) -> Work:
            if choice not in works:
                works[choice] = self._work(app, networks.pricer(choice.level), places[choice.place])
            return works[choice]

        self.managed.append(AppView(stream, tuple(places), work))
        return stream

    def _level_stream(
        self, app: Inference, name: str, networks: _Networks, places: Mapping[str, _Place], number: int
    ) -> LevelStream:  # fmt: skip
        """A stream that begins with the application's level at the first of its places."""
        own, (_, scheduler) = next(iter(places.items()))
        logs = LevelLogs(name, predictor_title(scheduler.predictor))

        def prepare(choice: Choice) -> Level:
            pricer, chosen = networks.pricer(choice.level), places[choice.place]
            predictor = self._made_predictor(chosen.scheduler, pricer)
            log = PredictionLog(name, pricer, predictor, logs.title)
            return Level(self._planner(app, pricer, chosen, predictor), log)

        first = networks.pricer(networks.level)
        self.predictions[name] = logs
        return LevelStream(
            self.executor, app, name, first, scheduler, self._spread(number, first),
            levels=Levels(networks.family, logs, prepare), first=Choice(networks.level, own),
        )  # fmt: skip

    def _places(
        self, app: Inference, name: str, own: StaticScheduler, networks: _Networks
    ) -> dict[str, _Place]:
        """Where an application may run, by what it is written as: its own scheduler, then others."""
        places = {SCHEDULERS.write(app.scheduler): _Place(app.scheduler, own)}
        pricer = networks.pricer(networks.level)
        given = _single_processors(pricer) if app.places is None else app.places
        for spec in given:
            scheduler = make_scheduler(spec)
            if not isinstance(scheduler, StaticScheduler):
                raise UsageError(
                    f"application {name!r}: places are schedulers that plan, such as 'gpu' or 'heft', got "
                    f"{scheduler.title!r}, which decides at run time"
                )
            places.setdefault(SCHEDULERS.write(spec), _Place(spec, scheduler))
        return places

    def _work(self, app: Inference, pricer: Pricer, place: _Place) -> Work:
        """One inference by itself, as a profile knows it."""
        scheduler = place.scheduler
        planner = Planner(
            pricer, scheduler, self._made_predictor(scheduler, pricer), lambda: 0.0, pacing=pacing_of(app, scheduler),
            setups=self._setups, identity=place.identity,
        )  # fmt: skip
        return Work(pricer, planner.next_graph(), app.nice)

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


class _Place(NamedTuple):
    """Where inferences may run."""

    spec: Any
    """What names the scheduler."""
    scheduler: StaticScheduler

    @property
    def identity(self) -> Hashable:
        """What tells how it plans, for other runs; None where that cannot be told."""
        return plan_identity(self.spec, self.scheduler)


class _Networks:
    """The networks of an application by level, each priced once.

    Parameters
    ----------
    maker, app, family
        Who prices, for whom, and whose levels.
    """

    def __init__(self, maker: StreamMaker, app: Inference, family: DynamicFamily) -> None:
        self._maker, self._app, self.family = maker, app, family
        self._fused = load_library(app.library).fuses
        self.level = family[len(family) if app.level is None else app.level].level
        """Of the first inference."""
        self._priced: dict[int, Pricer] = {}

    def pricer(self, level: int) -> Pricer:
        """A level under the application's library; one network is loaded as that wants it."""
        if level not in self._priced:
            fused = self._fused and isinstance(self._app.model, DynamicFamily)
            self._priced[level] = self._maker.pricer(self._app, self.family.graph(level, fused=fused))
        return self._priced[level]


def _single_processors(pricer: Pricer) -> list[str]:
    """Processors that a library runs a network on without quantising it, accelerators before the CPU."""
    return [p for p in (*pricer.peers[1:], *pricer.peers[:1]) if _runs(pricer, p)]


def _runs(pricer: Pricer, processor: str) -> bool:
    """Whether what a processor does not support may fall back."""
    library, graph = pricer.library, pricer.graph
    return library.on_unsupported(processor) != "fail" or not any(
        pricer.obstacle(op, processor) for op in graph
    )


def _useless_targets(name: str) -> str:
    return (
        f"application {name!r}: targets are for families of networks, such as dynamic_ofa, or for runs with a manager "
        "of the whole device; leave them out, or name one: simulate(manager=...)"
    )


def _online_refusal(name: str, scheduler: str, family: DynamicFamily) -> str:
    return (
        f"application {name!r}: scheduler {scheduler!r} decides at run time, and families need one that plans, such as "
        f"'gpu' or 'heft'; or name one network, {family.name}@{len(family)}"
    )
