"""What several claims need: runs of experiments that come with socsim, and words for tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

from socsim.devices.profile import device_names
from socsim.errors import UsageError
from socsim.reproduce.chart import Series
from socsim.results.result import Result
from socsim.sweeps import load_sweep

__all__ = [
    "busy_processes",
    "by_seed",
    "calibrated",
    "differences",
    "half_width",
    "handovers_ms",
    "means",
    "play",
    "quoted",
    "ratios",
    "spread",
    "times_ms",
]


def play(experiment: str, *overrides: str, kernels: bool = False) -> Result:
    """Run a single point of an experiment that comes with socsim.

    Parameters
    ----------
    experiment
        Its name.
    overrides
        ``key=value``; for an axis of named variants ``sweep.NAME=[VARIANT]``. They must leave one point.

    Raises
    ------
    UsageError
        Several points are left.
    """
    plan = load_sweep(experiment, overrides)
    if len(plan) != 1:
        raise UsageError(f"{experiment} with {', '.join(overrides)} has {len(plan)} points; settle all axes")
    return plan.experiment(0).run(kernels=kernels)


def times_ms(result: Result, app: str | None = None, *, warm_up: int = 0) -> list[float]:
    """Service times in ms of an application's finished inferences (default the first's) but the first `warm_up`."""
    name = next(iter(result.outcome.apps)) if app is None else app
    own = [r for r in result.outcome.inferences if r.app == name and r.status == "finished"]
    return [1e3 * (r.finish_s - r.start_s) for r in own][warm_up:]


def busy_processes(count: int) -> list[Any]:
    """The competing processes of the experiments, as applications; none for 0."""
    import socsim

    if not count:
        return []
    return [socsim.Competitor(count=count, threads=4, duty=0.9, period="50 ms", traffic="6 GB/s")]


def by_seed(found: Mapping[str, Any], *parts: str, seeds: int) -> list[Any]:
    """Results whose keys are `parts` and the seed, apart by blanks."""
    return [found[" ".join([*parts, str(seed)])] for seed in range(seeds)]


def ratios(own: Iterable[float], base: Iterable[float]) -> list[float]:
    """What one is of the other, seed by seed."""
    return [a / b for a, b in zip(own, base, strict=True)]


def differences(own: Iterable[float], base: Iterable[float]) -> list[float]:
    """How much one is above the other, seed by seed."""
    return [a - b for a, b in zip(own, base, strict=True)]


def half_width(values: Sequence[float]) -> float:
    """Half of the 95 % confidence interval of a mean; 0 for a single value."""
    from socsim.results.means import mean

    return mean(values).half_width or 0.0


def means(name: str, columns: Iterable[Sequence[float]], scale: float = 1.0) -> Series:
    """Bars of means over the seeds, times `scale` (default 1), with their confidence intervals."""
    columns = list(columns)
    return Series(
        name,
        [scale * fmean(own) for own in columns],
        errors=[scale * half_width(own) for own in columns],
    )


def spread(values: Sequence[float], form: str = ".2f") -> str:
    """Mean, and least and most where they differ: ``8.47 (6.1 to 11)``."""
    middle, low, high = (format(x, form) for x in (fmean(values), min(values), max(values)))
    return middle if low == high else f"{middle} ({low} to {high})"


def quoted(names: Iterable[str]) -> str:
    """Names in a sentence: ``a, b and c``."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def handovers_ms(result: Result) -> float:
    """Time of all layout changes, mappings and synchronisations in ms, of a run with its kernels recorded."""
    steps = [r for r in result.outcome.kernels if r.kind in ("map", "sync", "transform")]
    return 1e3 * sum(r.end_s - r.start_s for r in steps)


def calibrated(devices: Iterable[str]) -> tuple[str, ...]:
    """Those devices that socsim has a profile of."""
    known = device_names()
    return tuple(name for name in devices if name in known)
