"""The latency predictor that offline profiling gives: every operator timed alone on an idle phone at fixed clocks."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from pathlib import Path

from socsim.errors import UnknownNameError, UsageError
from socsim.schedulers.plan import Placement
from socsim.schedulers.prediction import Bench, Meter, Predictor, check_supported, settle
from socsim.schedulers.profile_file import ProfileRow, read_profile
from socsim.workloads.graph import Operator
from socsim.workloads.kernels import Part, output_share
from socsim.workloads.pricing import Pricer

__all__ = ["ProfilePredictor", "Table"]

Point = tuple[float, float]
"""(share of the output that is computed, halo included; time in s)"""


class ProfilePredictor(Predictor):
    """What operators took when each ran alone on the idle phone, with the library's overheads, at highest clocks.

    Without a file, every part that a scheduler asks for is run in the simulator when it is first asked for, and its
    time is kept; runs of one network on one device share what was measured. With a file (``socsim profile`` writes
    one), times are looked up, and parts between the profiled shares of the same dimension are interpolated
    linearly in the share of the output that is computed, whole channels or rows and halos included; the whole
    operator belongs to both dimensions. Below the smallest profiled share the line through the two smallest is
    followed, never below 0; a dimension of which nothing was profiled takes its share of the whole operator's time.

    Parameters
    ----------
    pricer
        The network under its library on its device.
    bench
        An idle phone; None where there is none, and then a file is needed.
    path
        A profile; ``""`` measures.
    repetitions
        How often each part is run; default 1. The prediction is the mean.
    noise
        Draw the calibrated run-to-run spread in every repetition; default off.
    seed
        Of the noise; default 0.

    Raises
    ------
    FileError
        A file that breaks its rules.
    UnknownNameError
        A file without the device, library or network.
    UsageError
        Neither a file nor a bench, an option outside its range, or a file with options of measuring.
    """

    def __init__(
        self,
        pricer: Pricer,
        bench: Bench | None = None,
        *,
        path: str | Path = "",
        repetitions: int = 1,
        noise: bool = False,
        seed: int = 0,
    ) -> None:
        self.verify(path=path, repetitions=repetitions, noise=noise, seed=seed)
        self._pricer = pricer
        self._settled: dict[Placement, Placement] = {}
        if path:
            self._meter: Meter = Table(read_profile(path), pricer, str(path))
        elif bench is not None:
            self._meter = bench(pricer, repetitions=repetitions, noise=noise, seed=seed)
        else:
            raise UsageError(
                "predictor 'profile' needs a phone to measure on; outside a simulation give a path"
            )

    @staticmethod
    def verify(path: str | Path = "", repetitions: int = 1, noise: bool = False, seed: int = 0) -> None:
        """Check options before there is anything to predict for; raises as the class does."""
        if isinstance(repetitions, bool) or not isinstance(repetitions, int) or repetitions < 1:
            raise UsageError(
                f"predictor 'profile': repetitions must be a whole number from 1, got {repetitions!r}"
            )
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise UsageError(f"predictor 'profile': seed must be a whole number from 0, got {seed!r}")
        if not isinstance(noise, bool):
            raise UsageError(f"predictor 'profile': noise must be true or false, got {noise!r}")
        if not isinstance(path, (str, Path)):
            raise UsageError(f"predictor 'profile': path must be a file's name, got {path!r}")
        if path and (repetitions, noise, seed) != (1, False, 0):
            raise UsageError(
                "predictor 'profile': repetitions, noise and seed are for measuring; a file has its own"
            )
        if path:
            read_profile(path)

    def time(self, op: Operator, placement: Placement, part: Part) -> float:
        """The mean measured time of a part of an operator, in s.

        Raises
        ------
        PlanError
            The library cannot run it there.
        UsageError
            The file has no time of the operator there.
        """
        where = self._settled.get(placement)
        check_supported(self._pricer, op, placement)
        if where is None:
            where = self._settled[placement] = settle(self._pricer, placement)
        return self._meter(op, where, part)


class Table:
    """A profile's rows for one device, library and network, and what lies between them.

    Parameters
    ----------
    rows
        Of any devices, libraries and networks.
    pricer
        Which of them.
    name
        The profile's, for messages.

    Raises
    ------
    UnknownNameError
        Nothing was measured on the device, with the library, or of the network.
    """

    def __init__(self, rows: Iterable[ProfileRow], pricer: Pricer, name: str) -> None:
        self._graph, self._name = pricer.graph, name
        wanted = (pricer.device.name, pricer.library.name, pricer.graph.name)
        self._points: dict[tuple[str, Placement], dict[str, dict[float, float]]] = {}
        for row in _matching(list(rows), wanted, name):
            self._add(row)
        self._curves: dict[tuple[str, Placement, str], tuple[Point, ...]] = {}

    def _add(self, row: ProfileRow) -> None:
        op = self._graph.operators.get(row.operator)
        if op is None:
            kind = f"operator of {self._graph.name!r} in profile {self._name!r}:"
            raise UnknownNameError(kind, row.operator, self._graph.operators)
        where = Placement(row.processor, row.layout, row.dtype, row.cores)
        points = self._points.setdefault((op.name, where), {})
        x = output_share(self._graph, op, Part(row.share, row.dimension, row.halo_rows))
        if x < 1.0 or row.share == 1.0:
            points.setdefault(row.dimension, {})[x] = row.latency_ms * 1e-3

    def __call__(self, op: Operator, placement: Placement, part: Part) -> float:
        """Time in s of a part, interpolated where it was not profiled.

        Raises
        ------
        UsageError
            The operator was not profiled there.
        """
        dimension = part.dimension if part.share < 1.0 else ""
        key = (op.name, placement, dimension)
        if key not in self._curves:
            self._curves[key] = self._curve(*key)
        return interpolate(self._curves[key], output_share(self._graph, op, part))

    def _curve(self, operator: str, placement: Placement, dimension: str) -> tuple[Point, ...]:
        points = self._points.get((operator, placement), {})
        whole = points.get("", {})
        if not whole:
            raise UsageError(self._gap(operator, placement))
        own = points.get(dimension, {}) if dimension else {}
        return tuple(sorted({**own, **whole}.items()))

    def _gap(self, operator: str, placement: Placement) -> str:
        there = [where for name, where in self._points if name == operator]
        known = ", ".join(_shown(where) for where in there) or "nothing of it"
        return f"profile {self._name!r} has no time of operator {operator!r} on {_shown(placement)}; it has {known}"


def interpolate(points: Sequence[Point], x: float) -> float:
    """Value at `x` of the line through points in order; as :class:`ProfilePredictor` says beyond the first."""
    if len(points) == 1:
        return points[0][1] * x / points[0][0]
    i = min(max(1, bisect_left(points, (x,))), len(points) - 1)
    (x0, y0), (x1, y1) = points[i - 1], points[i]
    if x in (x0, x1):
        return y0 if x == x0 else y1
    return max(0.0, y0 + (y1 - y0) * (x - x0) / (x1 - x0))


def _shown(placement: Placement) -> str:
    return " ".join(filter(None, (placement.processor, placement.layout, placement.dtype, placement.cores)))


def _matching(rows: Sequence[ProfileRow], wanted: tuple[str, str, str], name: str) -> list[ProfileRow]:
    """Rows of a (device, library, network)."""
    found = list(rows)
    for i, (kind, value) in enumerate(zip(("device", "library", "network"), wanted, strict=True)):
        known = {str(row[i]) for row in found}
        if value not in known:
            raise UnknownNameError(f"{kind} in profile {name!r}:", value, known)
        found = [row for row in found if row[i] == value]
    return found
