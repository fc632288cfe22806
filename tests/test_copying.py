"""Libraries that copy tensors between processors, in place of mapping memory that both see."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from corekit import CPU, GPU, LIBRARY, SHARING, SYNC, Fixed, net, toy
from hypothesis import given
from hypothesis import strategies as st

import socsim
from socsim.devices.device import Copying, Device, Sharing, SyncTime
from socsim.devices.profile import load_device
from socsim.devices.sharing import from_accelerator, handover_time, sharing_of, to_accelerator
from socsim.errors import FileError
from socsim.simulation.simulation import Simulation
from socsim.workloads.apps import Inference
from socsim.workloads.builder import GraphBuilder
from socsim.workloads.library import load_library

FIXED, SLOPE = 0.5, 1 / 128
"""A tensor of 64 B takes 1 s."""
COPY = "hand_over: {kind: copy, grade: A, source: made up}\n"
MEASURED = {"xiaomi-9": ((0.8, 0.9), (0.58, 0.60)), "honor-v30-pro": ((0.08, 0.12), (0.24, 0.27))}
"""DAG-Scheduler, MNN, fp32: constant in ms and slope in ms/MB of a transfer with its change of layout."""


def copying(fixed: float = FIXED, slope: float = SLOPE, **options) -> Device:
    """The toy phone, where what copies cost is known."""
    device = toy(**options)
    links = {name: replace(link, copied=Copying(fixed, slope)) for name, link in device.sharing.items()}
    return replace(device, sharing=links)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The toy library, which copies."""
    path = tmp_path_factory.mktemp("library") / "toy.yaml"
    path.write_text(Path(LIBRARY).read_text() + COPY)
    return str(path)


def run(graph, plan, library: str, device: Device, **options) -> list[tuple[str, str, float, float]]:
    """Kind, operator, start and end of everything."""
    app = Inference(graph, Fixed(plan), library=library, count=1, **options)
    running = Simulation(device, [app], kernels=True, mechanisms=SHARING)
    running.validate()
    return [(k.kind, k.operator, k.start_s, k.end_s) for k in running.run().kernels]


def kernels(graph, plan, library: str, device: Device, **options) -> dict[str, tuple[float, float]]:
    rows = run(graph, plan, library, device, **options)
    return {operator: (start, end) for kind, operator, start, end in rows if kind == "kernel"}


# --- the law --------------------------------------------------------------------------------------------------


def test_a_copy_is_a_constant_and_a_slope_either_way() -> None:
    links = sharing_of(copying().sharing, copies=True)
    for size in (0.0, 64.0, 640.0):
        law = FIXED + SLOPE * size
        assert handover_time(links, size, "gpu", "cpu", image=True) == law
        assert handover_time(links, size, "cpu", "gpu", image=True) == law
        assert handover_time(links, size, "dsp", "gpu") == 2 * law
    assert handover_time(links, 64.0, "gpu", "gpu", image=True) == 0.0


def test_who_maps_pays_for_mapping() -> None:
    device = copying()
    assert sharing_of(device.sharing, copies=False) == device.sharing


def test_where_nobody_knows_what_copies_cost_they_cost_what_maps_do() -> None:
    device = toy()
    assert sharing_of(device.sharing, copies=True) == device.sharing


def test_there_is_no_spread_of_a_wait_of_which_only_the_mean_is_known() -> None:
    link = sharing_of(copying(sync_sd=0.25).sharing, copies=True)["gpu"]
    assert link.sync == SyncTime(FIXED, 0.0, FIXED, FIXED)


# --- in a run -------------------------------------------------------------------------------------------------


def test_a_copied_chain(library: str) -> None:
    """Copy x, a on the GPU, copy a, b on the CPU."""
    graph = net("a:16 x; b:4 a")
    assert run(graph, {"a": GPU, "b": CPU}, library, copying()) == [
        ("map", "a", 0.0, 0.5),
        ("sync", "a", 0.5, 1.0),
        ("kernel", "a", 1.0, 3.0),
        ("map", "b", 3.0, 3.5),
        ("sync", "b", 3.5, 4.0),
        ("kernel", "b", 4.0, 6.0),
    ]


def test_tensors_are_copied_one_after_the_other(library: str) -> None:
    """Two tensors are mapped together, and waited for once; each is a copy with its own calls."""
    graph = net("g:16 x,y", inputs="x y")
    assert kernels(graph, {"g": GPU}, library, copying())["g"] == (2.0, 4.0)
    mapped = kernels(graph, {"g": GPU}, LIBRARY, copying())["g"]
    assert mapped == kernels(graph, {"g": GPU}, LIBRARY, toy())["g"]


def test_a_copy_that_is_there_is_not_made_again(library: str) -> None:
    graph = net("a:16 x; b:4 a; c:4 a; d:4 b,c")
    rows = run(graph, {"a": GPU, "b": CPU, "c": CPU, "d": CPU}, library, copying())
    assert [operator for kind, operator, *_ in rows if kind == "map"] == ["a", "b"]


def test_no_copies_on_one_processor(library: str) -> None:
    graph = net("a:4 x; b:4 a")
    rows = run(graph, {"a": CPU, "b": CPU}, library, copying())
    assert [kind for kind, *_ in rows] == ["kernel", "kernel"]


@given(
    count=st.integers(1, 4),
    fixed=st.sampled_from([0.0, 0.125, 0.5, 4.0]),
    slope=st.sampled_from([1 / 512, 1 / 64]),
)
def test_copies_add_up(library: str, count: int, fixed: float, slope: float) -> None:
    inputs = [f"x{i}" for i in range(count)]
    graph = net(f"g:16 {','.join(inputs)}", inputs=" ".join(inputs))
    start, end = kernels(graph, {"g": GPU}, library, copying(fixed, slope))["g"]
    assert start == pytest.approx(count * (fixed + 64 * slope))
    assert end - start == 2.0


@given(st.lists(st.sampled_from(["cpu", "gpu"]), min_size=1, max_size=5), st.floats(0.0, 4.0))
def test_slower_copies_never_help_a_chain(library: str, places: list[str], more: float) -> None:
    names = [f"o{i}" for i in range(len(places))]
    text = "; ".join(f"{n}:8 {b}" for n, b in zip(names, ["x", *names], strict=False))
    plan = {n: CPU if p == "cpu" else GPU for n, p in zip(names, places, strict=True)}
    ends = [
        max(end for *_, end in run(net(text), plan, library, copying(fixed)))
        for fixed in (FIXED, FIXED + more)
    ]
    crossings = sum(a != b for a, b in zip(["cpu", *places], [*places, "cpu"], strict=True))
    assert ends[1] - ends[0] == pytest.approx(crossings * more)


def test_schedulers_are_told_what_copies_cost(library: str) -> None:
    seen = []

    class Asks(socsim.StaticScheduler):
        def plan(self, graph, view):
            seen.extend([view.transfer(16, "gpu", "cpu"), view.transfer(16, "cpu", "gpu")])
            return dict.fromkeys(graph.operators, "cpu")

    app = Inference(net("a:4 x"), Asks(), library=library, count=1)
    Simulation(copying(), [app]).run()
    assert seen == [1.0, 1.0]


# --- waiting for each operator --------------------------------------------------------------------------------


def own_host(library: str, tmp_path: Path) -> str:
    path = tmp_path / "own.yaml"
    path.write_text(Path(library).read_text().replace("host: shared", "host: own"))
    return str(path)


def test_a_host_of_its_own_waits_alone(tmp_path: Path) -> None:
    """While the GPU's host waits for a, the CPU computes c; b waits, and d on the CPU for b alone."""
    graph = net("a:16 x; c:4 x; b:16 a; d:4 b,c")
    plan = {"a": GPU, "b": GPU, "c": CPU, "d": CPU}
    found = kernels(graph, plan, own_host(LIBRARY, tmp_path), toy(), blocking=True)
    shared = kernels(graph, plan, LIBRARY, toy(), blocking=True)
    assert found["c"][0] == 0.0
    assert shared["c"][0] == found["a"][1] + SYNC
    assert found["b"][0] == found["a"][1] + SYNC


# --- files ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("hand_over: {kind: move, grade: A, source: s}", "'map' or 'copy'"),
        ("hand_over: {kind: copy}", "grade"),
        ("hand_over: copy", "hand_over"),
    ],
)
def test_bad_hand_overs_of_libraries(tmp_path: Path, line: str, told: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(f"{Path(LIBRARY).read_text()}{line}\n")
    with pytest.raises(FileError, match=told):
        load_library(path)


def test_libraries_map_unless_they_say_otherwise(library: str) -> None:
    assert [load_library(name).copies for name in (LIBRARY, "mace", "tflite", "ncnn", "mnn", library)] == [
        False, False, False, False, True, True,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ("{fixed: 1 ms}", "per_byte"),
        ("{fixed: 1 ms, per_byte: -1 us/MB}", "greater than or equal to 0"),
        ("{fixed: 1 ms, per_byte: 1 us/MB, sync: 1 ms}", "sync"),
    ],
)
def test_bad_copies_of_devices(tmp_path: Path, block: str, told: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(f"extends: galaxy-a03s\nsharing: {{gpu: {{copied: {block}}}}}\n")
    with pytest.raises(FileError, match=told):
        load_device(path)


# --- measured -------------------------------------------------------------------------------------------------


def law(device: Device, library: str, source: str) -> tuple[float, float]:
    """Constant in ms and slope in ms/MB of what a run takes to hand tensors of 0.1 to 10 MB over, fp32.

    Without what the CPU takes to put them into another order, which is no part of what was measured.
    """
    sizes, times = [], []
    for side in (16, 64, 160):
        builder = GraphBuilder("relu")
        x = builder.input(1, 100, side, side)
        graph = builder.build(builder.max_pool(builder.max_pool(x, 2, 1), 2, 1))
        first, second = graph.operators
        target = {"gpu": "cpu", "cpu": "gpu"}[source]
        app = socsim.Inference(
            graph, Fixed({first: source, second: target}), library=library, dtype="fp32", count=1
        )
        rows = socsim.simulate(device, [app], kernels=True).kernels
        transposed = (rows.kind == "transform") & (rows.processor == "cpu")
        own = rows[(rows.operator == second) & (rows.kind != "kernel") & ~transposed]
        sizes.append(400.0 * side * side / 1e6)
        times.append((own.end_ms - own.start_ms).sum())
    slope, constant = np.polyfit(sizes, times, 1)
    return float(constant), float(slope)


@pytest.mark.parametrize("source", ["gpu", "cpu"])
@pytest.mark.parametrize("name", MEASURED)
def test_mnn_hands_over_as_measured(name: str, source: str) -> None:
    for found, measured in zip(law(load_device(name), "mnn", source), MEASURED[name], strict=True):
        assert found == pytest.approx(sum(measured) / 2, rel=0.25)


def test_mace_hands_over_as_it_was_measured() -> None:
    """CoDL, figure 14: transform 0.082 and map 0.054 ms/MB, and a wait of 0.54 ms."""
    constant, slope = law(load_device("xiaomi-9"), "mace", "gpu")
    assert constant == pytest.approx(0.54, rel=0.25)
    assert slope == pytest.approx(0.136, rel=0.25)


def test_laws_of_the_profiles() -> None:
    for name, (constant, slope) in MEASURED.items():
        link = sharing_of(load_device(name).sharing, copies=True)["gpu"]
        assert isinstance(link, Sharing)
        assert constant[0] <= 1e3 * from_accelerator(link, 0.0, image=True).time <= constant[1]
        assert slope[0] <= 1e9 * (to_accelerator(link, 1.0, image=True).time - link.post_sync) <= slope[1]
