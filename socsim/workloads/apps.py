"""Applications: what is run, how often, and how its queue behaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import Any

from socsim.errors import UsageError, nearest
from socsim.units import parse
from socsim.workloads.arrival_spec import make_arrivals
from socsim.workloads.arrivals import Arrivals, At, Periodic, Poisson
from socsim.workloads.dynamic import DynamicFamily, is_family
from socsim.workloads.graph import ModelGraph
from socsim.workloads.lifetimes import LIFETIMES
from socsim.workloads.scene_spec import make_scene
from socsim.workloads.scenes import Scene
from socsim.workloads.stages import After, make_after
from socsim.workloads.targets import Targets, make_targets
from socsim.workloads.transforms import check_steps, parse_transform
from socsim.workloads.uclamp import make_uclamp

__all__ = ["QUEUES", "Inference"]

QUEUES = ("queue", "latest", "skip")
"""What happens to an arrival that cannot start at once: it waits its turn; it waits and the one that waited is dropped;
it is dropped."""


@dataclass(frozen=True)
class Inference:
    """A stream of inferences of one network; its times are in seconds where they are numbers, or texts (``"66 ms"``).

    Parameters
    ----------
    model
        A network, a zoo name, or the path of an ONNX file; or a family of networks, its name (``"dynamic_ofa"``) or the
        path of its file, of which each inference runs one.
    scheduler
        A scheduler object or class, a name, ``"module:Class"``, or ``{"name": ..., option: ...}``.
    library
        Inference library (``"mace"``, ``"tflite"``, ``"ncnn"``, or a path).
    name
        Name of the application; the network's where empty.
    period
        (Mean) time between arrivals, in s or with a unit (``"33 ms"``); None runs back to back.
    count
        Number of arrivals at most; None goes on for the whole run.
    deadline
        Time from arrival to finish that counts as met, in s or with a unit; None for none.
    dtype
        Data type wanted; ``""`` takes the library's.
    cores
        CPU mask of the worker threads (``"prime:1+gold:3"``, ``"big"``); ``""`` takes the library's.
    arrivals
        ``"poisson"``, a list of times, the path of a ``.csv`` file, a mapping, or an object; None is periodic, or back
        to back without a period. See :func:`~socsim.workloads.arrival_spec.make_arrivals`.
    after
        Another application's name: each of its finished inferences makes one arrival here; or ``{"app": name,
        "fanout": 3, "delay": "2 ms"}``, see :func:`~socsim.workloads.stages.make_after`.
    queue
        What becomes of an arrival that cannot start at once: ``"queue"`` waits its turn, ``"latest"`` waits and the
        one that waited is dropped, ``"skip"`` is dropped.
    queue_limit
        With ``"queue"``, how many wait at most; further arrivals are dropped. None for any number.
    concurrency
        How many inferences may be under way at once. None is 1, but any number for schedulers that decide at run time
        with ``queue="queue"``.
    priority
        Rank where processors arbitrate between applications; higher goes first.
    nice
        Nice value of its CPU threads, -20 (most time) to 19.
    cpuset
        Name of the device's cpuset that all its threads are in (``"background"``): they may only use cores that are in
        both that and their masks; ``""`` for none.
    uclamp
        Least and highest utilisation that its CPU threads count with where clocks and cores are chosen,
        ``{"min": 0.2, "max": "80 %"}``; see :func:`~socsim.workloads.uclamp.make_uclamp`. None for what they use.
    kernel_limit
        Time above which a GPU kernel is split into blocks, in s or with a unit (MACE's ``limit_opencl_kernel_time``);
        0 for no limit.
    queue_window
        Number of GPU commands after which the host waits for them (MACE's ``opencl_queue_window_size``); 0 for any.
    blocking
        Whether the host waits for each operator on an accelerator before it starts on the next, as a profiler of
        layers makes it do, or ``CUDA_LAUNCH_BLOCKING=1``: host and accelerator then work in turns; with libraries whose
        accelerators have host threads of their own, the CPU goes on meanwhile. Operators that are divided between
        processors are not waited for.
    level
        Of a family, the level of the first inference; None for the most accurate one.
    manager
        Of a family, who picks the level of each next inference: a :class:`socsim.Manager` object or class, a name,
        ``"module:Class"``, or ``{"name": ..., option: ...}``; None stays at the level.
    targets
        What the manager is to reach, and when that changes: ``[{"at": "0 s", "latency": "60 ms", "top1": 76}, ...]``,
        see :func:`~socsim.workloads.targets.make_targets`; of a family, or where a manager of the whole device runs.
    places
        Where a manager of the whole device may run it, beside its own scheduler: schedulers that plan, as `scheduler`
        has them (``["gpu", "cpu"]``). None for its own and every single processor on which its library runs it without
        quantising it. Without such a manager it runs where its own scheduler says.
    transforms
        What is done to the network before anything is planned, in order: texts such as ``"prune(0.5)"``, or functions
        of a network. Those in the model's name come first. Default none.
    accuracy
        The path of a table of what transforms cost in accuracy; ``""`` (default) for the published figures only.
    scene
        What share of each frame (arrival) differs from the one before: a share, the path of a ``.csv`` file, a mapping
        or an object, see :func:`~socsim.workloads.scene_spec.make_scene`; None where nothing is known of it.
    reuse
        What is used again of the frame before: a :class:`socsim.ReusePolicy` object or class, a name (``"frame"``,
        ``"layer"``, ``"none"``), ``"module:Class"``, or ``{"name": ..., option: ...}``; it needs a scene. None computes
        every frame.
    memory
        When activations are freed: ``"release"`` after their last use, ``"hold"`` at the end of the inference. It
        changes the peak memory that is reported, and nothing else.
    start, stop
        When it begins and ends, in s or with a unit: arrivals count from `start` on, and from `stop` on none comes.
        What has arrived by then is finished.

    Raises
    ------
    UsageError
        A value outside its rule; the sentence names it.
    UnitError
        A time without its unit.
    """

    model: ModelGraph | DynamicFamily | str
    scheduler: Any = "cpu"
    library: str = "mace"
    name: str = ""
    period: float | str | None = None
    count: int | None = None
    deadline: float | str | None = None
    dtype: str = ""
    cores: str = ""
    arrivals: Any = None
    after: Any = None
    queue: str = "queue"
    queue_limit: int | None = None
    concurrency: int | None = None
    priority: float = 0.0
    nice: int = 0
    cpuset: str = ""
    kernel_limit: float | str = 0.0
    queue_window: int = 0
    blocking: bool = False
    level: int | None = None
    manager: Any = None
    targets: Any = None
    places: Any = None
    transforms: Any = ()
    accuracy: str = ""
    scene: Any = None
    reuse: Any = None
    memory: str = "release"
    start: float | str = 0.0
    stop: float | str = inf
    uclamp: Any = None

    def __post_init__(self) -> None:
        try:
            self._check()
        except UsageError as error:
            whose = self.name or (self.model if isinstance(self.model, str) else self.model.name)
            raise UsageError(f"inference {whose!r}: {error}") from None

    def _check(self) -> None:
        for what, value in (("period", self.period_s), ("deadline", self.deadline_s)):
            if value is not None and not _number(value):
                raise UsageError(f"{what} must be a number, got {value!r}")
            if value is not None and not 0 < value < inf:
                raise UsageError(f"{what} must be positive, got {value!r}")
        for what in ("count", "queue_limit", "concurrency"):
            _check_limit(what, getattr(self, what))
        if self.dtype not in ("", "fp32", "fp16", "int8"):
            raise UsageError(f"dtype must be fp32, fp16 or int8, got {self.dtype!r}")
        self._check_queue()
        self._check_family()
        self._check_span()
        self._check_reuse()
        if self.after is not None and (self.arrivals is not None or self.period is not None):
            raise UsageError(
                "an application after another has its arrivals from there; leave out arrivals and period"
            )
        check_steps(self.transforms)
        for step in self.transforms:
            if isinstance(step, str):
                parse_transform(step)
        _ = self.source, self.stage, self.wanted, self.scenery
        make_uclamp(self.uclamp)

    def _check_queue(self) -> None:
        if self.queue not in QUEUES:
            guess = nearest(str(self.queue), QUEUES)
            known = f"did you mean {guess!r}?" if guess else f"known: {', '.join(QUEUES)}"
            raise UsageError(f"unknown queue {self.queue!r}; {known}")
        if self.queue_limit is not None and self.queue != "queue":
            raise UsageError(f"queue_limit is for queue 'queue'; {self.queue!r} has its own")
        if not _number(self.priority) or not -inf < self.priority < inf:
            raise UsageError(f"priority must be a number, got {self.priority!r}")
        if isinstance(self.nice, bool) or not isinstance(self.nice, int) or not -20 <= self.nice <= 19:
            raise UsageError(f"nice must be a whole number from -20 to 19, got {self.nice!r}")
        if not _number(self.kernel_limit_s) or not 0.0 <= self.kernel_limit_s < inf:
            raise UsageError(f"kernel_limit must not be negative, got {self.kernel_limit!r}")
        if (
            isinstance(self.queue_window, bool)
            or not isinstance(self.queue_window, int)
            or self.queue_window < 0
        ):
            raise UsageError(f"queue_window must be a whole number from 0, got {self.queue_window!r}")
        if not isinstance(self.blocking, bool):
            raise UsageError(f"blocking must be true or false, got {self.blocking!r}")

    def _check_family(self) -> None:
        if not self.dynamic:
            given = [what for what in ("level", "manager") if getattr(self, what) is not None]
            if given:
                raise UsageError(
                    f"{given[0]} is for families of networks, and this is one network; name a family without a level, "
                    "such as dynamic_ofa"
                )
            return
        if self.transforms:
            raise UsageError(
                "transforms are for one network; name a level of the family, such as dynamic_ofa@4"
            )
        if self.level is not None:
            _check_limit("level", self.level)
        if self.concurrency not in (None, 1):
            raise UsageError(
                f"a family runs one inference at a time, for its level changes between two; leave out concurrency, "
                f"got {self.concurrency}"
            )

    def _check_span(self) -> None:
        for what, time in (("start", self.start_s), ("stop", self.stop_s)):
            if not _number(time) or not time >= 0.0:
                raise UsageError(f"{what} must be a time from 0 on, got {getattr(self, what)!r}")
        if not self.start_s < inf or not self.start_s < self.stop_s:
            raise UsageError(
                f"it must stop later than it starts, got start {self.start!r} and stop {self.stop!r}"
            )
        if self.after is not None and (self.start_s > 0.0 or self.stop_s < inf):
            raise UsageError(
                "an application after another begins and ends with that; leave out start and stop"
            )
        places = self.places
        if places is not None and (isinstance(places, (str, Mapping)) or not isinstance(places, Sequence)):
            raise UsageError(f"places are a list of schedulers, such as ['gpu', 'cpu'], got {places!r}")

    def _check_reuse(self) -> None:
        if self.memory not in LIFETIMES:
            raise UsageError(f"memory must be {' or '.join(map(repr, LIFETIMES))}, got {self.memory!r}")
        if self.reuse is None:
            return
        if self.scene is None:
            raise UsageError("reuse needs a scene, which says what has changed from frame to frame")
        if self.concurrency not in (None, 1):
            raise UsageError(
                f"reuse runs one inference at a time, for each needs the one before; leave out concurrency, got "
                f"{self.concurrency}"
            )

    @property
    def dynamic(self) -> bool:
        """Whether its network is one of a family, picked for each inference."""
        model = self.model
        return isinstance(model, DynamicFamily) or (isinstance(model, str) and is_family(model))

    @property
    def period_s(self) -> float | None:
        """(Mean) time between arrivals in s, where it was given by `period`."""
        return _seconds(self.period)

    @property
    def kernel_limit_s(self) -> float:
        """Limit of GPU kernels in s; 0 for none."""
        return _seconds(self.kernel_limit) or 0.0

    @property
    def start_s(self) -> float:
        """When it begins, in s."""
        return parse(self.start, "time") if isinstance(self.start, str) else self.start

    @property
    def stop_s(self) -> float:
        """When it ends, in s; infinite for never."""
        return parse(self.stop, "time") if isinstance(self.stop, str) else self.stop

    @property
    def begins_s(self) -> float:
        """When its first inference is due in s, as far as its arrivals say; of a stage when the run begins."""
        source = self.source
        if isinstance(source, At):
            return self.start_s + source.at[0]
        return self.start_s + (source.offset if isinstance(source, (Periodic, Poisson)) else 0.0)

    @property
    def deadline_s(self) -> float | None:
        """Deadline in s."""
        return _seconds(self.deadline)

    @cached_property
    def source(self) -> Arrivals | None:
        """When inferences arrive; None back to back, or where another application decides."""
        return make_arrivals(self.arrivals, self.period_s)

    @cached_property
    def stage(self) -> After | None:
        """What it follows; None for applications with arrivals of their own."""
        return make_after(self.after)

    @cached_property
    def scenery(self) -> Scene | None:
        """What changes from frame to frame; None where nothing is known of it."""
        return make_scene(self.scene)

    @cached_property
    def wanted(self) -> Targets:
        """What its manager is to reach."""
        return make_targets(self.targets)

    @property
    def endless(self) -> bool:
        """Whether it goes on for ever; what follows another application ends with that."""
        if self.count is not None or self.stage is not None or self.stop_s < inf:
            return False
        return self.source is None or self.source.endless


def _seconds(value: float | str | None) -> float | None:
    return parse(value, "time") if isinstance(value, str) else value


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _check_limit(what: str, value: Any) -> None:
    if value is None:
        return
    if not _number(value):
        raise UsageError(f"{what} must be a number, got {value!r}")
    if not 0 < value < inf:
        raise UsageError(f"{what} must be positive, got {value!r}")
    if value != int(value):
        raise UsageError(f"{what} must be a whole number, got {value!r}")
