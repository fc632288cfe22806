"""Energy by application: by hand on the toy phone, against sums, and as it is shown.

A busy core or accelerator of the toy phone takes 2.5 W more than an idle one at 1 Hz and 1 V; DRAM 2^-10 J/B.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from corekit import BUFFER, CPU, DSP, LIBRARY, SHARING, Fixed, net, outcome, placed, simulation, toy
from hypothesis import given, settings
from hypothesis import strategies as st
from results_samples import app_record, kernel, many_inferences, mixed_outcome, strict_json
from rich.console import Console
from test_clocks import ONE, phone
from test_idle import NAP, OFF, STATES, Switch, leaky, sleepy

import socsim
from socsim.devices.idle import Rest
from socsim.errors import SimulationError
from socsim.results import frames
from socsim.results.attribution import caused_j, energy_by_app, energy_rows
from socsim.results.render import render_applications
from socsim.results.result import Result
from socsim.results.timeline import Steps, add, metered_steps, power_steps
from socsim.results.trace import trace_document
from socsim.simulation.invariants import check_energy
from socsim.simulation.records import ClockRecord, ComponentPower, EnergyRecord, Outcome
from socsim.simulation.simulation import Simulation
from socsim.workloads.apps import Inference
from socsim.workloads.competitors import Competitor
from socsim.workloads.frames import Ui, Video

CHAIN = net("a:16 x; b:8 a")


def used(done: Outcome) -> dict[tuple[str, str], float]:
    """Energy in J by application and component."""
    return {(r.app, r.component): r.energy_j for r in done.used}


def total_of(done: Outcome, component: str) -> float:
    return sum(r.energy_j for r in done.used if r.component == component)


# --- by hand --------------------------------------------------------------------------------------------------


def test_what_one_application_adds() -> None:
    """12 s of a big core and 256 B; the rest would have been drawn anyway."""
    done = outcome(CHAIN, {"a": CPU, "b": CPU})
    assert used(done) == {
        ("net", "cpu.big"): 12 * 2.5,
        ("net", "dram"): 256 / 1024,
        ("idle", "cpu.big"): 12.0,
        ("idle", "cpu.little"): 12.0,
        ("idle", "gpu"): 6.0,
        ("idle", "dsp"): 6.0,
        ("idle", "dram"): 3.0,
        ("idle", "board"): 12.0,
    }
    assert [r.busy_s for r in done.used][:2] == [12.0, 0.0]
    assert {r.kind for r in done.used if r.app == "net"} == {"inference"}


def test_two_applications_in_turns() -> None:
    """The second's kernels take half of the first's: 12 s and 6 s of one core, whoever waits pays nothing."""
    half = net("a:8 x; b:4 a")
    apps = [
        Inference(graph, Fixed({"a": CPU, "b": CPU}), library=LIBRARY, count=1, name=name)
        for graph, name in ((CHAIN, "p"), (half, "q"))
    ]
    running = Simulation(toy(), apps)
    running.validate()
    done = running.run()
    assert used(done)["p", "cpu.big"] == pytest.approx(12 * 2.5)
    assert used(done)["q", "cpu.big"] == pytest.approx(6 * 2.5)
    assert {r.app: r.busy_s for r in done.used if r.component == "cpu.big"} == {
        "p": pytest.approx(12.0), "q": pytest.approx(6.0), "idle": 0.0,
    }  # fmt: skip


def test_sharing_a_core_at_once_shares_its_energy() -> None:
    apps = [Inference(net("a:16 x"), Fixed({"a": CPU}), library=LIBRARY, count=1, name=name) for name in "pq"]
    done = Simulation(toy(), apps, mechanisms=SHARING).run()
    assert used(done)["p", "cpu.big"] == used(done)["q", "cpu.big"] == pytest.approx(8 * 2.5)


def test_dispatching_is_the_application_s() -> None:
    """Two dispatches of 6 s, of code without kernels' activity, and 2 + 4 s of the DSP."""
    device = toy(dsp={"dispatch": 6.0})
    hungry = replace(device.clusters[0], power=replace(device.clusters[0].power, activity=2.0))
    done = outcome(CHAIN, {"a": DSP, "b": DSP}, replace(device, clusters=(hungry, device.clusters[1])))
    assert used(done)["net", "cpu.big"] == pytest.approx(12 * 2.5)
    assert used(done)["net", "dsp"] == pytest.approx(6 * 2.5)


def test_competitors_pay_for_cores_accelerators_and_bytes() -> None:
    rivals = [
        Competitor(name="spin", affinity="little", traffic=100.0, stop=5.0),
        Competitor(name="gpu", processor="gpu", kernel=0.5, traffic=10.0),
    ]
    running = Simulation(toy(), rivals, duration=10.0)
    running.validate()
    done = running.run()
    found = used(done)
    busy = {(r.app, r.component): r.busy_s for r in done.used}
    assert busy["spin", "cpu.little"] == pytest.approx(5.0, abs=0.03)
    assert found["spin", "cpu.little"] == pytest.approx(busy["spin", "cpu.little"] * 2.5)
    assert found["spin", "dram"] == pytest.approx(busy["spin", "cpu.little"] * 100.0 / 1024)
    assert found["gpu", "gpu"] == pytest.approx(busy["gpu", "gpu"] * 2.5)
    assert found["gpu", "dram"] == pytest.approx(busy["gpu", "gpu"] * 10.0 / 1024)
    assert ("spin", "gpu") not in found and ("gpu", "cpu.big") not in found
    assert {r.kind for r in done.used} == {"competitor", "idle"}


def test_processes_of_one_competitor_are_one_application() -> None:
    done = Simulation(toy(), [Competitor(count=3, name="three")], duration=4.0).run()
    assert {r.app for r in done.used} == {"three", "idle"}
    busy = sum(r.busy_s for r in done.used if r.app == "three")
    assert busy == pytest.approx(4 * done.busy_s["cpu"])


def test_what_shows_frames_pays() -> None:
    apps = [
        Video(name="film", fps=1, decode=0.1, compose=0.2),
        Ui(name="ui", fps=2, render=0.1, compose=0.1),
    ]
    running = Simulation(toy(), apps, duration=10.0)
    running.validate()
    done = running.run()
    assert used(done)["film", "gpu"] == pytest.approx(10 * 0.2 * 2.5)
    assert used(done)["ui", "gpu"] == pytest.approx(20 * 0.1 * 2.5)
    assert ("film", "cpu.big") not in used(done) and used(done)["ui", "cpu.big"] > 0.0
    assert {r.app: r.kind for r in done.used} == {"film": "video", "ui": "ui", "idle": "idle"}


def test_clocks_of_the_moment_count() -> None:
    """8 s of work: 6 at 1 Hz and 1 V, then 2 more at half the clock: 4 s at 0.5 Hz and 0.5 V."""
    app = Inference(ONE, Fixed({"a": CPU}), library=LIBRARY, count=1)
    running = Simulation(leaky(), [app], mechanisms=SHARING, governors={"cpu": Switch()})
    running.validate()
    done = running.run()
    assert done.duration_s == 10.0
    fast, slow = 3.0 - 0.5, (2.0 * 0.5 * 0.25 + 0.5) - 0.25
    assert used(done)["net", "cpu.big"] == pytest.approx(6 * fast + 4 * slow)


def test_an_accelerator_s_clock_changes_while_it_computes() -> None:
    """The same on the GPU, which begins at 3.375 s, of two applications of which one waits."""
    apps = [
        Inference(net("a:32 x"), Fixed({"a": BUFFER}), library=LIBRARY, count=1, name=name) for name in "pq"
    ]
    running = Simulation(phone(), apps, mechanisms=SHARING)
    for when, clock in ((4.0, 0.5), (9.0, 0.25), (20.0, 1.0)):
        timer = running.env.timeout(when)
        timer.callbacks.append(lambda _, f=clock: running.clocks.request("gpu", f))
    running.validate()
    done = running.run()
    spans = {r.app: r.busy_s for r in done.used if r.component == "gpu" and r.app != "idle"}
    assert sum(spans.values()) == pytest.approx(done.busy_s["gpu"])
    assert total_of(done, "gpu") == pytest.approx(done.energy_j["gpu"], rel=1e-12)
    assert used(done)["p", "gpu"] != pytest.approx(used(done)["q", "gpu"])


def test_a_run_cut_short_pays_for_what_was_done() -> None:
    done = outcome(CHAIN, {"a": CPU, "b": CPU}, count=None, duration=5.0)
    assert used(done)["net", "cpu.big"] == pytest.approx(5 * 2.5)
    assert used(done)["net", "dram"] == pytest.approx(80 / 1024)


def test_nobody_causes_what_an_idle_device_draws() -> None:
    done = outcome(CHAIN, {"a": CPU, "b": CPU}, sleepy(), period=1e3, count=None, duration=1e3)
    idle = {r.component: r.energy_j for r in done.used if r.kind == "idle"}
    assert used(done)["net", "cpu.big"] == pytest.approx(12 * 2.5)
    assert idle["cpu.big"] == pytest.approx(done.energy_j["cpu.big"] - 12 * 2.5)
    assert idle["cpu.little"] == pytest.approx(0.0, abs=1e-9)


# --- sums -----------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(placed(), placed(), st.booleans(), st.booleans())
def test_applications_and_idle_sum_to_all(one, other, shared: bool, cut: bool) -> None:
    apps = [
        Inference(graph, Fixed(plan), library=LIBRARY, name=name, count=2)
        for (graph, plan), name in ((one, "p"), (other, "q"))
    ]
    options = {"mechanisms": SHARING} if shared else {}
    if cut:
        options["duration"] = 7.0
    running = Simulation(
        leaky(states=STATES), [*apps, Competitor(duty=0.5, period=0.5, stop=20.0)], governors={"cpu": Switch(0.7)},
        **options,
    )  # fmt: skip
    running.validate()
    done = running.run()
    for component, joules in done.energy_j.items():
        assert total_of(done, component) == pytest.approx(joules, rel=1e-9, abs=1e-12)
    assert sum(energy_by_app(done).values()) == pytest.approx(sum(done.rails_j.values()), rel=1e-9)
    assert min(r.energy_j for r in done.used) >= 0.0


def test_energy_that_is_nobody_s_is_told() -> None:
    done = outcome(CHAIN, {"a": CPU, "b": CPU})
    check_energy(done)
    with pytest.raises(SimulationError, match=r"'cpu\.big' uses 42\.0 J but 12\.0 J are attributed"):
        check_energy(replace(done, used=tuple(r for r in done.used if r.app == "idle")))


@pytest.mark.parametrize("governors", [{}, {"cpu": "schedutil", "gpu": "simple_ondemand(driver=msm)"}])
def test_a_busy_phone_adds_up(governors: dict[str, str]) -> None:
    apps = [
        socsim.Inference("mobilenet_v2", "codl", period="60 ms", name="net"),
        socsim.Competitor(threads=3, duty=0.4, traffic="1 GB/s"),
        socsim.Video(fps=30),
    ]
    result = socsim.simulate("xiaomi-9", apps, duration="1 s", governors=governors)
    table = result.app_energy
    joules = sum(result.outcome.energy_j.values())
    for column in ("energy_mj", "shared_mj"):
        assert table[column].sum() == pytest.approx(joules * 1e3, rel=1e-9)
    assert set(table["app"]) == {"net", "competitor", "video", "idle"}
    assert table.query("app == 'idle'")["shared_mj"].abs().max() == pytest.approx(0.0, abs=1e-9)
    busy = table.query("component.str.startswith('cpu')")["busy_ms"].sum()
    assert busy == pytest.approx(8 * result.outcome.busy_s["cpu"] * 1e3)


def test_records_cost_no_energy() -> None:
    app = socsim.Inference("mobilenet_v2", "codl", count=3)
    plain, traced = (socsim.simulate("xiaomi-9", [app], kernels=k).outcome for k in (False, True))
    assert plain.used == traced.used and plain.idle == traced.idle


def test_a_replay_pays_for_what_it_plays(tmp_path: Path) -> None:
    """Recorded and replayed, a process costs what it did."""
    rival = socsim.Competitor(threads=2, duty=0.5, period="10 ms", affinity="gold", name="rival")
    recorded = socsim.simulate("xiaomi-9", [rival], duration="0.5 s", kernels=True)
    recorded.process_trace().to_csv(tmp_path / "trace.csv", index=False)
    replayed = socsim.simulate(
        "xiaomi-9", [socsim.Replay(tmp_path / "trace.csv", name="again")], duration="0.5 s"
    ).outcome
    kinds = {r.kind for r in replayed.used}
    assert kinds == {"replay", "idle"}
    assert caused_j(replayed, "again") == pytest.approx(caused_j(recorded.outcome, "rival"), rel=1e-3)


# --- rows and tables ------------------------------------------------------------------------------------------


def test_sharing_the_idle_row_out() -> None:
    """p was busy for 3 s and q for 1 s: they pay 3/4 and 1/4 of 8 J of the board and 4 J of the idle GPU."""
    records = (
        EnergyRecord("p", "inference", "gpu", 6.0, 3.0),
        EnergyRecord("q", "video", "cpu.a", 1.0, 1.0),
        EnergyRecord("idle", "idle", "gpu", 4.0, 0.0),
        EnergyRecord("idle", "idle", "cpu.a", 2.0, 0.0),
        EnergyRecord("idle", "idle", "board", 8.0, 0.0),
    )
    shared = {(app, part): own / 1e3 for app, _, part, _, own, _ in energy_rows(mixed_outcome(used=records))}
    assert shared == {
        ("p", "gpu"): 9.0, ("p", "cpu.a"): 1.5, ("p", "board"): 6.0,
        ("q", "gpu"): 1.0, ("q", "cpu.a"): 1.5, ("q", "board"): 2.0,
        ("idle", "gpu"): 0.0, ("idle", "cpu.a"): 0.0, ("idle", "board"): 0.0,
    }  # fmt: skip


def test_with_nobody_busy_the_idle_row_keeps_all() -> None:
    records = (EnergyRecord("p", "video", "dram", 1.0, 0.0), EnergyRecord("idle", "idle", "dram", 4.0, 0.0))
    rows = {row[0]: row[3:5] for row in energy_rows(mixed_outcome(used=records))}
    assert rows == {"p": (1e3, 1e3), "idle": (4e3, 4e3)}


def test_an_application_called_idle_is_told_apart() -> None:
    records = (
        EnergyRecord("idle", "inference", "gpu", 6.0, 3.0),
        EnergyRecord("idle", "idle", "gpu", 4.0, 0.0),
    )
    assert energy_by_app(mixed_outcome(used=records)) == {"idle (application)": 6.0, "idle": 4.0}
    assert caused_j(mixed_outcome(used=records), "idle") == 6.0


def test_energy_per_inference_of_an_application() -> None:
    """10 mJ over two finished inferences; the device's 33 mJ over all three."""
    records = (*many_inferences([1, 1]), *many_inferences([1], app="other"))
    done = mixed_outcome(inferences=records, apps={"app": app_record(), "other": app_record(app="other")})
    rows = {row["app"]: row for row in Result(done).rows()}
    assert rows["app"]["app_energy_mj"] == pytest.approx(5.0)
    assert rows["other"]["app_energy_mj"] == 0.0
    assert rows["app"]["energy_mj"] == rows["other"]["energy_mj"] == pytest.approx(11.0)
    assert strict_json(rows) == rows


def test_a_row_and_the_table_agree() -> None:
    net_, film = (
        socsim.Inference("mobilenet_v2", "gpu", period="50 ms", name="net"),
        socsim.Video(name="film"),
    )
    result = socsim.simulate("xiaomi-9", [net_, film], duration="1 s")
    table = result.app_energy.groupby("app")["energy_mj"].sum()
    rows = {row["app"]: row for row in result.rows()}
    finished = rows["net"]["finished"]
    assert rows["net"]["app_energy_mj"] * finished == pytest.approx(table["net"])
    composed = rows["film"]["presented"] + rows["film"]["late"]
    assert rows["film"]["app_energy_mj"] * composed == pytest.approx(table["film"], rel=0.02)
    assert table["film"] > 0 and rows["net"]["energy_mj"] > rows["net"]["app_energy_mj"]
    assert "app_energy_mj" in result.summary().columns


def test_tables_are_saved(tmp_path: Path) -> None:
    import pandas as pd

    app = socsim.Inference("mobilenet_v2", "gpu", count=2, name="net")
    result = socsim.simulate("xiaomi-9", [app])
    result.save(tmp_path / "out")
    for name in ("app_energy", "idle", "power"):
        read = pd.read_parquet(tmp_path / "out" / f"{name}.parquet")
        assert list(read.columns) == list(frames.COLUMNS[name]) and len(read)
    assert pd.read_parquet(tmp_path / "out" / "summary.parquet")["app_energy_mj"].iloc[0] > 0.0


def test_a_run_says_who_caused_what() -> None:
    console = Console(width=120, color_system=None)
    with console.capture() as capture:
        console.print(render_applications(Result(mixed_outcome())))
    assert "energy: app 10.0 mJ (45%), idle 12.0 mJ (55%)\n" in capture.get()
    with console.capture() as capture:
        console.print(render_applications(Result(mixed_outcome(used=()))))
    assert "energy: " not in capture.get()


# --- over time ------------------------------------------------------------------------------------------------


def integral(steps: Steps, end: float) -> float:
    ends = [*steps.times[1:], end]
    return sum(v * (e - t) for t, v, e in zip(steps.times, steps.values, ends, strict=True))


def test_steps_are_added_time_by_time() -> None:
    import numpy as np

    one, other = (
        Steps(np.array(t), np.array(v)) for t, v in (([0.0, 2.0], [1.0, 3.0]), ([0.0, 1.0], [0.5, 0.0]))
    )
    total = add([one, other])
    assert (total.times.tolist(), total.values.tolist()) == ([0.0, 1.0, 2.0], [1.5, 1.0, 3.0])
    assert add([]).values.tolist() == [0.0]


def test_power_falls_as_cores_go_to_sleep() -> None:
    """Core 0 computes for 12 s and then naps and is off; core 1 is off all the time: 0.0625 W."""
    done = outcome(CHAIN, {"a": CPU, "b": CPU}, sleepy((NAP, OFF)), kernels=True, duration=20.0)
    steps = power_steps(done)["cpu.big"]
    assert steps.times.tolist() == [0.0, 12.0, 13.0, 16.0]
    assert steps.values.tolist() == pytest.approx([3.0625, 0.5625, 0.3125, 0.125])
    assert integral(steps, 20.0) == pytest.approx(done.energy_j["cpu.big"], rel=1e-9)


def test_power_of_a_cluster_that_goes_to_sleep() -> None:
    """All off from 8 s after the end on."""
    done = outcome(CHAIN, {"a": CPU, "b": CPU}, sleepy(), kernels=True, duration=30.0)
    steps = power_steps(done)["cpu.big"]
    assert steps.times.tolist() == [0.0, 12.0, 13.0, 16.0, 20.0]
    assert steps.values.tolist() == pytest.approx([3.0625, 0.5625, 0.3125, 0.125, 0.0])
    assert power_steps(done)["cpu.little"].values.tolist() == [0.0]


def test_idle_power_over_time_follows_the_clock() -> None:
    app = Inference(ONE, Fixed({"a": CPU}), library=LIBRARY, count=1)
    running = Simulation(
        leaky(states=(OFF,)), [app], duration=20.0, mechanisms=SHARING, kernels=True,
        governors={"cpu": Switch(), "gpu": Switch()},
    )  # fmt: skip
    done = running.run()
    steps = power_steps(done)
    assert (steps["gpu"].times.tolist(), steps["gpu"].values.tolist()) == ([0.0, 6.0], [0.5, 0.25])
    assert steps["cpu.big"].times.tolist() == [0.0, 6.0, 10.0, 14.0]
    slow = 2.0 * 0.5 * 0.25 + 0.5
    expected = [3.0 + 0.0625, slow + 0.03125, 0.25 + 0.03125, 0.0625]
    assert steps["cpu.big"].values.tolist() == pytest.approx(expected)


def test_rails_and_meters_over_time() -> None:
    device = replace(toy(), meters={"all": ("soc", "rest")})
    done = outcome(CHAIN, {"a": CPU, "b": BUFFER}, device, kernels=True)
    steps = metered_steps(done)
    assert set(steps["component"]) == set(done.energy_j)
    for kind, energies in (("rail", done.rails_j), ("meter", done.meters_j)):
        assert set(steps[kind]) == set(energies)
        for name, joules in energies.items():
            assert integral(steps[kind][name], done.duration_s) == pytest.approx(joules, rel=1e-9)


def test_rails_that_feed_nothing_have_no_power() -> None:
    done = outcome(CHAIN, {"a": CPU, "b": CPU}, kernels=True)
    done = replace(done, rails={**done.rails, "spare": ()}, meters={"both": ("soc", "spare")})
    steps = metered_steps(done)
    assert "spare" not in steps["rail"]
    assert steps["meter"]["both"].values.tolist() == steps["rail"]["soc"].values.tolist()
    assert metered_steps(replace(done, duration_s=0.0)) == {"component": {}, "rail": {}, "meter": {}}


def test_power_frame_and_counters_have_all_meters() -> None:
    app = socsim.Inference("mobilenet_v2", "gpu", library="pytorch_eager", count=2)
    result = socsim.simulate("jetson-xavier-nx", [app], kernels=True)
    spent = result.power["power_w"] * (result.power["end_ms"] - result.power["start_ms"])
    sums = spent.groupby([result.power["meter"], result.power["component"]]).sum()
    energy = result.energy.set_index(["meter", "name"])["energy_mj"]
    assert set(sums.index) == set(energy.index)
    assert sums.to_dict() == pytest.approx({key: energy[key] for key in sums.index}, rel=1e-9)
    events = trace_document(result.outcome)["traceEvents"]
    counters = {e["name"] for e in events if e["ph"] == "C"}
    assert {"power gpu [W]", "power rail vdd_cpu_gpu_cv [W]", "power meter vdd_in [W]"} <= counters
    json.dumps(events, allow_nan=False)


def test_cores_that_dispatch_draw_power_when_they_do() -> None:
    """A network that a host starts kernel by kernel, a pause, and again: its core draws less in between."""
    app = socsim.Inference("mobilenet_v2", "gpu", library="pytorch_eager", period="100 ms", count=2)
    done = socsim.simulate("jetson-xavier-nx", [app], kernels=True).outcome
    (cluster,) = {done.core_names[s.core] for s in done.dispatches}
    steps, power = power_steps(done)[f"cpu.{cluster}"], done.power[f"cpu.{cluster}"]
    top = max(power.busy_w_at)
    gated = 2 * power.gated_w_at[top]
    assert steps.values.max() == pytest.approx(gated + power.dispatch_w_at[top], rel=1e-9)
    assert steps.values.min() == pytest.approx(gated, rel=1e-9)
    assert integral(steps, done.duration_s) == pytest.approx(done.energy_j[f"cpu.{cluster}"], rel=1e-9)
    busy = sum(s.end_s - s.start_s for s in done.dispatches)
    used = sum(r.energy_j for r in done.used if r.component == f"cpu.{cluster}" and r.kind != "idle")
    assert used == pytest.approx(busy * power.dispatch_w_at[top], rel=1e-9)


def test_gaps_begin_before_the_run() -> None:
    """1 ms of work from 1 ms on, in 10 ms: asleep from the start, then again 4 ms after the end."""
    power = ComponentPower(0.1, 1.0, {1e9: 1.0}, {1e9: 0.2}, Rest(1, ((0.004, 0.5),)))
    expected = 0.1 * 0.001 + 1.2 * 0.001 + 0.2 * 0.004 + 0.1 * 0.004
    done = mixed_outcome(
        kernels=(kernel("a", 1, 2, on="cpu", cores=(2,)),), energy_j={"cpu.gold": expected},
        power={"cpu.gold": power}, clocks=(ClockRecord(0.0, "cpu.gold", 1e9),),
    )  # fmt: skip
    steps = power_steps(done)["cpu.gold"]
    assert steps.times.tolist() == pytest.approx([0.0, 0.001, 0.002, 0.006])
    assert steps.values.tolist() == pytest.approx([0.1, 1.2, 0.2, 0.1])


def test_what_did_nothing_draws_what_it_draws_idle() -> None:
    done = simulation(CHAIN, {"a": CPU, "b": CPU}, sleepy(), kernels=True, duration=20.0).run()
    steps = power_steps(done)
    assert (steps["gpu"].times.tolist(), steps["gpu"].values.tolist()) == ([0.0], [0.5])
    assert steps["board"].values.tolist() == [1.0]
