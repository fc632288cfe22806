"""What the block `calibration` of a device file may say: how libraries' kernels run, and what they draw."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, model_validator

from socsim.devices.spec_fields import (
    DType,
    Factor,
    Half,
    KernelShare,
    Name,
    Positive,
    PositiveShare,
    Share,
    Text,
    Time,
    Work,
    quantity,
)
from socsim.yamlfile import RelativeFaults

__all__ = [
    "CalibrationErrorSpec",
    "CalibrationSpec",
    "ClusterFactorsSpec",
    "KernelPowerSpec",
    "KernelSpec",
    "LibrarySpec",
]


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KernelSpec(_Block):
    """Rate of one kernel class."""

    efficiency: KernelShare
    half_work: Work = 0.0
    group_work: Work = 0.0
    dispatch: Time | None = None
    half_depth: Half = 0.0
    half_channels: Half = 0.0
    half_pixels: Half = 0.0
    half_outputs: Half = 0.0
    serial_share: Share | None = None
    tile: Annotated[int, Field(ge=0, le=8, strict=True)] = 0
    weights: Annotated[float, quantity("ratio"), Field(ge=0, le=100)] = 1.0


class ClusterFactorsSpec(_Block):
    """How a cluster's cores differ from what their peak rate says."""

    speed: Factor = 1.0
    kernels: dict[Text, Factor] = {}
    overhead: Factor = 1.0


class CalibrationErrorSpec(_Block):
    """How far predictions are from measurements."""

    low: Positive
    high: Positive
    mape: Annotated[float, quantity("ratio"), Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _order(self) -> CalibrationErrorSpec:
        if self.low > self.high:
            raise ValueError(f"expected low <= high, got {self.low} and {self.high}")
        return self


class KernelPowerSpec(_Block):
    """What a processor draws while it runs kernels, as a share of what it draws when it is busy."""

    computing: Annotated[float, quantity("ratio"), Field(ge=0)] = 1.0
    waiting: Annotated[float, quantity("ratio"), Field(ge=0)] = 1.0
    mape: Annotated[float, quantity("ratio"), Field(ge=0)] | None = None


class CalibrationSpec(_Block):
    """How one library's kernels run on one processor with one data type and layout."""

    kernels: dict[Text, KernelSpec]
    bandwidth_share: PositiveShare = 1.0
    kernel_overhead: Time = 0.0
    inference_overhead: Time = 0.0
    dispatch: Time = 0.0
    host_overhead: Time = 0.0
    serial_share: Share = 0.0
    fork_join: Time = 0.0
    noise: Annotated[float, quantity("ratio"), Field(ge=0, le=2)] = 0.0
    clusters: dict[Name, ClusterFactorsSpec] = {}
    crossing: Annotated[float, quantity("ratio"), Field(ge=0, lt=1)] = 0.0
    error: CalibrationErrorSpec | None = None
    whole: StrictBool = False
    power: KernelPowerSpec | None = None

    @model_validator(mode="after")
    def _other(self) -> CalibrationSpec:
        if "other" not in self.kernels:
            raise RelativeFaults([(("kernels", "other"), "is required: the rate of classes not listed")])
        return self


class LibrarySpec(_Block):
    """Calibrations of one inference library, by data type and, off the CPU, layout."""

    cpu: dict[DType, CalibrationSpec] = {}
    gpu: dict[DType, dict[Literal["image", "buffer"], CalibrationSpec]] = {}
    dsp: dict[DType, dict[Literal["image", "buffer"], CalibrationSpec]] = {}
    npu: dict[DType, dict[Literal["image", "buffer"], CalibrationSpec]] = {}
