"""The functions that most users need: load, simulate, compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass, replace
from functools import partial
from itertools import product
from math import inf
from pathlib import Path
from typing import Any

from socsim.describing import describe, describe_limits, describe_run, settled, written_step
from socsim.devices.device import Device
from socsim.devices.profile import load_device
from socsim.errors import UsageError
from socsim.results.comparison import Comparison
from socsim.results.inputs import located
from socsim.results.result import Result
from socsim.schedulers.contenders import contenders, describe_decider
from socsim.schedulers.profile_file import ProfileRow
from socsim.simulation.governing import governor_sets
from socsim.simulation.mechanisms import ALL_MECHANISMS, Mechanisms
from socsim.simulation.mode_changes import first_device
from socsim.simulation.profiling import take_profile
from socsim.simulation.simulation import Application, Simulation
from socsim.units import parse
from socsim.workloads.apps import Inference
from socsim.workloads.competitors import Competitor
from socsim.workloads.dynamic import DynamicFamily, is_family, is_member, load_family, load_member
from socsim.workloads.frames import FrameApp
from socsim.workloads.graph import ModelGraph
from socsim.workloads.library import load_library
from socsim.workloads.mode_schedule import make_mode_schedule
from socsim.workloads.pricing import Pricer
from socsim.workloads.replays import Replay
from socsim.workloads.targets import make_targets
from socsim.workloads.transforms import fuse as fused
from socsim.workloads.transforms import split_transforms, transform_set, transformed
from socsim.workloads.zoo import build_model

__all__ = ["compare", "load_model", "profile", "simulate"]


def load_model(
    model: str | Path | ModelGraph,
    *,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    fuse: bool = True,
    transforms: Sequence[Any] = (),
    accuracy: str | Path = "",
) -> ModelGraph:
    """A network by zoo name, or from an ONNX file, and what transforms make of it.

    Parameters
    ----------
    model
        A zoo name (``"resnet50"``, ``"mobilenet_v1_0.5_160"``), a level of a family
        (``"dynamic_ofa@4"``, ``"own.yaml@2"``), the path of an ``.onnx`` file, or a network (returned). Names and paths
        may have transforms after them: ``"resnet50+prune(0.5)+low_rank(0.25)"``.
    shapes
        Input name -> shape, for files with dynamic dimensions.
    fuse
        Fold batch normalisation and fuse activations of an ONNX file or of a family's network, as inference converters
        do; networks of the zoo are written as converters leave them.
    transforms
        More transforms, after those in the name: texts (``"prune(0.5)"``), or functions of a network.
    accuracy
        The path of a table of what transforms cost in accuracy (CSV or YAML, see
        :func:`socsim.workloads.transforms.accuracy.load_drops`), which goes before the published figures that come
        with socsim.

    Raises
    ------
    UnknownNameError
        No such network, or no such transform.
    UsageError
        A family without a level, or with one that it does not have.
    ModelError
        A file that cannot be read, or needs operators that socsim does not know.
    """
    if isinstance(model, ModelGraph):
        return transformed(model, transforms, accuracy) if transforms or accuracy else model
    base, steps = split_transforms(str(model))
    if not steps and not transforms:
        return _written(model, shapes, fuse)
    source = Path(base) if isinstance(model, Path) else base
    return transformed(_written(source, shapes, fuse), (*steps, *transforms), accuracy)


def _written(model: str | Path, shapes: Mapping[str, tuple[int, ...]] | None, fuse: bool) -> ModelGraph:
    """A network before any transform but the fusing that its converter does."""
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
    manager: Any = None,
    power_mode: Any = None,
    config: Mapping[str, Any] | None = None,
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
    manager
        Who settles levels, places and clocks for the whole device: a :class:`socsim.DeviceManager` object or class, a
        name, ``"module:Class"``, or ``{"name": ..., option: ...}``. It has to do with all applications whose schedulers
        plan and that have no manager of their own. None (default) for nobody.
    power_mode
        Power mode of a board that has some, or a list of those that are set in the course of the run:
        ``[{"at": "5 s", "mode": "20W_6CORE"}]``. Caps and floors of all clocks change at the instant; the cores that
        are online cannot.
    config
        What to keep beside the results; made from the arguments by default.

    Returns
    -------
    A result with ``summary()``, ``inferences``, ``kernels``, ``power``, ``slowdown()``, ``save(directory)``.
    """
    if isinstance(apps, (Inference, FrameApp, Competitor, Replay)):
        raise UsageError("simulate takes a list of applications, got one; put it in brackets")
    target = device if isinstance(device, Device) else load_device(device)
    loaded = [_loaded(app) for app in apps]
    seconds = parse(duration, "time") if isinstance(duration, str) else duration
    hertz = {name: {key: _hertz(clock) for key, clock in own.items()} for name, own in (limits or {}).items()}
    warmth = parse(heat, "temperature") if isinstance(heat, str) else heat
    modes = make_mode_schedule(power_mode)
    simulation = Simulation(
        target, loaded, duration=seconds, seed=seed, noise=noise, kernels=kernels, mechanisms=mechanisms,
        governors=governors or {}, limits=hertz, heat=warmth, power_modes=modes, manager=manager,
    )  # fmt: skip
    outcome = simulation.run()
    simulation.validate()
    described = config or describe_run(
        target, apps, seconds, seed, noise, mechanisms, governors or {}, hertz, warmth, modes, manager
    )
    if isinstance(described.get("apps"), list):
        described = {**described, "apps": settled(described["apps"], simulation)}
    streams = {s.name: s.app for s in simulation.streams}
    deadlines = {name: app.deadline_s for name, app in streams.items() if app.deadline_s is not None}
    alone = partial(_alone_s, first_device(target, modes), streams)
    said = () if simulation.manager is None else simulation.manager.report
    report = [asdict(row) if is_dataclass(row) and not isinstance(row, type) else dict(row) for row in said]
    return Result(outcome, dict(described), deadlines_s=deadlines, idle_service_s=alone, report=report)


def _hertz(clock: float | str) -> float:
    return parse(clock, "frequency") if isinstance(clock, str) else clock


def _loaded(app: Application) -> Application:
    """An application with its network loaded, fused where its library fuses."""
    if not isinstance(app, Inference):
        return app
    if isinstance(app.model, DynamicFamily):
        return app
    if app.dynamic:
        return replace(app, model=load_family(str(app.model)))
    fuses = load_library(app.library).fuses
    graph = load_model(app.model, fuse=fuses, transforms=app.transforms, accuracy=app.accuracy)
    return replace(app, model=graph, transforms=(), accuracy="")


def _alone_s(device: Device, apps: Mapping[str, Inference]) -> dict[str, float]:
    """Service time in s of one inference of each application, alone on the idle device."""
    times = {}
    for name, app in apps.items():
        alone: dict[str, Any] = {
            "period": None,
            "arrivals": None,
            "after": None,
            "start": 0.0,
            "stop": inf,
            "count": 1,
        }
        single = replace(app, **alone, targets=app.targets if app.dynamic else None)
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
    model: ModelGraph | DynamicFamily | str,
    schedulers: Sequence[Any],
    *,
    governors: Any = None,
    limits: Mapping[str, Mapping[str, float | str]] | None = None,
    library: str = "mace",
    inferences: int = 50,
    period: float | str | None = None,
    dtype: str = "",
    cores: str = "",
    level: int | None = None,
    targets: Any = None,
    transforms: Sequence[Any] | None = None,
    accuracy: str | Path = "",
    noise: bool = False,
    seed: int = 0,
    kernels: bool = False,
) -> Comparison:
    """Run the same stream of inferences under several schedulers, managers, and governors.

    Parameters
    ----------
    device, model, library, dtype, cores
        What runs on what; the model may be a family of networks, which schedulers that plan and managers run.
    schedulers
        Schedulers and managers: names, objects, classes, ``"module:Class"`` or ``{"name": ..., option: ...}``. What a
        manager manages runs on its :attr:`~socsim.Manager.runs_on`, else on the library's first accelerator.
    governors
        A set of governors for all, or a list of sets, each of which is run with every scheduler: a mapping, as for
        :func:`simulate` (``{"gpu": HalfLoad()}``), or names joined by ``+`` (``"schedutil+adreno_tz"``), each of which
        goes to the clock domains that it is for. None (default) leaves all clocks at their highest.
    limits
        Clocks that the user allows, for all of them, as for :func:`simulate`.
    inferences
        Number of inferences for each scheduler.
    period
        Time between arrivals in s or with a unit (``"100 ms"``); None runs back to back, without idle time, in which
        governors differ least.
    level
        Of a family, what schedulers run and managers begin with; None for the most accurate one.
    targets
        What managers are to reach: ``{"latency": "60 ms", "top1": 76}``, as of :class:`socsim.Inference`.
    transforms
        Sets of transforms of the network, each of which is run with every scheduler: ``["none", "prune(0.5)",
        "prune(0.5)+quantise"]``, or lists of transforms as of :func:`load_model`. None (default) for the network alone.
    accuracy
        A table of what transforms cost in accuracy, as of :func:`load_model`.
    noise, seed, kernels
        As for :func:`simulate`.

    Returns
    -------
    A comparison with ``rows``, ``table()``, ``render()`` and ``save(directory)``.
    """
    if isinstance(schedulers, str) or not isinstance(schedulers, Sequence):
        raise UsageError(f"compare takes a list of schedulers, got {schedulers!r}; put it in brackets")
    target = device if isinstance(device, Device) else load_device(device)
    graph = _network(model, library)
    bounds = {
        name: {key: _hertz(clock) for key, clock in own.items()} for name, own in (limits or {}).items()
    }
    if isinstance(graph, ModelGraph):
        graph = load_model(graph, accuracy=accuracy)
    elif transforms is not None:
        raise UsageError("transforms are for one network; name a level of the family, such as dynamic_ofa@4")
    shared: dict[str, Any] = {"device": target.source or target.name, "seed": seed, "noise": noise}
    shared |= {"limits": describe_limits(bounds)} if bounds else {}
    sets = governor_sets(target, {} if governors is None else governors)
    rows = contenders(schedulers, _accelerator(target, library, graph))
    family = isinstance(graph, DynamicFamily)
    if targets is not None and not family and not any(row.device_manager for row in rows):
        raise UsageError(
            "targets are for families of networks, such as dynamic_ofa, and for managers of a whole device"
        )
    results = []
    steps = [()] if transforms is None else [_steps(chosen) for chosen in transforms]
    if not steps:
        raise UsageError("compare takes at least one set of transforms, which may be 'none', got none")
    for own, row in product(steps, rows):
        network = (
            load_model(graph, transforms=own, accuracy=accuracy) if isinstance(graph, ModelGraph) else graph
        )
        told = targets if family or row.device_manager else None
        app = Inference(
            network, row.scheduler, library=library, count=inferences, period=period, dtype=dtype, cores=cores,
            level=level, manager=row.manager, targets=told,
        )  # fmt: skip
        in_app, beside = row.described
        for chosen in sets:
            governed = {"governors": chosen.described} if chosen.governors else {}
            said = replace(app, model=model, transforms=own, accuracy=str(accuracy))
            described = {**describe(said), **in_app}
            config = {**shared, **governed, **beside, "apps": [described]}
            results.append(simulate(
                target, [app], seed=seed, noise=noise, kernels=kernels, governors=chosen.governors,
                limits=bounds, manager=row.device_manager, config=located(config, Path.cwd()),
            ))  # fmt: skip
    described = {
        **shared,
        "model": model if isinstance(model, str) else graph.name,
        "schedulers": [describe_decider(s) for s in schedulers],
        **({} if governors is None else {"governors": [chosen.written for chosen in sets]}),
        "library": library,
        "inferences": inferences,
        **({} if level is None else {"level": level}),
        **({} if transforms is None else {"transforms": [_spelled(own) for own in steps]}),
        **({"accuracy": str(accuracy)} if accuracy else {}),
        **({} if targets is None else {"targets": [t.describe() for t in make_targets(targets).rows]}),
        **(_options(results[0].config["apps"][0]) if results else {}),
    }
    titles = [] if governors is None else [chosen.title for chosen in sets] * len(schedulers) * len(steps)
    managed = any(row.manages for row in rows)
    named = [row.title for row in rows for _ in sets] * len(steps) if managed else []
    return Comparison(results, located(described, Path.cwd()), titles, named)


def _steps(chosen: Any) -> tuple[Any, ...]:
    """One set of transforms."""
    return transform_set(chosen) if isinstance(chosen, str) else tuple(chosen)


def _spelled(steps: Sequence[Any]) -> str:
    return "+".join(written_step(step) for step in steps) or "none"


def _network(model: ModelGraph | DynamicFamily | str, library: str) -> ModelGraph | DynamicFamily:
    """What is compared on; a family is not fused before its levels are."""
    if isinstance(model, DynamicFamily):
        return model
    if isinstance(model, str) and is_family(model):
        return load_family(model)
    return load_model(model, fuse=load_library(library).fuses)


def _accelerator(device: Device, library: str, network: ModelGraph | DynamicFamily) -> str:
    """The first accelerator that a library runs a network on, else the CPU."""
    graph = network.levels[-1].graph if isinstance(network, DynamicFamily) else network
    processors = Pricer(device, load_library(library), graph).processors
    return (*processors[1:], "cpu")[0]


def _options(app: Mapping[str, Any]) -> dict[str, Any]:
    return {key: app[key] for key in ("period", "dtype", "cores") if key in app}
