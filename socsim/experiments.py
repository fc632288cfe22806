"""Experiment files: a device, what runs on it, and for how long."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from math import inf
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from socsim import units, yamlfile
from socsim.devices.cfs import PlacementPolicy
from socsim.errors import Fault, FileError, SocsimError, UnknownNameError, UsageError, nearest
from socsim.overrides import parse_override, put
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
    "ExperimentSpec",
    "check_experiment",
    "complaint",
    "describe_experiment",
    "experiment_names",
    "load_experiment",
    "make_experiment",
    "named_things",
    "overridden",
    "phrase",
    "read_experiment",
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
    cpuset: str = ""
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
    count: Annotated[int, Field(strict=True, ge=0)] = 1
    processor: Literal["cpu", "gpu", "dsp", "npu"] = "cpu"
    threads: Count = 1
    affinity: str = "all"
    cpuset: str = ""
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
    placement: PlacementPolicy | None = None


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
    cpuset: str = ""
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
    sweep: dict[str, Any] = {}


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
    document = read_experiment(path)
    swept = document.data.get("sweep")
    if swept:
        raise UsageError(
            f"{document.path} is a sweep over {', '.join(swept)}; run it with 'socsim run' or socsim.sweep"
        )
    return make_experiment(document, overridden(document, map(parse_override, overrides)))


def read_experiment(path: str | Path) -> yamlfile.Document:
    """Read and validate an experiment file or the name of one, its sweep aside; raises as :func:`load_experiment`."""
    document = yamlfile.read(_find(path))
    yamlfile.validate(document, ExperimentSpec)
    return document


def overridden(document: yamlfile.Document, changes: Iterable[tuple[str, Any]] = ()) -> dict[str, Any]:
    """The content of a file with absolute paths and without its sweep, after changes of (key, value).

    Raises
    ------
    UsageError
        A change of a key that does not exist, or to a wrong value.
    """
    config = located(deepcopy(document.data), Path(document.path).parent)
    config.pop("sweep", None)
    changes = list(changes)
    for key, _ in changes:
        if key.split(".")[0] == "sweep":
            raise UsageError(f"{key!r}: a single experiment has no sweep; 'socsim run' and socsim.sweep do")
    typed = [(put(config, key, value), key) for key, value in changes]
    if typed:
        config = located(config, Path.cwd())
        _revalidate(config, document.path, typed)
    return config


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
    file, spec = document.path, ExperimentSpec.model_validate(config)
    named = [app.name for app in spec.apps]
    for i, name in enumerate(named):
        if name and name in named[:i]:
            message = f"an application before is named {name!r} too; give each a name of its own"
            raise FileError(file, [document.fault(("apps", i, "name"), message)])
    apps = tuple(app.application() for app in spec.apps)
    inferences = [app for app in apps if isinstance(app, Inference)]
    try:
        check_stages(application_names(inferences), [app.stage for app in inferences])
    except SocsimError as error:
        raise FileError(file, [document.fault(("apps",), str(error))]) from None
    endless = [
        name for name, app in zip(application_names(inferences), inferences, strict=True) if app.endless
    ]
    if spec.duration is None and (endless or not inferences):
        why = f"{endless[0]!r} has none" if endless else "no application infers, so nothing ends the run"
        message = f"an application without a count needs a duration; {why}"
        raise FileError(file, [document.fault(("apps",), message)])
    mechanisms = Mechanisms(**spec.mechanisms.model_dump())
    return Experiment(
        Path(file).stem, spec.device, apps, spec.duration, spec.seed, spec.noise, config, mechanisms
    )


def describe_experiment(path: str | Path) -> str:
    """The first sentence of the comment that a file begins with; empty without one."""
    lines = _find(path).read_text(encoding="utf-8").splitlines()
    comment = " ".join(
        line.removeprefix("#").strip() for line in takewhile(lambda x: x.startswith("#"), lines)
    )
    return re.split(r"(?<=[.?!])\s", comment, maxsplit=1)[0]


def check_experiment(path: str | Path) -> str:
    """Load everything that an experiment names; returns one phrase about it.

    Raises
    ------
    FileError
        Faults of the file, and whatever it names that cannot be loaded, all in one pass.
    """
    document = read_experiment(path)
    experiment, faults = load_experiment(path), list[Fault]()
    for loc, load, value in named_things(experiment):
        try:
            load(value)
        except FileError as error:
            faults += [yamlfile.in_file(fault, error.file) for fault in error.faults]
        except SocsimError as error:
            faults.append(document.fault(loc, str(error)))
    if faults:
        raise FileError(document.path, faults)
    return phrase(experiment)


def phrase(experiment: Experiment) -> str:
    """What a sound experiment is, in one phrase."""
    return f"experiment, {counted(len(experiment.apps), 'application')} on {experiment.device}"


def named_things(
    experiment: Experiment,
) -> Iterator[tuple[yamlfile.Loc, Callable[[Any], object], Any]]:
    """Whatever an experiment names: its place in the file, who loads it, and its name."""
    from socsim.api import load_model
    from socsim.devices.profile import load_device
    from socsim.schedulers.registry import make_scheduler
    from socsim.workloads.library import load_library

    yield ("device",), load_device, experiment.device
    for i, app in enumerate(experiment.apps):
        if not isinstance(app, Inference):
            yield ("apps", i), partial(_check_fit, experiment.device), app
            continue
        yield ("apps", i, "model"), load_model, app.model
        yield ("apps", i, "library"), load_library, app.library
        yield ("apps", i, "scheduler"), make_scheduler, app.scheduler
        if app.cpuset:
            yield ("apps", i, "cpuset"), partial(_check_cores, experiment.device), app
        elif app.cores:
            yield ("apps", i, "cores"), partial(_check_cores, experiment.device), app
        if isinstance(app.source, TraceFile):
            yield ("apps", i, "arrivals"), read_trace, app.source.file


def _check_cores(name: str, app: Inference) -> None:
    """Refuse masks and cpusets that the device has not, or that have no core in common; unknown devices pass."""
    from socsim.devices.profile import load_device
    from socsim.workloads.library import load_library

    try:
        device, library = load_device(name), load_library(app.library)
    except SocsimError:
        return
    device.allowed_cores(app.cores or library.cores, app.cpuset)


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
    device.check_processor(app.processor if isinstance(app, Competitor) else "gpu")
    device.allowed_cores(app.affinity, app.cpuset)


def _find(path: str | Path) -> Path:
    file = Path(path)
    if file.suffix or file.exists():
        return file
    if str(path) not in experiment_names():
        raise UnknownNameError(
            "experiment", str(path), experiment_names(), "(or give the path of a .yaml file)"
        )
    return data_dir("experiments") / f"{path}.yaml"


def _revalidate(
    config: Mapping[str, Any], file: str, typed: Iterable[tuple[yamlfile.Loc, str]]
) -> ExperimentSpec:
    """Check the content after overrides; its faults are the overrides'."""
    try:
        return ExperimentSpec.model_validate(config)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        loc = yamlfile.plain_loc(config, first)
        raise UsageError(f"{file} with overrides: {complaint(_as_typed(loc, typed), first)}") from None


def _as_typed(loc: yamlfile.Loc, typed: Iterable[tuple[yamlfile.Loc, str]]) -> str:
    """A place in the file as the user wrote it in an override."""
    for own, key in typed:
        if loc[: len(own)] == own:
            return ".".join([key, *(str(part) for part in loc[len(own) :])])
    return yamlfile.dotted(loc)


def complaint(key: str, error: ErrorDetails) -> str:
    """What to say of an error of pydantic about a value that goes by `key`."""
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, yamlfile.RelativeFaults):
        return "; ".join(f"{key}.{'.'.join(map(str, loc))}: {message}" for loc, message in cause.faults)
    if error["type"] != "extra_forbidden":
        return f"{key}: {yamlfile.sentence(error, error['input'])}"
    spec = _KINDS[str(error["loc"][2])] if error["loc"][0] == "apps" else ExperimentSpec
    fields = spec.model_fields
    guess = nearest(str(error["loc"][-1]), fields)
    return f"unknown key {key!r}; " + (f"did you mean {guess!r}?" if guess else f"known: {', '.join(fields)}")
