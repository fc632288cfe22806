"""What a scheduler may know."""

from __future__ import annotations

import pytest
from tiny import BACK, SYNC, TinyLibrary, convolutions, network, view_of

from socsim.errors import PlanError, UnknownNameError
from socsim.schedulers import Job
from socsim.schedulers.view import Load

GRAPH = network({"a": (4e6, ""), "b": (8e6, "a")})


def test_processors_layouts_and_support():
    view = view_of(GRAPH, TinyLibrary({"dsp": ["task"], "gpu/buffer": ["a"]}))
    a, b = GRAPH
    assert view.processors == view.all_processors == ("cpu", "gpu", "dsp")
    assert (view.layouts("cpu"), view.layouts("gpu")) == (("",), ("image", "buffer"))
    assert [view.supports(p, a) for p in view.processors] == [True, True, False]
    assert [view.supports("gpu", op, "buffer") for op in (a, b)] == [False, True]


def test_a_processor_of_quantised_kernels_is_no_peer():
    view = view_of(GRAPH, dsp="int8")
    assert (view.processors, view.all_processors) == (("cpu", "gpu"), ("cpu", "gpu", "dsp"))


def test_layouts_of_a_data_type():
    view = view_of(GRAPH)
    assert view.layouts("gpu", "fp16") == ("buffer",)
    assert view.layouts("gpu", "int8") == ()
    assert view.layouts("cpu", "int8") == ("",)


def test_predictions_are_work_by_speed():
    view, (a, b) = view_of(GRAPH), GRAPH
    assert [view.predict(a, p) for p in view.processors] == pytest.approx([2e-3, 1e-3, 4e-3])
    assert view.predict(b, "gpu", layout="buffer") == pytest.approx(4e-3)
    assert view.predict(b, "gpu", layout="buffer", dtype="fp16") == pytest.approx(2e-3)


def test_a_job_takes_as_long_as_its_operators():
    view = view_of(GRAPH)
    job = Job(0, GRAPH, ("a", "b"), view.processors, 0.0, 0)
    assert view.predict(job, "gpu") == pytest.approx(3e-3)
    assert view.predict(job, "gpu", layout="buffer") == pytest.approx(6e-3)


def test_shares_and_halos():
    graph = convolutions(1, size=10)
    (op,) = graph
    view = view_of(graph)
    whole = view.predict(op, "cpu")
    assert view.predict(op, "cpu", share=0.5, dimension="H") == pytest.approx(whole / 2)
    assert view.predict(op, "cpu", share=0.5, dimension="H", halo_rows=2) == pytest.approx(0.7 * whole)
    wider = view.predict(op, "cpu", share=0.5, dimension="H", halo_rows=2, halo_columns=2)
    assert wider == pytest.approx(0.7 * 1.2 * whole)


def test_unsupported_operators_have_no_price():
    view = view_of(GRAPH, TinyLibrary({"gpu": ["a"]}))
    with pytest.raises(PlanError, match=r"'a' .* cannot run on 'gpu'"):
        view.predict(GRAPH["a"], "gpu")


def test_transfers_depend_on_direction_and_layout():
    view, size = view_of(GRAPH), 1e6  # 4 MB
    assert view.transfer(size, "cpu", "cpu") == 0.0
    assert view.transfer(size, "gpu", "cpu") == pytest.approx(SYNC + 4e-3 + 8e-3)
    assert view.transfer(size, "gpu", "cpu", layout="buffer") == pytest.approx(SYNC + 4e-3)
    assert view.transfer(size, "cpu", "gpu", layout="buffer") == pytest.approx(BACK)
    through = view.transfer(size, "gpu", "cpu", layout="buffer") + view.transfer(size, "cpu", "dsp")
    assert view.transfer(size, "gpu", "dsp", layout="buffer") == pytest.approx(through)


def test_both_accelerators_change_layout():
    """1000 B from buffers of the DSP into images of the GPU, and between images of both."""
    view = view_of(GRAPH)
    through = 1e-6 + 2 * SYNC + BACK
    assert view.transfer(250, "dsp", "gpu", target_layout="buffer") == pytest.approx(through)
    assert view.transfer(250, "dsp", "gpu", target_layout="image") == pytest.approx(through + 2e-6)
    assert view.transfer(250, "dsp", "gpu") == view.transfer(250, "dsp", "gpu", target_layout="image")


def test_fixed_costs():
    view = view_of(GRAPH, overhead={"gpu": 1e-3, "cpu": 2e-4})
    assert (view.fixed_cost("gpu"), view.fixed_cost("cpu"), view.fixed_cost("dsp")) == (1e-3, 2e-4, 0.0)


def test_an_idle_phone_makes_nobody_wait():
    view = view_of(GRAPH)
    job = Job(0, GRAPH, ("a",), ("cpu",), 0.0, 0)
    assert (view.now, view.ready, view.wait("gpu"), view.data_ready(job, "gpu")) == (0.0, (), 0.0, 0.0)


def test_loads_are_passed_on():
    job = Job(0, GRAPH, ("a",), ("cpu",), 0.0, 0)
    waits = {"gpu": 3.0}
    load = Load(lambda: 5.0, lambda: (job,), lambda p: waits.get(p, 0.0), lambda j, p: 0.25)
    view = view_of(GRAPH, load=load)
    assert (view.now, view.ready, view.wait("gpu"), view.wait("cpu")) == (5.0, (job,), 3.0, 0.0)
    assert view.data_ready(job, "cpu") == 0.25


def test_unknown_processors_are_named():
    with pytest.raises(UnknownNameError, match=r"unknown processor .*'gpx'"):
        view_of(GRAPH).layouts("gpx")


def test_a_part_of_everything_is_the_whole():
    """Halo rows are beside a share; there are none beside all of an operator."""
    graph = convolutions(1, size=10)
    (op,) = graph
    view = view_of(graph)
    whole = view.predict(op, "gpu")
    assert view.predict(op, "gpu", share=1.0, dimension="H", halo_rows=3) == whole
    assert view.predict(op, "gpu", share=0.3, dimension="H") == pytest.approx(0.3 * whole)
    assert view.predict(op, "gpu", share=0.3) == pytest.approx(5 / 16 * whole)


def test_the_fixed_cost_of_a_job_is_paid_where_every_job_is_an_invocation():
    job = Job(0, GRAPH, ("a", "b"), ("cpu", "gpu"), 0.0, 0)
    for invocations, extra in ((False, 0.0), (True, 5e-3)):
        load = Load(lambda: 0.0, lambda: (), lambda p: 0.0, lambda j, p: 0.0, invocations)
        view = view_of(GRAPH, load=load, overhead={"gpu": 5e-3})
        assert view.predict(job, "gpu") == pytest.approx(3e-3 + extra)
        assert view.predict(job, "cpu") == pytest.approx(6e-3)


def test_jobs_are_told_apart_by_inference_and_unit():
    jobs = {Job(i, GRAPH, ("a",), ("cpu",), 0.0, u) for i in range(2) for u in range(2)}
    assert len(jobs) == 4
    assert Job(0, GRAPH, ("a",), ("cpu",), 0.0, 0) in jobs


def test_a_whole_trip_between_accelerators_goes_through_the_cpu():
    """1000 B: layout change, map and sync out of the GPU's images, then into the DSP, which takes them as they are."""
    view = view_of(GRAPH)
    out = 2e-6 + 1e-6 + SYNC
    assert view.transfer(250, "gpu", "dsp", layout="image") == pytest.approx(out + BACK)
    assert view.transfer(250, "gpu", "dsp", layout="buffer") == pytest.approx(1e-6 + SYNC + BACK)
    assert view.transfer(250, "gpu", "gpu") == view.transfer(250, "cpu", "cpu") == 0.0


def test_transpositions():
    """conv1's 1600 values at 1e9 operations/s and two workers; neither the input nor what leaves the network."""
    graph = convolutions(2, size=10)
    view = view_of(graph, TinyLibrary(transposes=["gpu"]))
    tensors = [t for op in graph for t in (*op.inputs, *op.outputs)]
    assert view.transposition(tensors[1], "gpu") == pytest.approx(1600 / 2e9)
    assert view.transposition(tensors[1], "cpu") == view.transposition(tensors[1], "dsp") == 0.0
    assert view.transposition(tensors[0], "gpu") == view.transposition(tensors[-1], "gpu") == 0.0
    assert view_of(graph).transposition(tensors[1], "gpu") == 0.0
