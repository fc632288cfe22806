"""What calibration needs to know of networks: the kernels that a library runs for them, as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from socsim.calibration.algorithms import algorithm
from socsim.devices.device import Calibration, Cluster, Device, KernelRate
from socsim.schedulers.plan import Placement, Plan
from socsim.schedulers.validation import resolve
from socsim.simulation.kernelgraph import Entry, KernelGraph
from socsim.simulation.lowering import lower_plan
from socsim.simulation.timeline import body_time
from socsim.workloads.graph import ModelGraph, Operator
from socsim.workloads.kernels import part_bytes, part_shape, part_work, winograd_share
from socsim.workloads.library import Library
from socsim.workloads.pricing import Pricer

__all__ = [
    "FloatArray",
    "IntArray",
    "Kernels",
    "KernelsBuilder",
    "Team",
    "accelerator_kernels",
    "cpu_kernels",
    "host_rate",
    "with_calibration",
]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Kernels:
    """Kernels of several networks, one after the other, each in the order in which they run.

    Parameters
    ----------
    networks, classes
        Names that the indices below stand for.
    network, kind, segment
        Of every kernel: index of its network, of its class, and of the queue segment that it runs in (segments follow
        each other; on the CPU there is one a network).
    work, bytes
        Operations, and DRAM traffic in B.
    depth, channels, pixels, outputs
        Its shape, as of :class:`socsim.workloads.kernels.Shape`.
    ahead
        Time in s of what its queue does just before it, apart from kernels (layout changes).
    constant
        Of every network: time in s that does not depend on what is fitted (hand-overs, kernels of other processors).
    """

    networks: tuple[str, ...]
    classes: tuple[str, ...]
    network: IntArray
    kind: IntArray
    segment: IntArray
    work: FloatArray
    bytes: FloatArray
    depth: FloatArray
    channels: FloatArray
    pixels: FloatArray
    outputs: FloatArray
    ahead: FloatArray
    constant: FloatArray

    def select(self, networks: Sequence[str]) -> Kernels:
        """The kernels of some of the networks, in the order given."""
        index = {name: i for i, name in enumerate(self.networks)}
        rows = [np.flatnonzero(self.network == index[name]) for name in networks]
        taken = np.concatenate(rows)
        new = np.repeat(np.arange(len(rows)), [len(r) for r in rows])
        return replace(
            self,
            networks=tuple(networks),
            network=new,
            kind=self.kind[taken],
            segment=np.unique(new * (self.segment.max() + 1) + self.segment[taken], return_inverse=True)[1],
            **{name: getattr(self, name)[taken] for name in _FIELDS},
            constant=self.constant[[index[name] for name in networks]],
        )


_FIELDS = ("work", "bytes", "depth", "channels", "pixels", "outputs", "ahead")


@dataclass(frozen=True)
class Team:
    """Worker threads of one CPU inference.

    Parameters
    ----------
    cores
        Cluster of each thread's core, fastest first.
    bandwidth, memory
        DRAM bandwidth in B/s that they reach together, and that of the DRAM.
    chunking
        As of :class:`socsim.workloads.library.Library`.
    """

    cores: tuple[Cluster, ...]
    bandwidth: float
    memory: float
    chunking: str

    @classmethod
    def of(cls, device: Device, library: Library, mask: str) -> Team:
        """The team that a mask of cores gives."""
        cores = tuple(device.cores[i] for i in device.allowed_cores(mask or library.cores))
        cores = cores if mask else cores[: library.threads]
        reach = min(device.cpu_bandwidth, sum(core.bandwidth for core in cores))
        return cls(cores, reach, device.memory.bandwidth, library.chunking)


def cpu_kernels(library: Library, dtype: str, graphs: Mapping[str, ModelGraph], fastest: Cluster) -> Kernels:
    """Kernels of networks that run on the CPU alone.

    Parameters
    ----------
    graphs
        Networks by name, fused as the library does.
    fastest
        The device's fastest core.
    """
    builder = KernelsBuilder((library.name, "cpu", dtype), fastest=fastest)
    for name, graph in graphs.items():
        builder.open(name)
        for op in graph:
            builder.add(graph, op, library.kernel_class(op, graph, "cpu"))
    return builder.build()


def accelerator_kernels(
    device: Device, library: Library, key: tuple[str, str, str, str], graphs: Mapping[str, ModelGraph]
) -> Kernels:
    """Kernels of networks that run on an accelerator as far as the library has kernels for it.

    Parameters
    ----------
    device
        With a calibration of the CPU for operators that fall back.
    key
        Library, processor, dtype, layout.
    """
    _, processor, dtype, layout = key
    known = with_calibration(device, Calibration(*key, kernels={"other": KernelRate(1.0)}))
    builder = KernelsBuilder(key[:3], local_memory=device.accelerators[processor].local_memory)
    for name, graph in graphs.items():
        pricer = Pricer(known, library, graph, dtype)
        wanted = Plan(dict.fromkeys(graph.operators, Placement(processor, layout)))
        builder.open(name)
        builder.lowered(graph, lower_plan(pricer, resolve(wanted, pricer)), processor)
    return builder.build()


def host_rate(device: Device, library: Library, graph: ModelGraph) -> float:
    """Speed of the core that dispatches an accelerator's kernels, as a share of the fastest core's.

    Parameters
    ----------
    device
        With a calibration of the library.
    """
    return Pricer(device, library, graph).host_rate


def with_calibration(device: Device, *calibrations: Calibration) -> Device:
    """The device with other parameter sets, in place of its own where it has them."""
    return replace(device, calibrations={**device.calibrations, **{c.key: c for c in calibrations}})


class KernelsBuilder:
    """Collects kernels network by network.

    Parameters
    ----------
    key
        Library, processor, dtype.
    classes
        Names of kernel classes; those that come up are added, unless some are given.
    local_memory
        Of the processor, in B.
    fastest
        The device's fastest core, for kernels on the CPU.
    """

    def __init__(
        self,
        key: tuple[str, str, str],
        classes: Sequence[str] = (),
        local_memory: float = 0.0,
        fastest: Cluster | None = None,
    ) -> None:
        self._key, self._local_memory, self._fastest = key, local_memory, fastest
        self._names: list[str] = []
        self._classes = {name: i for i, name in enumerate(classes)}
        self._rows: list[tuple[float, ...]] = []
        self._segment = -1
        self._constant: list[float] = []

    def open(self, name: str) -> None:
        """Begin a network, and a segment."""
        self._names.append(name)
        self._constant.append(0.0)
        self._segment += 1

    def add(self, graph: ModelGraph, op: Operator, kernel_class: str, ahead: float = 0.0) -> None:
        """A kernel of the network that was begun last."""
        kind = self._classes.setdefault(kernel_class, len(self._classes))
        shape, way = part_shape(graph, op), algorithm(*self._key, kernel_class, self._fastest)
        self._rows.append(
            (
                len(self._names) - 1, kind, self._segment,
                part_work(graph, op) * winograd_share(graph, op, way.tile),
                part_bytes(
                    graph, op, self._key[2], local_memory=self._local_memory, weights_share=way.weights
                ),
                shape.depth, shape.channels, shape.pixels, shape.outputs, ahead,
            )
        )  # fmt: skip

    def lowered(self, graph: ModelGraph, kernels: KernelGraph, processor: str) -> None:
        """All of a network that has been lowered."""
        for segment in kernels.segments:
            if not any(e.kind == "kernel" and e.target == processor for e in segment.entries):
                self._constant[-1] += _duration(segment.entries)
                continue
            self._segment += 1
            ahead = 0.0
            for entry in segment.entries:
                if entry.kind != "kernel":
                    ahead += _duration([entry])
                    continue
                self.add(graph, graph[entry.operator], entry.kernel_class, ahead)
                ahead = 0.0
            self._constant[-1] += ahead

    def build(self) -> Kernels:
        """All kernels, their classes sorted by name."""
        columns = np.array(self._rows, dtype=float).reshape(-1, 10).T
        classes = sorted(self._classes)
        order = np.array([classes.index(name) for name in self._classes])
        numbers = dict(zip(_FIELDS, columns[3:], strict=True))
        return Kernels(
            networks=tuple(self._names),
            classes=tuple(classes),
            network=columns[0].astype(np.int64),
            kind=order[columns[1].astype(np.int64)],
            segment=np.unique(columns[2], return_inverse=True)[1],
            constant=np.array(self._constant),
            **numbers,
        )


def _duration(entries: Sequence[Entry]) -> float:
    """Time in s of entries alone, one after the other."""
    return sum(entry.overhead + body_time(entry, 1.0, np.inf) for entry in entries)
