"""What a network costs under a library on a device, and what they allow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from corekit import LIBRARY, net, pricer, toy

from socsim.devices.device import Calibration, Device, KernelRate
from socsim.errors import PlanError, UnknownNameError, UsageError
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
