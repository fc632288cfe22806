"""What one kernel costs: an operator, or a share of one, on one processor under one inference library.

The law is a roofline in time (DESIGN: progress is the slower of computing and moving bytes) plus a fixed overhead.
All times are alone, at the highest clocks; the simulation scales them by clocks and shares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from socsim.devices.device import Accelerator, Calibration, Cluster, KernelRate
from socsim.workloads.graph import DTYPE_BYTES, ModelGraph, Operator
from socsim.workloads.operators import MAC_TYPES

__all__ = [
    "WHOLE",
    "KernelCost",
    "Part",
    "Shape",
    "accelerator_cost",
    "core_speeds",
    "cpu_cost",
    "kernel_work",
    "part_bytes",
    "part_shape",
    "part_work",
    "saturation",
    "winograd_share",
]


@dataclass(frozen=True, slots=True)
class Part:
    """The part of an operator that one processor does.

    Parameters
    ----------
    share
        Share of the output, 0 < share <= 1.
    dimension
        ``"OC"`` (output channels: all of the input, a share of the weights) or ``"H"`` (output rows: a share of the
        input with its halo, all of the weights); meaningless for a whole operator.
    halo_rows, halo_columns
        Output rows and columns computed beside the share's own, for a later operator of a chain that needs them.
    """

    share: float = 1.0
    dimension: str = "OC"
    halo_rows: int = 0
    halo_columns: int = 0


WHOLE = Part()
"""All of an operator."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What of a kernel's shape its rate may depend on.

    Parameters
    ----------
    depth
        Operations per output value.
    channels
        Output channels of one group; of all groups for depthwise convolutions, which work on many at once.
    pixels
        Output positions, over the batch.
    outputs
        Output values.
    """

    depth: float
    channels: float
    pixels: float
    outputs: float


@dataclass(frozen=True, slots=True)
class KernelCost:
    """Cost of one kernel alone at the highest clocks.

    Parameters
    ----------
    compute
        Time in s if memory were infinitely fast.
    bytes
        DRAM traffic in B.
    bandwidth
        DRAM bandwidth in B/s that the kernel can use at most.
    overhead
        Fixed time in s before the work starts.
    dispatch
        CPU time in s of the host thread, on the fastest core at its highest clock.
    kernel_class
        Which class's rate it runs at.
    """

    compute: float
    bytes: float
    bandwidth: float
    overhead: float
    dispatch: float
    kernel_class: str

    @property
    def time(self) -> float:
        """Time in s of the kernel alone, without its dispatch."""
        return self.overhead + max(self.compute, self.bytes / self.bandwidth)


def part_rows(graph: ModelGraph, op: Operator, part: Part) -> float:
    """Output rows of a part: its share, rounded up to whole rows, and its halo."""
    shape = graph.output_shape(op)
    height = shape[2] if len(shape) == 4 else 1
    return min(height, ceil(part.share * height - 1e-9) + part.halo_rows)


def output_share(graph: ModelGraph, op: Operator, part: Part) -> float:
    """Share of the output that a part computes: whole channels or whole rows, halo included; it may be above 1."""
    shape = graph.output_shape(op)
    if part.share >= 1.0 or len(shape) < 2:
        return part.share
    if part.dimension == "H":
        height = shape[2] if len(shape) == 4 else 1
        return part_rows(graph, op, part) / height * _widening(shape, part.halo_columns)
    channels = shape[1] if len(shape) == 4 else shape[-1]
    return min(1.0, ceil(part.share * channels - 1e-9) / channels)


def part_work(graph: ModelGraph, op: Operator, part: Part = WHOLE) -> float:
    """Operations of a part: MACs where the type has them, elementary operations elsewhere (at least one an output)."""
    whole = op.macs if op.type in MAC_TYPES else max(op.ops, graph.output_elements(op))
    return whole * output_share(graph, op, part)


def part_groups(graph: ModelGraph, op: Operator, part: Part = WHOLE) -> float:
    """Channel groups that a part of a convolution computes; rows of a part are rows of all groups, 0 of other types."""
    if op.type not in ("depthwise_conv2d", "grouped_conv2d"):
        return 0.0
    channels = graph.output_shape(op)[1]
    groups = float(channels if op.type == "depthwise_conv2d" else op.get("groups"))
    return groups if part.dimension == "H" else groups * output_share(graph, op, part)


def winograd_share(graph: ModelGraph, op: Operator, tile: int) -> float:
    """Products that a convolution does in tiles of so many outputs a side, as a share of all; 1 without tiles.

    Tiles are whole: 7 x 7 outputs in tiles of 4 cost as much as 8 x 8.
    """
    shape = graph.output_shape(op)
    if not tile or len(shape) != 4:
        return 1.0
    height, width = op.get("kernel", (1, 1))
    products = (tile + height - 1) * (tile + width - 1) * ceil(shape[2] / tile) * ceil(shape[3] / tile)
    return float(products / (height * width * shape[2] * shape[3]))


def kernel_work(graph: ModelGraph, op: Operator, rate: KernelRate, part: Part = WHOLE) -> float:
    """Operations of a part as a kernel class does them: those of its tiles, and what each channel group costs."""
    own = part_work(graph, op, part) * winograd_share(graph, op, rate.tile)
    return own + rate.group_work * part_groups(graph, op, part)


def part_bytes(
    graph: ModelGraph,
    op: Operator,
    dtype: str,
    part: Part = WHOLE,
    local_memory: float = 0.0,
    weights_share: float = 1.0,
) -> float:
    """DRAM traffic of a part in B: activations read and written and weights read, once each.

    Of a table that is looked up, only the rows found are read.

    Parameters
    ----------
    local_memory
        Size in B of a memory that the processor has to itself: so much of the activations causes no traffic.
    weights_share
        Weights that are read, as a share of those stored.
    """
    share = output_share(graph, op, part)
    reads, writes, weights = graph.input_elements(op), graph.output_elements(op), op.weights
    if op.type == "gather":
        weights = min(weights, writes)
    if part.share < 1.0 and part.dimension == "H":
        reads_share, own = input_share(graph, op, part), 1.0
    else:
        reads_share, own = 1.0, share
    size = DTYPE_BYTES[dtype]
    activations = size * (reads * reads_share + writes * share)
    return max(0.0, activations - local_memory) + size * weights * own * weights_share


def input_share(graph: ModelGraph, op: Operator, part: Part) -> float:
    """Share of the input that a part reads: all of it for channels, its rows with their halo for rows."""
    if part.share >= 1.0 or part.dimension != "H":
        return 1.0
    shape = graph.input_shapes(op)[0] if op.inputs else (1,)
    if len(shape) != 4:
        return output_share(graph, op, part)
    kernel, stride = int(op.get("kernel", (1, 1))[0]), int(op.get("stride", (1, 1))[0])
    rows = (part_rows(graph, op, part) - 1) * stride + kernel
    return min(1.0, rows / shape[2]) * _widening(shape, part.halo_columns * int(op.get("stride", (1, 1))[1]))


def _widening(shape: Sequence[int], columns: int) -> float:
    """How many times as wide a map is with some columns more."""
    return 1.0 + columns / shape[3] if columns else 1.0


def cpu_cost(
    graph: ModelGraph,
    op: Operator,
    kernel_class: str,
    calibration: Calibration,
    cores: Sequence[Cluster],
    *,
    bandwidth: float,
    part: Part = WHOLE,
    chunking: str = "static",
) -> KernelCost:
    """Cost on one thread per core of `cores`, which meet at a barrier.

    Parameters
    ----------
    cores
        The cluster of each thread's core; the first runs the serial share.
    bandwidth
        DRAM bandwidth in B/s of all cores together.
    chunking
        ``"static"``: equal parts, so the slowest core decides; ``"capacity"``: parts in proportion to core speed.
    """
    rate = calibration.rate(kernel_class)
    speeds = core_speeds(calibration, kernel_class, cores)
    threads = len(cores)
    work = kernel_work(graph, op, rate, part)
    share = calibration.serial_share if rate.serial_share is None else rate.serial_share
    serial, parallel = work * share, work * (1.0 - share)
    if threads == 1:
        serial, parallel = 0.0, work
    slowest = parallel / sum(speeds) if chunking == "capacity" else parallel / threads / min(speeds)
    compute = (slowest + serial / speeds[0]) / rate.efficiency * _saturation(graph, op, rate, part, threads)
    factor = calibration.factors(cores[0].name).overhead if calibration.clusters else 1.0
    reach = min(bandwidth, sum(c.bandwidth for c in cores)) * calibration.bandwidth_share
    return KernelCost(
        compute,
        part_bytes(graph, op, calibration.dtype, part, weights_share=rate.weights),
        reach,
        (calibration.kernel_overhead + calibration.fork_join * (threads - 1)) * factor,
        0.0,
        kernel_class,
    )


def accelerator_cost(
    graph: ModelGraph,
    op: Operator,
    kernel_class: str,
    calibration: Calibration,
    accelerator: Accelerator,
    *,
    part: Part = WHOLE,
) -> KernelCost:
    """Cost on a GPU, DSP or NPU."""
    rate = calibration.rate(kernel_class)
    work = kernel_work(graph, op, rate, part)
    return KernelCost(
        work
        / (accelerator.peak(calibration.dtype) * rate.efficiency)
        * _saturation(graph, op, rate, part, 1),
        part_bytes(graph, op, calibration.dtype, part, accelerator.local_memory, rate.weights),
        accelerator.bandwidth * calibration.bandwidth_share,
        calibration.kernel_overhead,
        calibration.dispatch if rate.dispatch is None else rate.dispatch,
        kernel_class,
    )


def core_speeds(calibration: Calibration, kernel_class: str, cores: Sequence[Cluster]) -> list[float]:
    """Operations per second of each thread's core at an efficiency of 1.

    They are its peak, with what its cluster differs, and what is lost off the first thread's cluster.
    """
    speeds = [c.peak(calibration.dtype) for c in cores]
    if calibration.clusters:
        speeds = [
            speed * calibration.factors(c.name).of(kernel_class)
            for speed, c in zip(speeds, cores, strict=True)
        ]
    if calibration.crossing:
        kept = 1.0 - calibration.crossing
        speeds = [
            speed if c.name == cores[0].name else speed * kept for speed, c in zip(speeds, cores, strict=True)
        ]
    return speeds


def saturation(rate: KernelRate, work: float, shape: Shape, threads: int = 1) -> float:
    """How many times slower a kernel is than at its class's full efficiency.

    Parameters
    ----------
    rate
        Of its class.
    work, shape
        Operations, and the shape of what they compute.
    threads
        Worker threads.
    """
    return (
        1.0
        + rate.half_work * threads / work
        + rate.half_depth / shape.depth
        + rate.half_channels / shape.channels
        + rate.half_pixels / shape.pixels
        + rate.half_outputs / shape.outputs
    )


def part_shape(graph: ModelGraph, op: Operator, part: Part = WHOLE) -> Shape:
    """Shape of a part: a share of its channels, or of its rows."""
    shape, share = graph.output_shape(op), output_share(graph, op, part)
    width = (shape[1] if len(shape) == 4 else shape[-1]) if len(shape) > 1 else 1
    outputs = graph.output_elements(op) * share
    pixels = graph.output_elements(op) / width
    channels = width / (1 if op.type == "depthwise_conv2d" else op.get("groups", 1))
    if part.dimension == "H":
        pixels *= share
    else:
        channels *= share
    return Shape(part_work(graph, op, part) / outputs, channels, pixels, outputs)


def _saturation(graph: ModelGraph, op: Operator, rate: KernelRate, part: Part, threads: int) -> float:
    work = part_work(graph, op, part) * winograd_share(graph, op, rate.tile)
    if not work:
        return 1.0
    if not rate.shaped:
        return 1.0 + rate.half_work * threads / work
    return saturation(rate, work, part_shape(graph, op, part), threads)
