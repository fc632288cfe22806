"""Experiment files: a device, what runs on it, and for how long."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from socsim import units, yamlfile
from socsim.errors import FileError, UnknownNameError, UsageError, nearest
from socsim.resources import data_dir
from socsim.results.result import Result
from socsim.words import counted
from socsim.workloads.apps import Inference

__all__ = ["Experiment", "check_experiment", "experiment_names", "load_experiment"]

Time = Annotated[float, BeforeValidator(lambda text: units.parse(text, "time")), Field(gt=0)]


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InferenceSpec(_Spec):
    """An application of kind ``inference``; fields as of :class:`socsim.workloads.apps.Inference`."""

    kind: Literal["inference"]
    model: str
    scheduler: str | dict[str, Any] = "cpu"
    library: str = "mace"
    name: str = ""
    period: Time | None = None
    count: Annotated[int, Field(strict=True, gt=0)] | None = None
    deadline: Time | None = None
    dtype: Literal["", "fp32", "fp16", "int8"] = ""
    cores: str = ""


class ExperimentSpec(_Spec):
    """What an experiment file says."""

    device: str
    apps: Annotated[list[InferenceSpec], Field(min_length=1)]
    duration: Time | None = None
    seed: Annotated[int, Field(strict=True, ge=0)] = 0
    noise: bool = False


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
    seed, noise
        As for :func:`socsim.simulate`.
    config
        The file's content after overrides, to be kept beside the results.
    """

    name: str
    device: str
    apps: tuple[Inference, ...]
    duration_s: float | None
    seed: int
    noise: bool
    config: Mapping[str, Any]

    def run(self, *, kernels: bool = False) -> Result:
        """Simulate it; ``kernels=True`` records every kernel."""
        from socsim.api import simulate

        return simulate(
            self.device,
            self.apps,
            duration=self.duration_s,
            seed=self.seed,
            noise=self.noise,
            kernels=kernels,
            config=self.config,
        )


def experiment_names() -> list[str]:
    """Names of the experiments that come with socsim."""
    return sorted(path.stem for path in data_dir("experiments").glob("*.yaml"))


def load_experiment(path: str | Path, overrides: Iterable[str] = ()) -> Experiment:
    """Read an experiment file.

    Parameters
    ----------
    path
        A file, or the name of one that comes with socsim.
    overrides
        ``key=value`` with a dotted path into the file: ``seed=3``, ``apps.0.scheduler=gpu``,
        ``apps.detector.period=16 ms``.

    Raises
    ------
    FileError
        Faults of the file, all in one pass.
    UnknownNameError
        No file, and no experiment of that name.
    UsageError
        An override of a key that does not exist.
    """
    file = _find(path)
    document = yamlfile.read(file)
    spec = yamlfile.validate(document, ExperimentSpec)
    config = dict(document.data)
    for override in overrides:
        _override(config, override)
    if overrides:
        spec = _revalidate(config, str(file))
    if spec.duration is None and any(app.count is None for app in spec.apps):
        raise FileError(
            str(file), [document.fault(("apps",), "an application without a count needs a duration")]
        )
    apps = tuple(Inference(**app.model_dump(exclude={"kind"})) for app in spec.apps)
    return Experiment(Path(file).stem, spec.device, apps, spec.duration, spec.seed, spec.noise, config)


def check_experiment(path: str | Path) -> str:
    """Load everything that an experiment names; returns one phrase about it."""
    from socsim.api import load_model
    from socsim.devices.profile import load_device
    from socsim.schedulers.registry import make_scheduler
    from socsim.workloads.library import load_library

    experiment = load_experiment(path)
    device = load_device(experiment.device)
    for app in experiment.apps:
        if app.cores:
            device.parse_cores(app.cores)
        load_model(app.model)
        load_library(app.library)
        make_scheduler(app.scheduler)
    return f"experiment, {counted(len(experiment.apps), 'application')} on {experiment.device}"


def _find(path: str | Path) -> Path:
    file = Path(path)
    if file.suffix or file.exists():
        return file
    if str(path) not in experiment_names():
        raise UnknownNameError(
            "experiment", str(path), experiment_names(), "(or give the path of a .yaml file)"
        )
    return data_dir("experiments") / f"{path}.yaml"


def _override(config: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise UsageError(f"an override is key=value, got {override!r}")
    *path, last = key.split(".")
    target: Any = config
    for i, part in enumerate(path):
        target = _step(target, part, ".".join(path[: i + 1]))
    if isinstance(target, list):
        target[target.index(_step(target, last, key))] = _value(text)
    elif isinstance(target, dict):
        target[last] = _value(text)
    else:
        raise UsageError(f"override {override!r}: {'.'.join(path)!r} is a value and has no {last!r}")


def _step(target: Any, part: str, shown: str) -> Any:
    """One step into the file: a key, a position in a list, or the name of an application."""
    if isinstance(target, list):
        names = {
            str(item.get("name") or item.get("model")): item for item in target if isinstance(item, dict)
        }
        if part.isascii() and part.isdecimal() and int(part) < len(target):
            return target[int(part)]
        if part in names:
            return names[part]
        raise UsageError(f"unknown key {shown!r}; did you mean {nearest(part, names) or '0'!r}?")
    if isinstance(target, dict) and part in target:
        return target[part]
    known = target if isinstance(target, dict) else ()
    raise UsageError(f"unknown key {shown!r}; known: {', '.join(known) or 'none'}")


def _value(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _revalidate(config: Mapping[str, Any], file: str) -> ExperimentSpec:
    """Check the content after overrides; its faults are the overrides'."""
    try:
        return ExperimentSpec.model_validate(config)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{file} with overrides: {_complaint(key, first)}") from None


def _complaint(key: str, error: ErrorDetails) -> str:
    if error["type"] != "extra_forbidden":
        return f"{key}: {error['msg'].removeprefix('Value error, ').removeprefix('Input ')}, got {error['input']!r}"
    fields = InferenceSpec.model_fields if error["loc"][0] == "apps" else ExperimentSpec.model_fields
    guess = nearest(str(error["loc"][-1]), fields)
    return f"unknown key {key!r}; " + (f"did you mean {guess!r}?" if guess else f"known: {', '.join(fields)}")
