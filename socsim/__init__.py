"""socsim: a discrete-event simulator of heterogeneous mobile SoCs, for comparing DNN schedulers.

>>> import socsim
>>> comparison = socsim.compare("xiaomi-9", "mobilenet_v1", ["cpu", "gpu"], inferences=1)
>>> comparison.rows[1]["latency_ms_mean"] < comparison.rows[0]["latency_ms_mean"]
True
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from socsim.api import compare, load_model, profile, simulate
    from socsim.devices.device import Device
    from socsim.devices.profile import load_device
    from socsim.errors import SocsimError
    from socsim.experiments import load_experiment
    from socsim.schedulers.base import OnlineScheduler, SplitScheduler, StaticScheduler
    from socsim.schedulers.governors.base import Governor
    from socsim.schedulers.managers.base import Manager
    from socsim.schedulers.managers.device import DeviceManager
    from socsim.schedulers.plan import Placement, Plan, Split
    from socsim.schedulers.reuse.base import ReusePolicy
    from socsim.simulation.mechanisms import Mechanisms
    from socsim.sweeps.running import sweep
    from socsim.workloads.apps import Inference
    from socsim.workloads.arrivals import Arrivals
    from socsim.workloads.competitors import Competitor
    from socsim.workloads.frames import Ui, Video
    from socsim.workloads.graph import ModelGraph, Operator, Tensor
    from socsim.workloads.library import load_library
    from socsim.workloads.replays import Replay
    from socsim.workloads.scenes import Scene

from socsim._version import __version__ as __version__

__all__ = [
    "Arrivals",
    "Competitor",
    "Device",
    "DeviceManager",
    "Governor",
    "Inference",
    "Manager",
    "Mechanisms",
    "ModelGraph",
    "OnlineScheduler",
    "Operator",
    "Placement",
    "Plan",
    "Replay",
    "ReusePolicy",
    "Scene",
    "SocsimError",
    "Split",
    "SplitScheduler",
    "StaticScheduler",
    "Tensor",
    "Ui",
    "Video",
    "compare",
    "load_device",
    "load_experiment",
    "load_library",
    "load_model",
    "profile",
    "simulate",
    "sweep",
]

_HOMES = {
    "api": ("compare", "load_model", "profile", "simulate"),
    "devices.device": ("Device",),
    "devices.profile": ("load_device",),
    "errors": ("SocsimError",),
    "experiments": ("load_experiment",),
    "schedulers.base": ("OnlineScheduler", "SplitScheduler", "StaticScheduler"),
    "schedulers.governors.base": ("Governor",),
    "schedulers.managers.base": ("Manager",),
    "schedulers.managers.device": ("DeviceManager",),
    "schedulers.plan": ("Placement", "Plan", "Split"),
    "schedulers.reuse.base": ("ReusePolicy",),
    "simulation.mechanisms": ("Mechanisms",),
    "sweeps.running": ("sweep",),
    "workloads.apps": ("Inference",),
    "workloads.arrivals": ("Arrivals",),
    "workloads.competitors": ("Competitor",),
    "workloads.frames": ("Ui", "Video"),
    "workloads.graph": ("ModelGraph", "Operator", "Tensor"),
    "workloads.library": ("load_library",),
    "workloads.replays": ("Replay",),
    "workloads.scenes": ("Scene",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import public names when they are first used, so that ``socsim list`` need not wait for SimPy and NumPy."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
