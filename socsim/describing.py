"""What was simulated as an experiment file has it, so that it can be run again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import inf
from pathlib import Path
from typing import Any

from socsim.devices.device import Device
from socsim.results.inputs import located
from socsim.schedulers.governors.registry import GOVERNORS
from socsim.schedulers.managers.registry import MANAGERS
from socsim.schedulers.registry import SCHEDULERS
from socsim.schedulers.reuse.registry import REUSE
from socsim.simulation.mechanisms import ALL_MECHANISMS, Mechanisms
from socsim.simulation.simulation import Application, Simulation
from socsim.units import exact_seconds
from socsim.workloads.apps import Inference
from socsim.workloads.dynamic import DynamicFamily
from socsim.workloads.graph import ModelGraph
from socsim.workloads.mode_schedule import ModeChange
from socsim.workloads.pricing import Pricer
from socsim.workloads.uclamp import describe_uclamp

__all__ = ["describe", "describe_limits", "describe_run", "settled", "written_step"]

_POLICY = {
    "queue": "queue",
    "queue_limit": None,
    "concurrency": None,
    "priority": 0,
    "nice": 0,
    "cpuset": "",
    "queue_window": 0,
    "blocking": False,
    "memory": "release",
}
"""Fields of an application that are described where they are not these."""


def describe_run(
    device: Device,
    apps: Sequence[Application],
    seconds: float | None,
    seed: int,
    noise: bool,
    mechanisms: Mechanisms,
    governors: Mapping[str, Any],
    limits: Mapping[str, Mapping[str, float]],
    heat: bool | float,
    power_modes: Sequence[ModeChange] = (),
    manager: Any = None,
) -> dict[str, Any]:
    """What was simulated, as an experiment file has it."""
    described: dict[str, Any] = {
        "device": device.source or device.name,
        "duration": None if seconds is None else exact_seconds(seconds),
        "seed": seed,
        "noise": noise,
        **({"mechanisms": _switches(mechanisms)} if mechanisms != ALL_MECHANISMS else {}),
        **(
            {"governors": {name: GOVERNORS.describe(g) for name, g in governors.items()}} if governors else {}
        ),
        **({"limits": describe_limits(limits)} if limits else {}),
        **({} if heat is False else {"heat": True if heat is True else f"{heat!r} C"}),
        **({} if manager is None else {"manager": MANAGERS.describe(manager)}),
        **({"power_mode": [change.describe() for change in power_modes]} if power_modes else {}),
        "apps": [describe(app) for app in apps],
    }
    return located(described, Path.cwd())


def describe(app: Application) -> dict[str, Any]:
    """An application as an experiment file has it."""
    if not isinstance(app, Inference):
        return app.describe()
    described: dict[str, Any] = {
        "kind": "inference",
        "model": app.model.name if isinstance(app.model, (ModelGraph, DynamicFamily)) else str(app.model),
        "scheduler": SCHEDULERS.describe(app.scheduler),
        "library": app.library,
    }
    optional = {key: getattr(app, key) for key in ("name", "dtype", "cores", "count", "level")}
    described |= {key: value for key, value in optional.items() if value}
    times = {"period": app.period_s if app.arrivals is None else None, "deadline": app.deadline_s}
    described |= {key: exact_seconds(value) for key, value in times.items() if value is not None}
    if app.arrivals is not None:
        described["arrivals"] = app.source.describe() if app.source else {"kind": "back_to_back"}
    if app.stage is not None:
        described["after"] = app.stage.describe()
    if app.manager is not None:
        described["manager"] = MANAGERS.describe(app.manager)
    if app.transforms:
        described["transforms"] = [written_step(step) for step in app.transforms]
    if app.accuracy:
        described["accuracy"] = str(app.accuracy)
    if app.wanted.rows:
        described["targets"] = [target.describe() for target in app.wanted.rows]
    if app.places is not None:
        described["places"] = [SCHEDULERS.describe(place) for place in app.places]
    if app.scenery is not None:
        described["scene"] = app.scenery.describe()
    if app.reuse is not None:
        described["reuse"] = REUSE.describe(app.reuse)
    span = {"start": app.start_s} if app.start_s else {}
    span |= {"stop": app.stop_s} if app.stop_s < inf else {}
    described |= {key: exact_seconds(value) for key, value in span.items()}
    if clamp := describe_uclamp(app.uclamp):
        described["uclamp"] = clamp
    policy = {key: getattr(app, key) for key in _POLICY}
    if app.kernel_limit_s:
        described["kernel_limit"] = exact_seconds(app.kernel_limit_s)
    return described | {key: value for key, value in policy.items() if value != _POLICY[key]}


def written_step(step: Any) -> str:
    """A transform as an experiment file has it; a function of the user's by its name, which such a file cannot."""
    if isinstance(step, str):
        return step
    return str(getattr(step, "written", None) or getattr(step, "__name__", None) or repr(step))


def settled(apps: Sequence[Mapping[str, Any]], simulation: Simulation) -> list[dict[str, Any]]:
    """Applications as described, with what the inference streams among them ran with."""
    streams = iter(simulation.streams)
    return [{**app, **(_fixed(next(streams).pricer) if app["kind"] == "inference" else {})} for app in apps]


def _fixed(pricer: Pricer) -> dict[str, str]:
    """Data type and cores that a stream ran with, as far as an experiment that states them runs the same."""
    device, library, graph = pricer.device, pricer.library, pricer.graph
    cores = device.core_names(pricer.cores)
    found = {"cores": cores} if device.parse_cores(cores) == pricer.cores else {}
    stated = Pricer(device, library, graph, pricer.dtype, cores, pricer.cpuset)
    same = all(stated.dtype_on(p) == pricer.dtype_on(p) for p in pricer.processors)
    return {"dtype": pricer.dtype, **found} if same else found


def describe_limits(limits: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, str]]:
    """Limits of clocks as an experiment file has them."""
    return {name: {key: f"{clock!r} Hz" for key, clock in own.items()} for name, own in limits.items()}


def _switches(mechanisms: Mechanisms) -> dict[str, Any]:
    """Mechanisms as an experiment file has them; a placement that is the device's is left out."""
    return {name: value for name, value in asdict(mechanisms).items() if value is not None}
