"""Kernel costs of one network under one library on one device, each worked out once."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from socsim.devices.device import Calibration, Device
from socsim.devices.sharing import sharing_of
from socsim.errors import PlanError, UnknownNameError, UsageError
from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import DTYPE_BYTES, ModelGraph, Operator
from socsim.workloads.kernels import WHOLE, KernelCost, Part, accelerator_cost, cpu_cost

if TYPE_CHECKING:
    from socsim.workloads.library import Library

__all__ = ["Pricer"]


class Pricer:
    """Prices operators, and answers what the library and the device's calibration allow.

    Parameters
    ----------
    device, library, graph
        What runs where with which kernels.
    dtype
        Data type wanted; ``""`` is the network's, if it has one, else each processor's own, which is also used where
        the wanted one is not calibrated.
    cores
        CPU mask; ``""`` takes the library's default.
    cpuset
        The device's cpuset that all threads are in; ``""`` for none. There are no more workers than cores in both.
    """

    def __init__(
        self, device: Device, library: Library, graph: ModelGraph, dtype: str = "", cores: str = "",
        cpuset: str = "",
    ) -> None:  # fmt: skip
        self.device, self.library, self.graph = device, library, graph
        self._wanted = dtype or graph.dtype
        self.dtype = self.dtype_on(self.processors[0])
        """Data type of the tensors that processors share."""
        self.cpuset = cpuset
        self.mask = device.allowed_cores(cores or library.cores, cpuset)
        """Cores that its threads may run on, fastest first."""
        self.cores = self.mask if cores else self.mask[: library.threads]
        """Cores that the worker threads start on."""
        self.sharing = sharing_of(device.sharing, copies=library.copies)
        """What the library pays to share tensors with each accelerator."""
        self._layouts: dict[tuple[str, str], tuple[str, ...]] = {}
        self._classes: dict[tuple[str, str, str], str] = {}
        self._costs: dict[tuple[object, ...], KernelCost] = {}
        self._supports: dict[tuple[str, str, str, str], str | None] = {}

    @cached_property
    def processors(self) -> tuple[str, ...]:
        """Processors that the library is calibrated for on this device, with whatever data type.

        Raises
        ------
        UsageError
            There is none.
        """
        found = tuple(self._dtypes)
        if not found:
            known = ", ".join(sorted({library for library, *_ in self.device.calibrations})) or "none"
            raise UsageError(
                f"{self.device.name} has no calibration for library {self.library.name!r}; it has those for {known}"
            )
        return found

    @cached_property
    def peers(self) -> tuple[str, ...]:
        """Processors that can share one inference: those that need no quantisation beyond the wanted data type."""
        return tuple(p for p in self.processors if self.dtype == "int8" or self.dtype_on(p) != "int8")

    @cached_property
    def _dtypes(self) -> dict[str, str]:
        """Data type that each processor computes in."""
        has = {k[1:3] for k in self.device.calibrations if k[0] == self.library.name}
        kept = {p: [d for d in self.library.dtypes(p) if (p, d) in has] for p in self.device.processors}
        return {p: self._wanted if self._wanted in found else found[0] for p, found in kept.items() if found}

    def dtype_on(self, processor: str) -> str:
        """Data type that a processor computes in: the wanted one, or the library's first that is calibrated.

        Raises
        ------
        UnknownNameError
            The library is not calibrated for the processor on this device.
        """
        found = self._dtypes.get(processor)
        if found is None:
            kind = f"processor of library {self.library.name!r} on {self.device.name!r}:"
            raise UnknownNameError(kind, processor, self.processors)
        return found

    def shared_width(self, processor: str) -> int:
        """Bytes of an element that the CPU and a processor share: the wider of both data types.

        An accelerator without kernels of the wanted type reads and writes its own.
        """
        return max(DTYPE_BYTES[self.dtype], DTYPE_BYTES[self.dtype_on(processor)])

    def layouts(self, processor: str, dtype: str = "") -> tuple[str, ...]:
        """Layouts to choose from on a processor; ``("",)`` on the CPU."""
        found = self._layouts.get((processor, dtype))
        if found is None:
            found = self.device.layouts(self.library.name, processor, dtype or self.dtype_on(processor))
            self._layouts[processor, dtype] = found
        return found

    def calibration(self, processor: str, layout: str = "", dtype: str = "") -> Calibration:
        """Parameter set of a processor; ``""`` takes the first layout and the run's data type."""
        dtype = dtype or self.dtype_on(processor)
        if processor != "cpu" and not layout:
            layout = self.layouts(processor, dtype)[0]
        return self.device.calibration(self.library.name, processor, dtype, layout)

    def obstacle(self, op: Operator, processor: str, layout: str = "", dtype: str = "") -> str | None:
        """Why an operator cannot run on a processor, or None if it can."""
        key = (op.name, processor, layout, dtype)
        if key not in self._supports:
            self._supports[key] = self._obstacle(op, processor, layout, dtype)
        return self._supports[key]

    def _obstacle(self, op: Operator, processor: str, layout: str, dtype: str) -> str | None:
        if processor not in self.processors:
            return f"{self.library.name} does not run on {processor!r} of {self.device.name}"
        calibration = self.calibration(processor, layout, dtype)
        return self.library.reason(op, self.graph, processor, calibration.layout, calibration.dtype)

    def cost(
        self,
        op: Operator,
        processor: str,
        layout: str = "",
        dtype: str = "",
        cores: str = "",
        part: Part = WHOLE,
    ) -> KernelCost:
        """Cost of a part of an operator on a processor, alone at the highest clocks.

        Raises
        ------
        PlanError
            The library cannot run the operator there.
        """
        key = (op.name, processor, layout, dtype, cores, part)
        if key not in self._costs:
            self._costs[key] = self._price(op, processor, layout, dtype, cores, part)
        return self._costs[key]

    def _price(
        self, op: Operator, processor: str, layout: str, dtype: str, cores: str, part: Part
    ) -> KernelCost:
        obstacle = self.obstacle(op, processor, layout, dtype)
        if obstacle:
            raise PlanError(f"operator {op.name!r} ({op.type}) cannot run on {processor!r}: {obstacle}")
        calibration = self.calibration(processor, layout, dtype)
        kernel_class = self._class(op, processor, calibration.layout)
        if processor != "cpu":
            accelerator = self.device.accelerators[processor]
            return accelerator_cost(self.graph, op, kernel_class, calibration, accelerator, part=part)
        return cpu_cost(
            self.graph,
            op,
            kernel_class,
            calibration,
            [self.device.cores[i] for i in self.team(cores)],
            bandwidth=self.device.cpu_bandwidth,
            part=part,
            chunking=self.library.chunking,
        )

    def _class(self, op: Operator, processor: str, layout: str) -> str:
        """Kernel class of an operator, which all its parts have."""
        key = (op.name, processor, layout)
        if key not in self._classes:
            self._classes[key] = self.library.kernel_class(op, self.graph, processor, layout)
        return self._classes[key]

    @cached_property
    def host_core(self) -> int:
        """Core of the thread that dispatches accelerator kernels.

        The first worker's core where the library's main thread does both, else the fastest core without a worker.
        """
        team = self.team()
        if self.library.host == "shared":
            return team[0]
        free = [i for i in self.device.allowed_cores("all", self.cpuset) if i not in team]
        return free[0] if free else team[-1]

    @cached_property
    def host_rate(self) -> float:
        """Speed of that core, as a share of the fastest one's."""
        cores = self.device.cores
        return cores[self.host_core].peak("fp32") / cores[self.device.fastest_core].peak("fp32")

    def transposition(self, elements: float) -> KernelCost:
        """Cost of changing the order of a tensor's dimensions, on the CPU."""
        key = ("transpose", elements)
        if key not in self._costs:
            builder = GraphBuilder("transposition")
            shape = (1, 1, 1, max(1, round(elements)))
            graph = builder.build(builder.transpose(builder.input(*shape), (0, 3, 1, 2)))
            (op,) = graph
            kernel_class = self.library.kernel_class(op, graph, "cpu")
            cores = [self.device.cores[i] for i in self.team()]
            self._costs[key] = cpu_cost(
                graph, op, kernel_class, self.calibration("cpu", dtype=self.dtype_on("cpu")), cores,
                bandwidth=self.device.cpu_bandwidth, chunking=self.library.chunking,
            )  # fmt: skip
        return self._costs[key]

    def team(self, cores: str = "") -> tuple[int, ...]:
        """Core numbers of the worker threads, fastest first."""
        return self.device.allowed_cores(cores, self.cpuset) if cores else self.cores
