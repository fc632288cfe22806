"""Inference libraries: which operators they run where, with which kernels, on which threads.

A library is a YAML file; what it says is checked into frozen objects, so that a new library needs no code.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from socsim import units, yamlfile
from socsim.errors import SocsimError, UnknownNameError, nearest
from socsim.workloads import conditions
from socsim.workloads.graph import ModelGraph, Operator
from socsim.workloads.operators import OPERATOR_TYPES

__all__ = ["Backend", "Library", "Rule", "library_names", "load_library"]

Cells = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Rule:
    """What holds for operators of some types under some conditions.

    Parameters
    ----------
    types
        Operator types; empty for all.
    processors, layouts
        Where it holds; empty for everywhere.
    when
        Conditions of :mod:`socsim.workloads.conditions`, all of which must hold.
    result
        The kernel class, or the dimensions of a split.
    """

    types: frozenset[str]
    processors: frozenset[str]
    layouts: frozenset[str]
    when: conditions.Conditions
    result: tuple[str, ...]

    def holds(self, op: Operator, graph: ModelGraph, processor: str, layout: str) -> bool:
        """Whether the rule applies."""
        return (
            (not self.types or op.type in self.types)
            and (not self.processors or processor in self.processors)
            and (not self.layouts or layout in self.layouts)
            and conditions.failure(op, graph, self.when) is None
        )


@dataclass(frozen=True)
class Backend:
    """A library's kernels for one processor.

    Parameters
    ----------
    dtypes
        Data types, the preferred one first.
    on_unsupported
        What happens to operators without a kernel: ``"cpu"`` (they run there) or ``"fail"`` (the network
        is refused).
    tables
        Layout (``""`` on the CPU), the preferred one first -> operator type -> conditions.
    """

    dtypes: tuple[str, ...]
    on_unsupported: str
    tables: Mapping[str, Cells]


@dataclass(frozen=True, eq=False)
class Library:
    """An inference library; two are equal if they are the same object, as :func:`load_library` gives them.

    Parameters
    ----------
    name, title
        ``"mace"``, ``"MACE"``.
    cores
        Default CPU mask (as :meth:`socsim.devices.device.Device.parse_cores` reads it).
    threads
        CPU threads of one inference; None for one on each core of the mask.
    chunking
        ``"static"``: equal parts for all threads; ``"capacity"``: parts that follow the speed of the cores.
    host
        ``"shared"``: the main thread dispatches accelerator kernels and runs its share of CPU operators;
        ``"own"``: each accelerator queue has a host thread.
    backends
        By processor.
    classes, splits
        Ordered rules for kernel classes (the first that holds) and split dimensions (all that hold).
    spin
        Time in s that a worker thread waits busily for the others before it sleeps.
    tiles
        Tiles of an operator per worker; with more than one, workers that are done take over others' tiles.
    fuses
        Whether it fuses networks when it converts them (:func:`socsim.workloads.transforms.fuse`), as mobile libraries
        do; False for frameworks that run operator by operator.
    """

    name: str
    title: str
    cores: str
    threads: int | None
    chunking: str
    host: str
    backends: Mapping[str, Backend]
    classes: tuple[Rule, ...]
    splits: tuple[Rule, ...]
    spin: float = 0.0
    tiles: int = 1
    fuses: bool = True

    @property
    def processors(self) -> tuple[str, ...]:
        """Processors that the library has kernels for."""
        return tuple(self.backends)

    def layouts(self, processor: str) -> tuple[str, ...]:
        """Memory types on a processor, the preferred one first: ``("",)`` on the CPU, () without kernels."""
        return tuple(self.backends[processor].tables) if processor in self.backends else ()

    def dtypes(self, processor: str) -> tuple[str, ...]:
        """Data types on a processor, the preferred one first; () without kernels there."""
        return self.backends[processor].dtypes if processor in self.backends else ()

    def on_unsupported(self, processor: str) -> str:
        """What happens to operators without a kernel on a processor: ``"cpu"`` or ``"fail"``.

        Raises
        ------
        UnknownNameError
            The library has no kernels for the processor.
        """
        if processor not in self.backends:
            raise UnknownNameError(f"processor of library {self.name!r}", processor, self.backends)
        return self.backends[processor].on_unsupported

    def supports(
        self, op: Operator, graph: ModelGraph, processor: str, layout: str = "", dtype: str = "fp32"
    ) -> bool:
        """Whether a processor can run an operator; arguments as of :meth:`reason`."""
        return self.reason(op, graph, processor, layout, dtype) is None

    def reason(
        self, op: Operator, graph: ModelGraph, processor: str, layout: str = "", dtype: str = "fp32"
    ) -> str | None:
        """Why a processor cannot run an operator, in one phrase; None if it can.

        Parameters
        ----------
        layout
            Memory type; ``""`` for the preferred one.
        dtype
            Data type of the kernel.
        """
        backend = self.backends.get(processor)
        if backend is None:
            return f"{self.title} has no kernels for the {processor}"
        if dtype not in backend.dtypes:
            return f"{self.title} has no {dtype} kernels on the {processor}"
        layout = layout or next(iter(backend.tables))
        table = backend.tables.get(layout)
        if table is None:
            return f"{self.title} has no {layout} kernels on the {processor}"
        if op.type not in table:
            return f"no {op.type} kernel on the {' '.join(filter(None, (processor, layout)))}"
        failed = conditions.failure(op, graph, table[op.type])
        return f"{op.type} {failed}" if failed else None

    def kernel_class(self, op: Operator, graph: ModelGraph, processor: str, layout: str = "") -> str:
        """The class of the kernel that runs an operator: of the first rule that holds, else ``"other"``."""
        layout = layout or next(iter(self.layouts(processor)), "")
        for rule in self.classes:
            if rule.holds(op, graph, processor, layout):
                return rule.result[0]
        return "other"

    def split_dimensions(self, op: Operator, graph: ModelGraph, layout: str) -> tuple[str, ...]:
        """How CPU and GPU can divide an operator: ``"H"`` (rows), ``"OC"`` (output channels), both, or not.

        Parameters
        ----------
        layout
            Memory type of the GPU's share.
        """
        found = [d for rule in self.splits if rule.holds(op, graph, "gpu", layout) for d in rule.result]
        return tuple(d for d in ("H", "OC") if d in found)


def library_names() -> list[str]:
    """Names of the libraries that come with socsim."""
    return sorted(p.name.removesuffix(".yaml") for p in _folder().iterdir() if p.name.endswith(".yaml"))


def load_library(name: str | os.PathLike[str]) -> Library:
    """Load a library by name, or from a file's path.

    Raises
    ------
    UnknownNameError
        Neither a name nor a file.
    FileError
        The file breaks its rules; all faults are told at once, with their places.
    """
    path = Path(name)
    if isinstance(name, str) and name in library_names():
        path = _folder() / f"{name}.yaml"
    elif not path.is_file():
        raise UnknownNameError("library", str(name), library_names(), "(or give the path of a .yaml file)")
    return _load(path, path.stat().st_mtime_ns)


def _folder() -> Path:
    return Path(str(resources.files(__package__))) / "libraries"


@lru_cache(maxsize=64)
def _load(path: Path, changed: int) -> Library:
    return yamlfile.validate(yamlfile.read(path), LibrarySpec).build()


# --- what a file may say --------------------------------------------------------------------------------


def _checked(value: dict[str, Any]) -> dict[str, Any]:
    try:
        conditions.check(value)
    except SocsimError as error:
        raise ValueError(str(error)) from None
    return value


def _known_type(name: str) -> str:
    if name not in OPERATOR_TYPES:
        guess = nearest(name, OPERATOR_TYPES)
        raise ValueError(f"unknown operator type {name!r}{f'; did you mean {guess!r}?' if guess else ''}")
    return name


def _all_types(value: Any) -> Any:
    return {name: {} for name in OPERATOR_TYPES} if value == "all" else value


When = Annotated[dict[str, Any], AfterValidator(_checked)]
OperatorType = Annotated[str, AfterValidator(_known_type)]
Processor = Literal["cpu", "gpu", "dsp", "npu"]
Layout = Literal["image", "buffer"]
Grade = Literal["A", "B", "C", "D", "F"]


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _RuleSpec(_Block):
    types: list[OperatorType] = []
    processors: list[Processor] = []
    layouts: list[Layout] = []
    when: When = {}

    def rule(self, *result: str) -> Rule:
        where = frozenset(self.types), frozenset(self.processors), frozenset(self.layouts)
        return Rule(*where, self.when, result)


class ClassSpec(_RuleSpec):
    """A rule for the kernel class."""

    name: Annotated[str, Field(alias="class", min_length=1)]


class SplitSpec(_RuleSpec):
    """A rule for the dimensions along which CPU and GPU can divide an operator."""

    dimensions: Annotated[list[Literal["H", "OC"]], Field(min_length=1)]


class TableSpec(_Block):
    """Operators with kernels: listed, with conditions where they have any; or all."""

    grade: Grade
    source: str
    operators: Annotated[dict[OperatorType, When], BeforeValidator(_all_types)]


class BackendSpec(_Block):
    """One processor: a table, or one for each layout."""

    dtypes: Annotated[list[Literal["fp32", "fp16", "int8"]], Field(min_length=1)]
    on_unsupported: Literal["cpu", "fail"] = "fail"
    table: TableSpec | None = None
    layouts: dict[Layout, TableSpec] = {}

    @model_validator(mode="after")
    def _one(self) -> BackendSpec:
        if (self.table is None) == (not self.layouts):
            raise ValueError("give either 'table' or 'layouts'")
        return self

    def backend(self) -> Backend:
        tables = {"": self.table} if self.table else self.layouts
        cells: dict[str, Cells] = {str(layout): table.operators for layout, table in tables.items()}
        return Backend(tuple(self.dtypes), self.on_unsupported, cells)


class WorkersSpec(_Block):
    """How worker threads wait for each other and divide an operator."""

    spin: Annotated[float, BeforeValidator(lambda text: units.parse(text, "time")), Field(ge=0)] = 0.0
    tiles: Annotated[int, Field(ge=1, strict=True)] = 1
    grade: Grade
    source: str


class LibrarySpec(_Block):
    """A library's file."""

    name: str
    title: str
    cores: str
    threads: Annotated[int, Field(ge=1)] | None = None
    chunking: Literal["static", "capacity"]
    host: Literal["shared", "own"]
    fuses: Annotated[bool, Field(strict=True)] = True
    workers: WorkersSpec | None = None
    processors: dict[Processor, BackendSpec]
    kernel_classes: list[ClassSpec]
    splits: list[SplitSpec] = []

    @model_validator(mode="after")
    def _cpu(self) -> LibrarySpec:
        for name, spec in self.processors.items():
            if (name == "cpu") != (spec.table is not None):
                message = "the CPU has a 'table', every other processor has 'layouts'"
                raise yamlfile.RelativeFaults([(("processors", name), message)])
        return self

    def build(self) -> Library:
        backends = {str(name): spec.backend() for name, spec in self.processors.items()}
        classes = tuple(spec.rule(spec.name) for spec in self.kernel_classes)
        splits = tuple(spec.rule(*spec.dimensions) for spec in self.splits)
        return Library(
            self.name, self.title, self.cores, self.threads, self.chunking, self.host,
            backends, classes, splits, *((self.workers.spin, self.workers.tiles) if self.workers else (0.0, 1)),
            self.fuses,
        )  # fmt: skip
