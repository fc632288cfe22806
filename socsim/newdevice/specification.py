"""What is publicly told of a device: cores, clocks, GPU, memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from socsim import units, yamlfile
from socsim.devices.crosscheck import RESERVED
from socsim.errors import SocsimError, UsageError
from socsim.newdevice.cores import Core, core_named
from socsim.newdevice.gpus import lanes_of
from socsim.words import counted
from socsim.yamlfile import RelativeFaults

__all__ = ["MEMORIES", "CoreGroup", "Gpu", "Memory", "Specification", "read_specification", "specification"]

MEMORIES: Mapping[str, float] = MappingProxyType(
    {"ddr3": 60e-12, "ddr4": 50e-12, "lpddr3": 48e-12, "lpddr4": 40e-12, "lpddr4x": 32e-12,
     "lpddr5": 26.4e-12, "lpddr5x": 24e-12}
)  # fmt: skip
"""Kinds of DRAM and their energy per byte in J/B, by judgement."""

_CLOCKS = (50e6, 8e9)
_BANDWIDTHS = (0.5e9, 2e12)
_MOST_CORES = 64


def _between(dimension: str, bounds: tuple[float, float]) -> BeforeValidator:
    def read(text: Any) -> float:
        value = units.parse(text, dimension)
        if not bounds[0] <= value <= bounds[1]:
            low, high = (units.format(bound, dimension) for bound in bounds)
            raise ValueError(f"expected {low} to {high}, got {text}")
        return value

    return BeforeValidator(read)


def _known_core(name: Any) -> str:
    try:
        return core_named(str(name)).name
    except SocsimError as error:
        raise ValueError(str(error)) from None


def _known_memory(name: Any) -> str:
    kind = str(name).lower()
    if kind not in MEMORIES:
        raise ValueError(f"unknown kind of memory {name!r}; known: {', '.join(MEMORIES)}")
    return kind


def _number_of_cores(value: Any) -> int:
    text = str(value).strip()
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_CORES:
        raise ValueError(f"expected 1 to {_MOST_CORES} cores, got {value}")
    return int(text)


Clock = Annotated[float, _between("frequency", _CLOCKS)]
Bandwidth = Annotated[float, _between("bandwidth", _BANDWIDTHS)]
Text = Annotated[str, Field(min_length=1)]


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CoreGroup(_Block):
    """Cores of one type with one clock."""

    core: Annotated[str, BeforeValidator(_known_core)]
    clock: Clock
    count: Annotated[int, BeforeValidator(_number_of_cores)] = 1
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")] | None = None

    @property
    def type(self) -> Core:
        """What is known of the type."""
        return core_named(self.core)


class Gpu(_Block):
    """A GPU: its model, its highest clock in Hz, its multiply-accumulates in fp32 per cycle where told."""

    model: Text
    clock: Clock
    macs_per_cycle: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _width(self) -> Gpu:
        try:
            _ = self.lanes
        except SocsimError as error:
            raise RelativeFaults([(("model",), str(error))]) from None
        return self

    @property
    def lanes(self) -> float:
        """Multiply-accumulates in fp32 per cycle."""
        return self.macs_per_cycle or lanes_of(self.model)


class Memory(_Block):
    """DRAM: its kind, and its peak bandwidth in B/s."""

    kind: Annotated[str, BeforeValidator(_known_memory)]
    bandwidth: Bandwidth


class Specification(_Block):
    """What is publicly told of a device."""

    title: Text
    soc: Text = "unknown"
    cpu: Annotated[list[CoreGroup], Field(min_length=1)]
    gpu: Gpu | None = None
    memory: Memory

    @model_validator(mode="after")
    def _names(self) -> Specification:
        names = [name for name, _ in self.named]
        for index, group in enumerate(self.cpu):
            if group.name in RESERVED:
                message = (
                    f"{group.name!r} means something else; call the cores by what they are, such as 'big'"
                )
                raise RelativeFaults([(("cpu", index, "name"), message)])
            if group.name and names.count(group.name) > 1:
                raise RelativeFaults([(("cpu", index, "name"), f"two groups are called {group.name!r}")])
        return self

    @property
    def named(self) -> list[tuple[str, CoreGroup]]:
        """Groups of cores from the slowest to the fastest, with their names."""
        groups = sorted(self.cpu, key=lambda g: (g.type.coremark * g.clock, g.clock))
        usual = {1: ["cores"], 2: ["little", "big"], 3: ["little", "middle", "big"]}.get(len(groups))
        names = usual or [f"cluster{n}" for n in range(len(groups))]
        return [(group.name or name, group) for group, name in zip(groups, names, strict=True)]


def read_specification(path: str | Path) -> Specification:
    """Read a specification from a YAML file.

    Raises
    ------
    FileError
        The file breaks its rules; all faults are told at once, with their places.
    """
    return yamlfile.validate(yamlfile.read(path), Specification)


def specification(title: str, cpu: Sequence[str], gpu: str = "", memory: str = "") -> Specification:
    """A specification from short texts.

    Parameters
    ----------
    title
        What the device is called.
    cpu
        ``core:clock:count`` for each group of cores (``"cortex-a76:2.84 GHz:1"``).
    gpu
        ``model:clock``, with the multiply-accumulates in fp32 per cycle as a third part where the model is not known.
    memory
        ``kind:bandwidth`` (``"lpddr4x:34 GB/s"``).

    Raises
    ------
    UsageError
        A text of another form, or a value outside its rule.
    """
    if not cpu:
        raise UsageError("a device has CPU cores; give core:clock:count, such as cortex-a76:2.84GHz:1")
    if not memory:
        raise UsageError("a device has memory; give kind:bandwidth, such as lpddr4x:34GB/s")
    data: dict[str, Any] = {"title": title, "cpu": [_group(text) for text in cpu]}
    data["memory"] = _parts("memory", memory, ("kind", "bandwidth"), 2)
    if gpu:
        data["gpu"] = _parts("GPU", gpu, ("model", "clock", "macs_per_cycle"), 2)
    try:
        return Specification.model_validate(data)
    except ValidationError as error:
        raise UsageError(_sentence(error)) from None


def _group(text: str) -> dict[str, Any]:
    return _parts("group of cores", text, ("core", "clock", "count"), 2)


def _parts(kind: str, text: str, names: tuple[str, ...], least: int) -> dict[str, Any]:
    parts = [part.strip() for part in text.split(":")]
    if not least <= len(parts) <= len(names) or not all(parts):
        shown = ":".join(names)
        raise UsageError(f"{kind} {text!r} has {counted(len(parts), 'part')}; expected {shown}")
    return dict(zip(names, parts, strict=False))


def _sentence(error: ValidationError) -> str:
    """The faults of texts that came without a file, in one sentence each."""
    found = []
    for detail in error.errors(include_url=False):
        cause = detail.get("ctx", {}).get("error")
        told_as_one = [((), yamlfile.sentence(detail, detail["input"]))]
        faults = cause.faults if isinstance(cause, RelativeFaults) else told_as_one
        for inner, told in faults:
            found.append(f"{'.'.join(map(str, (*detail['loc'], *inner)))}: {told}")
    return "; ".join(found)
