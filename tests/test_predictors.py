"""Latency predictors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import FAST, TinyLibrary, convolutions, network, pricer_of, view_of

from socsim.devices.profile import load_device
from socsim.errors import PlanError, SocsimError, UnknownNameError, UsageError
from socsim.schedulers.flops import FlopsPredictor, fitted_line, operations, operator_kind, profile_network
from socsim.schedulers.plan import Placement
from socsim.schedulers.prediction import Predictor
from socsim.schedulers.predictors import (
    BlindPredictor,
    ExactPredictor,
    check_predictor,
    make_predictor,
    predictor_class,
    predictor_names,
    predictor_title,
)
from socsim.schedulers.registry import SCHEDULERS, make_scheduler
from socsim.simulation.profiling import bench
from socsim.workloads.builder import GraphBuilder
from socsim.workloads.kernels import WHOLE, Part
from socsim.workloads.library import load_library
from socsim.workloads.pricing import Pricer
from socsim.workloads.zoo import build_model

CPU, GPU = Placement("cpu"), Placement("gpu", "image")


def test_exact_is_the_cost_law():
    graph = network({"a": (4e6, "")})
    predictor = ExactPredictor(pricer_of(graph))
    assert predictor.time(graph["a"], CPU, WHOLE) == pytest.approx(2e-3, rel=4e6 / FAST + 1e-9)
    assert predictor.time(graph["a"], GPU, WHOLE) == pytest.approx(1e-3)


def test_unknown_predictors_are_named_with_the_nearest():
    with pytest.raises(UnknownNameError, match="unknown predictor 'flop'; did you mean 'flops'"):
        make_predictor("flop", pricer_of(network({"a": (1.0, "")})))


def test_every_name_makes_a_predictor():
    pricer = pricer_of(network({"a": (4e6, "")}))
    for name in predictor_names():
        assert make_predictor(name, pricer, bench).time(pricer.graph["a"], CPU, WHOLE) >= 0.0
    assert predictor_names() == ("exact", "profile", "flops", "online", "blind")


# --- blind ----------------------------------------------------------------------------------------------------


def test_blind_takes_every_operator_for_a_millisecond_everywhere():
    graph = convolutions(2)
    predictor = BlindPredictor(pricer_of(graph))
    for op in graph:
        for where in (CPU, GPU, Placement("dsp")):
            assert predictor.time(op, where, WHOLE) == 1e-3
            assert predictor.time(op, where, Part(0.25, "H", 3)) == 0.25e-3


def test_sharing_and_invocations_are_free_to_the_blind_only():
    graph = network({"a": (4e6, "")})
    blind, exact = (
        view_of(graph, predictor=name, overhead={"cpu": 0.5, "gpu": 0.25}) for name in ("blind", "exact")
    )
    assert [exact.fixed_cost(p) for p in ("cpu", "gpu")] == [0.5, 0.25]
    assert [blind.fixed_cost(p) for p in ("cpu", "gpu")] == [0.0, 0.0]
    assert exact.transfer(250, "cpu", "gpu") > 0.0
    assert blind.transfer(250, "cpu", "gpu") == blind.transfer(250, "gpu", "dsp") == 0.0


# --- naming them ----------------------------------------------------------------------------------------------


class Half(Predictor):
    """Half of what it should be, or another share."""

    def __init__(self, pricer, share=0.5):
        self._exact, self._share = ExactPredictor(pricer), share

    def time(self, op, placement, part):
        return self._share * self._exact.time(op, placement, part)


class Timeless(Predictor):
    """Lacks time()."""


@pytest.mark.parametrize(
    "spec, share",
    [
        (Half, 0.5),
        ("test_predictors:Half", 0.5),
        ("test_predictors:Half(share=0.25)", 0.25),
        ({"name": "test_predictors:Half", "share": 0.25}, 0.25),
        ({"name": "test_predictors:Half", "options": {"share": 2}}, 2.0),
        ("exact()", 1.0),
        ({"name": "exact"}, 1.0),
    ],
)
def test_ways_to_name_a_predictor(spec, share):
    check_predictor(spec)
    pricer = pricer_of(network({"a": (4e6, "")}))
    op = pricer.graph["a"]
    assert make_predictor(spec, pricer).time(op, GPU, WHOLE) == pytest.approx(share * 1e-3)


def test_an_object_is_taken_as_it_is():
    pricer = pricer_of(network({"a": (4e6, "")}))
    mine = Half(pricer)
    check_predictor(mine)
    assert make_predictor(mine, pricer) is mine
    assert predictor_class(mine) is Half


@pytest.mark.parametrize(
    "spec, title",
    [
        ("flops", "flops"),
        ("online(alpha=0.5)", "online"),
        ({"name": "profile", "path": "x.csv"}, "profile"),
        ("phones/x.csv", "profile"),
        (Half, "Half"),
    ],
)
def test_titles(spec, title):
    assert predictor_title(spec) == title


@pytest.mark.parametrize(
    "spec, message",
    [
        ("flop", r"unknown predictor 'flop'; did you mean 'flops'\?"),
        ({"name": "onlin"}, r"unknown predictor 'onlin'; did you mean 'online'\?"),
        ("test_predictors:Hafl", "module 'test_predictors': 'Hafl'; did you mean 'Half'"),
        ("online(alfa=0.1)", "predictor 'online' has no option 'alfa'; did you mean 'alpha'"),
        ("exact(alpha=0.1)", "predictor 'exact' has no option 'alpha'; it takes none"),
        ("flops(bench=1)", "predictor 'flops' has no option 'bench'"),
        ("online(bench=1)", "predictor 'online' has no option 'bench'; "),
        ("online(alpha=0)", "alpha must be above 0 and at most 1, got 0; Band's is 0.1"),
        ("online(alpha=2)", "alpha must be above 0 and at most 1, got 2"),
        ("online(alpha=fast)", "alpha must be above 0 and at most 1, got 'fast'"),
        ("online(base=flop)", "unknown predictor 'flop'; did you mean 'flops'"),
        ("online(base=flops, path=x.csv)", "takes a base or a path, got 'flops' and 'x.csv'"),
        ("online(path=nowhere.csv)", "cannot read profile 'nowhere.csv'"),
        ("profile(repetitions=0)", "repetitions must be a whole number from 1, got 0"),
        ("profile(repetitions=many)", "repetitions must be a whole number from 1, got 'many'"),
        ("profile(seed=-1)", "seed must be a whole number from 0, got -1"),
        ("profile(noise=1)", "noise must be true or false, got 1"),
        ("profile(path=3)", "path must be a file's name, got 3"),
        ("profile(path=x.csv, noise=true)", "are for measuring; a file has its own"),
        (
            "nowhere.csv",
            "cannot read profile 'nowhere.csv': No such file or directory; 'socsim profile' writes",
        ),
        ("profile(", "a predictor is written 'name' or 'name"),
        ({"alpha": 1}, "a predictor's mapping needs a name, got the keys alpha"),
        (7, "a predictor is a name, a class or a mapping with a name, got int: 7; names are exact, profile"),
        (dict, "predictor 'dict': dict must be a subclass of socsim.schedulers.prediction.Predictor"),
        (Timeless, "Timeless must be a subclass .* with a method time"),
    ],
)
def test_bad_predictors(spec, message):
    for refuse in (check_predictor, lambda s: make_scheduler({"name": "heft", "predictor": s})):
        with pytest.raises(SocsimError, match=message):
            refuse(spec)


def test_a_base_that_learns_itself():
    pricer = pricer_of(network({"a": (4e6, "")}))
    with pytest.raises(UsageError, match="its base must not learn itself, got 'online'"):
        make_predictor("online(base=online)", pricer, bench)


class Failing(Half):
    def __init__(self, pricer):
        self.table = {}[pricer.graph.name]


def test_a_predictor_whose_making_fails_says_where():
    message = (
        r"predictor 'Failing': making Failing failed: KeyError: 'tasks' \(test_predictors.py, line \d+\)"
    )
    with pytest.raises(UsageError, match=message):
        make_predictor(Failing, pricer_of(network({"a": (1.0, "")})))


def test_measuring_needs_a_phone():
    with pytest.raises(
        UsageError, match="'profile' needs a phone to measure on; outside a simulation give a path"
    ):
        make_predictor("profile", pricer_of(network({"a": (1.0, "")})))


@pytest.mark.parametrize("name", [n for n in SCHEDULERS.names() if n not in ("npu",)])
def test_every_scheduler_takes_every_predictor(name):
    for spec in ("profile", "online(alpha=0.5)", "blind", {"name": "online", "base": "flops"}, Half):
        scheduler = make_scheduler({"name": name, "predictor": spec})
        assert scheduler.predictor == spec


def test_kinds():
    graph = profile_network()
    kinds = {op.type: operator_kind(op) for op in graph}
    assert kinds == {"conv2d": "conv", "max_pool": "pool", "activation": "other", "fully_connected": "fc"}


def test_the_profile_is_the_documented_pyramid():
    graph = profile_network()
    sizes = [op.type for op in graph]
    assert [sizes.count(t) for t in ("conv2d", "max_pool", "activation", "fully_connected")] == [
        90,
        30,
        15,
        12,
    ]
    assert not graph.dag.edges  # layers are independent: none waits for another
    maps = {graph.input_shapes(op)[0][1:3] for op in graph if op.type == "conv2d"}
    assert {m for m in maps if m[1] == 208} == {(32, 208), (64, 208), (128, 208)}
    assert {m for m in maps if m[1] == 13} == {(512, 13), (1024, 13), (2048, 13)}


def test_operations_are_the_macs_of_a_convolution_and_shares_are_shares():
    graph = convolutions(2, size=32, channels=16)
    op = graph["conv2"]
    assert operations(graph, op, WHOLE) == op.macs == 32 * 32 * 16 * 16 * 9
    assert operations(graph, op, Part(0.25, "OC")) == operations(graph, op, Part(0.25, "H")) == op.macs / 4


def test_operations_of_pooling_and_others():
    b = GraphBuilder("g")
    x = b.max_pool(b.input(1, 8, 16, 16), 3, 2, padding=1, name="pool")
    b.activation(x, "relu", name="relu")
    graph = b.build("relu")
    assert operations(graph, graph["pool"], WHOLE) == 9 * 8 * 64
    assert operations(graph, graph["relu"], Part(0.5)) == 8 * 64 / 2


def test_operators_without_a_kernel_size_are_predicted_exactly_where_time_is_linear():
    b = GraphBuilder("g")
    graph = b.build(b.activation(b.input(1, 24, 40, 40), "relu"))
    (op,) = graph
    pricer = pricer_of(graph)
    exact, flops = ExactPredictor(pricer), FlopsPredictor(pricer)
    for where in (CPU, GPU, Placement("gpu", "buffer"), Placement("dsp")):
        assert flops.time(op, where, WHOLE) == pytest.approx(exact.time(op, where, WHOLE), rel=1e-6)
        assert flops.time(op, where, Part(0.5)) == pytest.approx(exact.time(op, where, WHOLE) / 2, rel=1e-6)


def squared_errors(line, work, times, relative):
    scale = times if relative else [1.0] * len(times)
    return sum(((line[0] + line[1] * x - t) / s) ** 2 for x, t, s in zip(work, times, scale, strict=True))


def test_coefficients_are_those_of_least_squares_of_relative_errors():
    """Against a solution of the weighted equations by singular values, on columns scaled to unit length."""
    graph = convolutions(1)
    pricer, profile = pricer_of(graph), pricer_of(profile_network())
    layers = [op for op in profile.graph if op.type == "conv2d"]
    times = np.array([ExactPredictor(profile).time(op, CPU, WHOLE) for op in layers])
    given_ = np.array([(1.0, operations(profile.graph, op, WHOLE)) for op in layers]) / times[:, None]
    scale = np.linalg.norm(given_, axis=0)
    solution = np.linalg.lstsq(given_ / scale, np.ones(len(times)), rcond=None)[0] / scale
    assert solution[0] == pytest.approx(0.0, abs=1e-15)
    assert solution[1] > 0.0
    expected = float(solution @ np.array([1.0, graph["conv1"].macs]))
    assert FlopsPredictor(pricer, "relative").time(graph["conv1"], CPU, WHOLE) == pytest.approx(
        expected, rel=1e-6
    )


def test_ordinary_least_squares_by_default():
    """Against numpy's polynomial fit, whose coefficients are both positive on the calibrated phone."""
    pricer = Pricer(load_device("xiaomi-9"), load_library("mace"), profile_network())
    layers = [op for op in pricer.graph if op.type == "conv2d"]
    times = [ExactPredictor(pricer).time(op, CPU, WHOLE) for op in layers]
    slope, intercept = np.polyfit([op.macs for op in layers], times, 1)
    assert min(slope, intercept) > 0.0
    for op in layers[:3]:
        assert FlopsPredictor(pricer).time(op, CPU, WHOLE) == pytest.approx(intercept + slope * op.macs)


def test_other_errors_are_refused():
    with pytest.raises(UsageError, match="errors must be 'absolute' or 'relative', got 'cubic'"):
        FlopsPredictor(pricer_of(convolutions(1)), "cubic")


@pytest.mark.parametrize(
    ("work", "times", "line"),
    [
        ([], [], (0.0, 0.0)),
        ([4.0], [2.0], (0.0, 0.5)),
        ([4.0, 4.0], [2.0, 2.0], (0.0, 0.5)),
        ([0.0, 0.0], [2.0, 2.0], (2.0, 0.0)),
        ([0.0, 4.0], [1.0, 3.0], (1.0, 0.5)),
        ([1.0, 2.0, 4.0], [3.0, 4.0, 6.0], (2.0, 1.0)),
        ([1.0, 2.0], [1.0, 3.0], (0.0, 15 / 13)),  # through (1, 1) and (2, 3) the intercept would be -1
        ([1.0, 2.0], [3.0, 1.0], (1.2, 0.0)),  # and here the slope -2
    ],
)
def test_lines(work, times, line):
    assert fitted_line(work, times, relative=True) == pytest.approx(line)


@pytest.mark.parametrize(
    ("work", "times", "line"),
    [
        ([], [], (0.0, 0.0)),
        ([4.0], [2.0], (0.0, 0.5)),
        ([0.0, 4.0], [1.0, 3.0], (1.0, 0.5)),
        ([0.0, 1.0, 2.0], [1.0, 1.0, 4.0], (0.5, 1.5)),
        ([1.0, 2.0], [1.0, 3.0], (0.0, 7 / 5)),
        ([1.0, 2.0], [3.0, 1.0], (2.0, 0.0)),
    ],
)
def test_lines_of_absolute_errors(work, times, line):
    assert fitted_line(work, times, relative=False) == pytest.approx(line)


SAMPLES = st.lists(st.tuples(st.floats(0.0, 1e9), st.floats(1e-6, 1.0)), min_size=1, max_size=8)


@settings(max_examples=100, deadline=None)
@given(samples=SAMPLES, steps=st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5)))
@pytest.mark.parametrize("relative", [False, True])
def test_no_line_near_by_is_better(relative, samples, steps):
    work, times = zip(*samples, strict=True)
    line = fitted_line(work, times, relative=relative)
    assert min(line) >= 0.0
    other = (max(0.0, line[0] + steps[0] * max(times)), max(0.0, line[1] + steps[1] * max(times) / 1e9))
    if len(set(work)) > 1 and max(work) - min(work) > 1e-3 * max(work):
        least = squared_errors(line, work, times, relative)
        assert least <= squared_errors(other, work, times, relative) * (1 + 1e-6) + 1e-9


def test_on_a_calibrated_phone_small_layers_are_predicted_as_small():
    """Of the layers of ResNet-50, half are predicted within a factor of two, and none takes over 10 ms for nothing."""
    graph = build_model("resnet50")
    pricer = Pricer(load_device("xiaomi-9"), load_library("mace"), graph)
    exact, flops = ExactPredictor(pricer), FlopsPredictor(pricer, "relative")
    convolutions_ = [op for op in graph if op.type == "conv2d"]
    ratios = [flops.time(op, CPU, WHOLE) / exact.time(op, CPU, WHOLE) for op in convolutions_]
    assert 0.5 < float(np.median(ratios)) < 2.0
    assert flops.time(convolutions_[0], CPU, Part(1e-9)) < 1e-3


def test_a_kind_that_no_profiled_layer_has_is_taken_for_the_mean_of_all():
    b = GraphBuilder("g")
    graph = b.build(b.dense(b.input(1, 100), 10, name="fc"))
    library = TinyLibrary({"gpu": [op.name for op in profile_network() if op.type == "fully_connected"]})
    pricer = pricer_of(graph, library)
    # The profile's first dense layers are missing by name; "fc" is supported, and priced like a rectifier:
    # 4e9 elementary operations a second.
    assert FlopsPredictor(pricer).time(graph["fc"], GPU, WHOLE) == pytest.approx(100 * 10 / 4e9, rel=1e-6)


def test_flops_refuses_what_the_library_cannot_run():
    graph = network({"a": (1e6, "")})
    predictor = FlopsPredictor(pricer_of(graph, TinyLibrary({"gpu": ["a"]})))
    with pytest.raises(PlanError, match=r"'a' .* cannot run on 'gpu'"):
        predictor.time(graph["a"], GPU, WHOLE)


@settings(max_examples=30, deadline=None)
@given(
    size=st.sampled_from([7, 13, 28, 56]),
    channels=st.sampled_from([3, 16, 200]),
    share=st.floats(0.05, 1.0),
    dimension=st.sampled_from(["H", "OC"]),
)
def test_predictions_are_never_negative_and_grow_with_the_share(size, channels, share, dimension):
    graph = convolutions(1, size=size, channels=channels)
    predictor = PREDICTOR(graph)
    times = [predictor.time(graph["conv1"], CPU, Part(s, dimension)) for s in (share / 2, share)]
    assert 0.0 <= times[0] <= times[1] + 1e-12


def PREDICTOR(graph):
    return FlopsPredictor(pricer_of(graph))


def test_the_same_question_has_the_same_answer():
    graph = convolutions(2)
    one, two = (view_of(graph, predictor="flops") for _ in range(2))
    for op in graph:
        assert one.predict(op, "gpu", share=0.3) == two.predict(op, "gpu", share=0.3)


def test_counting_operations_misses_most_operators_of_the_cpu():
    """On a calibrated phone; in CoDL's evaluation 7 to 10.5 % of operators were within 10 %."""
    ratios = [ratio for name in ("yolov2", "posenet", "fast_style_transfer") for ratio in _ratios(name)]
    assert sum(abs(ratio - 1) <= 0.1 for ratio in ratios) / len(ratios) <= 0.2
    assert max(ratios) > 2 * min(ratios)


def _ratios(name):
    """Predicted over exact times of a network's convolutions on the CPU."""
    graph = build_model(name)
    pricer = Pricer(load_device("xiaomi-9"), load_library("mace"), graph)
    exact, flops = ExactPredictor(pricer), FlopsPredictor(pricer)
    return [flops.time(op, CPU, WHOLE) / exact.time(op, CPU, WHOLE) for op in graph if op.type == "conv2d"]
