"""What a network costs under a library on a device, and what they allow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from corekit import LIBRARY, net, pricer, toy

from socsim.devices.device import Calibration, Device, KernelRate
from socsim.errors import PlanError, UnknownNameError, UsageError
from socsim.workloads.graph import ModelGraph
from socsim.workloads.kernels import Part
from socsim.workloads.library import load_library
from socsim.workloads.pricing import Pricer

GRAPH = net("a:16 x; s:8:softmax a; m:16:matmul s")


def with_int8_dsp() -> Device:
    """The toy phone whose DSP has 8-bit kernels only."""
    device = toy()
    calibrations = {k: v for k, v in device.calibrations.items() if k[1] != "dsp"}
    eight_bit = Calibration("toy", "dsp", "int8", "buffer", {"other": KernelRate(1.0)})
    dsp = replace(device.accelerators["dsp"], macs_per_cycle={"int8": 16.0})
    return replace(
        device,
        calibrations={**calibrations, eight_bit.key: eight_bit},
        accelerators={**device.accelerators, "dsp": dsp},
    )


@pytest.fixture
def eight_bit_library(tmp_path: Path) -> str:
    text = Path(LIBRARY).read_text()
    cpu, dsp = text.split("  dsp:\n    dtypes: [fp32]")
    path = tmp_path / "toy.yaml"
    path.write_text(f"{cpu}  dsp:\n    dtypes: [int8]{dsp}")
    return str(path)


def test_processors_are_those_that_are_calibrated() -> None:
    assert pricer(GRAPH).processors == ("cpu", "gpu", "dsp")
    device = toy()
    without = {k: v for k, v in device.calibrations.items() if k[1] != "gpu"}
    assert pricer(GRAPH, replace(device, calibrations=without)).processors == ("cpu", "dsp")


def test_a_library_without_calibration_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        Pricer(toy(), load_library("mace"), GRAPH)
    assert str(caught.value) == "toy has no calibration for library 'mace'; it has those for toy"


def test_types_that_are_not_calibrated_give_way_to_the_first_that_is() -> None:
    assert pricer(GRAPH).dtype == "fp32"
    assert pricer(GRAPH, dtype="fp16").dtype_on("gpu") == "fp32"
    with pytest.raises(
        UnknownNameError, match=r"unknown processor of library 'toy' on 'toy': 'npu'; did you mean"
    ):
        pricer(GRAPH).dtype_on("npu")


def test_processors_that_need_quantisation_share_no_inference(eight_bit_library: str) -> None:
    library = load_library(eight_bit_library)
    own = Pricer(with_int8_dsp(), library, GRAPH)
    assert (own.processors, own.peers) == (("cpu", "gpu", "dsp"), ("cpu", "gpu"))
    assert own.dtype_on("dsp") == "int8"


def test_default_cores_are_the_library_s() -> None:
    """``cores: big, threads: 1``: one of the big cores."""
    assert pricer(GRAPH).team() == (0,)


def test_cores_asked_for_replace_them() -> None:
    own = pricer(GRAPH, cores="little+big:1")
    assert own.team() == (0, 2, 3)
    assert own.team("little:1") == (2,)


@pytest.mark.parametrize("mask", ["huge", "big:3"])
def test_wrong_cores_are_refused(mask: str) -> None:
    with pytest.raises(ValueError if ":" in mask else UnknownNameError, match="cluster"):
        pricer(GRAPH, cores=mask)


def test_layouts() -> None:
    own = pricer(GRAPH)
    assert own.layouts("cpu") == ("",)
    assert own.layouts("gpu") == ("image", "buffer")
    assert own.layouts("gpu", "fp16") == ()
    assert own.calibration("gpu").layout == "image"
    assert own.calibration("gpu", "buffer").layout == "buffer"


def test_costs_of_a_kernel() -> None:
    own = pricer(GRAPH)
    assert own.cost(GRAPH["a"], "cpu").compute == 8.0
    assert own.cost(GRAPH["a"], "cpu", cores="little").compute == 8.0
    assert own.cost(GRAPH["a"], "cpu", cores="little:1").compute == 16.0
    assert own.cost(GRAPH["a"], "gpu").compute == 2.0
    assert own.cost(GRAPH["a"], "dsp").compute == 4.0
    assert own.cost(GRAPH["a"], "gpu", part=Part(0.5)).compute == 1.0


def test_the_library_chooses_the_kernel_class() -> None:
    """Products of matrices are of a class twice as fast."""
    cost = pricer(GRAPH).cost(GRAPH["m"], "gpu")
    assert (cost.kernel_class, cost.compute) == ("quick", 1.0)


def test_equal_questions_have_one_answer() -> None:
    own = pricer(GRAPH)
    assert own.cost(GRAPH["a"], "gpu", part=Part(0.5)) is own.cost(GRAPH["a"], "gpu", part=Part(0.5))
    assert own.cost(GRAPH["a"], "gpu") is not own.cost(GRAPH["a"], "gpu", "buffer")


@pytest.mark.parametrize(
    ("operator", "processor", "layout", "dtype", "reason"),
    [
        ("a", "gpu", "", "", None),
        ("s", "cpu", "", "", None),
        ("s", "gpu", "", "", "no softmax kernel on the gpu image"),
        ("s", "gpu", "buffer", "", "no softmax kernel on the gpu buffer"),
        ("m", "dsp", "", "", "no matmul kernel on the dsp buffer"),
        ("a", "npu", "", "", "toy does not run on 'npu' of toy"),
    ],
)
def test_what_stands_in_the_way(operator, processor, layout, dtype, reason) -> None:
    assert pricer(GRAPH).obstacle(GRAPH[operator], processor, layout, dtype) == reason


def test_no_price_without_a_kernel() -> None:
    with pytest.raises(PlanError) as caught:
        pricer(GRAPH).cost(GRAPH["s"], "gpu")
    assert (
        str(caught.value) == "operator 's' (softmax) cannot run on 'gpu': no softmax kernel on the gpu image"
    )


# --- what the network and the host decide ----------------------------------------------------------------------


def library_with(folder: Path, **settings: str) -> str:
    """The toy library with other settings of its own."""
    text = Path(LIBRARY).read_text()
    for key, value in settings.items():
        (old,) = (line for line in text.splitlines() if line.startswith(f"{key}:"))
        text = text.replace(old, f"{key}: {value}")
    path = folder / "toy.yaml"
    path.write_text(text)
    return str(path)


def typed(dtype: str) -> ModelGraph:
    """The network in a data type of its own."""
    return ModelGraph(GRAPH.name, GRAPH, GRAPH.tensors.values(), GRAPH.inputs, GRAPH.outputs, dtype=dtype)


def half_device() -> Device:
    """The toy phone whose GPU has kernels in half precision beside the others."""
    device = toy()
    gpu = device.accelerators["gpu"]
    gpu = replace(gpu, macs_per_cycle={**gpu.macs_per_cycle, "fp16": 16.0})
    more = [replace(c, dtype="fp16") for k, c in device.calibrations.items() if k[1] == "gpu"]
    return replace(
        device,
        accelerators={**device.accelerators, "gpu": gpu},
        calibrations={**device.calibrations, **{c.key: c for c in more}},
    )


@pytest.fixture
def half_library(tmp_path: Path) -> str:
    text = Path(LIBRARY).read_text()
    cpu, gpu = text.split("  gpu:\n    dtypes: [fp32]")
    path = tmp_path / "toy.yaml"
    path.write_text(f"{cpu}  gpu:\n    dtypes: [fp32, fp16]{gpu}")
    return str(path)


def test_a_network_s_own_type_is_wanted_unless_another_is_asked_for(half_library: str) -> None:
    """The CPU has no half precision; the GPU computes the same work twice as fast."""
    library = load_library(half_library)
    asked = {
        (own, dtype): Pricer(half_device(), library, typed(own), dtype=dtype)
        for own in ("", "fp16")
        for dtype in ("", "fp32", "fp16")
    }
    assert {key: p.dtype_on("gpu") for key, p in asked.items()} == {
        ("", ""): "fp32", ("", "fp32"): "fp32", ("", "fp16"): "fp16",
        ("fp16", ""): "fp16", ("fp16", "fp32"): "fp32", ("fp16", "fp16"): "fp16",
    }  # fmt: skip
    assert {p.dtype for p in asked.values()} == {"fp32"}
    half = asked["fp16", ""]
    assert (half.cost(GRAPH["a"], "gpu").compute, half.cost(GRAPH["a"], "gpu", dtype="fp32").compute) == (
        1.0,
        2.0,
    )
    assert half.cost(GRAPH["a"], "gpu").bytes * 2 == half.cost(GRAPH["a"], "gpu", dtype="fp32").bytes


def test_what_is_shared_is_as_wide_as_the_wider_of_both(eight_bit_library: str) -> None:
    """The CPU and the DSP compute in 8 bits where asked to, the GPU cannot."""
    path = Path(eight_bit_library)
    path.write_text(
        path.read_text().replace("  cpu:\n    dtypes: [fp32]", "  cpu:\n    dtypes: [fp32, int8]")
    )
    device = with_int8_dsp()
    on_cpu = replace(device.calibrations["toy", "cpu", "fp32", ""], dtype="int8")
    device = replace(device, calibrations={**device.calibrations, on_cpu.key: on_cpu})
    widths = {}
    for dtype in ("int8", "fp32"):
        own = Pricer(device, load_library(eight_bit_library), GRAPH, dtype=dtype)
        widths[own.dtype] = {p: own.shared_width(p) for p in own.processors}
    assert widths == {"int8": {"cpu": 1, "gpu": 4, "dsp": 1}, "fp32": {"cpu": 4, "gpu": 4, "dsp": 4}}


def test_a_layout_asked_for_is_the_one_that_is_priced() -> None:
    device = toy(gpu={"kernel_overhead": 3.0})
    slow = replace(device.calibrations["toy", "gpu", "fp32", "buffer"], kernel_overhead=5.0)
    own = pricer(GRAPH, replace(device, calibrations={**device.calibrations, slow.key: slow}))
    assert [own.cost(GRAPH["a"], "gpu", layout).overhead for layout in ("", "image", "buffer")] == [
        3.0,
        3.0,
        5.0,
    ]


@pytest.mark.parametrize(
    ("host", "cores", "core", "rate"),
    [
        ("shared", "", 0, 1.0),
        ("shared", "little", 2, 0.5),
        ("own", "", 1, 1.0),  # the library's one worker is on the first big core
        ("own", "big", 2, 0.5),
        ("own", "little", 0, 1.0),
        ("own", "big:1+little", 1, 1.0),
        ("own", "big+little", 3, 0.5),  # none is free: with the last worker
    ],
)
def test_who_dispatches(tmp_path: Path, host: str, cores: str, core: int, rate: float) -> None:
    library = load_library(library_with(tmp_path, host=host))
    own = Pricer(toy(), library, GRAPH, cores=cores)
    assert (own.host_core, own.host_rate) == (core, rate)


def test_the_dispatching_thread_stays_in_the_cpuset(tmp_path: Path) -> None:
    library = load_library(library_with(tmp_path, host="own", cores="all"))
    device = replace(toy(), cpusets={"background": (2, 3)})
    own = Pricer(device, library, GRAPH, cpuset="background")
    assert (own.team(), own.host_core) == ((2,), 3)


@pytest.mark.parametrize(("threads", "team"), [("1", (0,)), ("3", (0, 1, 2)), ("9", (0, 1, 2, 3))])
def test_a_library_starts_so_many_workers_as_there_are_cores_for(tmp_path: Path, threads: str, team) -> None:
    own = Pricer(toy(), load_library(library_with(tmp_path, cores="all", threads=threads)), GRAPH)
    assert (own.team(), own.mask) == (team, (0, 1, 2, 3))
    assert own.team("little") == (2, 3)


@pytest.mark.parametrize(("elements", "compute"), [(16, 8.0), (4.6, 2.5), (0.2, 0.5)])
def test_a_transposition_moves_every_element_once_on_the_workers(elements: float, compute: float) -> None:
    """At two elements a second on the one big core; in and out are 4 B an element."""
    own = pricer(GRAPH)
    cost = own.transposition(elements)
    assert (cost.compute, cost.bytes) == (compute, 2 * 4 * 2 * compute)
    assert own.transposition(elements) is cost


@pytest.mark.parametrize(("chunking", "compute"), [("static", 8.0), ("capacity", 16 / 3)])
def test_chunks_are_cut_as_the_library_cuts_them(tmp_path: Path, chunking: str, compute: float) -> None:
    """16 operations on a core of 2 and one of 1 a second: two halves, or in proportion."""
    library = load_library(library_with(tmp_path, chunking=chunking))
    own = Pricer(toy(), library, GRAPH, cores="big:1+little:1")
    assert own.cost(GRAPH["a"], "cpu").compute == pytest.approx(compute)
    assert own.transposition(16).compute == pytest.approx(compute)
