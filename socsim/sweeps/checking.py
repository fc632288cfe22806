"""Checks of all points of a sweep before any is run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from socsim import yamlfile
from socsim.errors import Fault, FileError, SocsimError
from socsim.experiments import Experiment, named_things, phrase
from socsim.sweeps.plan import Sweep
from socsim.sweeps.tables import point_title
from socsim.words import counted

__all__ = ["check_sweep"]


def check_sweep(sweep: Sweep) -> str:
    """Make the experiment of every point, and load everything that any of them names; returns one phrase about it.

    Raises
    ------
    FileError
        Values that an experiment cannot have, and whatever is named that cannot be loaded, all in one pass.
    """
    points, loaded = dict[Fault, list[int]](), dict[str, SocsimError | None]()
    for number in _different(sweep):
        for fault in _faults(sweep, number, loaded):
            points.setdefault(fault, []).append(number)
    if points:
        raise FileError(sweep.document.path, [_told(sweep, *item) for item in points.items()])
    what = phrase(sweep.experiment(0))
    return f"{what}, {counted(len(sweep), 'run')}" if sweep.axes else what


def _different(sweep: Sweep) -> Iterator[int]:
    """Numbers of points that differ in more than a seed that is one: if one of them is sound, so are the others."""
    seeds = [i for i, name in enumerate(sweep.columns) if name == "seed"]
    seen: set[tuple[Any, ...]] = set()
    for point in sweep.grid:
        sound = all(_is_seed(point.labels[i]) for i in seeds)
        rest = tuple(label for i, label in enumerate(point.labels) if i not in seeds)
        if not (seeds and sound and rest in seen):
            yield point.number
        if sound:
            seen.add(rest)


def _is_seed(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _told(sweep: Sweep, fault: Fault, points: list[int]) -> Fault:
    """A fault outside the sweep says at which point it is one, unless it always is."""
    if fault.path.startswith("sweep.") or len(points) == len(sweep):
        return fault
    return replace(fault, message=f"{fault.message} (with {point_title(sweep, points[0])})")


def _faults(sweep: Sweep, number: int, loaded: dict[str, SocsimError | None]) -> Iterable[Fault]:
    try:
        experiment = sweep.experiment(number)
    except FileError as error:
        return error.faults
    return _missing(sweep, number, experiment, loaded)


def _missing(
    sweep: Sweep, number: int, experiment: Experiment, loaded: dict[str, SocsimError | None]
) -> Iterator[Fault]:
    """Faults of what a point names; what was loaded for another point is not loaded again."""
    for loc, load, value in named_things(experiment):
        what = f"{_name(load)} {value!r}"
        if what not in loaded:
            loaded[what] = _failure(load, value)
        error = loaded[what]
        if isinstance(error, FileError):
            yield from (yamlfile.in_file(fault, error.file) for fault in error.faults)
        elif error is not None:
            place, _ = sweep.origin(sweep.grid[number], loc)
            yield sweep.fault(place, str(error))


def _failure(load: Any, value: Any) -> SocsimError | None:
    try:
        load(value)
    except SocsimError as error:
        return error
    return None


def _name(load: Any) -> str:
    return f"{load.func.__name__}{load.args}" if isinstance(load, partial) else str(load.__name__)
