"""Sweeps: an experiment and a grid, and the experiment of each point."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, fields
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from socsim import yamlfile
from socsim.errors import Fault, FileError, UnknownNameError, UsageError
from socsim.experiments import Experiment, complaint, make_experiment, overridden, read_experiment
from socsim.overrides import locate, parse_override, put
from socsim.results.inputs import located
from socsim.sweeps.axes import Axis, Setting
from socsim.sweeps.block import EXCLUDE, RESERVED, make_axes, read_exclusions, written_block
from socsim.sweeps.columns import column_names
from socsim.sweeps.exclusion import Exclusion
from socsim.sweeps.grid import Grid, Point
from socsim.sweeps.pins import pin
from socsim.sweeps.shorthand import full_key

__all__ = ["Sweep", "load_sweep"]

_PREFIX = "sweep."
_MOST_POINTS = 10_000_000
"""What a slip of the finger may cost: each point is checked before any is run."""


@dataclass(frozen=True)
class Sweep:
    """An experiment and what is swept; made by :func:`load_sweep`.

    Parameters
    ----------
    document
        The file that it comes from.
    base
        The experiment's content after overrides, without the sweep.
    axes
        What is swept, the last one turning fastest.
    given
        Axes that are not the file's own.
    exclude
        What is left out, as an experiment file has it; None for nothing.
    """

    document: yamlfile.Document
    base: Mapping[str, Any]
    axes: tuple[Axis, ...]
    given: frozenset[str] = frozenset()
    exclude: Any = None

    def __len__(self) -> int:
        return len(self.grid)

    def __getstate__(self) -> dict[str, Any]:
        """For other processes: what it is made from."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def grid(self) -> Grid:
        """Its points."""
        return Grid(self.axes, self._exclusions)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that say what a point is."""
        return tuple(column_names([column for axis in self.axes for column in axis.columns]))

    @property
    def seeds(self) -> list[Any]:
        """Seeds of its runs, each once."""
        for axis in self.axes:
            if "seed" in axis.keys:
                found = (s.value for i in range(len(axis)) for s in axis.settings(i) if s.key == "seed")
                return list(dict.fromkeys(found))
        return [self.base.get("seed", 0)]

    @cached_property
    def _exclusions(self) -> tuple[Exclusion, ...]:
        try:
            return read_exclusions(self.exclude, self.axes, self.columns)
        except yamlfile.RelativeFaults as error:
            faults = [
                self.fault(("sweep", EXCLUDE, *loc), message, key=True) for loc, message in error.faults
            ]
            raise FileError(self.document.path, faults) from None

    @property
    def name(self) -> str:
        """The file's name without its suffix."""
        return Path(self.document.path).stem

    @property
    def config(self) -> dict[str, Any]:
        """What an experiment file says that is the same sweep."""
        swept = written_block(self.axes, self.exclude)
        return {**self.base, **({"sweep": swept} if swept else {})}

    def experiment(self, number: int) -> Experiment:
        """The experiment of a point.

        Parameters
        ----------
        number
            Of the point, from 0.

        Raises
        ------
        FileError
            Values that an experiment cannot have, told with their places in the sweep.
        """
        point, config = self.grid[number], deepcopy(dict(self.base))
        for setting in point.settings:
            try:
                put(config, setting.key, deepcopy(setting.value))
            except UsageError as error:
                raise FileError(
                    self.document.path, [self.fault(("sweep", *setting.place), str(error), key=True)]
                ) from None
        config = located(config, Path(self.document.path).parent)
        try:
            return make_experiment(self.document, config)
        except ValidationError as error:
            loc, first = yamlfile.first_fault(config, error)
            unknown = first["type"] == "extra_forbidden"
            place, key = self.origin(point, loc, key=unknown)
            message = complaint(key, first).removeprefix(f"{key}: " if key in place else "")
            raise FileError(self.document.path, [self.fault(place, message, key=unknown)]) from None

    def origin(self, point: Point, loc: yamlfile.Loc, *, key: bool = False) -> tuple[yamlfile.Loc, str]:
        """Where the file says what a point's content has at a place, and its key as it is written there.

        Parameters
        ----------
        point
            Of the grid.
        loc
            Place in the content that it makes.
        key
            Ask for the place of the key instead of the value.
        """
        for setting, own in reversed(self._places(point)):
            if loc[: len(own)] == own:
                end = setting.place.index(setting.key) + 1 if key and loc == own else None
                return ("sweep", *setting.place[:end]), ".".join([setting.key, *map(str, loc[len(own) :])])
        return loc, yamlfile.dotted(loc)

    def _places(self, point: Point) -> list[tuple[Setting, yamlfile.Loc]]:
        """What a point sets, and where: names of applications lead there as long as no setting has replaced them."""
        config = deepcopy(dict(self.base))
        return [(setting, put(config, setting.key, deepcopy(setting.value))) for setting in point.settings]

    def fault(self, place: yamlfile.Loc, message: str, *, key: bool = False) -> Fault:
        """A fault at a place of the file's content; ``key=True`` at the key instead of the value."""
        if place[:1] == ("sweep",) and (len(place) == 1 or place[1] in self.given):
            return Fault(0, 0, yamlfile.dotted(place), message)
        return self.document.fault(place, message, key=key)


def load_sweep(
    path: str | Path | Experiment, overrides: Iterable[str] = (), over: Mapping[str, Any] | None = None
) -> Sweep:
    """Read an experiment with its sweep; one without a sweep has a single point.

    Parameters
    ----------
    path
        A file, the name of an experiment that comes with socsim, or an experiment.
    overrides
        ``key=value``: of a swept key, which is then no longer swept; of an axis of variants, the name of one of them;
        ``sweep.key=0..9`` sweeps over another range (or ``sweep.key=[a, b]``, which of an axis of variants are names);
        of other keys, as for :func:`~socsim.experiments.load_experiment`.
    over
        More axes, or others instead of those of the file, in the form of a sweep block; or a list of names of a file's
        variants.

    Raises
    ------
    FileError
        Faults of the file; paths of its sweep that lead nowhere; values that a sweep cannot have.
    UnknownNameError
        No such experiment or variant.
    UsageError
        An override that an axis would undo.
    """
    if over is not None and not isinstance(over, Mapping):
        raise UsageError(f"what to sweep over is a mapping such as {{'seed': '0..9'}}, got {over!r}")
    document = _as_document(path) if isinstance(path, Experiment) else read_experiment(path)
    own = _own_block(document)
    parsed = [parse_override(text) for text in overrides]
    given = {
        _full(document, own, key, value): value for key, value in {**(over or {}), **_swept(parsed)}.items()
    }
    block = _block(own, given)
    axes = _axes(document, block, given)
    plain = [(key, value) for key, value in parsed if not f"{key}.".startswith(_PREFIX)]
    plain = [(_full(document, block, key, value), value) for key, value in plain]
    left, changes = pin(document.data, axes, plain)
    exclude = block.get(EXCLUDE) or None
    sweep = Sweep(document, overridden(document, changes), left, frozenset(given), exclude)
    _check_keys(sweep)
    if not len(sweep):
        raise FileError(document.path, [sweep.fault(("sweep", EXCLUDE), "leaves no point of the sweep")])
    return sweep


def _full(document: yamlfile.Document, block: Mapping[str, Any], key: str, value: Any) -> str:
    """A key that may be short; names of the sweep itself stay as they are."""
    variants = isinstance(value, Mapping) and "." not in key
    if key in block or key in RESERVED or variants:
        return key
    full = full_key(document.data, key)
    place = _place(document, full)
    same = (name for name in block if place is not None and _place(document, name) == place)
    return next(same, full)


def _place(document: yamlfile.Document, key: str) -> yamlfile.Loc | None:
    try:
        return locate(document.data, key)
    except UsageError:
        return None


def _swept(overrides: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """What overrides sweep over: ``sweep.key=...`` or ``sweep={key: ...}``."""
    swept: dict[str, Any] = {}
    for key, value in overrides:
        if key == "sweep" and not isinstance(value, Mapping):
            raise UsageError(f"sweep is a mapping such as {{seed: 0..9}}, got {value!r}")
        if f"{key}.".startswith(_PREFIX):
            swept.update(value if key == "sweep" else {key.removeprefix(_PREFIX): value})
    return swept


def _own_block(document: yamlfile.Document) -> dict[str, Any]:
    """The sweep block of a file, with absolute paths."""
    block: dict[str, Any] = located({"sweep": document.data.get("sweep") or {}}, Path(document.path).parent)[
        "sweep"
    ]
    return block


def _block(own: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The block of a file with what is given instead of or beside it."""
    more = located({"sweep": given}, Path.cwd())["sweep"]
    return {**own, **{name: _chosen(name, own.get(name), written) for name, written in more.items()}}


def _axes(
    document: yamlfile.Document, block: Mapping[str, Any], given: Mapping[str, Any]
) -> tuple[Axis, ...]:
    try:
        axes = make_axes(block)
        points = prod(len(axis) for axis in axes)
        if points > _MOST_POINTS:
            raise yamlfile.RelativeFaults([((), f"has {points} points; at most {_MOST_POINTS} are run")])
    except yamlfile.RelativeFaults as error:
        sweep = Sweep(document, {}, (), frozenset(given))
        faults = [sweep.fault(("sweep", *loc), message) for loc, message in error.faults]
        raise FileError(document.path, faults) from None
    return axes


def _chosen(name: str, own: Any, given: Any) -> Any:
    """What is swept instead of what a file has: a list of names chooses among its variants."""
    names = isinstance(given, Sequence) and not isinstance(given, str)
    if name in RESERVED or not (isinstance(own, Mapping) and names):
        return given
    for variant in given:
        if variant not in own:
            raise UnknownNameError(f"variant of {name!r}:", str(variant), own)
    return {variant: own[variant] for variant in given}


def _check_keys(sweep: Sweep) -> None:
    """Every key leads somewhere, and no axis undoes what one before it has set."""
    config, faults, before = deepcopy(dict(sweep.base)), list[Fault](), dict[yamlfile.Loc, str]()
    for axis in sweep.axes:
        own: list[yamlfile.Loc] = []
        for key, place in axis.keys.items():
            try:
                own.append(loc := locate(config, key))
            except UsageError as error:
                faults.append(sweep.fault(("sweep", *place), str(error), key=True))
                continue
            undone = [name for other, name in before.items() if other[: len(loc)] == loc]
            if undone:
                message = f"sets again what the axis {undone[0]!r} has set"
                faults.append(sweep.fault(("sweep", *place), message, key=True))
        before |= dict.fromkeys(own, axis.name)
        for setting in axis.settings(0) if len(own) == len(axis.keys) else ():
            put(config, setting.key, deepcopy(setting.value))
    if faults:
        raise FileError(sweep.document.path, faults)


def _as_document(experiment: Experiment) -> yamlfile.Document:
    """An experiment as if read from a file of its name."""
    nowhere = yamlfile.Place(experiment.name, 0, 0)

    def node(value: Any) -> yamlfile.Node:
        if isinstance(value, Mapping):
            value = {key: node(item) for key, item in value.items()}
        elif isinstance(value, list | tuple):
            value = [node(item) for item in value]
        return yamlfile.Node(value, nowhere)

    return yamlfile.Document(experiment.name, node(experiment.config))
