"""A toy phone whose costs are whole numbers or binary fractions, and networks written in one line.

CPU: two big cores of 2 operations/s, two little ones of 1; GPU 8 operations/s; DSP 4. A tensor of 64 B (16 elements)
takes 1 s to map, 2 s to change layout, 0.5 s until the CPU sees that it is written; giving it back takes 0.125 s to
unmap and 0.25 s until the accelerator sees it. Bandwidth is plenty: no time goes to DRAM unless a test wants it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from socsim.devices.device import (
    Accelerator,
    Calibration,
    Cluster,
    Device,
    KernelRate,
    Memory,
    MemoryOpp,
    Opp,
    PowerModel,
    Sharing,
    SyncTime,
)
from socsim.schedulers.base import StaticScheduler
from socsim.schedulers.plan import Placement, Plan
from socsim.schedulers.validation import resolve
from socsim.simulation.mechanisms import Mechanisms
from socsim.simulation.records import Outcome
from socsim.simulation.simulation import Simulation
from socsim.workloads.apps import Inference
from socsim.workloads.graph import ModelGraph, Operator, Tensor
from socsim.workloads.library import load_library
from socsim.workloads.pricing import Pricer

LIBRARY = str(Path(__file__).parent / "data" / "toy_library.yaml")
MAP, TRANSFORM, SYNC, UNMAP, POST = 1.0, 2.0, 0.5, 0.125, 0.25
"""Times in s of the steps of a hand-over of one tensor of 64 B."""
CPU, GPU, BUFFER, DSP = (
    Placement("cpu"),
    Placement("gpu", "image"),
    Placement("gpu", "buffer"),
    Placement("dsp"),
)

SHARING = Mechanisms(cpu="processor_sharing")
"""Threads of one core run at once: what happens is easy to work out by hand."""

Row = tuple[str, float, float]


def toy(
    *,
    big_rate: float = 2.0,
    gpu_rate: float = 8.0,
    bandwidth: float = 1e9,
    sync_sd: float = 0.0,
    map_time: float = MAP,
    call_latency: float = 0.0,
    cpu: Mapping[str, Any] | None = None,
    gpu: Mapping[str, Any] | None = None,
    dsp: Mapping[str, Any] | None = None,
    library: str = "toy",
) -> Device:
    """The toy phone; `cpu`, `gpu` and `dsp` are fields of their calibrations."""
    opp = (Opp(1.0, 1.0),)
    power = PowerModel(2.0, leakage=1.0, idle=0.5)
    big = Cluster("big", "big", 2, opp, {"fp32": big_rate}, 1024.0, bandwidth, power)
    little = Cluster("little", "little", 2, opp, {"fp32": 1.0}, 512.0, bandwidth, power)
    accelerators = {
        "gpu": Accelerator("gpu", "G", opp, {"fp32": gpu_rate}, bandwidth, power, ("image", "buffer")),
        "dsp": Accelerator("dsp", "D", opp, {"fp32": 4.0}, bandwidth, power, ("buffer",), call_latency),
    }
    sync = SyncTime(SYNC, sync_sd, 0.25 * SYNC, 4 * SYNC)
    sharing = Sharing(map_time / 64, TRANSFORM / 64, sync, POST, UNMAP)
    options = {("cpu", ""): cpu, ("gpu", "image"): gpu, ("gpu", "buffer"): gpu, ("dsp", "buffer"): dsp}
    rates = {"other": KernelRate(1.0), "quick": KernelRate(2.0)}
    calibrations = {
        (library, p, "fp32", layout): replace(Calibration(library, p, "fp32", layout, rates), **(own or {}))
        for (p, layout), own in options.items()
    }
    memory = Memory((MemoryOpp(1.0, bandwidth),), 1.0, 2.0**-10, 0.25)
    rails = {"soc": ("cpu.big", "cpu.little", "gpu", "dsp"), "rest": ("dram", "board")}
    shared = {"gpu": sharing, "dsp": sharing}
    return Device(
        "toy", "Toy", "T", (big, little), accelerators, memory, shared, bandwidth, 1.0, rails, calibrations
    )


def net(
    text: str, *, inputs: str = "x", outputs: str = "", shape: tuple[int, ...] = (1, 4, 4, 1)
) -> ModelGraph:
    """A network from ``"a:8 x; b:16 a; s:4:softmax a,b"``: name, operations, type (default task), inputs.

    Every tensor has 16 elements (64 B) unless `shape` says otherwise, and the name of its operator; `outputs` is the
    last operator's by default. Convolutions have a kernel of 3 with padding 1.
    """
    operators, tensors = [], [Tensor(t, shape) for t in inputs.split()]
    for name, work, kind, read in re.findall(r"(\w+):(\d+)(?::(\w+))? ?([\w,]*)", text):
        kind = kind or "task"
        attributes = {"kernel": (3, 3), "stride": (1, 1), "padding": (1, 1, 1, 1)} if kind == "conv2d" else {}
        macs, ops = (0, int(work)) if kind in ("softmax", "eltwise") else (int(work), 0)
        read_from = tuple(filter(None, read.split(",")))
        operators.append(Operator(name, kind, read_from, (name,), attributes, macs=macs, ops=ops))
        tensors.append(Tensor(name, shape))
    return ModelGraph("net", operators, tensors, inputs.split(), outputs.split() or [operators[-1].name])


def pricer(graph: ModelGraph, device: Device | None = None, **options: str) -> Pricer:
    """The network under the toy library."""
    return Pricer(device or toy(), load_library(LIBRARY), graph, **options)


class Fixed(StaticScheduler):
    """Follows a plan given beforehand."""

    def __init__(self, plan: Any) -> None:
        self.given = plan

    def plan(self, graph: ModelGraph, view: Any) -> Any:
        return self.given


def simulation(graph: ModelGraph, plan: Any, device: Device | None = None, **options: Any) -> Simulation:
    """One application under a plan, a scheduler object or a scheduler's name; one inference by default."""
    app = {k: options.pop(k) for k in ("period", "count", "cores", "dtype") if k in options}
    scheduler = Fixed(plan) if isinstance(plan, (dict, Plan)) else plan
    inference = Inference(graph, scheduler, library=LIBRARY, **{"count": 1, **app})
    return Simulation(device or toy(), [inference], **{"mechanisms": SHARING, **options})


def outcome(graph: ModelGraph, plan: Any, device: Device | None = None, **options: Any) -> Outcome:
    """Run :func:`simulation` and check its invariants."""
    running = simulation(graph, plan, device, **options)
    running.validate()
    return running.run()


def trace(graph: ModelGraph, plan: Any, device: Device | None = None, **options: Any) -> list[Row]:
    """Every kernel and every step of a hand-over, ``what@processor`` with start and end, in order of time."""
    return rows(outcome(graph, plan, device, kernels=True, **options))


def rows(done: Outcome) -> list[Row]:
    """Records of a run as :func:`trace` shows them."""
    return sorted(
        ((_what(r), r.start_s, r.end_s) for r in done.kernels), key=lambda row: (row[1], row[2], row[0])
    )


def _what(record: Any) -> str:
    what = record.operator if record.kind == "kernel" else f"{record.kind} {record.operator}".strip()
    return f"{what}@{record.processor}"


def resolved(graph: ModelGraph, plan: Any, device: Device | None = None) -> tuple[Pricer, Plan]:
    """A pricer, and a plan that can run."""
    own = pricer(graph, device)
    return own, resolve(plan, own)


# --- random networks ------------------------------------------------------------------------------------------


@st.composite
def networks(
    draw: Any, kinds: tuple[str, ...] = ("task", "conv2d", "eltwise", "softmax"), most: int = 7
) -> ModelGraph:
    """Random small networks; every operator reads one or two earlier tensors, every unread tensor leaves."""
    names = ["x"]
    lines, read = [], set()
    for i in range(draw(st.integers(1, most))):
        sources = draw(st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True))
        read.update(sources)
        work, kind = draw(st.integers(1, 32)), draw(st.sampled_from(kinds))
        lines.append(f"n{i}:{work}:{kind} {','.join(sources)}")
        names.append(f"n{i}")
    outputs = [name for name in names[1:] if name not in read]
    return net("; ".join(lines), outputs=" ".join(outputs))


@st.composite
def placed(draw: Any, **options: Any) -> tuple[ModelGraph, dict[str, Placement]]:
    """A random network and a random placement of its operators; the DSP gets only what it supports."""
    graph = draw(networks(**options))
    plan = {}
    for op in graph:
        places = [CPU, GPU, BUFFER] + ([DSP] if op.type in ("task", "conv2d") else [])
        plan[op.name] = draw(st.sampled_from(places))
    return graph, plan


def edges(graph: ModelGraph) -> Iterator[tuple[str, str]]:
    """(producer, reader) of every tensor that an operator reads from another."""
    yield from graph.dag.edges
