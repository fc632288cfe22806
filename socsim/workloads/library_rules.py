"""What an inference library is: which operators it runs where, with which kernels, on which threads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from socsim.errors import UnknownNameError
from socsim.workloads import conditions
from socsim.workloads.graph import ModelGraph, Operator

__all__ = ["Backend", "Cells", "Library", "Rule"]

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
    transposed
        Whether tensors of four dimensions have another order than on the CPU, which transposes those that go over
        between whole operators. The network's inputs and outputs are taken in either order, and what CPU and GPU
        compute together is handed over as its kernels want it.
    """

    dtypes: tuple[str, ...]
    on_unsupported: str
    tables: Mapping[str, Cells]
    transposed: bool = False


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
    copies
        Whether it copies tensors from processor to processor, each with a layout of its own, in place of mapping memory
        that both can see.
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
    copies: bool = False

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

    def transposed(self, processor: str) -> bool:
        """Whether tensors have another order of dimensions on a processor than on the CPU."""
        return processor in self.backends and self.backends[processor].transposed

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
