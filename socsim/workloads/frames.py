"""Applications that show frames: a video, a user interface. Each frame has an instant by which it must be composed."""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import inf
from typing import Any, ClassVar

from socsim.devices.cfs import nice_weight
from socsim.errors import UsageError
from socsim.units import exact_seconds, parse
from socsim.workloads.uclamp import make_uclamp

__all__ = ["FrameApp", "Ui", "Video"]

_TIMES = ("decode", "render", "compose", "start", "stop")


@dataclass(frozen=True)
class FrameApp:
    """What a video and a user interface have in common.

    A frame begins at every vsync of its rate. It is decoded (on a decoder of its own), rendered (by a CPU thread) and
    composed (a GPU kernel), one after the other, and presented if that is done by the next vsync. Use
    :class:`Video` or :class:`Ui`.

    Parameters
    ----------
    fps
        Frames per s.
    decode, render, compose
        Times of the three steps alone on the idle phone, in s or with a unit; 0 for a step that it does not have.
        `render` is the time of the device's fastest core.
    traffic
        DRAM traffic of composing a frame, in B or with a unit.
    buffers
        How many frames may be under way; a frame that finds no buffer at its vsync is dropped.
    priority
        Of its GPU context: higher first.
    nice
        Of its CPU thread; default -10, what Android gives the threads that draw the application in front.
    affinity
        CPU mask of its thread; default ``"big"``, where Android's boost puts such threads.
    cpuset
        Name of the device's cpuset that its threads are in (``"top-app"``); ``""`` for none.
    uclamp
        Least and highest utilisation that its CPU threads count with where clocks and cores are chosen,
        ``{"min": 0.2, "max": "80 %"}``; see :func:`~socsim.workloads.uclamp.make_uclamp`. None for what they use.
    start, stop
        When it begins and ends, in s or with a unit.
    name
        Of the application; its kind where empty.

    Raises
    ------
    UsageError
        A number outside its range.
    UnitError
        A quantity without its unit.
    """

    kind: ClassVar[str] = ""
    fps: float = 60.0
    decode: float | str = 0.0
    render: float | str = 0.0
    compose: float | str = 3e-3
    traffic: float | str = 20e6
    buffers: int = 1
    priority: float = 0.0
    nice: int = -10
    affinity: str = "big"
    start: float | str = 0.0
    stop: float | str = inf
    name: str = ""
    cpuset: str = ""
    uclamp: Any = None

    def __post_init__(self) -> None:
        nice_weight(self.nice)
        try:
            make_uclamp(self.uclamp)
        except UsageError as error:
            raise UsageError(f"{self.title!r}: {error}") from None
        if not 0.0 < self.fps < inf:
            raise UsageError(f"{self.title!r}: fps must be positive, got {self.fps!r}")
        if not isinstance(self.buffers, int) or self.buffers < 1:
            raise UsageError(f"{self.title!r}: buffers must be a whole number from 1, got {self.buffers!r}")
        for what in (*_TIMES, "traffic"):
            if not self.number(what) >= 0.0:
                raise UsageError(f"{self.title!r}: {what} must not be negative, got {getattr(self, what)!r}")
        if not self.number("compose"):
            raise UsageError(f"{self.title!r}: compose must be positive, got {self.compose!r}")
        if not self.number("stop") > self.number("start"):
            raise UsageError(f"{self.title!r}: it must stop later than it starts, got {self.stop!r}")

    @property
    def title(self) -> str:
        """Its name, or its kind."""
        return self.name or self.kind

    def number(self, what: str) -> float:
        """A quantity of the parameters, in SI units."""
        value: Any = getattr(self, what)
        return (
            parse(value, "size" if what == "traffic" else "time") if isinstance(value, str) else float(value)
        )

    def describe(self) -> dict[str, Any]:
        """What an experiment file says of it: its kind, and whatever is not the default."""
        described: dict[str, Any] = {"kind": self.kind}
        for field in fields(self):
            value = getattr(self, field.name)
            if value == field.default:
                continue
            if field.name in _TIMES:
                value = exact_seconds(self.number(field.name))
            described[field.name] = f"{self.number('traffic')!r} B" if field.name == "traffic" else value
        return described


@dataclass(frozen=True)
class Video(FrameApp):
    """Video playback: frames from a hardware decoder, composed by the GPU; parameters as of :class:`FrameApp`."""

    kind: ClassVar[str] = "video"
    fps: float = 30.0
    decode: float | str = 2e-3


@dataclass(frozen=True)
class Ui(FrameApp):
    """A user interface that is drawn anew for every vsync; parameters as of :class:`FrameApp`."""

    kind: ClassVar[str] = "ui"
    render: float | str = 4e-3
