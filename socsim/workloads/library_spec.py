"""What the file of an inference library may say."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from socsim import units, yamlfile
from socsim.errors import SocsimError, nearest
from socsim.workloads import conditions
from socsim.workloads.library_rules import Backend, Cells, Library, Rule
from socsim.workloads.operators import OPERATOR_TYPES

__all__ = ["LibrarySpec"]


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


class TransposedSpec(_Block):
    """That tensors have another order of dimensions than on the CPU."""

    grade: Grade
    source: str


class BackendSpec(_Block):
    """One processor: a table, or one for each layout."""

    dtypes: Annotated[list[Literal["fp32", "fp16", "int8"]], Field(min_length=1)]
    on_unsupported: Literal["cpu", "fail"] = "fail"
    transposed: TransposedSpec | None = None
    table: TableSpec | None = None
    layouts: dict[Layout, TableSpec] = {}

    @model_validator(mode="after")
    def _one(self) -> BackendSpec:
        if (self.table is None) == (not self.layouts):
            raise ValueError("give either 'table' or 'layouts'")
        return self

    def backend(self) -> Backend:
        """What the library runs there."""
        tables = {"": self.table} if self.table else self.layouts
        cells: dict[str, Cells] = {str(layout): table.operators for layout, table in tables.items()}
        return Backend(tuple(self.dtypes), self.on_unsupported, cells, self.transposed is not None)


class WorkersSpec(_Block):
    """How worker threads wait for each other and divide an operator."""

    spin: Annotated[float, BeforeValidator(lambda text: units.parse(text, "time")), Field(ge=0)] = 0.0
    tiles: Annotated[int, Field(ge=1, strict=True)] = 1
    grade: Grade
    source: str


class HandOverSpec(_Block):
    """How a tensor gets from one processor to another."""

    kind: Literal["map", "copy"]
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
    hand_over: HandOverSpec | None = None
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
        """The library."""
        backends = {str(name): spec.backend() for name, spec in self.processors.items()}
        classes = tuple(spec.rule(spec.name) for spec in self.kernel_classes)
        splits = tuple(spec.rule(*spec.dimensions) for spec in self.splits)
        return Library(
            self.name, self.title, self.cores, self.threads, self.chunking, self.host,
            backends, classes, splits, *((self.workers.spin, self.workers.tiles) if self.workers else (0.0, 1)),
            self.fuses, self.hand_over is not None and self.hand_over.kind == "copy",
        )  # fmt: skip
