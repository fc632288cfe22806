"""The functions that most users need: load, simulate, profile; :func:`socsim.comparing.compare` runs several."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, is_dataclass, replace
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

from socsim.describing import describe_run, settled
from socsim.devices.device import Device
from socsim.devices.profile import load_device
from socsim.errors import UnknownNameError, UsageError
from socsim.results.result import Result
from socsim.schedulers.profile_file import ProfileRow
from socsim.simulation.mechanisms import ALL_MECHANISMS, Mechanisms
from socsim.simulation.mode_changes import first_device
from socsim.simulation.profiling import take_profile
from socsim.simulation.setups import Setups
from socsim.simulation.simulation import Application, Simulation
from socsim.units import parse
from socsim.workloads.apps import Inference
from socsim.workloads.competitors import Competitor
from socsim.workloads.dynamic import (
    DynamicFamily,
    family_names,
    is_member,
    load_family,
    load_member,
)
from socsim.workloads.frames import FrameApp
from socsim.workloads.graph import ModelGraph
from socsim.workloads.library import load_library
from socsim.workloads.mode_schedule import make_mode_schedule
from socsim.workloads.pricing import Pricer
from socsim.workloads.replays import Replay
from socsim.workloads.transforms import check_steps, split_transforms, transformed
from socsim.workloads.transforms import fuse as fused
from socsim.workloads.zoo import build_model

__all__ = ["hertz", "load_model", "profile", "simulate"]


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
    if not (steps or transforms or accuracy):
        return _written(model, shapes, fuse)
    source = Path(base) if isinstance(model, Path) else base
    check_steps(transforms)
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
    try:
        return build_model(text)
    except UnknownNameError as error:
        raise UnknownNameError(error.kind, text, [*error.known, *family_names()], error.hint) from None


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
    bounds = hertz(limits)
    warmth = parse(heat, "temperature") if isinstance(heat, str) else heat
    modes = make_mode_schedule(power_mode)
    simulation = Simulation(
        target, loaded, duration=seconds, seed=seed, noise=noise, kernels=kernels, mechanisms=mechanisms,
        governors=governors or {}, limits=bounds, heat=warmth, power_modes=modes, manager=manager, setups=setups,
    )  # fmt: skip
    outcome = simulation.run()
    simulation.validate()
    described = config or describe_run(
        target, apps, seconds, seed, noise, mechanisms, governors or {}, bounds, warmth, modes, manager
    )
    if isinstance(described.get("apps"), list):
        described = {**described, "apps": settled(described["apps"], simulation)}
    streams = {s.name: s.app for s in simulation.streams}
    deadlines = {name: app.deadline_s for name, app in streams.items() if app.deadline_s is not None}
    alone = partial(_alone_s, first_device(target, modes), streams)
    said = () if simulation.manager is None else simulation.manager.report
    report = [asdict(row) if is_dataclass(row) and not isinstance(row, type) else dict(row) for row in said]
    return Result(outcome, dict(described), deadlines_s=deadlines, idle_service_s=alone, report=report)


def hertz(limits: Mapping[str, Mapping[str, float | str]] | None) -> dict[str, dict[str, float]]:
    """Limits of clocks in Hz; those that are text have a unit."""
    return {
        name: {
            key: parse(clock, "frequency") if isinstance(clock, str) else clock for key, clock in own.items()
        }
        for name, own in (limits or {}).items()
    }


def _loaded(app: Application, setups: Setups) -> Application:
    """An application with its network loaded, fused where its library fuses."""
    if not isinstance(app, Inference):
        return app
    if isinstance(app.model, DynamicFamily):
        return app
    if app.dynamic:
        return replace(app, model=load_family(str(app.model)))
    model, library = app.model, app.library

    def load() -> ModelGraph:
        fuses = load_library(library).fuses
        return load_model(model, fuse=fuses, transforms=app.transforms, accuracy=app.accuracy)

    key = _network_key(app)
    graph = load() if key is None else setups.kept("network", key, load)
    return replace(app, model=graph, transforms=(), accuracy="")


def _network_key(app: Inference) -> Hashable:
    """All that an application's network depends on; None where it is an object, or goes through functions."""
    if isinstance(app.model, ModelGraph) or not all(isinstance(step, str) for step in app.transforms):
        return None
    base, _ = split_transforms(str(app.model))
    files = [(str(file), _changed(file)) for file in (base, base.rpartition("@")[0], app.accuracy) if file]
    return (app.model, load_library(app.library).fuses, *app.transforms, *files)


def _changed(path: str | Path) -> int:
    """When a file was changed last, in ns; 0 for what is none."""
    file = Path(path)
    return file.stat().st_mtime_ns if file.is_file() else 0


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
