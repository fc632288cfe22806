"""One processor for everything."""

from __future__ import annotations

import pytest
from tiny import TinyLibrary, convolutions, network, pricer_of, view_of

from socsim.devices.profile import load_device
from socsim.errors import PlanError
from socsim.schedulers.plan import Placement
from socsim.schedulers.predictors import ExactPredictor
from socsim.schedulers.single import (
    SingleProcessor,
    best_layout,
    preferred_layouts,
    times_by_processor,
    with_fallback,
)
from socsim.schedulers.validation import resolve
from socsim.schedulers.view import View
from socsim.workloads.library import load_library
from socsim.workloads.pricing import Pricer
from socsim.workloads.zoo import build_model

GRAPH = network({"a": (4e6, ""), "b": (4e6, "a"), "c": (4e6, "b")})


@pytest.mark.parametrize("processor, layout", [("cpu", ""), ("gpu", "image"), ("dsp", "buffer")])
def test_everything_on_one_processor(processor, layout):
    plan = SingleProcessor(processor).plan(GRAPH, view_of(GRAPH))
    assert plan.decisions == dict.fromkeys("abc", Placement(processor, layout))


def test_a_layout_may_be_forced():
    scheduler = SingleProcessor("gpu", layout="buffer")
    assert set(scheduler.plan(GRAPH, view_of(GRAPH)).decisions.values()) == {Placement("gpu", "buffer")}
    assert (scheduler.title, SingleProcessor("gpu").title) == ("gpu-buffer", "gpu")


def test_cores_are_for_the_cpu():
    cpu, gpu = (SingleProcessor(p, cores="little").plan(GRAPH, view_of(GRAPH)) for p in ("cpu", "gpu"))
    assert (cpu.decisions["a"].cores, gpu.decisions["a"].cores) == ("little", "")


def test_unsupported_operators_are_wanted_and_fall_back():
    pricer = pricer_of(GRAPH, TinyLibrary({"gpu": ["b"]}))
    raw = SingleProcessor("gpu").plan(GRAPH, View(pricer, ExactPredictor(pricer)))
    assert raw.decisions["b"].processor == "gpu"
    plan = resolve(raw, pricer)
    assert [p.processor for p in plan.decisions.values()] == ["gpu", "cpu", "gpu"]
    assert list(plan.fallbacks) == ["b"]


def test_a_processor_that_is_not_there_is_named():
    with pytest.raises(PlanError, match=r"^tiny has no npu; it has cpu, gpu, dsp$"):
        resolve(SingleProcessor("npu").plan(GRAPH, view_of(GRAPH)), pricer_of(GRAPH))


def test_the_faster_layout_wins_with_its_fallbacks_counted():
    assert best_layout(GRAPH, view_of(GRAPH), "gpu") == "image"
    # Images are twice as fast, but with them b and its hand-overs would be on the CPU.
    library = TinyLibrary({"gpu/image": ["b"]})
    assert best_layout(GRAPH, view_of(GRAPH, library, sync=3e-3), "gpu") == "buffer"
    assert best_layout(GRAPH, view_of(GRAPH, library, sync=1e-4), "gpu") == "image"
    assert best_layout(GRAPH, view_of(GRAPH), "cpu") == ""


def test_preferred_layouts_of_all_that_share():
    assert preferred_layouts(GRAPH, view_of(GRAPH)) == {"cpu": "", "gpu": "image", "dsp": "buffer"}
    assert preferred_layouts(GRAPH, view_of(GRAPH, dsp="int8")) == {"cpu": "", "gpu": "image"}


def test_with_fallback_places_what_it_can():
    view = view_of(GRAPH, TinyLibrary({"gpu/buffer": ["a"]}))
    plan = with_fallback(GRAPH, view, "gpu", "buffer")
    assert plan.decisions == {
        "a": Placement("cpu"), "b": Placement("gpu", "buffer"), "c": Placement("gpu", "buffer")
    }  # fmt: skip


@pytest.mark.parametrize("phone, layout", [("xiaomi-9", "image"), ("honor-v30-pro", "buffer")])
def test_images_on_adreno_and_buffers_on_mali(phone, layout):
    graph = build_model("yolov2")
    pricer = Pricer(load_device(phone), load_library("mace"), graph)
    plan = resolve(SingleProcessor("gpu").plan(graph, View(pricer, ExactPredictor(pricer))), pricer)
    assert {p.layout for p in plan.decisions.values() if p.processor == "gpu"} == {layout}


def test_it_plans_a_network_of_convolutions():
    graph = convolutions(3)
    assert len(SingleProcessor("gpu").plan(graph, view_of(graph)).decisions) == 3


def test_times_are_of_the_processors_that_can_run_it_with_their_layouts():
    """4 M MACs: 2 ms on the CPU, and on the GPU 1 ms with images, 2 ms with buffers; the DSP does not support it."""
    graph = network({"a": (4e6, "")})
    view = view_of(graph, TinyLibrary({"dsp": ["a"]}))
    for layout, time in (("image", 1e-3), ("buffer", 2e-3)):
        times = times_by_processor(graph["a"], view, {"cpu": "", "gpu": layout, "dsp": "buffer"})
        assert times == {"cpu": pytest.approx(2e-3), "gpu": pytest.approx(time)}
