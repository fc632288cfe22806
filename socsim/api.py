"""The functions that most users need: load, simulate, compare."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from socsim.describing import describe, describe_run, settled
from socsim.devices.device import Device
from socsim.devices.profile import load_device
from socsim.errors import UsageError
from socsim.results.comparison import Comparison
from socsim.results.inputs import located
from socsim.results.repeated import RepeatedComparison
from socsim.results.result import Result
from socsim.schedulers.base import Scheduler
from socsim.schedulers.governors.sets import GovernorSet
from socsim.schedulers.profile_file import ProfileRow
from socsim.schedulers.registry import describe_scheduler, make_scheduler, write_scheduler
from socsim.seeds import read_seeds
from socsim.simulation.governing import governor_sets
from socsim.simulation.mechanisms import ALL_MECHANISMS, Mechanisms
from socsim.simulation.profiling import take_profile
from socsim.simulation.setups import Setups
from socsim.simulation.simulation import Application, Simulation
from socsim.units import parse
from socsim.workloads.apps import Inference
from socsim.workloads.competitors import Competitor
from socsim.workloads.dynamic import DynamicFamily, is_member, load_family, load_member
from socsim.workloads.frames import FrameApp
from socsim.workloads.graph import ModelGraph
from socsim.workloads.library import load_library
from socsim.workloads.pricing import Pricer
from socsim.workloads.replays import Replay
from socsim.workloads.zoo import build_model

__all__ = ["compare", "load_model", "profile", "simulate"]


def load_model(
    model: str | Path | ModelGraph, *, shapes: Mapping[str, tuple[int, ...]] | None = None, fuse: bool = True
) -> ModelGraph:
    """A network by zoo name, or from an ONNX file.

    Parameters
    ----------
    model
        A zoo name (``"resnet50"``, ``"mobilenet_v1_0.5_160"``), a level of a family
        (``"dynamic_ofa@4"``, ``"own.yaml@2"``), the path of an ``.onnx`` file, or a network (returned).
    shapes
        Input name -> shape, for files with dynamic dimensions.
    fuse
        Fold batch normalisation and fuse activations of an ONNX file or of a family's network, as inference converters
        do; networks of the zoo are written as converters leave them.

    Raises
    ------
    UnknownNameError
        No such network.
    UsageError
        A family without a level, or with one that it does not have.
    ModelError
        A file that cannot be read, or needs operators that socsim does not know.
    """
    if isinstance(model, ModelGraph):
        return model
    text = str(model)
    if is_member(text):
        if shapes:
            raise UsageError(
                f"shapes are for ONNX files; {text!r} is a network of a family with a fixed shape"
            )
        member = load_member(text)
        return member.fused if fuse else member.graph
    if text.endswith(".onnx") or isinstance(model, Path) or "/" in text:
        from socsim.workloads.onnx import load_onnx
        from socsim.workloads.transforms import fuse as fused

        graph = load_onnx(Path(model), shapes=shapes)
        return fused(graph) if fuse else graph
    if shapes:
        raise UsageError(f"shapes are for ONNX files; {text!r} is a network of the zoo with a fixed shape")
    return build_model(text)


def simulate(
    device: Device | str | Path,
    apps: Sequence[Application],
    *,
    duration: float | str | None = None,
    seed: int = 0,
    noise: bool = False,
    kernels: bool = False,
    mechanisms: Mechanisms = ALL_MECHANISMS,
    governors: Mapping[str, Any] | None = None,
    limits: Mapping[str, Mapping[str, float | str]] | None = None,
    heat: bool | float | str = False,
    config: Mapping[str, Any] | None = None,
    setups: Setups | None = None,
) -> Result:
    """Run applications on a device.

    Parameters
    ----------
    device
        A device, its name, or the path of its file.
    apps
        Applications; their networks are loaded where they are names.
    duration
        Simulated time in s or with a unit (``"10 s"``); None runs until all counted inferences have finished.
    seed
        Seed of all random draws.
    noise
        Draw the calibrated run-to-run spread; off, every inference of a stream takes the same time.
    kernels
        Record every kernel, and what all processes do (for traces and plots).
    mechanisms
        Which mechanisms of contention are simulated: all by default.
    governors
        Who sets the clock of which domain: ``{"cpu": "schedutil", "gpu": HalfLoad()}``; ``"cpu"`` stands for all CPU
        policies. By default every clock is the highest that is allowed.
    limits
        Clocks that the user allows, in Hz or with a unit: ``{"cpu.gold": {"max": "1.8 GHz"}}``.
    heat
        Whether the device warms up and its thermal governors cap clocks (default: not). A temperature (``"30 C"``, or
        degrees Celsius) is where all of it begins; True begins at what the idle device settles at.
    config
        What to keep beside the results; made from the arguments by default.
    setups
        Where networks, costs and plans of earlier runs are found and those of this one are kept, for many short runs
        (``socsim.simulation.setups.Setups()``); results are the same. Default nowhere.

    Returns
    -------
    A result with ``summary()``, ``inferences``, ``kernels``, ``power``, ``slowdown()``, ``save(directory)``.
    """
    if isinstance(apps, (Inference, FrameApp, Competitor, Replay)):
        raise UsageError("simulate takes a list of applications, got one; put it in brackets")
    target = device if isinstance(device, Device) else load_device(device)
    setups = Setups() if setups is None else setups
    loaded = [_loaded(app, setups) for app in apps]
    seconds = parse(duration, "time") if isinstance(duration, str) else duration
    hertz = {name: {key: _hertz(clock) for key, clock in own.items()} for name, own in (limits or {}).items()}
    warmth = parse(heat, "temperature") if isinstance(heat, str) else heat
    simulation = Simulation(
        target, loaded, duration=seconds, seed=seed, noise=noise, kernels=kernels, mechanisms=mechanisms,
        governors=governors or {}, limits=hertz, heat=warmth, setups=setups,
    )  # fmt: skip
    outcome = simulation.run()
    simulation.validate()
    described = config or describe_run(
        target, apps, seconds, seed, noise, mechanisms, governors or {}, hertz, warmth
    )
    if isinstance(described.get("apps"), list):
        described = {**described, "apps": settled(described["apps"], simulation)}
    streams = {s.name: s.app for s in simulation.streams}
    deadlines = {name: app.deadline_s for name, app in streams.items() if app.deadline_s is not None}
    alone = partial(_alone_s, target, streams)
    return Result(outcome, dict(described), deadlines_s=deadlines, idle_service_s=alone)


def _hertz(clock: float | str) -> float:
    return parse(clock, "frequency") if isinstance(clock, str) else clock


def _loaded(app: Application, setups: Setups) -> Application:
    """An application with its network loaded, fused where its library fuses."""
    if not isinstance(app, Inference):
        return app
    if isinstance(app.model, DynamicFamily):
        return app
    if app.dynamic:
        return replace(app, model=load_family(str(app.model)))
    fuse, model = load_library(app.library).fuses, app.model
    if isinstance(model, ModelGraph):
        return app
    file = Path(model)
    key = (model, fuse, file.stat().st_mtime_ns if file.is_file() else 0)
    return replace(app, model=setups.kept("network", key, lambda: load_model(model, fuse=fuse)))


def _alone_s(device: Device, apps: Mapping[str, Inference]) -> dict[str, float]:
    """Service time in s of one inference of each application, alone on the idle device."""
    times = {}
    for name, app in apps.items():
        single = replace(app, period=None, arrivals=None, after=None, count=1)
        record = Simulation(device, [single]).run().inferences[0]
        times[name] = record.finish_s - record.start_s
    return times


def profile(
    device: Device | str | Path,
    model: ModelGraph | str,
    *,
    library: str = "mace",
    dtype: str = "",
    cores: str = "",
    step: float = 0.1,
    repetitions: int = 1,
    noise: bool = False,
    seed: int = 0,
) -> list[ProfileRow]:
    """Time every operator alone on the idle phone at its highest clocks, wherever the library runs it.

    Parameters
    ----------
    device, model, library, dtype, cores
        What runs on what.
    step
        Grid of the shares of operators that can be split; 1 times whole operators only.
    repetitions
        How often each part is run; the mean is kept.
    noise, seed
        As for :func:`simulate`; each repetition draws.

    Returns
    -------
    Rows to be looked at, or written with :func:`socsim.schedulers.profile_file.write_profile` for the predictors
    ``profile`` and ``online``.

    Raises
    ------
    UsageError
        A step outside (0, 1], or fewer than one repetition.
    """
    target = device if isinstance(device, Device) else load_device(device)
    converter = load_library(library)
    graph = load_model(model, fuse=converter.fuses)
    pricer = Pricer(target, converter, graph, dtype, cores)
    return list(take_profile(pricer, step=step, repetitions=repetitions, noise=noise, seed=seed))


def compare(
    device: Device | str | Path,
    model: ModelGraph | str,
    schedulers: Sequence[Any],
    *,
    governors: Any = None,
    library: str = "mace",
    inferences: int = 50,
    period: float | str | None = None,
    dtype: str = "",
    cores: str = "",
    noise: bool = False,
    seed: int | str | Sequence[int] = 0,
    kernels: bool = False,
) -> Comparison | RepeatedComparison:
    """Run the same stream of inferences under several schedulers, and governors.

    Parameters
    ----------
    device, model, library, dtype, cores
        What runs on what.
    schedulers
        Names, objects, classes, ``"module:Class"`` or ``{"name": ..., option: ...}``.
    governors
        A set of governors for all, or a list of sets, each of which is run with every scheduler: a mapping, as for
        :func:`simulate` (``{"gpu": HalfLoad()}``), or names joined by ``+`` (``"schedutil+adreno_tz"``), each of which
        goes to the clock domains that it is for. None (default) leaves all clocks at their highest.
    inferences
        Number of inferences for each scheduler.
    period
        Time between arrivals in s or with a unit (``"100 ms"``); None runs back to back, without idle time, in which
        governors differ least.
    noise, kernels
        As for :func:`simulate`.
    seed
        As for :func:`simulate`; or several (``"0..9"``, ``[1, 2, 5]``), with each of which everything is run. Runs of
        one seed have the same random numbers under all schedulers.

    Returns
    -------
    A comparison with ``rows``, ``table()``, ``render()`` and ``save(directory)``; with several seeds one of means,
    confidence intervals and paired differences, :class:`~socsim.results.repeated.RepeatedComparison`.
    """
    if isinstance(schedulers, str) or not isinstance(schedulers, Sequence):
        raise UsageError(f"compare takes a list of schedulers, got {schedulers!r}; put it in brackets")
    seeds, setups = read_seeds(seed), Setups()
    target = device if isinstance(device, Device) else load_device(device)
    graph = load_model(model, fuse=load_library(library).fuses)
    sets = governor_sets(target, {} if governors is None else governors)
    compared = []
    for number in seeds:
        app = Inference(graph, library=library, count=inferences, period=period, dtype=dtype, cores=cores)
        shared = {"device": target.source or target.name, "seed": number, "noise": noise}
        options = {"kernels": kernels and len(seeds) == 1, "setups": setups}
        results = _compared(target, app, model, schedulers, sets, shared, options)
        described = {
            **shared,
            "model": model if isinstance(model, str) else graph.name,
            "schedulers": [describe_scheduler(s) for s in schedulers],
            **({} if governors is None else {"governors": [chosen.written for chosen in sets]}),
            "library": library,
            "inferences": inferences,
            **(_options(results[0].config["apps"][0]) if results else {}),
        }
        titles = [] if governors is None else [chosen.title for chosen in sets] * len(schedulers)
        compared.append(Comparison(results, located(described, Path.cwd()), titles))
    if len(compared) == 1:
        return compared[0]
    return RepeatedComparison(compared, seeds, {**compared[0].config, "seed": list(seeds)})


def _compared(
    device: Device, app: Inference, model: ModelGraph | str, schedulers: Sequence[Any],
    sets: Sequence[GovernorSet], shared: Mapping[str, Any], options: Mapping[str, Any],
) -> list[Result]:  # fmt: skip
    """The results of every scheduler with every set of governors."""
    results, made = [], [_told_apart(schedulers) for _ in sets]
    for i, spec in enumerate(schedulers):
        for chosen, own in zip(sets, made, strict=True):
            governed = {"governors": chosen.described} if chosen.governors else {}
            config = {**shared, **governed, "apps": [describe(replace(app, model=model, scheduler=spec))]}
            results.append(simulate(
                device, [replace(app, scheduler=own[i])], seed=shared["seed"], noise=shared["noise"],
                governors=chosen.governors, config=located(config, Path.cwd()), **options,
            ))  # fmt: skip
    return results


def _told_apart(specs: Sequence[Any]) -> list[Scheduler]:
    """Schedulers whose titles differ where what names them does."""
    made = [make_scheduler(spec) for spec in specs]
    titles = Counter(scheduler.title for scheduler in made)
    return [
        _titled(scheduler, write_scheduler(spec)) if titles[scheduler.title] > 1 else scheduler
        for scheduler, spec in zip(made, specs, strict=True)
    ]


def _titled(scheduler: Scheduler, title: str) -> Scheduler:
    titled = copy(scheduler)
    titled.written = title
    return titled


def _options(app: Mapping[str, Any]) -> dict[str, Any]:
    return {key: app[key] for key in ("period", "dtype", "cores") if key in app}
