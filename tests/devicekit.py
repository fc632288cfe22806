"""A toy phone with clocks, a family on it, and managers of the device written in one line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from corekit import CPU, LIBRARY, Fixed, net
from test_clocks import phone
from test_levels import family

from socsim.devices.device import Device
from socsim.schedulers.managers.device import DeviceManager, Setting
from socsim.schedulers.plan import Placement
from socsim.simulation.records import Outcome
from socsim.simulation.simulation import Simulation
from socsim.workloads.apps import Inference

GPU = Placement("gpu", "buffer")


class OnCpu(Fixed):
    """Everything on the CPU: 2, 4 and 6 s by level, at the highest clock."""

    name = "on_cpu"

    def __init__(self) -> None:
        super().__init__({"a": CPU})


class OnGpu(Fixed):
    """Everything on the GPU."""

    name = "on_gpu"

    def __init__(self) -> None:
        super().__init__({"a": GPU})


class Says(DeviceManager):
    """Settles what it is told to: at the start, at ticks, and after inferences."""

    name = "says"

    def __init__(
        self,
        start: Setting | None = None,
        tick: Callable[[Any], Any] = lambda state: None,
        finished: Callable[[Any, str], Any] = lambda state, app: None,
        period: float | str | None = None,
        began: Callable[[Any], Any] = lambda state: None,
    ) -> None:
        self.first, self._tick, self._finished, self._began = start or Setting(), tick, finished, began
        self.period = period

    def __deepcopy__(self, memo: Any) -> Says:
        return self

    def start(self, state: Any) -> Setting:
        self._began(state)
        return self.first

    def tick(self, state: Any) -> Any:
        return self._tick(state)

    def finished(self, state: Any, app: str) -> Any:
        return self._finished(state, app)


def app(name: str = "net", model: Any = None, **options: Any) -> Inference:
    """A family whose own scheduler is the CPU, and which may run on the GPU."""
    given = {"scheduler": OnCpu(), "library": LIBRARY, "name": name, "places": [OnGpu()], "count": 1}
    return Inference(family() if model is None else model, **{**given, **options})


def plain(name: str = "plain", work: int = 8, **options: Any) -> Inference:
    """One network that takes `work` / 2 s on the CPU."""
    return app(name, net(f"a:{work} x"), **options)


def simulated(
    manager: Any, *apps: Any, device: Device | None = None, duration: float | None = None, **options: Any
) -> Simulation:
    """A finished and validated run."""
    run = Simulation(device or phone(), apps or [app()], duration=duration, manager=manager, **options)
    run.validate()
    return run


def managed(manager: Any, *apps: Any, **options: Any) -> Outcome:
    """What it recorded."""
    return simulated(manager, *apps, **options).run()


def lives(done: Outcome, name: str = "") -> list[str]:
    """Each inference as ``start-finish@level/place``, in order of number."""
    own = [r for r in done.inferences if r.app == (name or r.app)]
    return [
        f"{r.start_s:g}-{r.finish_s:g}@{r.level}/{r.place.removeprefix('on_')}"
        for r in sorted(own, key=lambda r: r.number)
    ]


def clocks(done: Outcome, domain: str = "cpu.big") -> list[tuple[float, float]]:
    """(since when, Hz) of a domain."""
    return [(r.start_s, r.frequency_hz) for r in done.clocks if r.domain == domain]


def to(levels: Mapping[str, int] | None = None, places: Any = None, **ranges: Any) -> Setting:
    """A setting; clock domains with ``_`` for the dot."""
    clocks = {name.replace("_", "."): value for name, value in ranges.items()}
    return Setting(levels or {}, places or {}, clocks)
