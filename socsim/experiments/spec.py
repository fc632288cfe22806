"""What an experiment file says, and what to say of a key or value that it cannot have."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic_core import ErrorDetails

from socsim import units, yamlfile
from socsim.devices.cfs import PlacementPolicy
from socsim.errors import nearest
from socsim.experiments.appspecs import KINDS, AppSpec, Frequency, Spec, Time
from socsim.workloads.mode_schedule import make_mode_schedule

__all__ = ["ExperimentSpec", "MechanismsSpec", "application_fields", "complaint", "experiment_fields"]


class MechanismsSpec(Spec):
    """What is simulated of contention; fields as of :class:`socsim.simulation.mechanisms.Mechanisms`."""

    cpu: Literal["cfs", "processor_sharing"] = "cfs"
    barriers: bool = True
    dram: bool = True
    placement: PlacementPolicy | None = None


def _warmth(value: Any) -> Any:
    return value if isinstance(value, bool) else units.parse(value, "temperature")


class LimitSpec(Spec):
    """Clocks that a domain may have."""

    min: Frequency | None = None
    max: Frequency | None = None


class ExperimentSpec(Spec):
    """What an experiment file says."""

    device: str
    apps: Annotated[list[AppSpec], Field(min_length=1)]
    mechanisms: MechanismsSpec = MechanismsSpec()
    governors: dict[str, Any] = Field(default_factory=dict)
    limits: dict[str, LimitSpec] = Field(default_factory=dict)
    heat: Annotated[bool | float, BeforeValidator(_warmth)] = False
    manager: str | dict[str, Any] | None = None
    power_mode: Annotated[Any, BeforeValidator(lambda spec: make_mode_schedule(spec, units=True))] = ()
    duration: Time | None = None
    seed: Annotated[int, Field(strict=True, ge=0)] = 0
    noise: bool = False
    sweep: dict[str, Any] = Field(default_factory=dict)


def experiment_fields() -> tuple[str, ...]:
    """Keys at the top of an experiment file."""
    return tuple(ExperimentSpec.model_fields)


def application_fields(kind: str) -> tuple[str, ...]:
    """Keys of an application of a kind; none where there is no such kind."""
    return tuple(KINDS[kind].model_fields) if kind in KINDS else ()


def complaint(key: str, error: ErrorDetails) -> str:
    """What to say of an error of pydantic about a value that goes by `key`."""
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, yamlfile.RelativeFaults):
        return "; ".join(f"{key}.{'.'.join(map(str, loc))}: {message}" for loc, message in cause.faults)
    if error["type"] != "extra_forbidden":
        return f"{key}: {yamlfile.sentence(error, error['input'])}"
    spec = KINDS[str(error["loc"][2])] if error["loc"][0] == "apps" else ExperimentSpec
    fields = spec.model_fields
    guess = nearest(str(error["loc"][-1]), fields)
    return f"unknown key {key!r}; " + (f"did you mean {guess!r}?" if guess else f"known: {', '.join(fields)}")
