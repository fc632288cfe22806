"""A phone and a library small enough to compute by hand, for tests of schedulers.

Speeds in MAC/s: the CPU's two big cores together 2e9, the GPU 4e9 with images and 2e9 with buffers, the DSP
1e9. Sharing with the GPU: mapping 1 ns/B, layout change 2 ns/B, synchronisation 100 us, the way back 10 us.
Memory is so fast that traffic never matters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from socsim.devices.device import (
    Accelerator,
    Calibration,
    Cluster,
    Device,
    KernelRate,
    Memory,
    MemoryOpp,
    Opp,
    PowerModel,
    Sharing,
    SyncTime,
)
from socsim.schedulers.predictors import make_predictor
from socsim.schedulers.view import Load, View
from socsim.simulation.profiling import bench
from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph, Operator, Tensor
from socsim.workloads.pricing import Pricer

FAST = 1e18
"""A bandwidth at which no kernel waits for memory, B/s."""

SYNC, BACK, MAP, TRANSFORM = 1e-4, 1e-5, 1e-9, 2e-9

LAYOUTS = {"cpu": ("",), "gpu": ("image", "buffer"), "dsp": ("buffer",)}


class TinyLibrary:
    """A library that runs everything everywhere, but what it is told not to."""

    name, title, cores, threads, chunking, host = "tiny", "Tiny", "big", 2, "static", "own"
    spin, tiles, copies = 0.0, 1, False

    def __init__(
        self, missing: Mapping[str, Sequence[str]] | None = None, *, fails: Sequence[str] = (),
        splits: Mapping[str, tuple[str, ...]] | None = None, transposes: Sequence[str] = (),
    ) -> None:  # fmt: skip
        """`missing`: processor or processor/layout -> types or names; `splits`: layout -> dimensions."""
        self.missing, self.fails, self.transposes = missing or {}, fails, transposes
        self.splits = splits or {"image": ("H",), "buffer": ("H", "OC")}

    def reason(self, op, graph, processor, layout="", dtype="fp32"):
        for key in (processor, f"{processor}/{layout}"):
            if op.type in self.missing.get(key, ()) or op.name in self.missing.get(key, ()):
                return f"no {op.type} kernel on the {key}"
        return None

    def supports(self, op, graph, processor, layout="", dtype="fp32"):
        return self.reason(op, graph, processor, layout, dtype) is None

    def kernel_class(self, op, graph, processor, layout=""):
        return op.type

    def split_dimensions(self, op, graph, layout):
        return self.splits[layout or "image"] if op.type in ("conv2d", "max_pool") else ()

    def on_unsupported(self, processor):
        return "fail" if processor in self.fails else "cpu"

    def transposed(self, processor):
        return processor in self.transposes

    def layouts(self, processor):
        return LAYOUTS[processor]

    def dtypes(self, processor):
        return {"cpu": ("fp32", "int8"), "gpu": ("fp32", "fp16"), "dsp": ("fp32", "int8")}.get(processor, ())


def device(
    *, overhead: Mapping[str, float] | None = None, sync: float = SYNC, mapping: float = MAP,
    transform: float = TRANSFORM, rates: Mapping[tuple[str, str], float] | None = None, dsp: str = "fp32",
) -> Device:  # fmt: skip
    """The phone.

    `overhead`: processor -> fixed cost of an invocation in s; `rates`: (processor, kernel class) ->
    efficiency; `dsp`: data type of the DSP's kernels.
    """
    opp, power = (Opp(1e9, 1.0),), PowerModel(1e-9)
    big = Cluster("big", "big", 2, opp, {"fp32": 1.0, "int8": 2.0}, 1024.0, FAST, power)
    little = Cluster("little", "little", 2, opp, {"fp32": 0.5, "int8": 1.0}, 512.0, FAST, power)
    peaks = {"gpu": {"fp32": 4.0, "fp16": 8.0}, "dsp": {"fp32": 1.0, "int8": 1.0}}
    accelerators = {p: Accelerator(p, p, opp, peaks[p], FAST, power, LAYOUTS[p]) for p in ("gpu", "dsp")}
    sharing = {
        "gpu": Sharing(mapping, transform, SyncTime(sync), post_sync=BACK),
        "dsp": Sharing(mapping, 0.0, SyncTime(2 * sync), post_sync=BACK),
    }
    kinds = [("cpu", "fp32", "", 1.0), ("cpu", "int8", "", 1.0), ("gpu", "fp32", "image", 1.0)]
    kinds += [("gpu", "fp32", "buffer", 0.5), ("gpu", "fp16", "buffer", 0.5), ("dsp", dsp, "buffer", 1.0)]
    calibrations = {}
    for processor, dtype, layout, efficiency in kinds:
        own = {k: KernelRate(e * efficiency) for (p, k), e in (rates or {}).items() if p == processor}
        calibration = Calibration(
            "tiny", processor, dtype, layout, {"other": KernelRate(efficiency)} | own,
            inference_overhead=(overhead or {}).get(processor, 0.0),
        )  # fmt: skip
        calibrations[calibration.key] = calibration
    memory = Memory((MemoryOpp(1e9, FAST),), 1.0, 0.0)
    rails = {"battery": ("cpu.big", "cpu.little", "gpu", "dsp", "dram", "board")}
    return Device(
        "tiny", "Tiny", "tiny", (little, big), accelerators, memory, sharing, FAST, 0.0, rails, calibrations
    )


def pricer_of(
    graph: ModelGraph, library: TinyLibrary | None = None, *, dtype: str = "fp32", **options
) -> Pricer:
    """A network on the phone; options as of :func:`device`."""
    return Pricer(device(**options), library or TinyLibrary(), graph, dtype)


def view_of(
    graph: ModelGraph, library: TinyLibrary | None = None, *, predictor: str = "exact",
    load: Load | None = None,
    **options,
) -> View:  # fmt: skip
    """What a scheduler sees of it."""
    pricer = pricer_of(graph, library, **options)
    return View(pricer, make_predictor(predictor, pricer, bench), load)


def network(work: Mapping[str, tuple[float, str]], elements: int = 250, rank: int = 2) -> ModelGraph:
    """Tasks that pass tensors of `elements` on, with so many dimensions.

    `work`: name -> (MACs, names of the tasks read, apart by spaces); tasks that read none read the input.
    """
    operators, read = [], set()
    for name, (macs, before) in work.items():
        inputs = tuple(before.split()) or ("input",)
        read.update(inputs)
        operators.append(Operator(name, "task", inputs, (name,), macs=int(macs)))
    tensors = [Tensor(name, (1,) * (rank - 1) + (elements,)) for name in ("input", *work)]
    return ModelGraph("tasks", operators, tensors, ("input",), tuple(n for n in work if n not in read))


def convolutions(count: int = 3, *, size: int = 32, channels: int = 16, kernel: int = 3) -> ModelGraph:
    """``input -> conv1 -> conv2 -> ...``, all alike but for the first one's three input channels."""
    builder = GraphBuilder("convolutions")
    x = builder.image(size, size)
    for i in range(count):
        x = builder.conv(x, channels, kernel, name=f"conv{i + 1}")
    return builder.build(x)
