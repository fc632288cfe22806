"""For people who write schedulers, governors and managers: conformance checks, and random networks to test on.

>>> from socsim.schedulers.greedy import Greedy
>>> check_scheduler(Greedy)
'greedy: sound on 5 networks'
>>> check_governor("schedutil")
'schedutil: sound on 12 domains'
>>> check_manager("latency_window")
'latency_window: sound on 9 applications'
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from socsim.devices.device import Device
from socsim.devices.profile import load_device
from socsim.errors import SimulationError, SocsimError
from socsim.results.trace_check import read_trace, trace_faults
from socsim.schedulers.base import OnlineScheduler, Scheduler, StaticScheduler
from socsim.schedulers.governors.conformance import check_governor
from socsim.schedulers.registry import make_scheduler
from socsim.simulation.managercheck import check_manager
from socsim.simulation.records import KernelRecord, Outcome
from socsim.simulation.simulation import Simulation
from socsim.workloads.apps import Inference
from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = [
    "check_causality",
    "check_governor",
    "check_manager",
    "check_scheduler",
    "networks",
    "read_trace",
    "sample_networks",
    "trace_faults",
]


def check_scheduler(scheduler: Any, *, device: Device | str = "xiaomi-9", library: str = "mace") -> str:
    """Prove a scheduler sound on small networks of every shape.

    It must place every operator where it can run, decide alike when asked twice, leave the network as it was, finish
    every inference, and respect every dependency; the run must pass :meth:`Simulation.validate`.

    Parameters
    ----------
    scheduler
        An object, a class, or anything else that names one.
    device, library
        What to try it on.

    Returns
    -------
    One phrase that says what was checked.

    Raises
    ------
    SimulationError
        What it did wrong, and on which network.
    """
    target = load_device(device) if isinstance(device, str) else device
    checked = 0
    for network in sample_networks():
        outcomes = [_run(scheduler, target, library, network) for _ in range(2)]
        if outcomes[0] != outcomes[1]:
            raise SimulationError(f"{_title(scheduler)}: two runs on {network.name!r} with one seed differ")
        checked += 1
    return f"{_title(scheduler)}: sound on {checked} networks"


def _run(spec: Any, device: Device, library: str, network: ModelGraph) -> Outcome:
    scheduler = make_scheduler(spec)
    if not isinstance(scheduler, (StaticScheduler, OnlineScheduler)):
        raise SimulationError(f"{_title(spec)} is neither a StaticScheduler nor an OnlineScheduler")
    before = network.digest()
    try:
        simulation = Simulation(
            device, [Inference(network, scheduler, library=library, count=3)], kernels=True
        )
        outcome = simulation.run()
        simulation.validate()
    except SocsimError as error:
        raise SimulationError(f"{_title(spec)} on {network.name!r}: {error}") from error
    if network.digest() != before:
        raise SimulationError(f"{_title(spec)} changed the network {network.name!r}")
    check_causality(outcome, network)
    return outcome


def _title(spec: Any) -> str:
    return make_scheduler(spec).title if not isinstance(spec, Scheduler) else spec.title


def check_causality(outcome: Outcome, network: ModelGraph) -> None:
    """Check that every operator ran in every inference, and not before what it reads was finished.

    Raises
    ------
    SimulationError
        The first operator that did not, and when.
    """
    begun: dict[tuple[int, str], float] = {}
    ended: dict[tuple[int, str], float] = {}
    for record in _kernels(outcome):
        key = (record.inference, record.operator)
        begun[key] = min(begun.get(key, record.start_s), record.start_s)
        ended[key] = max(ended.get(key, record.end_s), record.end_s)
    for inference in (r.number for r in outcome.inferences if r.status == "finished"):
        for op in network:
            if (inference, op.name) not in begun:
                raise SimulationError(
                    f"operator {op.name!r} of {network.name!r} never ran in inference {inference}"
                )
            for before in network.predecessors(op):
                if ended[inference, before.name] > begun[inference, op.name] + 1e-12 and not _chained(
                    outcome, op.name
                ):
                    raise SimulationError(
                        f"operator {op.name!r} of {network.name!r} began at {begun[inference, op.name]} s, before "
                        f"{before.name!r} ended at {ended[inference, before.name]} s"
                    )


def _kernels(outcome: Outcome) -> Iterator[KernelRecord]:
    return (record for record in outcome.kernels if record.kind == "kernel")


def _chained(outcome: Outcome, operator: str) -> bool:
    """Halves of a chain run ahead of each other: each reads only its own half of the operator before."""
    return any(r.share < 1.0 for r in _kernels(outcome) if r.operator == operator)


def sample_networks() -> tuple[ModelGraph, ...]:
    """Small networks of shapes that break schedulers: a single operator, a chain, branches, a residual, movement."""
    return tuple(build() for build in (_single, _chain, _branches, _residual, _movement))


def _single() -> ModelGraph:
    b = GraphBuilder("single")
    return b.build(b.conv(b.input(1, 3, 32, 32), 16, 3))


def _chain() -> ModelGraph:
    b = GraphBuilder("chain")
    x = b.input(1, 8, 64, 64)
    for channels in (32, 32, 64, 64):
        x = b.conv(x, channels, 3, activation="relu")
    return b.build(b.softmax(b.dense(b.avg_pool_all(x), 10)))


def _branches() -> ModelGraph:
    b = GraphBuilder("branches")
    x = b.conv(b.input(1, 16, 56, 56), 64, 3, activation="relu")
    parts = [b.conv(x, 64, 1), b.conv(b.conv(x, 48, 1), 64, 3), b.conv(b.max_pool(x, 3, 1, padding=1), 32, 1)]
    return b.build(b.conv(b.concat(*parts), 64, 1))


def _residual() -> ModelGraph:
    b = GraphBuilder("residual")
    x = b.conv(b.input(1, 3, 64, 64), 32, 3, stride=2, activation="relu")
    for _ in range(3):
        x = b.add_(b.conv(b.conv(x, 32, 3, activation="relu"), 32, 3), x, activation="relu")
    return b.build(b.dense(b.global_avg_pool(x), 10))


def _movement() -> ModelGraph:
    b = GraphBuilder("movement")
    x = b.conv(b.input(1, 4, 32, 32), 32, 3)
    left, right = b.split(x, 2)
    x = b.channel_shuffle(b.concat(b.depthwise(left), right), 2)
    x = b.transpose(b.reshape(b.resize(x), 1, 32, 64 * 64), (0, 2, 1))
    return b.build(b.softmax(b.norm("layer_norm", b.linear(x, 16))))


def networks(max_operators: int = 8) -> SearchStrategy[ModelGraph]:
    """A hypothesis strategy of random networks: convolutions, pooling, sums and joins in random order.

    Parameters
    ----------
    max_operators
        At most so many operators.
    """
    from hypothesis import strategies as st

    @st.composite
    def build(draw: Callable[..., Any]) -> ModelGraph:
        b = GraphBuilder("random")
        made = [b.input(1, 8, 32, 32)]
        for _ in range(draw(st.integers(1, max_operators))):
            made.append(_grow(b, draw, made))
        return b.build(made[-1])

    return build()


def _grow(b: GraphBuilder, draw: Callable[..., Any], made: list[str]) -> str:
    from hypothesis import strategies as st

    x, y = draw(st.sampled_from(made)), draw(st.sampled_from(made))
    kind = draw(st.sampled_from(["conv", "depthwise", "pool", "relu", "add", "concat"]))
    if kind == "conv":
        return b.conv(x, draw(st.sampled_from([8, 16])), draw(st.sampled_from([1, 3, 5])))
    if kind == "depthwise":
        return b.depthwise(x)
    if kind == "pool":
        return b.max_pool(x, 3, 1, padding=1)
    if kind == "add" and b.shape(x) == b.shape(y):
        return b.add_(x, y)
    return b.concat(x, y) if kind == "concat" and x != y else b.activation(x, "relu")
