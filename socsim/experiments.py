"""Experiment files: a device, what runs on it, and for how long."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from socsim import units, yamlfile
from socsim.errors import Fault, FileError, SocsimError, UnknownNameError, UsageError, nearest
from socsim.resources import data_dir
from socsim.results.inputs import located
from socsim.results.result import Result
from socsim.workloads.apps import Inference

__all__ = [
    "Experiment",
    "check_experiment",
    "experiment_names",
    "load_experiment",
    "override_value",
    "split_override",
]

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
    """Read an experiment file; paths in it are relative to it, paths of overrides to the working directory.

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
    config = located(document.data, file.parent)
    typed = [_override(config, override) for override in overrides]
    spec = _revalidate(config := located(config, Path.cwd()), str(file), typed) if typed else spec
    if spec.duration is None and any(app.count is None for app in spec.apps):
        raise FileError(
            str(file), [document.fault(("apps",), "an application without a count needs a duration")]
        )
    names = [app.name for app in spec.apps]
    for i, name in enumerate(names):
        if name and name in names[:i]:
            message = f"an application before is named {name!r} too; give each a name of its own"
            raise FileError(str(file), [document.fault(("apps", i, "name"), message)])
    spec = ExperimentSpec.model_validate(config)
    apps = tuple(Inference(**app.model_dump(exclude={"kind"})) for app in spec.apps)
    return Experiment(Path(file).stem, spec.device, apps, spec.duration, spec.seed, spec.noise, config)


def check_experiment(path: str | Path) -> str:
    """Load everything that an experiment names; returns one phrase about it.

    Raises
    ------
    FileError
        Faults of the file, and whatever it names that cannot be loaded, all in one pass.
    """
    from socsim.api import load_model
    from socsim.devices.profile import load_device
    from socsim.schedulers.registry import make_scheduler
    from socsim.workloads.library import load_library

    experiment = load_experiment(path)
    file = _find(path)
    document, faults = yamlfile.read(file), list[Fault]()
    loaders: dict[str, Callable[[Any], object]] = {
        "model": load_model,
        "library": load_library,
        "scheduler": make_scheduler,
    }
    named: list[tuple[yamlfile.Loc, Callable[[Any], object], Any]] = [
        (("device",), load_device, experiment.device)
    ]
    for i, app in enumerate(experiment.apps):
        named += [(("apps", i, key), load, getattr(app, key)) for key, load in loaders.items()]
    for loc, load, value in named:
        try:
            load(value)
        except FileError as error:
            faults += error.faults
        except SocsimError as error:
            faults.append(document.fault(loc, str(error)))
    if faults:
        raise FileError(str(file), faults)
    return f"experiment, {len(experiment.apps)} application{'s' * (len(experiment.apps) > 1)} on {experiment.device}"


def _find(path: str | Path) -> Path:
    file = Path(path)
    if file.suffix or file.exists():
        return file
    if str(path) not in experiment_names():
        raise UnknownNameError(
            "experiment", str(path), experiment_names(), "(or give the path of a .yaml file)"
        )
    return data_dir("experiments") / f"{path}.yaml"


def _override(config: dict[str, Any], override: str) -> tuple[yamlfile.Loc, str]:
    """Change one value; returns its place, and how the user wrote it."""
    key, text = split_override(override)
    *path, last = key.split(".")
    target: Any = config
    loc: list[str | int] = []
    for i, part in enumerate(path):
        loc.append(_step(target, part, ".".join(path[: i + 1])))
        target = target[loc[-1]]
    if isinstance(target, dict):
        loc.append(last)
    elif isinstance(target, list):
        loc.append(_step(target, last, key))
    else:
        raise UsageError(f"override {override!r}: {'.'.join(path)!r} is a value and has no {last!r}")
    target[loc[-1]] = override_value(text)
    return tuple(loc), key


def _step(target: Any, part: str, shown: str) -> str | int:
    """The key or the position that one step into the file means; applications also go by their names."""
    if isinstance(target, list):
        names = [str(i.get("name") or i.get("model")) if isinstance(i, dict) else "" for i in target]
        if part.isdigit() and int(part) < len(target):
            return int(part)
        if part in names:
            return names.index(part)
        guess, positions = nearest(part, names), f"0 to {len(target) - 1}" if len(target) > 1 else "0"
        tail = (
            f"did you mean {guess!r}?" if guess else f"known: {', '.join([positions, *filter(None, names)])}"
        )
        raise UsageError(f"unknown key {shown!r}; {tail}")
    if isinstance(target, dict) and part in target:
        return part
    known = target if isinstance(target, dict) else ()
    raise UsageError(f"unknown key {shown!r}; known: {', '.join(known) or 'none'}")


def split_override(override: str) -> tuple[str, str]:
    """Key and text of ``key=value``.

    Raises
    ------
    UsageError
        Something else.
    """
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise UsageError(f"an override is key=value, got {override!r}")
    return key, text


def override_value(text: str) -> Any:
    """What YAML makes of a text; numbers such as ``1e-3`` too, and words such as ``on`` stay words.

    Raises
    ------
    UsageError
        A list or mapping that is no YAML.
    """
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    if text[:1] not in ("{", "[", '"', "'"):
        return text
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"the value {text!r} is not YAML: {str(error).splitlines()[0]}") from None


def _revalidate(
    config: Mapping[str, Any], file: str, typed: Iterable[tuple[yamlfile.Loc, str]]
) -> ExperimentSpec:
    """Check the content after overrides; its faults are the overrides'."""
    try:
        return ExperimentSpec.model_validate(config)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise UsageError(
            f"{file} with overrides: {_complaint(_as_typed(first['loc'], typed), first)}"
        ) from None


def _as_typed(loc: yamlfile.Loc, typed: Iterable[tuple[yamlfile.Loc, str]]) -> str:
    """A place in the file as the user wrote it in an override."""
    for own, key in typed:
        if loc[: len(own)] == own:
            return ".".join([key, *(str(part) for part in loc[len(own) :])])
    return yamlfile.dotted(loc)


def _complaint(key: str, error: ErrorDetails) -> str:
    if error["type"] != "extra_forbidden":
        return f"{key}: {yamlfile.sentence(error, error['input'])}"
    fields = InferenceSpec.model_fields if error["loc"][0] == "apps" else ExperimentSpec.model_fields
    guess = nearest(str(error["loc"][-1]), fields)
    return f"unknown key {key!r}; " + (f"did you mean {guess!r}?" if guess else f"known: {', '.join(fields)}")
