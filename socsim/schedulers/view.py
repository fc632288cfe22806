"""What a scheduler may know: never the simulator, only what an OS and a profile would tell."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any

from socsim.devices.sharing import handover_time
from socsim.errors import UsageError
from socsim.schedulers.plan import Placement
from socsim.schedulers.prediction import Predictor
from socsim.workloads.graph import ModelGraph, Operator
from socsim.workloads.kernels import WHOLE, Part
from socsim.workloads.pricing import Pricer

if TYPE_CHECKING:
    from socsim.schedulers.base import Assignment

__all__ = ["Job", "SharedView", "View"]


@dataclass(frozen=True, slots=True)
class Job:
    """Work that is ready to be assigned.

    Parameters
    ----------
    inference
        Which inference of its application it belongs to, counted from 0.
    graph
        Its network.
    operators
        Names of its operators, in order of execution.
    processors
        Processors that support all of it; never empty.
    arrival
        When its inference arrived, in s.
    unit
        Its number among the network's jobs.
    app
        Name of its application.
    deadline
        When its inference should have finished, in s; infinity for never.
    count
        How many of the network's jobs it is: more than one where they are taken together.
    """

    inference: int
    graph: ModelGraph
    operators: tuple[str, ...]
    processors: tuple[str, ...]
    arrival: float
    unit: int
    app: str = ""
    deadline: float = inf
    count: int = 1

    def on(self, processor: str, *, layout: str = "", cores: str = "", units: int = 1) -> Assignment:
        """Assign it to a processor, together with the next ``units - 1`` jobs of its network."""
        from socsim.schedulers.base import Assignment

        return Assignment(self, Placement(processor, layout=layout, cores=cores), units)

    def drop(self) -> Assignment:
        """Give its inference up."""
        from socsim.schedulers.base import Assignment

        return Assignment(self, None)

    def __hash__(self) -> int:
        return hash((self.app, self.inference, self.unit))


def _none_pending(processor: str) -> int:
    return 0


def _none_busy(processor: str) -> float:
    return 0.0


@dataclass(frozen=True, slots=True)
class Load:
    """How a view asks the running system.

    Parameters
    ----------
    now
        Simulated time in s.
    ready
        Jobs to assign, in the order in which they became ready.
    wait
        Predicted time in s until a processor has finished what is assigned to it.
    data_ready
        Predicted time in s until a job's inputs are readable on a processor.
    invocations
        Whether every job is an invocation of its own, with its fixed cost.
    pending
        Number of jobs assigned to a processor that have not finished.
    others
        How busy other programs keep a processor.
    """

    now: Callable[[], float]
    ready: Callable[[], tuple[Job, ...]]
    wait: Callable[[str], float]
    data_ready: Callable[[Job, str], float]
    invocations: bool = False
    pending: Callable[[str], int] = _none_pending
    others: Callable[[str], float] = _none_busy


class View:
    """The window of a scheduler on one network, library and device.

    Attributes
    ----------
    processors
        Processors that can share this network: those that compute in its data type.
    all_processors
        Those and the ones that need it quantised (a DSP with 8-bit kernels only).
    ready
        Jobs waiting for :meth:`OnlineScheduler.decide`; empty for static schedulers.
    now
        Simulated time in s.
    """

    def __init__(self, pricer: Pricer, predictor: Predictor, load: Load | None = None) -> None:
        self._pricer, self._predictor, self._load = pricer, predictor, load
        self._jobs: dict[tuple[int, int, str, str, str], float] = {}
        self.processors, self.all_processors = pricer.peers, pricer.processors

    def of(self, job: Job) -> View:
        """The view of a job's application: itself, unless several applications share the scheduler."""
        return self

    @property
    def graph(self) -> ModelGraph:
        """The network."""
        return self._pricer.graph

    @property
    def now(self) -> float:
        """Simulated time in s."""
        return self._load.now() if self._load else 0.0

    @property
    def ready(self) -> tuple[Job, ...]:
        """Jobs to assign."""
        return self._load.ready() if self._load else ()

    def wait(self, processor: str) -> float:
        """Predicted time in s until a processor has finished everything assigned to it; 0 if idle."""
        return self._load.wait(processor) if self._load else 0.0

    def pending(self, processor: str) -> int:
        """Number of jobs assigned to a processor that have not finished, overdue ones among them."""
        return self._load.pending(processor) if self._load else 0

    def load(self, processor: str) -> float:
        """How busy programs other than this scheduler's keep a processor now, as the operating system reports it.

        For the CPU, their runnable threads per core: 0 on an idle phone, 1 where every core has one to run. For an
        accelerator, how many of their contexts have it or wait for it.
        """
        return self._load.others(processor) if self._load else 0.0

    def layouts(self, processor: str, dtype: str = "") -> tuple[str, ...]:
        """Memory types to choose from, ``("",)`` on the CPU; none without kernels of `dtype`."""
        return self._pricer.layouts(processor, dtype)

    def supports(self, processor: str, op: Operator, layout: str = "", dtype: str = "") -> bool:
        """Whether the library runs an operator on a processor (with a layout and data type; default its first)."""
        return self._pricer.obstacle(op, processor, layout, dtype) is None

    def splits(self, op: Operator, layout: str = "") -> tuple[str, ...]:
        """Dimensions along which an operator can be divided between the CPU and the GPU, ``()`` if it cannot."""
        return self._pricer.library.split_dimensions(op, self.graph, layout)

    def predict(
        self,
        what: Operator | Job,
        processor: str,
        *,
        layout: str = "",
        dtype: str = "",
        share: float = 1.0,
        dimension: str = "OC",
        halo_rows: int = 0,
        halo_columns: int = 0,
    ) -> float:
        """Predicted time in s of an operator, a share of one, or a job, on a processor with nothing else to do.

        Parameters
        ----------
        what
            An operator of the network, or a job.
        processor, layout, dtype
            Where, with which memory type, default its first, and data type, default the library's.
        share, dimension, halo_rows, halo_columns
            Part of the operator, as in :class:`socsim.workloads.kernels.Part`.

        Raises
        ------
        PlanError
            The library cannot run it there.
        """
        if isinstance(what, Job):
            return self._predict_job(what, processor, layout, dtype)
        part = WHOLE if share >= 1.0 else Part(share, dimension, halo_rows, halo_columns)
        return self._predictor.time(what, Placement(processor, layout=layout, dtype=dtype), part)

    def _predict_job(self, job: Job, processor: str, layout: str, dtype: str) -> float:
        key = (job.unit, job.count, processor, layout, dtype)
        time = self._jobs.get(key)
        if time is None:
            placement = Placement(processor, layout=layout, dtype=dtype)
            time = sum(self._predictor.time(self.graph[name], placement, WHOLE) for name in job.operators)
            if self._load is not None and self._load.invocations:
                time += self.fixed_cost(processor, layout)
            if self._predictor.constant:
                self._jobs[key] = time
        return time

    def fixed_cost(self, processor: str, layout: str = "") -> float:
        """Time in s that handing a subgraph to a processor costs, whatever its size; 0 to a blind predictor."""
        if not self._predictor.sharing:
            return 0.0
        if processor == "cpu":
            return self._pricer.calibration("cpu").inference_overhead
        accelerator = self._pricer.device.accelerators[processor]
        calibration = self._pricer.calibration(processor, layout)
        hosted = calibration.host_overhead / self._pricer.host_rate
        return calibration.inference_overhead + hosted + accelerator.call_latency

    def transfer(
        self, elements: float, source: str, target: str, *, layout: str = "", target_layout: str = ""
    ) -> float:
        """Predicted time in s to make a tensor of one processor readable by another; 0 within one processor.

        It is the phone's mean, whatever the predictor; a blind one takes it for 0.

        Parameters
        ----------
        elements
            Size of the tensor, or of the slice that is shared.
        source, target
            Processors.
        layout
            Layout on the accelerator's side; between two accelerators, through the CPU, the source's.
        target_layout
            The target's between two accelerators; default its first.
        """
        if not self._predictor.sharing:
            return 0.0
        if source != target and "cpu" not in (source, target):
            out = self.transfer(elements, source, "cpu", layout=layout)
            return out + self.transfer(elements, "cpu", target, layout=target_layout)
        width = self._pricer.shared_width(source if target == "cpu" else target)
        return handover_time(
            self._pricer.sharing, elements * width, source, target, self._image(source, target, layout)
        )

    def transposition(self, tensor: str, processor: str) -> float:
        """Predicted time in s for which the CPU changes the order of a tensor that goes to or comes from a processor.

        0 where the library has one order for both and of the network's inputs and outputs; to a blind predictor too.
        """
        elements = self.graph.transposable(tensor)
        if not elements or not self._predictor.sharing or not self._pricer.library.transposed(processor):
            return 0.0
        return self._pricer.transposition(elements).time

    def _image(self, source: str, target: str, layout: str) -> bool:
        accelerator = source if source != "cpu" else target
        return accelerator != "cpu" and (layout or self.layouts(accelerator)[0]) == "image"

    def data_ready(self, job: Job, processor: str) -> float:
        """Predicted time in s from now until all inputs of a job are readable on a processor."""
        return self._load.data_ready(job, processor) if self._load else 0.0


class SharedView(View):
    """The window of a scheduler on several applications at once: their jobs together.

    Jobs are asked about as in :class:`View`; about networks and operators ask an application's own view, ``of(job)``.

    Parameters
    ----------
    views
        By name of application.
    """

    def __init__(self, views: Mapping[str, View]) -> None:
        self._views = dict(views)
        self._any = next(iter(self._views.values()))
        self.processors = _union(view.processors for view in self._views.values())
        self.all_processors = _union(view.all_processors for view in self._views.values())

    def of(self, job: Job) -> View:
        """The view of a job's application."""
        return self._views[job.app]

    @property
    def graph(self) -> ModelGraph:
        """Refused: there are several networks."""
        raise UsageError("several networks share this scheduler; ask view.of(job).graph")

    @property
    def now(self) -> float:
        """Simulated time in s."""
        return self._any.now

    @property
    def ready(self) -> tuple[Job, ...]:
        """Jobs of all applications to assign, in the order in which they became ready."""
        return self._any.ready

    def wait(self, processor: str) -> float:
        """Predicted time in s until a processor has finished everything assigned to it; 0 if idle."""
        return self._any.wait(processor)

    def pending(self, processor: str) -> int:
        """Number of jobs assigned to a processor that have not finished, overdue ones among them."""
        return self._any.pending(processor)

    def load(self, processor: str) -> float:
        """How busy programs other than this scheduler's keep a processor now; see :meth:`View.load`."""
        return self._any.load(processor)

    def predict(self, what: Operator | Job, processor: str, **options: Any) -> float:
        """Predicted time in s of a job; about operators ask ``of(job)``."""
        if not isinstance(what, Job):
            raise UsageError("several networks share this scheduler; ask view.of(job).predict(operator, ...)")
        return self.of(what).predict(what, processor, **options)

    def data_ready(self, job: Job, processor: str) -> float:
        """Predicted time in s from now until all inputs of a job are readable on a processor."""
        return self.of(job).data_ready(job, processor)


def _union(groups: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for group in groups for name in group))
