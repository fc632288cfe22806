"""Offline profiling: operators run one by one through the simulator, on an idle phone at its highest clocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from statistics import fmean, pstdev
from zlib import crc32

import numpy as np
import simpy

from socsim.errors import UsageError
from socsim.schedulers.plan import Placement
from socsim.schedulers.prediction import Meter, settle
from socsim.schedulers.profile_file import ProfileRow
from socsim.simulation.delay import Delay
from socsim.simulation.executor import Executor, Fragment
from socsim.simulation.kernelgraph import KernelGraph
from socsim.simulation.lowering import lower_kernel
from socsim.simulation.run import Run
from socsim.simulation.stream import Noise, own_context
from socsim.workloads.graph import Operator
from socsim.workloads.kernels import WHOLE, Part, output_share
from socsim.workloads.pricing import Pricer

__all__ = ["Bench", "bench", "service_time", "take_profile"]

Key = tuple[str, Placement, str, float]


def service_time(span: float, dispatch: float) -> float:
    """What a kernel adds to a stream of kernels, in s: its time on the processor, or its dispatch where that is longer.

    Parameters
    ----------
    span
        From its start on the processor to its end.
    dispatch
        CPU time of the host to enqueue it.
    """
    return max(span, dispatch)


@dataclass(frozen=True, slots=True)
class Sample:
    """Times in s of the repetitions of one part."""

    mean: float
    deviation: float


class Bench:
    """An idle phone on which parts of one network's operators are timed, each once.

    Parameters
    ----------
    pricer
        The network under its library on its device.
    repetitions
        How often each part is run.
    noise, seed
        Whether each repetition draws the calibrated spread, and from which seed. A part's draws do not depend on what
        was measured before it.
    """

    def __init__(self, pricer: Pricer, *, repetitions: int = 1, noise: bool = False, seed: int = 0) -> None:
        self._pricer, self.repetitions, self._noise, self._seed = pricer, repetitions, noise, seed
        self._samples: dict[Key, Sample] = {}

    def __call__(self, op: Operator, placement: Placement, part: Part) -> float:
        """Mean time in s of a part."""
        return self.sample(op, placement, part).mean

    def sample(self, op: Operator, placement: Placement, part: Part) -> Sample:
        """The times of a part; two parts that compute the same are one."""
        dimension = part.dimension if part.share < 1.0 else ""
        key = (op.name, placement, dimension, output_share(self._pricer.graph, op, part))
        sample = self._samples.get(key)
        if sample is None:
            times = list(self._run(op, placement, part, crc32(repr(key).encode())))
            sample = self._samples[key] = Sample(fmean(times), pstdev(times))
        return sample

    def _run(self, op: Operator, placement: Placement, part: Part, number: int) -> Iterator[float]:
        """The time of each repetition; without noise one stands for all."""
        graph = lower_kernel(self._pricer, op, placement, part)
        noise = Noise(np.random.default_rng([self._seed, number]), self._pricer) if self._noise else None
        dispatch = graph.segments[0].dispatch
        for _ in range(self.repetitions if noise else 1):
            yield service_time(self._span(graph, noise.slowness() if noise else {}), dispatch)

    def _span(self, graph: KernelGraph, slowness: dict[str, float]) -> float:
        """Time in s from a kernel's start to its end on a phone that does nothing else."""
        env = simpy.Environment()
        ended: list[Run | Delay] = []
        executor = Executor(env, self._pricer.device, on_run=ended.append)
        end = env.event()

        def done(fragment: Fragment) -> None:
            end.succeed()

        context = own_context(executor, "profile", self._pricer)
        executor.launch(Fragment(graph, "profile", 0, context, done, slowness))
        env.run(until=end)
        ((start, finish),) = ended[0].spans()
        return finish - start


class _Subject:
    """What is measured: equal only for the same device, library, network and cpuset."""

    def __init__(self, pricer: Pricer) -> None:
        self.pricer = pricer
        self._key = (id(pricer.device), id(pricer.library), id(pricer.graph), pricer.cpuset)

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Subject) and self._key == other._key


def bench(pricer: Pricer, *, repetitions: int = 1, noise: bool = False, seed: int = 0) -> Meter:
    """A :class:`Bench`, the same for all runs of one network under one library on one device."""
    return _shared(_Subject(pricer), repetitions, noise, seed)


@lru_cache(maxsize=16)
def _shared(subject: _Subject, repetitions: int, noise: bool, seed: int) -> Bench:
    return Bench(subject.pricer, repetitions=repetitions, noise=noise, seed=seed)


# --- whole profiles -----------------------------------------------------------------------------------------


def take_profile(
    pricer: Pricer, *, step: float = 0.1, repetitions: int = 1, noise: bool = False, seed: int = 0
) -> Iterator[ProfileRow]:
    """Time every operator, and the parts that a scheduler may want, wherever the library runs them.

    Parameters
    ----------
    pricer
        The network under its library on its device; CPU kernels run on its cores.
    step
        Grid of the shares of operators that the library can split, above 0 and at most 1; 1 times whole operators
        only.
    repetitions, noise, seed
        As of :class:`Bench`.

    Yields
    ------
    A row for each part, in the order of the operators.

    Raises
    ------
    UsageError
        A step outside its range, or fewer than one repetition.
    """
    if not 0.0 < step <= 1.0:
        raise UsageError(f"step of the profiled shares must be above 0 and at most 1, got {step!r}")
    if repetitions < 1:
        raise UsageError(f"repetitions of a profile must be at least 1, got {repetitions!r}")
    meter = Bench(pricer, repetitions=repetitions, noise=noise, seed=seed)
    places = [settle(pricer, Placement(p, layout)) for p in pricer.processors for layout in pricer.layouts(p)]
    for op in pricer.graph:
        for place in places:
            if pricer.obstacle(op, place.processor, place.layout, place.dtype) is None:
                for part in _parts(pricer, op, place, step):
                    yield _row(pricer, op, place, part, meter)


def _parts(pricer: Pricer, op: Operator, place: Placement, step: float) -> Iterator[Part]:
    """The whole operator, then the shares of a grid along each dimension; those that compute the same only once."""
    yield WHOLE
    count = ceil(1.0 / step - 1e-9)
    for dimension in _dimensions(pricer, op, place):
        computed = {1.0}
        for i in range(1, count):
            part = Part(round(i * step, 9), dimension)
            share = output_share(pricer.graph, op, part)
            if share not in computed:
                computed.add(share)
                yield part


def _dimensions(pricer: Pricer, op: Operator, place: Placement) -> tuple[str, ...]:
    """Along which an operator can be split; the CPU does the other part of whatever an accelerator's layout can."""
    layouts = [place.layout] if place.processor != "cpu" else _peer_layouts(pricer)
    found = [pricer.library.split_dimensions(op, pricer.graph, layout) for layout in layouts]
    return tuple(dict.fromkeys(dimension for dimensions in found for dimension in dimensions))


def _peer_layouts(pricer: Pricer) -> list[str]:
    return [layout for p in pricer.processors if p != "cpu" for layout in pricer.layouts(p)]


def _row(pricer: Pricer, op: Operator, place: Placement, part: Part, meter: Bench) -> ProfileRow:
    sample = meter.sample(op, place, part)
    return ProfileRow(
        pricer.device.name, pricer.library.name, pricer.graph.name, place.processor, place.layout, place.dtype,
        place.cores, op.name, pricer.library.kernel_class(op, pricer.graph, place.processor, place.layout),
        part.share, part.dimension if part.share < 1.0 else "", part.halo_rows, sample.mean * 1e3,
        sample.deviation * 1e3, meter.repetitions, _clocks(pricer, place),
    )  # fmt: skip


def _clocks(pricer: Pricer, place: Placement) -> str:
    device = pricer.device
    if place.processor != "cpu":
        return f"{device.accelerators[place.processor].max_opp.frequency / 1e6:g} MHz"
    used = {cluster.name: cluster for cluster in (device.cores[i] for i in pricer.team(place.cores))}
    return "+".join(f"{name}:{cluster.max_opp.frequency / 1e9:g} GHz" for name, cluster in used.items())
