"""A check that a manager is sound."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from socsim.devices.device import Device
from socsim.devices.profile import load_device
from socsim.errors import SimulationError, SocsimError
from socsim.schedulers.guard import blamed
from socsim.schedulers.managers import DeviceManager, Manager, ManagerView, make_manager
from socsim.schedulers.managers.registry import Spec
from socsim.simulation.records import Outcome
from socsim.simulation.simulation import Application, Simulation
from socsim.workloads.apps import Inference
from socsim.workloads.competitors import Competitor
from socsim.workloads.dynamic import DynamicFamily, load_family
from socsim.workloads.targets import make_targets
from socsim.workloads.zoo import build_model

__all__ = ["check_manager"]

_CALLS = 200
_SIZES = (1, 2, 6)
"""Levels of the families that managers of one application are tried on."""
_TARGETS = (
    None,
    {"latency": 0.05, "top1": 65},
    [{"latency": 0.03, "top1": 62}, {"at": 3.0, "latency": 0.2}, {"at": 6.0, "top1": 80}],
)
_GOVERNORS: tuple[dict[str, str], ...] = ({}, {"cpu": "schedutil", "gpu": "simple_ondemand"})


def check_manager(
    manager: Spec, *, device: Device | str = "jetson-xavier-nx", library: str = "pytorch_eager"
) -> str:
    """Prove a manager sound, of whichever kind it is.

    One of a single application sees random times of families of one, two and six levels, with and without targets; it
    must always answer with a level that there is. One of a whole device manages a family, a network, and both with
    others, that come and go, with and without governors, limits and targets; its settings must name what there is, and
    the runs must pass :meth:`Simulation.validate`. Of either kind, two objects that see the same must answer the same.

    Parameters
    ----------
    manager
        An object, a class, or anything else that names one.
    device, library
        What to try managers of a device on.

    Returns
    -------
    One phrase that says what was checked.

    Raises
    ------
    SimulationError
        What it did wrong, and on what.
    UsageError, UnknownNameError
        It cannot be made.
    """
    made = make_manager(manager)
    if isinstance(made, Manager):
        return _check_picking(manager, made.title)
    target = load_device(device) if isinstance(device, str) else device
    return _check_settling(manager, made, target, library)


# --- of one application ---------------------------------------------------------------------------------------


def _check_picking(spec: Spec, title: str) -> str:
    cases = [(size, targets) for size in _SIZES for targets in _TARGETS]
    for seed, (size, targets) in enumerate(cases):
        first, second, other = (_levels(spec, size, targets, s) for s in (seed, seed, seed + len(cases)))
        for call, (one, same, _) in enumerate(zip_longest(first, second, other)):
            if one != same:
                raise SimulationError(
                    f"manager {title!r} on {size} levels, call {call}: one object picks {one}, another one that saw "
                    f"the same picks {same}"
                )
    return f"{title}: sound on {len(cases)} applications"


def _levels(spec: Spec, size: int, targets: Any, seed: int) -> Iterator[int]:
    """What a manager of one application answers to random times."""
    draw, clock = random.Random(seed), [0.0]
    manager: Any = make_manager(spec)
    top1 = {level: 60.0 + 3.0 * level for level in range(1, size + 1)}
    view = ManagerView(top1, size, make_targets(targets), lambda: clock[0])
    base = draw.choice((0.01, 0.05, 0.2))
    for call in range(_CALLS):
        method = "next_level" if call else "start"
        with blamed(manager, method, f"{size} levels", "manager"):
            level = getattr(manager, method)(view)
        if isinstance(level, bool) or not isinstance(level, int) or level not in top1:
            raise SimulationError(
                f"manager {manager.title!r}, {method}() in call {call}: levels are 1 to {size}, got {level!r}"
            )
        view.level = level
        yield level
        service = base * (1 + 0.3 * level / size) * draw.choice((1.0, 1.0, 1.0, draw.uniform(0.5, 3.0)))
        waited = draw.choice((0.0, 0.0, draw.uniform(0.0, 0.1)))
        clock[0] += service + waited
        view.finished(service + waited, service)


# --- of a device ----------------------------------------------------------------------------------------------


def _check_settling(spec: Spec, made: DeviceManager, device: Device, library: str) -> str:
    cases = [(case, governors) for case in range(len(_CASES)) for governors in _GOVERNORS]
    family, single = load_family("dynamic_ofa"), build_model("mobilenet_v1_0.25_128")
    for case, governors in cases:
        make = _CASES[case]
        outcomes = [
            _outcome(spec, made.title, device, make(family, single, library), governors) for _ in range(2)
        ]
        if outcomes[0] != outcomes[1]:
            raise SimulationError(f"{_where(made.title, case, governors)}: two runs with one seed differ")
    return f"{made.title}: sound in {len(cases)} runs"


def _outcome(
    spec: Spec, title: str, device: Device, apps: list[Application], governors: dict[str, str]
) -> Outcome:
    fast = max(device.clusters, key=lambda cluster: cluster.max_opp.frequency)
    limits = {f"cpu.{fast.name}": {"min": fast.opps[1 % len(fast.opps)].frequency}} if governors else {}
    own = {name: one for name, one in governors.items() if name in ("cpu", *device.accelerators)}
    try:
        run = Simulation(device, apps, duration=1.2, manager=spec, governors=own, limits=limits)
        run.validate()
    except SocsimError as error:
        raise SimulationError(f"manager {title!r} of {_named(apps)}: {error}") from error
    return run.run()


def _where(title: str, case: int, governors: dict[str, str]) -> str:
    governed = f" with {', '.join(governors.values())}" if governors else ""
    return f"manager {title!r}, run {case + 1}{governed}"


def _named(apps: list[Application]) -> str:
    return ", ".join(str(getattr(app, "name", "")) for app in apps)


def _one(family: DynamicFamily, single: Any, library: str) -> list[Application]:
    """A family whose targets change, so that they cannot always be met."""
    targets = [{"latency": 0.06, "top1": 76}, {"at": 0.4, "latency": 0.02}, {"at": 0.8, "top1": 79}]
    return [Inference(family, "gpu", library, "net", period=0.1, targets=targets)]


def _bare(family: DynamicFamily, single: Any, library: str) -> list[Application]:
    """One network without targets, back to back."""
    return [Inference(single, "gpu", library, "plain")]


def _come_and_go(family: DynamicFamily, single: Any, library: str) -> list[Application]:
    """Two that come and go beside one that has its own manager, and a competitor."""
    return [
        Inference(
            family, "cpu", library, "first", period=0.15, targets={"latency": 0.1, "top1": 70}, stop=0.9
        ),
        Inference(single, "cpu", library, "second", period=0.05, start=0.4, stop=1.0),
        Inference(family, "cpu", library, "own", period=0.5, manager="fixed", level=1),
        Competitor(start=0.3, stop=0.7),
    ]


_CASES = (_one, _bare, _come_and_go)
