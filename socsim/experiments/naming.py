"""What an experiment names, and who can load it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from socsim import yamlfile
from socsim.devices.modes import MODE, split_mode
from socsim.errors import SocsimError, UsageError
from socsim.experiments.experiment import Experiment
from socsim.experiments.managed import check_manager
from socsim.simulation.governing import check_limits, governors_by_domain
from socsim.simulation.mode_changes import device_for
from socsim.words import counted
from socsim.workloads.apps import Inference
from socsim.workloads.arrival_trace import read_trace
from socsim.workloads.arrivals import TraceFile
from socsim.workloads.competitors import Competitor
from socsim.workloads.frames import FrameApp
from socsim.workloads.mode_schedule import ModeChange
from socsim.workloads.process_trace import read_process_trace
from socsim.workloads.replays import Replay
from socsim.workloads.scenes import ChangeTrace, read_changes
from socsim.workloads.transforms import parse_transform
from socsim.workloads.transforms.accuracy import load_drops

__all__ = ["named_things", "phrase"]


def phrase(experiment: Experiment) -> str:
    """What a sound experiment is, in one phrase."""
    return f"experiment, {counted(len(experiment.apps), 'application')} on {experiment.device}"


Thing = tuple[yamlfile.Loc, Callable[[Any], object], Any]
"""Its place in the file, who loads or checks it, and its name."""


def named_things(experiment: Experiment) -> Iterator[Thing]:
    """Whatever an experiment names: its place in the file, who loads it, and its name."""
    from socsim.devices.profile import load_device

    yield ("device",), load_device, experiment.device
    device = experiment.device
    if experiment.power_mode:
        yield ("power_mode",), partial(_check_modes, device), experiment.power_mode
        device = _in_first_mode(experiment)
    for name, spec in experiment.governors.items():
        yield ("governors", name), partial(_check_governor, device, name), spec
    for name, own in experiment.limits.items():
        yield from _limits(experiment.device, experiment.power_mode, name, own)
    if experiment.manager is not None:
        yield ("manager",), partial(check_manager, experiment), experiment.manager
    for i, app in enumerate(experiment.apps):
        if isinstance(app, Inference):
            yield from _inference_things(i, app, device)
        else:
            yield ("apps", i), partial(_check_fit, device), app


def _inference_things(i: int, app: Inference, device: str) -> Iterator[Thing]:
    """The same of one application that infers."""
    place = ("apps", i)
    for loc, check, name in (*_network_things(app), *_scheduling_things(app), *_resource_things(app, device)):
        yield (*place, *loc), check, name


def _network_things(app: Inference) -> Iterator[Thing]:
    """Its network, and what is done to it."""
    from socsim.api import load_model
    from socsim.workloads.dynamic import load_family
    from socsim.workloads.library import load_library

    yield ("model",), load_family if app.dynamic else load_model, app.model
    if app.accuracy:
        yield ("accuracy",), _check_accuracy, app.accuracy
    for number, step in enumerate(app.transforms):
        yield ("transforms", number), partial(_check_transform, str(app.model)), step
    yield ("library",), load_library, app.library


def _scheduling_things(app: Inference) -> Iterator[Thing]:
    """Who decides for it."""
    from socsim.schedulers.managers import make_app_manager
    from socsim.schedulers.registry import make_scheduler

    yield ("scheduler",), _check_planning if app.dynamic else make_scheduler, app.scheduler
    if app.level is not None:
        yield ("level",), partial(_check_level, str(app.model)), app.level
    if app.manager is not None:
        yield ("manager",), make_app_manager, app.manager
    for number, place in enumerate(app.places or ()):
        yield ("places", number), _check_place, place


def _resource_things(app: Inference, device: str) -> Iterator[Thing]:
    """Its cores, and what its inputs come from."""
    from socsim.schedulers.reuse import make_reuse

    if app.cpuset or app.cores:
        yield ("cpuset" if app.cpuset else "cores",), partial(_check_cores, device), app
    if isinstance(app.source, TraceFile):
        yield ("arrivals",), read_trace, app.source.file
    if isinstance(app.scenery, ChangeTrace):
        yield ("scene",), read_changes, app.scenery.file
    if app.reuse is not None:
        yield ("reuse",), make_reuse, app.reuse


def _in_first_mode(experiment: Experiment) -> str:
    """The device's name with the power mode that the run begins in."""
    device, first = experiment.device, experiment.power_mode[0]
    if first.at > 0.0:
        return device
    plain = device if Path(device).is_file() else split_mode(device)[0]
    return f"{plain}({MODE}={first.mode})"


def _check_accuracy(path: str) -> None:
    load_drops(path)


def _check_transform(model: str, step: str) -> None:
    """Refuse transforms that the network does not take; unknown networks pass."""
    from socsim.api import load_model

    try:
        graph = load_model(model)
    except SocsimError:
        return
    parse_transform(step)(graph)


def _check_place(spec: Any) -> None:
    """Refuse places that are schedulers that do not plan."""
    _check_planning(spec, "places")


def _check_planning(spec: Any, who: str = "families") -> None:
    """Refuse schedulers for a family that do not plan."""
    from socsim.schedulers.base import StaticScheduler
    from socsim.schedulers.registry import make_scheduler

    scheduler = make_scheduler(spec)
    if not isinstance(scheduler, StaticScheduler):
        raise UsageError(
            f"{scheduler.title!r} decides at run time, and {who} need one that plans, such as 'gpu' or 'heft'"
        )


def _check_level(family: str, level: int) -> None:
    """Refuse levels that a family has not; unknown families pass."""
    from socsim.workloads.dynamic import load_family

    try:
        found = load_family(family)
    except SocsimError:
        return
    found[level]


def _check_governor(device: str, name: str, spec: Any) -> None:
    """Refuse clock domains that the device has not, and governors that are not for them; unknown devices pass."""
    from socsim.devices.profile import load_device

    try:
        found = load_device(device)
    except SocsimError:
        return
    governors_by_domain(found, {name: spec})


def _check_modes(device: str, modes: Sequence[ModeChange]) -> None:
    """Refuse power modes that the device has not, or that cannot follow each other; unknown devices pass."""
    from socsim.devices.profile import load_device

    try:
        found = load_device(device)
    except SocsimError:
        return
    device_for(found, modes)


def _limits(device: str, modes: Sequence[ModeChange], name: str, own: Mapping[str, float]) -> Iterator[Thing]:
    """The domain, then each limit at its own place if the domain is right, then both together if each is."""
    check = partial(_check_limits, device, modes, name)
    yield ("limits", name), check, [{}]
    for key, clock in own.items():
        yield ("limits", name, key), check, [{}, {key: clock}]
    yield ("limits", name), check, [*({key: clock} for key, clock in own.items()), own]


def _check_limits(
    device: str, modes: Sequence[ModeChange], name: str, steps: Sequence[Mapping[str, float]]
) -> None:
    """Refuse the last of some limits that the device's domain cannot have; unknown devices pass, and other faults."""
    from socsim.devices.profile import load_device

    *before, last = steps
    try:
        found = device_for(load_device(device), modes)
        for own in before:
            check_limits(found, {name: own})
    except SocsimError:
        return
    check_limits(found, {name: last})


def _check_cores(name: str, app: Inference) -> None:
    """Refuse masks and cpusets that the device has not, or that have no core in common; unknown devices pass."""
    from socsim.devices.profile import load_device
    from socsim.workloads.library import load_library

    try:
        device, library = load_device(name), load_library(app.library)
    except SocsimError:
        return
    device.allowed_cores(app.cores or library.cores, app.cpuset)


def _check_fit(name: str, app: Competitor | FrameApp | Replay) -> None:
    """Refuse what competes or shows frames where the device lacks the processor or the cores; unknown devices pass."""
    from socsim.devices.profile import load_device

    if isinstance(app, Replay) and app.rows is None:
        read_process_trace(app.file)
    try:
        device = load_device(name)
    except SocsimError:
        return
    if isinstance(app, Replay):
        app.bursts(device)
        return
    device.check_processor(app.processor if isinstance(app, Competitor) else "gpu")
    device.allowed_cores(app.affinity, app.cpuset)
