"""The functions that most users need: load, simulate, compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from socsim import units
from socsim.devices.device import Device
from socsim.devices.profile import load_device
from socsim.errors import UsageError
from socsim.results.comparison import Comparison
from socsim.results.result import Result
from socsim.schedulers.registry import make_scheduler
from socsim.simulation.simulation import Simulation
from socsim.workloads.apps import Inference
from socsim.workloads.graph import ModelGraph
from socsim.workloads.zoo import build_model

__all__ = ["compare", "load_model", "simulate"]


def load_model(
    model: str | Path | ModelGraph, *, shapes: Mapping[str, tuple[int, ...]] | None = None, fuse: bool = True
) -> ModelGraph:
    """A network by zoo name, or from an ONNX file.

    Parameters
    ----------
    model
        A zoo name (``"resnet50"``, ``"mobilenet_v1_0.5_160"``), the path of an ``.onnx`` file, or a network (returned).
    shapes
        Input name -> shape, for files with dynamic dimensions.
    fuse
        Fold batch normalisation and fuse activations of an ONNX file, as inference converters do.

    Raises
    ------
    UnknownNameError
        No such network.
    ModelError
        A file that cannot be read, or needs operators that socsim does not know.
    """
    if isinstance(model, ModelGraph):
        return model
    text = str(model)
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
    apps: Sequence[Inference],
    *,
    duration: float | str | None = None,
    seed: int = 0,
    noise: bool = False,
    kernels: bool = False,
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
        Record every kernel (for traces and plots).
    config
        What to keep beside the results; made from the arguments by default.

    Returns
    -------
    A result with ``summary()``, ``inferences``, ``kernels``, ``power``, ``save(directory)``.
    """
    if isinstance(apps, Inference):
        raise UsageError("simulate takes a list of applications, got one; put it in brackets")
    target = device if isinstance(device, Device) else load_device(device)
    loaded = [replace(app, model=load_model(app.model)) for app in apps]
    seconds = units.parse(duration, "time") if isinstance(duration, str) else duration
    simulation = Simulation(target, loaded, duration=seconds, seed=seed, noise=noise, kernels=kernels)
    outcome = simulation.run()
    simulation.validate()
    described = config or {
        "device": target.name,
        "duration": None if seconds is None else units.exact_seconds(seconds),
        "seed": seed,
        "noise": noise,
        "apps": [describe(app) for app in apps],
    }
    deadlines = {s.name: s.app.deadline_s for s in simulation.streams if s.app.deadline_s is not None}
    return Result(outcome, dict(described), deadlines_s=deadlines)


def compare(
    device: Device | str | Path,
    model: ModelGraph | str,
    schedulers: Sequence[Any],
    *,
    library: str = "mace",
    inferences: int = 50,
    dtype: str = "",
    cores: str = "",
    noise: bool = False,
    seed: int = 0,
    kernels: bool = False,
) -> Comparison:
    """Run the same back-to-back stream under several schedulers.

    Parameters
    ----------
    device, model, library, dtype, cores
        What runs on what.
    schedulers
        Names, objects, classes, ``"module:Class"`` or ``{"name": ..., option: ...}``.
    inferences
        Number of inferences for each scheduler.
    noise, seed, kernels
        As for :func:`simulate`.

    Returns
    -------
    A comparison with ``rows``, ``table()``, ``render()`` and ``save(directory)``.
    """
    if isinstance(schedulers, str) or not isinstance(schedulers, Sequence):
        raise UsageError(f"compare takes a list of schedulers, got {schedulers!r}; put it in brackets")
    target = device if isinstance(device, Device) else load_device(device)
    graph = load_model(model)
    results = []
    for spec in schedulers:
        app = Inference(
            graph, make_scheduler(spec), library=library, count=inferences, dtype=dtype, cores=cores
        )
        config = {
            "device": target.name,
            "seed": seed,
            "noise": noise,
            "apps": [describe(replace(app, model=model, scheduler=spec))],
        }
        results.append(simulate(target, [app], seed=seed, noise=noise, kernels=kernels, config=config))
    described = {
        "device": target.name,
        "model": model if isinstance(model, str) else graph.name,
        "schedulers": [_scheduler_name(s) for s in schedulers],
        "library": library,
        "inferences": inferences,
        "dtype": dtype,
        "cores": cores,
        "noise": noise,
        "seed": seed,
    }
    return Comparison(results, described)


def describe(app: Inference) -> dict[str, Any]:
    """An application as an experiment file has it."""
    described: dict[str, Any] = {
        "kind": "inference",
        "model": app.model.name if isinstance(app.model, ModelGraph) else str(app.model),
        "scheduler": _scheduler_name(app.scheduler),
        "library": app.library,
    }
    optional = {"name": app.name, "dtype": app.dtype, "cores": app.cores, "count": app.count}
    times = {"period": app.period_s, "deadline": app.deadline_s}
    described |= {key: value for key, value in optional.items() if value}
    return described | {key: units.exact_seconds(value) for key, value in times.items() if value is not None}


def _scheduler_name(spec: Any) -> Any:
    if isinstance(spec, (str, Mapping)):
        return spec
    cls = spec if isinstance(spec, type) else type(spec)
    return f"{cls.__module__}:{cls.__qualname__}"
