"""The same stream of inferences under several schedulers, managers and governors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from socsim.api import hertz, load_model, simulate
from socsim.describing import describe, describe_limits
from socsim.devices.device import Device
from socsim.devices.profile import load_device
from socsim.errors import UsageError
from socsim.results.comparison import Comparison
from socsim.results.inputs import located
from socsim.schedulers.contenders import Contender, contenders, describe_decider
from socsim.schedulers.governors.sets import GovernorSet
from socsim.simulation.governing import governor_sets
from socsim.workloads.apps import Inference
from socsim.workloads.dynamic import DynamicFamily, is_family, load_family
from socsim.workloads.graph import ModelGraph
from socsim.workloads.library import load_library
from socsim.workloads.pricing import Pricer
from socsim.workloads.targets import make_targets

__all__ = ["compare"]


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
    noise, seed, kernels
        As for :func:`simulate`.

    Returns
    -------
    A comparison with ``rows``, ``table()``, ``render()`` and ``save(directory)``.
    """
    if isinstance(schedulers, str) or not isinstance(schedulers, Sequence):
        raise UsageError(f"compare takes a list of schedulers, got {schedulers!r}; put it in brackets")
    target = device if isinstance(device, Device) else load_device(device)
    network = _network(model, library)
    bounds = hertz(limits)
    sets = governor_sets(target, {} if governors is None else governors)
    rows = contenders(schedulers, _accelerator(target, library, network))
    family = isinstance(network, DynamicFamily)
    if targets is not None and not family and not any(row.device_manager for row in rows):
        raise UsageError(
            "targets are for families of networks, such as dynamic_ofa, and for managers of a whole device"
        )
    shared: dict[str, Any] = {"device": target.source or target.name, "seed": seed, "noise": noise}
    shared |= {"limits": describe_limits(bounds)} if bounds else {}
    results = []
    for row in rows:
        app = Inference(
            network, row.scheduler, library=library, count=inferences, period=period, dtype=dtype, cores=cores,
            level=level, manager=row.manager, targets=targets if family or row.device_manager else None,
        )  # fmt: skip
        for chosen in sets:
            config = {**shared, **_config(row, chosen, replace(app, model=model))}
            results.append(simulate(
                target, [app], seed=seed, noise=noise, kernels=kernels, governors=chosen.governors,
                limits=bounds, manager=row.device_manager, config=located(config, Path.cwd()),
            ))  # fmt: skip
    described = {
        **shared,
        "model": model if isinstance(model, str) else network.name,
        "schedulers": [describe_decider(s) for s in schedulers],
        **({} if governors is None else {"governors": [chosen.written for chosen in sets]}),
        "library": library,
        "inferences": inferences,
        **({} if level is None else {"level": level}),
        **({} if targets is None else {"targets": [t.describe() for t in make_targets(targets).rows]}),
        **(_options(results[0].config["apps"][0]) if results else {}),
    }
    titles = [] if governors is None else [chosen.title for chosen in sets] * len(schedulers)
    named = [row.title for row in rows for _ in sets] if any(row.manages for row in rows) else []
    return Comparison(results, located(described, Path.cwd()), titles, named)


def _config(row: Contender, chosen: GovernorSet, app: Inference) -> dict[str, Any]:
    """What of one run's experiment is its own."""
    in_app, beside = row.described
    governed = {"governors": chosen.described} if chosen.governors else {}
    return {**governed, **beside, "apps": [{**describe(app), **in_app}]}


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
