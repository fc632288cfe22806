"""Fields of a device file's blocks: numbers with units, and names."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from socsim import units

__all__ = [
    "AcceleratorName",
    "Bandwidth",
    "Count",
    "DType",
    "DynamicPower",
    "EnergyPerByte",
    "Factor",
    "Floor",
    "Frequency",
    "Half",
    "Interval",
    "KernelShare",
    "Leakage",
    "Name",
    "Positive",
    "PositiveShare",
    "Power",
    "Share",
    "Size",
    "Text",
    "Time",
    "TimePerByte",
    "Voltage",
    "Work",
    "quantity",
]


def quantity(dimension: str) -> BeforeValidator:
    """Reads a number of a dimension, with or without its unit."""

    def read(text: Any) -> float:
        return units.parse(text, dimension)

    return BeforeValidator(read)


Count = Annotated[int, Field(strict=True, ge=1)]
Positive = Annotated[float, quantity("ratio"), Field(gt=0)]
Share = Annotated[float, quantity("ratio"), Field(ge=0, le=1)]
PositiveShare = Annotated[float, quantity("ratio"), Field(gt=0, le=1)]
KernelShare = Annotated[float, quantity("ratio"), Field(gt=0, le=8)]
Half = Annotated[float, quantity("ratio"), Field(ge=0)]
Factor = Annotated[float, quantity("ratio"), Field(gt=0, le=100)]
Time = Annotated[float, quantity("time"), Field(ge=0)]
Interval = Annotated[float, quantity("time"), Field(gt=0)]
Frequency = Annotated[float, quantity("frequency"), Field(gt=0)]
Floor = Annotated[float, quantity("frequency"), Field(ge=0)]
Voltage = Annotated[float, quantity("voltage"), Field(gt=0)]
Power = Annotated[float, quantity("power"), Field(ge=0)]
DynamicPower = Annotated[float, quantity("dynamic power"), Field(ge=0)]
Leakage = Annotated[float, quantity("leakage"), Field(ge=0)]
Bandwidth = Annotated[float, quantity("bandwidth"), Field(gt=0)]
Size = Annotated[float, quantity("size"), Field(gt=0)]
EnergyPerByte = Annotated[float, quantity("energy per byte"), Field(ge=0)]
TimePerByte = Annotated[float, quantity("time per byte"), Field(ge=0)]
Work = Annotated[float, quantity("work"), Field(ge=0)]
DType = Literal["fp32", "fp16", "int8"]
Text = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]
AcceleratorName = Literal["gpu", "dsp", "npu"]
