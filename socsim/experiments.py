"""Experiment files: a device, what runs on it, and for how long."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from math import inf
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from socsim import units, yamlfile
from socsim.errors import Fault, FileError, SocsimError, UnknownNameError, UsageError, nearest
from socsim.resources import data_dir
from socsim.results.inputs import located
from socsim.results.result import Result
from socsim.simulation.mechanisms import ALL_MECHANISMS, Mechanisms
from socsim.simulation.simulation import Application
from socsim.words import counted
from socsim.workloads.apps import Inference
from socsim.workloads.arrival_spec import make_arrivals
from socsim.workloads.arrival_trace import read_trace
from socsim.workloads.arrivals import TraceFile
from socsim.workloads.competitors import Competitor
from socsim.workloads.frames import FrameApp, Ui, Video
from socsim.workloads.process_trace import read_process_trace
from socsim.workloads.replays import Replay
from socsim.workloads.stages import application_names, check_stages, make_after

__all__ = [
    "Experiment",
    "check_experiment",
    "experiment_names",
    "load_experiment",
    "override_value",
    "split_override",
]

Time = Annotated[float, BeforeValidator(lambda text: units.parse(text, "time")), Field(gt=0)]
Count = Annotated[int, Field(strict=True, gt=0)]
Nice = Annotated[int, Field(strict=True, ge=-20, le=19)]


def _quantity(dimension: str) -> BeforeValidator:
    return BeforeValidator(lambda text: units.parse(text, dimension))


Duration = Annotated[float, _quantity("time"), Field(ge=0)]


def _switch_or_time(value: Any) -> Any:
    return value if isinstance(value, bool) else units.parse(value, "time")


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
    count: Count | None = None
    deadline: Time | None = None
    dtype: Literal["", "fp32", "fp16", "int8"] = ""
    cores: str = ""
    arrivals: Any = None
    after: Annotated[Any, BeforeValidator(lambda spec: make_after(spec, units=True))] = None
    queue: Literal["queue", "latest", "skip"] = "queue"
    queue_limit: Count | None = None
    concurrency: Count | None = None
    priority: float = 0.0
    nice: Nice = 0
    kernel_limit: Duration = 0.0
    queue_window: Annotated[int, Field(strict=True, ge=0)] = 0

    @model_validator(mode="after")
    def _fits(self) -> InferenceSpec:
        """Faults that no field shows by itself."""
        try:
            make_arrivals(self.arrivals, self.period, units=True)
        except ValueError as error:
            raise yamlfile.RelativeFaults([(("arrivals",), str(error))]) from None
        self.application()
        return self

    def application(self) -> Inference:
        """The application; its network is not loaded yet."""
        options = {name: getattr(self, name) for name in InferenceSpec.model_fields if name != "kind"}
        if self.arrivals is not None and self.after is None:
            options["arrivals"] = make_arrivals(self.arrivals, self.period, units=True)
            options["period"] = None
        return Inference(**options)


class CompetitorSpec(_Spec):
    """An application of kind ``competitor``; fields as of :class:`socsim.workloads.competitors.Competitor`."""

    kind: Literal["competitor"]
    name: str = "competitor"
    count: Count = 1
    processor: Literal["cpu", "gpu", "dsp", "npu"] = "cpu"
    threads: Count = 1
    affinity: str = "all"
    nice: Nice = 0
    duty: Annotated[float, Field(gt=0, le=1)] = 1.0
    period: Time = 0.02
    traffic: Annotated[float, _quantity("bandwidth"), Field(ge=0)] = 0.0
    kernel: Time = 0.005
    start: Duration = 0.0
    stop: Time = inf
    on: Time = 1.0
    off: Duration = 0.0
    priority: float = 0.0

    @model_validator(mode="after")
    def _fits(self) -> CompetitorSpec:
        self.application()
        return self

    def application(self) -> Competitor:
        """The application."""
        return Competitor(**self.model_dump(exclude={"kind"}))


class MechanismsSpec(_Spec):
    """What is simulated of contention; fields as of :class:`socsim.simulation.mechanisms.Mechanisms`."""

    cpu: Literal["cfs", "processor_sharing"] = "cfs"
    barriers: bool = True
    dram: bool = True


class _FrameSpec(_Spec):
    """What applications that show frames have in common; fields as of :class:`socsim.workloads.frames.FrameApp`."""

    name: str = ""
    fps: Annotated[float, Field(gt=0)] = 60.0
    decode: Duration = 0.0
    render: Duration = 0.0
    compose: Time = 3e-3
    traffic: Annotated[float, _quantity("size"), Field(ge=0)] = 20e6
    buffers: Count = 1
    priority: float = 0.0
    nice: Nice = -10
    affinity: str = "big"
    start: Duration = 0.0
    stop: Time = inf


class VideoSpec(_FrameSpec):
    """An application of kind ``video``; fields as of :class:`socsim.workloads.frames.Video`."""

    kind: Literal["video"]
    fps: Annotated[float, Field(gt=0)] = 30.0
    decode: Duration = 2e-3

    def application(self) -> Video:
        """The application."""
        return Video(**self.model_dump(exclude={"kind"}))


class UiSpec(_FrameSpec):
    """An application of kind ``ui``; fields as of :class:`socsim.workloads.frames.Ui`."""

    kind: Literal["ui"]
    render: Duration = 4e-3

    def application(self) -> Ui:
        """The application."""
        return Ui(**self.model_dump(exclude={"kind"}))


class ReplaySpec(_Spec):
    """An application of kind ``replay``; fields as of :class:`socsim.workloads.replays.Replay`."""

    kind: Literal["replay"]
    name: str = "replay"
    file: str = ""
    rows: list[dict[str, Any]] | None = None
    affinity: str = "all"
    nice: Nice = 0
    priority: float = 0.0
    repeat: Annotated[bool | float, BeforeValidator(_switch_or_time)] = False
    start: Duration = 0.0

    @model_validator(mode="after")
    def _fits(self) -> ReplaySpec:
        self.application()
        return self

    def application(self) -> Replay:
        """The application; its file is not read yet."""
        return Replay(**self.model_dump(exclude={"kind"}))


_KINDS: dict[str, type[_Spec]] = {
    "inference": InferenceSpec,
    "video": VideoSpec,
    "ui": UiSpec,
    "competitor": CompetitorSpec,
    "replay": ReplaySpec,
}
AppSpec = Annotated[
    InferenceSpec | VideoSpec | UiSpec | CompetitorSpec | ReplaySpec, Field(discriminator="kind")
]


class ExperimentSpec(_Spec):
    """What an experiment file says."""

    device: str
    apps: Annotated[list[AppSpec], Field(min_length=1)]
    mechanisms: MechanismsSpec = MechanismsSpec()
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
    seed, noise, mechanisms
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
            mechanisms=self.mechanisms,
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
    spec = ExperimentSpec.model_validate(config)
    named = [app.name for app in spec.apps]
    for i, name in enumerate(named):
        if name and name in named[:i]:
            message = f"an application before is named {name!r} too; give each a name of its own"
            raise FileError(str(file), [document.fault(("apps", i, "name"), message)])
    apps = tuple(app.application() for app in spec.apps)
    inferences = [app for app in apps if isinstance(app, Inference)]
    try:
        check_stages(application_names(inferences), [app.stage for app in inferences])
    except SocsimError as error:
        raise FileError(str(file), [document.fault(("apps",), str(error))]) from None
    if spec.duration is None and (not inferences or any(app.endless for app in inferences)):
        raise FileError(
            str(file), [document.fault(("apps",), "an application without a count needs a duration")]
        )
    mechanisms = Mechanisms(**spec.mechanisms.model_dump())
    return Experiment(
        Path(file).stem, spec.device, apps, spec.duration, spec.seed, spec.noise, config, mechanisms
    )


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
    named: list[tuple[yamlfile.Loc, Callable[[Any], object], Any]] = [
        (("device",), load_device, experiment.device)
    ]

    def parse_cores(text: str) -> object:
        return load_device(experiment.device).parse_cores(text)

    for i, app in enumerate(experiment.apps):
        if not isinstance(app, Inference):
            named.append((("apps", i), partial(_check_fit, experiment.device), app))
            continue
        named += [
            (("apps", i, "model"), load_model, app.model),
            (("apps", i, "library"), load_library, app.library),
            (("apps", i, "scheduler"), make_scheduler, app.scheduler),
        ]
        if app.cores:
            named.append((("apps", i, "cores"), parse_cores, app.cores))
        if isinstance(app.source, TraceFile):
            named.append((("apps", i, "arrivals"), read_trace, app.source.file))
    for loc, load, value in named:
        try:
            load(value)
        except FileError as error:
            faults += [yamlfile.in_file(fault, error.file) for fault in error.faults]
        except SocsimError as error:
            faults.append(document.fault(loc, str(error)))
    if faults:
        raise FileError(str(file), faults)
    return f"experiment, {counted(len(experiment.apps), 'application')} on {experiment.device}"


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
    needed = app.processor if isinstance(app, Competitor) else "gpu"
    if needed not in device.processors:
        raise UnknownNameError("processor", needed, device.processors)
    device.parse_cores(app.affinity)


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
        names = [
            str(i.get("name") or i.get("model") or i.get("kind")) if isinstance(i, dict) else ""
            for i in target
        ]
        if part.isascii() and part.isdecimal() and int(part) < len(target):
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
    return yamlfile.value_of(text)


def _revalidate(
    config: Mapping[str, Any], file: str, typed: Iterable[tuple[yamlfile.Loc, str]]
) -> ExperimentSpec:
    """Check the content after overrides; its faults are the overrides'."""
    try:
        return ExperimentSpec.model_validate(config)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        loc = yamlfile.plain_loc(config, first)
        raise UsageError(f"{file} with overrides: {_complaint(_as_typed(loc, typed), first)}") from None


def _as_typed(loc: yamlfile.Loc, typed: Iterable[tuple[yamlfile.Loc, str]]) -> str:
    """A place in the file as the user wrote it in an override."""
    for own, key in typed:
        if loc[: len(own)] == own:
            return ".".join([key, *(str(part) for part in loc[len(own) :])])
    return yamlfile.dotted(loc)


def _complaint(key: str, error: ErrorDetails) -> str:
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, yamlfile.RelativeFaults):
        return "; ".join(f"{key}.{'.'.join(map(str, loc))}: {message}" for loc, message in cause.faults)
    if error["type"] != "extra_forbidden":
        return f"{key}: {yamlfile.sentence(error, error['input'])}"
    spec = _KINDS[str(error["loc"][2])] if error["loc"][0] == "apps" else ExperimentSpec
    fields = spec.model_fields
    guess = nearest(str(error["loc"][-1]), fields)
    return f"unknown key {key!r}; " + (f"did you mean {guess!r}?" if guess else f"known: {', '.join(fields)}")
