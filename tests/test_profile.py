"""Offline profiles: measuring on the idle phone, files, and what lies between the profiled parts."""

from __future__ import annotations

from itertools import pairwise
from math import sqrt

import corekit
import pytest
from corekit import BUFFER, CPU, DSP, GPU, net, outcome, toy
from hypothesis import given, settings
from hypothesis import strategies as st

import socsim
from socsim.devices.profile import load_device
from socsim.errors import FileError, PlanError, UnknownNameError, UsageError
from socsim.schedulers.plan import Placement
from socsim.schedulers.predictors import ExactPredictor, make_predictor
from socsim.schedulers.profile import Table, interpolate
from socsim.schedulers.profile_file import COLUMNS, ProfileRow, read_profile, write_profile
from socsim.simulation.profiling import Bench, bench, service_time, take_profile
from socsim.workloads.kernels import WHOLE, Part
from socsim.workloads.library import load_library
from socsim.workloads.pricing import Pricer
from socsim.workloads.zoo import build_model

CONV = net("c:64:conv2d x", shape=(1, 4, 4, 1))


def row(**more):
    """Half of the rows of the convolution on the CPU of the toy phone."""
    own = {
        "device": "toy", "library": "toy", "model": "net", "processor": "cpu", "layout": "", "dtype": "fp32",
        "cores": "big:1", "operator": "c", "kernel_class": "other", "share": 0.5, "dimension": "H",
        "halo_rows": 0, "latency_ms": 5000.0, "sd_ms": 0.0, "repetitions": 1, "clocks": "big:1 GHz",
    }  # fmt: skip
    return ProfileRow(**{**own, **more})


def whole(latency_ms=8000.0, **more):
    return row(share=1.0, dimension="", latency_ms=latency_ms, **more)


# --- measuring ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where, time", [(CPU, 4.0), (GPU, 1.0), (BUFFER, 1.0), (DSP, 2.0)])
def test_an_operator_alone_takes_its_work_over_the_speed(where, time):
    pricer = corekit.pricer(net("a:8 x"))
    assert Bench(pricer)(pricer.graph["a"], where, WHOLE) == time


def test_kernel_overheads_are_in_it_and_fixed_costs_are_not():
    device = toy(gpu={"kernel_overhead": 0.5, "inference_overhead": 16.0}, call_latency=8.0)
    pricer = corekit.pricer(net("a:8 x"), device)
    assert Bench(pricer)(pricer.graph["a"], GPU, WHOLE) == 1.5


def test_a_dispatch_that_takes_longer_than_its_kernel_is_the_time():
    pricer = corekit.pricer(net("a:8 x; b:32 a"), toy(gpu={"dispatch": 2.0}))
    measured = Bench(pricer)
    assert [measured(pricer.graph[name], GPU, WHOLE) for name in "ab"] == [2.0, 4.0]
    assert (service_time(1.0, 2.0), service_time(3.0, 2.0)) == (2.0, 3.0)


def test_parts_that_compute_the_same_are_measured_once():
    """Of four rows, 30 % are two, like 50 %, or one with one more beside it."""
    pricer = corekit.pricer(CONV)
    measured = Bench(pricer)
    samples = [measured.sample(CONV["c"], CPU, Part(*p)) for p in ((0.3, "H"), (0.5, "H"), (0.25, "H", 1))]
    assert samples[0] is samples[1] is samples[2]
    assert measured.sample(CONV["c"], CPU, Part(0.5, "OC")) is not samples[0]


def test_runs_of_one_network_on_one_device_share_what_was_measured():
    device, library = toy(), load_library(corekit.LIBRARY)
    first, second = (Pricer(device, library, CONV) for _ in range(2))
    assert bench(first) is bench(second)
    assert bench(first) is not bench(first, noise=True)
    assert bench(first) is not bench(Pricer(toy(), library, CONV))
    assert bench(first) is not bench(Pricer(device, library, net("c:64:conv2d x")))


@settings(max_examples=40, deadline=None)
@given(
    share=st.sampled_from([0.05, 0.1, 0.3, 0.5, 0.77, 0.9, 1.0]),
    dimension=st.sampled_from(["H", "OC"]),
    halo=st.integers(0, 3),
    number=st.integers(0, 30),
    where=st.sampled_from(
        [
            Placement("cpu"),
            Placement("cpu", cores="gold:2"),
            Placement("gpu", "image"),
            Placement("gpu", "buffer"),
        ]
    ),
)
def test_without_noise_a_profile_is_the_cost_law(share, dimension, halo, number, where):
    pricer = YOLO
    ops = [op for op in pricer.graph if op.type == "conv2d"]
    op, part = ops[number % len(ops)], Part(share, dimension, halo if dimension == "H" else 0)
    profile, exact = make_predictor("profile", pricer, bench), ExactPredictor(pricer)
    assert profile.time(op, where, part) == pytest.approx(exact.time(op, where, part), rel=1e-9)


YOLO = Pricer(load_device("xiaomi-9"), load_library("mace"), build_model("yolov2"))


@pytest.mark.parametrize("library", ["mace", "tflite"])
def test_without_noise_whole_operators_cost_what_the_law_says_everywhere(library):
    pricer = Pricer(load_device("xiaomi-9"), load_library(library), build_model("mobilenet_v1"))
    exact = ExactPredictor(pricer)
    rows = list(take_profile(pricer, step=1.0))
    assert {r.processor for r in rows} == set(pricer.processors)
    for r in rows:
        where = Placement(r.processor, r.layout, r.dtype, r.cores)
        true = exact.time(pricer.graph[r.operator], where, WHOLE)
        assert r.latency_ms * 1e-3 == pytest.approx(true, rel=1e-9)


def test_what_the_library_cannot_run_cannot_be_predicted():
    graph = net("s:4:softmax x")
    profile = make_predictor("profile", corekit.pricer(graph), bench)
    with pytest.raises(PlanError, match=r"'s' \(softmax\) cannot run on 'gpu'"):
        profile.time(graph["s"], GPU, WHOLE)


# --- noise ----------------------------------------------------------------------------------------------------


def test_noise_is_drawn_for_every_repetition():
    """The spread is lognormal with mean 1: the mean comes near, the deviation is the calibrated one."""
    pricer = corekit.pricer(net("a:8 x"), toy(cpu={"noise": 0.1}))
    sample = Bench(pricer, repetitions=400, noise=True, seed=3).sample(pricer.graph["a"], CPU, WHOLE)
    assert sample.mean != 4.0
    assert sample.mean == pytest.approx(4.0, abs=3 * 0.4 / sqrt(400))
    assert sample.deviation == pytest.approx(0.4, rel=0.15)


def test_noise_depends_on_the_seed_and_not_on_the_order_of_questions():
    graph = net("a:8 x; b:8 a")
    pricer = corekit.pricer(graph, toy(cpu={"noise": 0.1}))
    one, two, other = (Bench(pricer, repetitions=2, noise=True, seed=s) for s in (1, 1, 2))
    forwards = [one(graph[name], CPU, WHOLE) for name in "ab"]
    backwards = [two(graph[name], CPU, WHOLE) for name in "ba"]
    assert forwards == backwards[::-1]
    assert forwards[0] != forwards[1]
    assert other(graph["a"], CPU, WHOLE) != forwards[0]


def test_without_noise_repetitions_are_alike():
    pricer = corekit.pricer(net("a:8 x"), toy(cpu={"noise": 0.1}))
    sample = Bench(pricer, repetitions=100).sample(pricer.graph["a"], CPU, WHOLE)
    assert (sample.mean, sample.deviation) == (4.0, 0.0)


# --- whole profiles -------------------------------------------------------------------------------------------


def test_a_profile_has_every_operator_wherever_it_runs_and_the_parts_of_those_that_split():
    graph = net("c:64:conv2d x; s:16:softmax c", shape=(1, 4, 4, 1))
    rows = list(take_profile(corekit.pricer(graph), step=0.25))
    places = [(r.operator, r.processor, r.layout) for r in rows if r.share == 1.0]
    conv = [("c", "cpu", ""), ("c", "gpu", "image"), ("c", "gpu", "buffer"), ("c", "dsp", "buffer")]
    assert places == [*conv, ("s", "cpu", "")]
    parts = [(r.share, r.dimension) for r in rows if r.operator == "c" and r.processor == "cpu"]
    assert parts == [(1.0, ""), *((s, d) for d in ("H", "OC") for s in (0.25, 0.5, 0.75))]
    times = [r.latency_ms for r in rows if r.operator == "c" and r.processor == "cpu"]
    assert times == [32e3, 8e3, 16e3, 24e3, 8e3, 16e3, 24e3]
    assert rows[0].cores == "big:1"
    assert (rows[0].clocks, rows[0].repetitions, rows[0].kernel_class) == ("big:1e-09 GHz", 1, "other")


def test_shares_that_compute_the_same_rows_are_profiled_once():
    """Tenths of four rows: one, two, three, and the fourth is all of them."""
    rows = [r for r in take_profile(corekit.pricer(CONV)) if r.processor == "cpu" and r.dimension == "H"]
    assert [r.share for r in rows] == [0.1, 0.3, 0.6]


@pytest.mark.parametrize("options, message", [({"step": 0.0}, "step .* got 0.0"), ({"step": 2.0}, "got 2.0"),
                                              ({"repetitions": 0}, "at least 1, got 0")])  # fmt: skip
def test_profiles_that_make_no_sense(options, message):
    with pytest.raises(UsageError, match=message):
        list(take_profile(corekit.pricer(CONV), **options))


# --- files ----------------------------------------------------------------------------------------------------


def test_a_file_keeps_every_row_to_the_last_bit(tmp_path):
    rows = list(take_profile(corekit.pricer(CONV), step=0.3))
    path = write_profile(rows, tmp_path / "toy.csv")
    assert read_profile(path) == tuple(rows)
    assert path.read_text().splitlines()[0] == ",".join(COLUMNS)
    assert [p.name for p in tmp_path.iterdir()] == ["toy.csv"]


def test_a_profile_may_be_replaced_and_nothing_else(tmp_path):
    path, other = tmp_path / "toy.csv", tmp_path / "thesis.csv"
    for latency in (1.0, 2.0):
        write_profile([whole(latency)], path)
        assert read_profile(path)[0].latency_ms == latency
    other.write_text("years of work\n")
    for taken in (other, tmp_path):
        with pytest.raises(UsageError, match="is there already and is no profile"):
            write_profile([whole()], taken)
    assert other.read_text() == "years of work\n"
    with pytest.raises(UsageError, match=r"cannot write profile .*: there is no directory"):
        write_profile([whole()], tmp_path / "nowhere" / "toy.csv")


def spoilt(tmp_path, text):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    return path


HEADER = ",".join(COLUMNS)
LINE = ",".join(map(str, whole()))


def changed(old, new):
    """A file of one row, with something else in it."""
    assert old in LINE
    return f"{HEADER}\n{LINE.replace(old, new)}\n"


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "1:1: a profile needs the column 'device'"),
        (HEADER, "1:1: a profile has a row for each part that was timed, got none"),
        (HEADER.replace("latency_ms", "latency") + "\n", "1:1: a profile needs the column 'latency_ms'; "
         "did you mean it by 'latency'?"),
        (HEADER + ",more\n", "1:1: a profile's columns are device, library, "),
        (f"{HEADER}\n{LINE}\ntoy,toy\n", "3:1: a row has 16 values, got 2"),
        (changed("8000.0", "fast"), "2:1: latency_ms must be a number from 0, got 'fast'"),
        (changed("8000.0", "-1"), "2:1: latency_ms must be a number from 0, got '-1'"),
        (changed("8000.0", "nan"), "2:1: latency_ms must be a number from 0, got 'nan'"),
        (changed("8000.0", "inf"), "2:1: latency_ms must be a number from 0, got 'inf'"),
        (changed(",1.0,", ",1.5,"), "2:1: share must be a number above 0 and at most 1, got '1.5'"),
        (changed(",1.0,,0,", ",1.0,H,0,"), "2:1: dimension must be empty for a whole operator, got 'H'"),
        (changed(",1.0,,0,", ",0.5,W,0,"), "2:1: dimension must be OC or H for a part of an operator"),
        (changed(",,0,", ",,x,"), "2:1: halo_rows must be a whole number from 0, got 'x'"),
        (changed(",0.0,1,", ",0.0,0,"), "2:1: repetitions must be a whole number from 1, got '0'"),
        (changed("cpu", ""), "2:1: processor must not be empty"),
        (f"{HEADER}\n{LINE}\n\n{LINE}\n", "4:1: times the same part of 'c' as line 2"),
        (f'{HEADER}\n"toy"x,{LINE}\n', "2:1: broken quoting: "),
    ],
)  # fmt: skip
def test_faults_of_a_file_are_told_with_their_lines(tmp_path, text, message):
    path = spoilt(tmp_path, text)
    with pytest.raises(FileError) as caught:
        read_profile(path)
    assert str(caught.value).startswith(f"{path}:{message}")
    assert "\n" not in str(caught.value)


def test_at_most_ten_faults_are_told(tmp_path):
    with pytest.raises(FileError) as caught:
        read_profile(spoilt(tmp_path, HEADER + "\n" + "x\n" * 50))
    assert len(caught.value.faults) == 10


def test_a_file_that_is_no_text(tmp_path):
    path = tmp_path / "bad.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FileError, match="a profile is UTF-8 text"):
        read_profile(path)


def test_a_file_that_changes_is_read_again(tmp_path):
    path = tmp_path / "toy.csv"
    write_profile([whole(1.0)], path)
    assert read_profile(path) is read_profile(path)
    write_profile([whole(1.0), row()], path)
    assert len(read_profile(path)) == 2


# --- between the rows -----------------------------------------------------------------------------------------


def table(*rows, graph=CONV):
    return Table(rows, corekit.pricer(graph), "toy.csv")


PLACE = Placement("cpu", "", "fp32", "big:1")


@pytest.mark.parametrize(
    "part, seconds",
    [
        (WHOLE, 8.0),
        (Part(0.5, "H"), 5.0),
        (Part(0.3, "H"), 5.0),  # two of four rows
        (Part(0.25, "H", 1), 5.0),  # one row and one beside it
        (Part(0.75, "H"), 6.5),  # half way between 5 and 8
        (Part(0.25, "H"), 3.5),  # as much again below 5
        (Part(0.75, "H", 1), 8.0),  # all rows
        (Part(0.5, "OC"), 4.0),  # no part was profiled along OC: in proportion
    ],
)
def test_parts_are_interpolated_in_the_rows_that_are_computed(part, seconds):
    assert table(whole(), row())(CONV["c"], PLACE, part) == pytest.approx(seconds)


def test_extrapolated_times_are_never_negative():
    assert table(whole(), row(latency_ms=1000.0))(CONV["c"], PLACE, Part(0.25, "H")) == 0.0


@given(st.lists(st.floats(0.0, 10.0), min_size=1, max_size=6), st.floats(0.01, 1.0))
def test_a_line_goes_through_its_points_and_stays_between_them(times, x):
    points = [((i + 1) / len(times), time) for i, time in enumerate(times)]
    for at, time in points:
        assert interpolate(points, at) == pytest.approx(time)
    inside = [t for (a, t), (b, _) in pairwise(points) if a <= x <= b]
    if inside:
        assert min(times) - 1e-9 <= interpolate(points, x) <= max(times) + 1e-9


def test_times_of_another_phone_library_or_network_are_refused():
    for change, message in [
        ({"device": "toi"}, "unknown device in profile 'toy.csv': 'toy'; did you mean 'toi'"),
        ({"library": "tflite"}, "unknown library in profile 'toy.csv': 'toy'"),
        ({"model": "nets"}, "unknown network in profile 'toy.csv': 'net'; did you mean 'nets'"),
        ({"operator": "d"}, "unknown operator of 'net' in profile 'toy.csv': 'd'"),
    ]:
        with pytest.raises(UnknownNameError, match=message):
            table(whole(**change))


def test_rows_of_others_beside_the_own_are_no_matter():
    assert table(whole(1.0, device="other"), whole())(CONV["c"], PLACE, WHOLE) == 8.0


def test_what_was_not_profiled_is_named_with_what_was():
    with pytest.raises(
        UsageError, match=r"no time of operator 'c' on gpu image fp32; it has cpu fp32 big:1$"
    ):
        table(whole())(CONV["c"], Placement("gpu", "image", "fp32"), WHOLE)
    graph = net("c:64:conv2d x; d:8 c", shape=(1, 4, 4, 1))
    with pytest.raises(UsageError, match=r"no time of operator 'd' on cpu fp32 big:1; it has nothing of it$"):
        table(whole(), graph=graph)(graph["d"], PLACE, WHOLE)


def test_a_predictor_of_a_file_follows_the_file(tmp_path):
    path = tmp_path / "toy.csv"
    write_profile([whole(), row(), *[whole(1000.0, processor="gpu", layout="image", cores="")]], path)
    predictor = make_predictor(str(path), corekit.pricer(CONV))
    assert predictor.time(CONV["c"], CPU, WHOLE) == 8.0
    assert predictor.time(CONV["c"], Placement("gpu"), WHOLE) == 1.0  # its first layout
    assert predictor.time(CONV["c"], CPU, Part(0.75, "H")) == 6.5


def test_a_profile_interpolated_between_tenths_is_near_the_law():
    """Where a roofline bends between two shares the line cuts the corner; elsewhere it is the law itself."""
    pricer, exact = YOLO, ExactPredictor(YOLO)
    lines = Table(take_profile(pricer), pricer, "yolo.csv")
    errors = []
    for op in (op for op in pricer.graph if op.type == "conv2d"):
        for place in (Placement("cpu", "", "fp32", "prime:1+gold:3"), Placement("gpu", "buffer", "fp32")):
            for share in (0.03, 0.15, 0.42, 0.77, 0.96):
                part = Part(share, "H")
                true = exact.time(op, place, part)
                errors.append(abs(lines(op, place, part) - true) / true)
    assert max(errors) < 0.25
    assert sum(errors) / len(errors) < 0.002


# --- in simulations -------------------------------------------------------------------------------------------


def test_a_scheduler_that_goes_by_a_file_is_led_by_it(tmp_path):
    """The file says that the GPU is slow; the phone's is not."""
    graph = net("a:800 x", outputs="a")
    rows = list(take_profile(corekit.pricer(graph)))
    lie = [r._replace(latency_ms=r.latency_ms * (1000.0 if r.processor == "gpu" else 1.0)) for r in rows]
    path = write_profile(lie, tmp_path / "lie.csv")
    honest, misled = (
        outcome(graph, socsim.schedulers.registry.make_scheduler({"name": "heft", "predictor": spec}))
        for spec in ("profile", str(path))
    )
    assert honest.busy_s["gpu"] > 0.0
    assert misled.busy_s["gpu"] == 0.0


def test_profiles_of_the_package_s_own_function(tmp_path):
    rows = socsim.profile("xiaomi-9", "squeezenet_1.1", step=1.0)
    path = write_profile(rows, tmp_path / "s.csv")
    app = socsim.Inference("squeezenet_1.1", {"name": "heft", "predictor": str(path)}, count=2)
    measured = socsim.Inference("squeezenet_1.1", {"name": "heft", "predictor": "profile"}, count=2)
    one, two = (socsim.simulate("xiaomi-9", [a]) for a in (app, measured))
    assert one.metrics()["latency_ms_mean"] == two.metrics()["latency_ms_mean"]
    assert one.metrics()["prediction_mape"] < 1e-9
