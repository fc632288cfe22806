"""What runs of one process share: found again, kept apart where it differs, and never changing a result."""

from __future__ import annotations

import os
import pickle
import random
from pathlib import Path
from typing import Any

import pytest
from onnx_models import model, save

import socsim
from socsim.schedulers.heft import HEFT
from socsim.schedulers.managers.device import DeviceState, Setting
from socsim.schedulers.managers.pinned import Pinned
from socsim.schedulers.registry import SCHEDULERS, make_scheduler
from socsim.schedulers.reuse.policies import LayerReuse
from socsim.simulation import streammaker
from socsim.simulation.planning import plan_identity
from socsim.simulation.setups import Setups

COUNT = 3


def rows(scheduler, setups=None, **options):
    app = socsim.Inference("squeezenet_1.1", scheduler, count=COUNT, **options)
    return socsim.simulate("xiaomi-9", [app, socsim.Competitor(count=1)], setups=setups).rows()


class Counting(socsim.StaticScheduler):
    """Counts how often it is asked."""

    asked = 0

    def plan(self, graph, view):
        type(self).asked += 1
        return dict.fromkeys(graph, "gpu")


class Repeating(Counting):
    repeatable = True


class Looking(Counting):
    """Looks at the load, which other runs do not have."""

    repeatable = True

    def plan(self, graph, view):
        view.load("cpu")
        return super().plan(graph, view)


class Heir(Repeating):
    """Plans by chance; the promise is its parent's."""

    def plan(self, graph, view):
        super().plan(graph, view)
        return {op: random.choice(["cpu", "gpu"]) for op in graph}


class Online(socsim.OnlineScheduler):
    granularity = "operator"

    def decide(self, view):
        for job in view.ready:
            yield job.on(job.processors[-1])


# --- keeping --------------------------------------------------------------------------------------------------


def test_a_thing_is_made_once() -> None:
    made: list[int] = []
    setups = Setups()
    for key in (1, 2, 1):
        setups.kept("number", key, lambda key=key: made.append(key) or key)  # type: ignore[misc]
    assert made == [1, 2]
    assert setups.kept("other", 1, lambda: "else") == "else"


def test_those_not_used_for_longest_go_first() -> None:
    setups = Setups(most=2)
    for key in (1, 2, 1, 3):
        setups.kept("x", key, lambda key=key: key)  # type: ignore[misc]
    assert setups.kept("x", 1, lambda: "new") != "new"
    assert setups.kept("x", 2, lambda: "new") == "new"


def test_what_fails_is_tried_again() -> None:
    setups = Setups()
    with pytest.raises(ZeroDivisionError):
        setups.kept("x", 1, lambda: 1 / 0)
    assert setups.kept("x", 1, lambda: 5) == 5


def test_nothing_travels_to_other_processes() -> None:
    setups = Setups(most=3)
    setups.kept("x", 1, lambda: lambda: None)
    again = pickle.loads(pickle.dumps(setups))
    assert again.kept("x", 1, lambda: "new") == "new"


def test_pricers_are_told_apart() -> None:
    setups, device = Setups(), socsim.load_device("xiaomi-9")
    graph, library = socsim.load_model("squeezenet_1.1"), socsim.load_library("mace")
    pricer = setups.pricer(device, library, graph)
    assert setups.pricer(device, library, graph) is pricer
    assert setups.pricer(device, library, graph, "int8") is not pricer
    assert setups.pricer(device, library, socsim.load_model("squeezenet_1.1")) is not pricer


# --- results are the same -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "scheduler", [*(n for n in SCHEDULERS.names() if n != "npu"), "heft(predictor=flops)"]
)
def test_results_are_the_same_bit_for_bit(scheduler: str) -> None:
    setups = Setups()
    alone = rows(scheduler)
    assert rows(scheduler, setups) == alone
    assert rows(scheduler, setups) == alone


@pytest.mark.parametrize(
    "other", [{"dtype": "int8"}, {"cores": "prime:1"}, {"kernel_limit": "1 ms"}, {"library": "tflite"}]
)
def test_what_differs_is_kept_apart(other: dict[str, str]) -> None:
    setups = Setups()
    first = rows("gpu", setups)
    assert rows("gpu", setups, **other) == rows("gpu", **other)
    assert rows("gpu", setups) == first


def test_options_are_kept_apart() -> None:
    setups = Setups()
    for name in ("codl", "codl(predictor=blind)", "cpu", "gpu(layout=buffer)", "gpu"):
        assert rows(name, setups) == rows(name)


def test_own_online_schedulers_share_only_lowerings() -> None:
    setups = Setups()
    alone = rows(Online())
    assert [rows(Online(), setups), rows(Online(), setups)] == [alone, alone]


# --- plans ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "asked"), [("Counting", 3), ("Repeating", 1), ("Looking", 3), ("Heir", 3)])
def test_only_those_who_promise_are_not_asked_again(name: str, asked: int) -> None:
    cls = globals()[name]
    cls.asked = 0
    setups = Setups()
    for _ in range(3):
        rows(f"{__name__}:{name}", setups)
    assert cls.asked == asked


def test_objects_are_always_asked() -> None:
    scheduler, setups = Repeating(), Setups()
    Repeating.asked = 0
    rows(scheduler, setups)
    rows(scheduler, setups)
    assert Repeating.asked == 2
    assert plan_identity(scheduler, scheduler) is None


def test_a_profile_that_has_changed_is_another(tmp_path: Path) -> None:
    file = tmp_path / "p.csv"
    file.write_text("x")
    spec = {"name": "heft", "predictor": str(file)}
    first = plan_identity(spec, HEFT())
    os.utime(file, ns=(1, 1))
    assert first != plan_identity(spec, HEFT())
    assert plan_identity("heft", make_scheduler("heft")) == plan_identity("heft", make_scheduler("heft"))


def test_a_network_file_that_has_changed_is_read_again(tmp_path: Path) -> None:
    setups, seen = Setups(), []
    for channels in (64, 512):
        weights = {"w": (channels, 3, 3, 3)}
        file = save(model("y = Conv <pads = [1, 1, 1, 1]> (x, w)", weights), tmp_path)
        os.utime(file, ns=(channels, channels))
        app = socsim.Inference(str(file), "cpu", count=1)
        seen.append(socsim.simulate("xiaomi-9", [app], setups=setups).metrics()["latency_ms_mean"])
    assert seen[0] < seen[1]


# --- levels, places, transforms and reuse ---------------------------------------------------------------------


@pytest.mark.parametrize("level", [1, 5])
@pytest.mark.parametrize("place", ["cpu", "gpu", "mulayer"])
def test_levels_and_places_are_kept_apart(level: int, place: str) -> None:
    """Places are schedulers of one application, which names only the first of them."""

    def run(own: Setups | None) -> list[dict[str, object]]:
        app = socsim.Inference("dynamic_ofa", "cpu", count=2, level=level, places=["cpu", "gpu", "mulayer"])
        return socsim.simulate(
            "xiaomi-9", [app], manager=Pinned(places={"dynamic_ofa": place}), setups=own
        ).rows()

    setups = Setups()
    for other in ("gpu", "cpu", "mulayer"):
        app = socsim.Inference("dynamic_ofa", "cpu", count=1, places=["cpu", "gpu", "mulayer"])
        socsim.simulate("xiaomi-9", [app], manager=Pinned(places={"dynamic_ofa": other}), setups=setups)
    assert run(setups) == run(setups) == run(None)
    directly = socsim.simulate("xiaomi-9", [socsim.Inference("dynamic_ofa", place, count=2, level=level)])
    assert run(setups)[0]["service_ms_mean"] == pytest.approx(directly.rows()[0]["service_ms_mean"])


class Rehearsing(socsim.DeviceManager):
    """Rehearses both places, and takes the faster one."""

    def start(self, view: DeviceState) -> Setting:
        def mean(place: str) -> float:
            times = view.rehearse([(0.0, Setting(places={"dynamic_ofa": place}))]).latencies_s["dynamic_ofa"]
            return sum(times) / len(times)

        self.means = {place: mean(place) for place in ("cpu", "gpu")}
        return Setting(places={"dynamic_ofa": min(self.means, key=self.means.__getitem__)})


@pytest.mark.parametrize("manager", ["hierarchical", Rehearsing])
def test_managers_that_ask_for_costs_or_rehearse_decide_the_same(manager: Any) -> None:
    def run(own: Setups | None) -> list[dict[str, object]]:
        app = socsim.Inference(
            "dynamic_ofa", "cpu", count=3, period="80 ms", targets={"latency": "70 ms"}, places=["cpu", "gpu"]
        )
        return socsim.simulate("xiaomi-9", [app], manager=manager, setups=own).rows()

    setups = Setups()
    assert run(setups) == run(setups) == run(None)


def test_reuse_in_layers_is_kept_apart() -> None:
    setups, seen = Setups(), set()
    for policy in (
        None,
        LayerReuse(),
        LayerReuse(copies=True),
        LayerReuse(boundary=1e-3),
        LayerReuse(block=64),
    ):
        options = {"scene": 0.2, "reuse": policy, "period": "100 ms"}
        first, again = rows("cpu", setups, **options), rows("cpu", setups, **options)
        assert first == again == rows("cpu", **options)
        seen.add(first[0]["service_ms_mean"])
    assert len(seen) == 5


def test_networks_after_transforms_are_kept_apart(tmp_path: Path) -> None:
    setups, table = Setups(), tmp_path / "drops.csv"
    for steps in ((), ("prune(0.5)",), ("prune(0.5)", "quantise")):
        assert rows("cpu", setups, transforms=steps) == rows("cpu", transforms=steps)
    seen = []
    for drop in (1.5, 2.5):
        table.write_text(
            f"model,transform,parameter,top1_drop,grade,source\nsqueezenet_1.1,prune,0.5,{drop},D,own\n"
        )
        os.utime(table, ns=(int(drop * 10), int(drop * 10)))
        found = rows("cpu", setups, transforms=("prune(0.5)",), accuracy=str(table))
        seen.append(found[0]["top1_drop"])
    assert seen == [1.5, 2.5]


def test_random_numbers_of_different_things_have_generators_of_their_own() -> None:
    assert len({streammaker._ARRIVALS, streammaker._SCENES, streammaker._DELAYS}) == 3
