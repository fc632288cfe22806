"""Applications: what is run, how often, and how its queue behaves."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

from socsim.errors import UsageError
from socsim.units import parse
from socsim.workloads.graph import ModelGraph

__all__ = ["Inference"]


@dataclass(frozen=True)
class Inference:
    """A stream of inferences of one network; its times are in seconds where they are numbers, or texts (``"66 ms"``).

    Parameters
    ----------
    model
        A network, a zoo name, or the path of an ONNX file.
    scheduler
        A scheduler object or class, a name, ``"module:Class"``, or ``{"name": ..., option: ...}``.
    library
        Inference library (``"mace"``, ``"tflite"``, ``"ncnn"``, or a path).
    name
        Name of the application; the network's where empty.
    period
        Time between arrivals, in s or with a unit (``"33 ms"``); None runs back to back.
    count
        Number of inferences; None goes on for the whole run.
    deadline
        Time from arrival to finish that counts as met, in s or with a unit; None for none.
    dtype
        Data type wanted; ``""`` takes the library's.
    cores
        CPU mask of the worker threads (``"prime:1+gold:3"``, ``"big"``); ``""`` takes the library's.

    Raises
    ------
    UsageError
        A period, deadline or count that is not positive.
    UnitError
        A time without its unit.
    """

    model: ModelGraph | str
    scheduler: Any = "cpu"
    library: str = "mace"
    name: str = ""
    period: float | str | None = None
    count: int | None = None
    deadline: float | str | None = None
    dtype: str = ""
    cores: str = ""

    def __post_init__(self) -> None:
        whose = f"inference {self.name or self.model!r}"
        for what, value in (("period", self.period_s), ("deadline", self.deadline_s), ("count", self.count)):
            if value is not None and not isinstance(value, (int, float)):
                raise UsageError(f"{whose}: {what} must be a number, got {value!r}")
            if value is not None and not 0 < value < inf:
                raise UsageError(f"{whose}: {what} must be positive, got {value!r}")
        if self.count is not None and self.count != int(self.count):
            raise UsageError(f"{whose}: count must be a whole number, got {self.count!r}")
        if self.dtype not in ("", "fp32", "fp16", "int8"):
            raise UsageError(f"{whose}: dtype must be fp32, fp16 or int8, got {self.dtype!r}")

    @property
    def period_s(self) -> float | None:
        """Time between arrivals in s."""
        return _seconds(self.period)

    @property
    def deadline_s(self) -> float | None:
        """Deadline in s."""
        return _seconds(self.deadline)


def _seconds(value: float | str | None) -> float | None:
    return parse(value, "time") if isinstance(value, str) else value
