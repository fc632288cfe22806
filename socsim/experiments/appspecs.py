"""What an experiment file says of one application, kind by kind."""

from __future__ import annotations

from math import inf
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from socsim import units, yamlfile
from socsim.errors import SocsimError
from socsim.workloads.apps import Inference
from socsim.workloads.arrival_spec import make_arrivals
from socsim.workloads.competitors import Competitor
from socsim.workloads.frames import Ui, Video
from socsim.workloads.replays import Replay
from socsim.workloads.scene_spec import make_scene
from socsim.workloads.stages import make_after
from socsim.workloads.targets import make_targets
from socsim.workloads.transforms import parse_transform
from socsim.workloads.uclamp import make_uclamp

__all__ = [
    "KINDS",
    "AppSpec",
    "CompetitorSpec",
    "Frequency",
    "InferenceSpec",
    "ReplaySpec",
    "Spec",
    "Time",
    "UiSpec",
    "VideoSpec",
]

Time = Annotated[float, BeforeValidator(lambda text: units.parse(text, "time")), Field(gt=0)]
Frequency = Annotated[float, BeforeValidator(lambda text: units.parse(text, "frequency")), Field(gt=0)]
Count = Annotated[int, Field(strict=True, gt=0)]
Nice = Annotated[int, Field(strict=True, ge=-20, le=19)]


def _quantity(dimension: str) -> BeforeValidator:
    return BeforeValidator(lambda text: units.parse(text, dimension))


Duration = Annotated[float, _quantity("time"), Field(ge=0)]


def _transform(text: str) -> str:
    try:
        parse_transform(text)
    except SocsimError as error:
        raise ValueError(str(error)) from None
    return text


def _switch_or_time(value: Any) -> Any:
    return value if isinstance(value, bool) else units.parse(value, "time")


def _clamp(value: Any) -> Any:
    make_uclamp(value)
    return value


UClamp = Annotated[Any, BeforeValidator(_clamp)]


class Spec(BaseModel):
    """What all mappings of an experiment file have in common: no keys but their own."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class InferenceSpec(Spec):
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
    blocking: Annotated[bool, Field(strict=True)] = False
    level: Count | None = None
    manager: str | dict[str, Any] | None = None
    targets: Any = None
    places: Annotated[list[str | dict[str, Any]], Field(min_length=1)] | None = None
    transforms: list[Annotated[str, AfterValidator(_transform)]] = []
    accuracy: str = ""
    scene: Any = None
    reuse: str | dict[str, Any] | None = None
    memory: Literal["release", "hold"] = "release"
    start: Duration = 0.0
    stop: Time = inf
    uclamp: UClamp = None

    @model_validator(mode="after")
    def _fits(self) -> InferenceSpec:
        """Faults that no field shows by itself."""
        try:
            make_arrivals(self.arrivals, self.period, units=True)
        except ValueError as error:
            raise yamlfile.RelativeFaults([(("arrivals",), str(error))]) from None
        try:
            make_targets(self.targets, units=True)
        except ValueError as error:
            raise yamlfile.RelativeFaults([(("targets",), str(error))]) from None
        try:
            make_scene(self.scene)
        except ValueError as error:
            raise yamlfile.RelativeFaults([(("scene",), str(error))]) from None
        self.application()
        return self

    def application(self) -> Inference:
        """The application; its network is not loaded yet."""
        options = {name: getattr(self, name) for name in InferenceSpec.model_fields if name != "kind"}
        if self.arrivals is not None and self.after is None:
            options["arrivals"] = make_arrivals(self.arrivals, self.period, units=True)
            options["period"] = None
        return Inference(**options)


class CompetitorSpec(Spec):
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
    uclamp: UClamp = None
    iowait: bool = False

    @model_validator(mode="after")
    def _fits(self) -> CompetitorSpec:
        self.application()
        return self

    def application(self) -> Competitor:
        """The application."""
        return Competitor(**self.model_dump(exclude={"kind"}))


class _FrameSpec(Spec):
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
    uclamp: UClamp = None


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


class ReplaySpec(Spec):
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
    uclamp: UClamp = None

    @model_validator(mode="after")
    def _fits(self) -> ReplaySpec:
        self.application()
        return self

    def application(self) -> Replay:
        """The application; its file is not read yet."""
        return Replay(**self.model_dump(exclude={"kind"}))


KINDS: dict[str, type[Spec]] = {
    "inference": InferenceSpec,
    "video": VideoSpec,
    "ui": UiSpec,
    "competitor": CompetitorSpec,
    "replay": ReplaySpec,
}
AppSpec = Annotated[
    InferenceSpec | VideoSpec | UiSpec | CompetitorSpec | ReplaySpec, Field(discriminator="kind")
]
