"""A resolved experiment, made from the content of a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from socsim import yamlfile
from socsim.errors import FileError, SocsimError
from socsim.experiments.spec import ExperimentSpec
from socsim.results.result import Result
from socsim.simulation.mechanisms import ALL_MECHANISMS, Mechanisms
from socsim.simulation.setups import Setups
from socsim.simulation.simulation import Application
from socsim.workloads.apps import Inference
from socsim.workloads.mode_schedule import ModeChange
from socsim.workloads.stages import application_names, check_stages

__all__ = ["Experiment", "make_experiment"]


@dataclass(frozen=True)
class Experiment:
    """A resolved experiment.

    Parameters
    ----------
    name
        The file's name without its suffix.
    device
        Name or path of the device.
    apps
        Applications, their networks not loaded yet.
    duration_s
        Simulated time in s; None runs until all counted inferences have finished.
    seed, noise, mechanisms, governors, limits, heat, power_mode, manager
        As for :func:`socsim.simulate`.
    config
        The file's content after overrides, to be kept beside the results.
    """

    name: str
    device: str
    apps: tuple[Application, ...]
    duration_s: float | None
    seed: int
    noise: bool
    config: Mapping[str, Any]
    mechanisms: Mechanisms = ALL_MECHANISMS
    governors: Mapping[str, Any] = field(default_factory=dict)
    limits: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    heat: bool | float = False
    power_mode: tuple[ModeChange, ...] = ()
    manager: Any = None

    def run(self, *, kernels: bool = False, setups: Setups | None = None) -> Result:
        """Simulate it; ``kernels=True`` records every kernel, and `setups` is as for :func:`socsim.simulate`."""
        from socsim.api import simulate

        return simulate(
            self.device,
            self.apps,
            duration=self.duration_s,
            seed=self.seed,
            noise=self.noise,
            kernels=kernels,
            mechanisms=self.mechanisms,
            governors=self.governors,
            limits=self.limits,
            heat=self.heat,
            manager=self.manager,
            power_mode=self.power_mode,
            config=self.config,
            setups=setups,
        )


def make_experiment(document: yamlfile.Document, config: dict[str, Any]) -> Experiment:
    """The experiment that a content is.

    Parameters
    ----------
    document
        The file that it comes from, for its name and the places of faults.
    config
        What became of its content.

    Raises
    ------
    ValidationError
        A key or value against the rules.
    FileError
        Applications that do not fit together.
    """
    spec = ExperimentSpec.model_validate(config)
    apps = tuple(app.application() for app in spec.apps)
    _check_names(document, [app.name for app in spec.apps])
    _check_ends(document, [app for app in apps if isinstance(app, Inference)], spec)
    _check_aims(document, apps, spec)
    mechanisms = Mechanisms(**spec.mechanisms.model_dump())
    return Experiment(
        Path(document.path).stem, spec.device, apps, spec.duration, spec.seed, spec.noise, config, mechanisms,
        spec.governors, {name: own.model_dump(exclude_none=True) for name, own in spec.limits.items()},
        spec.heat, spec.power_mode, spec.manager,
    )  # fmt: skip


def _refuse(document: yamlfile.Document, loc: yamlfile.Loc, message: str) -> NoReturn:
    raise FileError(document.path, [document.fault(loc, message)]) from None


def _check_names(document: yamlfile.Document, names: Sequence[str]) -> None:
    for i, name in enumerate(names):
        if name and name in names[:i]:
            message = f"an application before is named {name!r} too; give each a name of its own"
            _refuse(document, ("apps", i, "name"), message)


def _check_ends(document: yamlfile.Document, inferences: Sequence[Inference], spec: ExperimentSpec) -> None:
    """Refuse stages after nobody or in a circle, and runs that nothing ends."""
    names = application_names(inferences)
    try:
        check_stages(names, [app.stage for app in inferences])
    except SocsimError as error:
        _refuse(document, ("apps",), str(error))
    endless = [name for name, app in zip(names, inferences, strict=True) if app.endless]
    if spec.duration is None and (endless or not inferences):
        why = f"{endless[0]!r} has none" if endless else "no application infers, so nothing ends the run"
        _refuse(document, ("apps",), f"an application without a count needs a duration; {why}")


def _check_aims(document: yamlfile.Document, apps: Sequence[Application], spec: ExperimentSpec) -> None:
    """Refuse targets that nobody cares for."""
    aimless = next((i for i, app in enumerate(apps) if _aimless(app)), None)
    if spec.manager is None and aimless is not None:
        message = (
            "targets are for families of networks, such as dynamic_ofa, or for runs with a manager of the whole "
            "device; leave them out, or give the experiment a 'manager'"
        )
        _refuse(document, ("apps", aimless, "targets"), message)


def _aimless(app: Application) -> bool:
    """Whether targets are for one network, which nobody but a manager of the device cares for."""
    return isinstance(app, Inference) and not app.dynamic and bool(app.wanted.rows)
