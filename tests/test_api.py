"""Loading, simulating and comparing, and the sentences for what cannot be done."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from corekit import CPU, DSP, LIBRARY, Fixed, net, toy
from onnx import TensorProto, helper

import socsim
from socsim import units
from socsim.describing import describe
from socsim.errors import FileError, PlanError, SocsimError, UnitError, UnknownNameError, UsageError
from socsim.schedulers.greedy import Greedy

CHAIN = net("a:16 x; b:8 a")


def inference(scheduler: object = "cpu", **options) -> socsim.Inference:
    return socsim.Inference(CHAIN, scheduler, library=LIBRARY, **{"count": 1, **options})


@pytest.fixture
def relu(tmp_path: Path) -> Path:
    """A convolution and a ReLU in an ONNX file."""
    weight = helper.make_tensor("w", TensorProto.FLOAT, [2, 1, 1, 1], [1.0, 2.0])
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"]), helper.make_node("Relu", ["y"], ["z"])],
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1, 4, 4])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", 2, 4, 4])],
        [weight],
    )
    path = tmp_path / "relu.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), str(path))
    return path


# --- loading --------------------------------------------------------------------------------------------------


def test_a_network_is_returned_as_it_is() -> None:
    assert socsim.load_model(CHAIN) is CHAIN


def test_a_network_by_name() -> None:
    assert socsim.load_model("mobilenet_v1").name == "mobilenet_v1"


def test_a_network_from_a_file_with_activations_fused(relu: Path) -> None:
    fused = socsim.load_model(str(relu), shapes={"x": (1, 1, 4, 4)})
    assert [op.type for op in fused] == ["conv2d"]
    plain = socsim.load_model(relu, shapes={"x": (1, 1, 4, 4)}, fuse=False)
    assert [op.type for op in plain] == ["conv2d", "activation"]


def test_unknown_names_are_told_with_the_nearest() -> None:
    with pytest.raises(
        UnknownNameError, match=r"^unknown model 'mobilnet_v1'; did you mean 'mobilenet_v1'\?"
    ):
        socsim.load_model("mobilnet_v1")
    with pytest.raises(
        UnknownNameError, match=r"^unknown model 'dynamic_ofaa'; did you mean 'dynamic_ofa'\?"
    ):
        socsim.load_model("dynamic_ofaa")
    with pytest.raises(UnknownNameError, match=r"^unknown device 'xiaomi-8'; did you mean 'xiaomi-9'\?"):
        socsim.simulate("xiaomi-8", [inference()])
    with pytest.raises(UnknownNameError, match=r"^unknown library 'maze'; did you mean 'mace'\?"):
        socsim.simulate("xiaomi-9", [socsim.Inference("mobilenet_v1", library="maze", count=1)])
    with pytest.raises(UnknownNameError, match=r"^unknown scheduler 'hefft'; did you mean 'heft'\?"):
        socsim.simulate(toy(), [inference("hefft")])
    with pytest.raises(UnknownNameError, match=r"^unknown cluster 'bigg'"):
        socsim.simulate(toy(), [inference(cores="bigg")])


def test_shapes_are_for_files() -> None:
    with pytest.raises(UsageError) as caught:
        socsim.load_model("resnet50", shapes={"x": (1, 3, 224, 224)})
    assert (
        str(caught.value)
        == "shapes are for ONNX files; 'resnet50' is a network of the zoo with a fixed shape"
    )


def test_a_missing_file_is_told() -> None:
    with pytest.raises(SocsimError, match=r"nowhere\.onnx"):
        socsim.load_model("nowhere.onnx")


# --- simulating -----------------------------------------------------------------------------------------------


def test_a_result_has_everything_that_was_asked_for() -> None:
    result = socsim.simulate(toy(), [inference()], kernels=True)
    assert [r.finish_s for r in result.outcome.inferences] == [12.0]
    assert [r.operator for r in result.outcome.kernels] == ["a", "b"]
    assert not socsim.simulate(toy(), [inference()]).outcome.kernels


def test_networks_and_devices_by_name() -> None:
    result = socsim.simulate("xiaomi-9", [socsim.Inference("squeezenet_1.1", "gpu", count=2)])
    assert result.outcome.device == "xiaomi-9"
    assert list(result.outcome.apps) == ["squeezenet_1.1"]


def test_durations_may_be_text() -> None:
    texts = socsim.simulate(toy(), [inference(count=None, period="6 s")], duration="1 min").outcome
    numbers = socsim.simulate(toy(), [inference(count=None, period=6.0)], duration=60.0).outcome
    assert list(texts.inferences) == list(numbers.inferences)
    assert texts.duration_s == 60.0


def test_the_configuration_is_kept() -> None:
    result = socsim.simulate(toy(), [inference(period="20 s", name="camera")], duration="30 s", seed=5)
    app = {
        "kind": "inference", "model": "net", "scheduler": "cpu", "library": LIBRARY,
        "name": "camera", "count": 1, "period": "20 s", "dtype": "fp32", "cores": "big:1",
    }  # fmt: skip
    assert dict(result.config) == {
        "device": "toy",
        "duration": "30 s",
        "seed": 5,
        "noise": False,
        "apps": [app],
    }
    assert dict(socsim.simulate(toy(), [inference()], config={"mine": 1}).config) == {"mine": 1}


def test_seed_and_noise_are_passed_on() -> None:
    device = toy(cpu={"noise": 0.1})
    runs = [socsim.simulate(device, [inference()], noise=True, seed=s).outcome.duration_s for s in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]
    assert socsim.simulate(device, [inference()], seed=1).outcome.duration_s == 12.0


@pytest.mark.parametrize("time", [1 / 60, 0.1 + 0.2, 1.23456789e-5])
def test_times_are_described_to_the_last_bit(time: float) -> None:
    described = describe(inference(period=time, deadline=time))
    assert [units.parse(described[key], "time") for key in ("period", "deadline")] == [time, time]
    result = socsim.simulate(toy(), [inference(count=None)], duration=time / 10)
    assert units.parse(result.config["duration"], "time") == time / 10


def test_applications_are_described_as_files_have_them() -> None:
    app = socsim.Inference(
        "resnet50", {"name": "band", "predictor": "flops"}, period=0.033, deadline="50 ms", count=3
    )
    assert describe(app) == {
        "kind": "inference", "model": "resnet50", "scheduler": {"name": "band", "predictor": "flops"},
        "library": "mace", "count": 3, "period": "0.033 s", "deadline": "0.05 s",
    }  # fmt: skip
    assert describe(inference(Greedy))["scheduler"] == "socsim.schedulers.greedy:Greedy"
    assert describe(inference(Greedy()))["scheduler"] == "socsim.schedulers.greedy:Greedy"


@pytest.mark.parametrize(
    ("duration", "error", "sentence"),
    [
        ("10", UnitError, "'10' has no unit; a time needs one of s, ms, us, ns, ps, min, h"),
        ("10 Hz", UnitError, "'10 Hz' is a frequency, expected a time (s, ms, us, ns, ps, min, h)"),
        ("-1 s", UsageError, "duration must be positive, and finite, got -1.0"),
        (0.0, UsageError, "duration must be positive, and finite, got 0.0"),
    ],
)
def test_bad_durations(duration, error, sentence) -> None:
    with pytest.raises(error) as caught:
        socsim.simulate(toy(), [inference()], duration=duration)
    assert str(caught.value) == sentence


def test_a_stream_needs_an_end() -> None:
    with pytest.raises(UsageError, match="a simulation needs a duration, or a count in every application"):
        socsim.simulate(toy(), [inference(count=None)])


def test_a_plan_that_leaves_operators_out() -> None:
    with pytest.raises(PlanError) as caught:
        socsim.simulate(toy(), [inference(Fixed({"a": CPU}))])
    assert str(caught.value) == "the plan for 'net' places 1 of 2 operators; first left out: 'b'"


def test_a_device_file_with_faults(tmp_path: Path) -> None:
    path = tmp_path / "phone.yaml"
    path.write_text("title: [\n")
    with pytest.raises(FileError, match=r"phone\.yaml:2:1: not YAML"):
        socsim.simulate(str(path), [inference()])


# --- comparing ------------------------------------------------------------------------------------------------


def test_a_comparison_has_a_row_for_each_scheduler() -> None:
    """12 s on the CPU; on the DSP 0.375 + 6 + 1.5."""
    comparison = socsim.compare(toy(), CHAIN, ["cpu", "dsp"], library=LIBRARY, inferences=3)
    rows = [(row["scheduler"], row["latency_ms_mean"]) for row in comparison.rows]
    assert rows == [("cpu", 12e3), ("dsp", 7875.0)]


def test_schedulers_may_be_names_objects_classes_or_mappings() -> None:
    class OnDsp(socsim.StaticScheduler):
        def plan(self, graph, view):
            return dict.fromkeys(graph, DSP)

    specs = ["dsp", OnDsp, OnDsp(), {"name": "dsp"}, "greedy(granularity=model)"]
    comparison = socsim.compare(toy(), CHAIN, specs, library=LIBRARY, inferences=1)
    assert [row["latency_ms_mean"] for row in comparison.rows[:4]] == [7875.0] * 4
    assert [row["scheduler"] for row in comparison.rows] == ["dsp", "OnDsp", "OnDsp", "dsp", specs[-1]]


def test_rows_of_different_options_are_told_apart(tmp_path: Path) -> None:
    class Some(socsim.StaticScheduler):
        def __init__(self, where: str = "cpu") -> None:
            self.where = where

        def plan(self, graph, view):
            return dict.fromkeys(graph, self.where)

    specs = ["heft", "heft(predictor=flops)", {"name": "heft", "decision_time": 1.0}, Some(), Some("dsp")]
    comparison = socsim.compare(toy(), CHAIN, specs, library=LIBRARY, inferences=1)
    labels = ["heft", "heft(predictor=flops)", "heft(decision_time=1.0)", "Some", "Some(where=dsp)"]
    assert [row["scheduler"] for row in comparison.rows] == labels
    folders = ["heft", "heft-predictor-flops", "heft-decision_time-1.0", "Some", "Some-where-dsp"]
    assert comparison.titles == folders
    comparison.save(tmp_path / "out")
    assert all((tmp_path / "out" / folder / "trace.json.gz").is_file() for folder in folders)


def test_cores_matter() -> None:
    """All four cores in equal parts wait for the little ones: 24 operations in 6 s."""
    comparison = socsim.compare(toy(), CHAIN, ["cpu"], library=LIBRARY, inferences=1, cores="all")
    assert comparison.rows[0]["latency_ms_mean"] == 6e3


def test_bad_comparisons() -> None:
    with pytest.raises(UsageError, match="a comparison needs at least one scheduler"):
        socsim.compare(toy(), CHAIN, [], library=LIBRARY)
    with pytest.raises(UsageError, match="count must be positive, got 0"):
        socsim.compare(toy(), CHAIN, ["cpu"], library=LIBRARY, inferences=0)


def test_one_scheduler_instead_of_a_list_is_told() -> None:
    with pytest.raises(UsageError, match="list"):
        socsim.compare(toy(), CHAIN, "cpu", library=LIBRARY, inferences=1)


def test_one_application_instead_of_a_list_is_told() -> None:
    with pytest.raises(UsageError, match="list"):
        socsim.simulate(toy(), inference())


def test_arrivals_and_policies_are_described_as_files_have_them() -> None:
    app = inference(
        period="50 ms", arrivals="poisson", queue="latest", concurrency=2, priority=1.5, nice=5, count=None
    )
    described = describe(app)
    assert described.pop("model") and described.pop("library") and described.pop("scheduler")
    assert described == {
        "kind": "inference",
        "arrivals": {"kind": "poisson", "period": "0.05 s"},
        "queue": "latest",
        "concurrency": 2,
        "priority": 1.5,
        "nice": 5,
    }
    stage = describe(inference(after={"app": "detect", "fanout": 2}))
    assert stage["after"] == {"app": "detect", "fanout": 2} and "arrivals" not in stage
    assert describe(inference(arrivals="back_to_back"))["arrivals"] == {"kind": "back_to_back"}
    assert "arrivals" not in describe(inference(period=1.0))
