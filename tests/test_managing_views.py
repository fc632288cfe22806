"""Costs from a profile, rehearsals, and the manager that keeps to what it is told; times of the toy phone in s."""

from __future__ import annotations

from typing import Any

import pytest
from devicekit import OnGpu, Says, app, clocks, lives, managed, plain, to
from hypothesis import given
from hypothesis import strategies as st
from test_clocks import phone

from socsim.api import load_model
from socsim.devices.profile import load_device
from socsim.errors import UnknownNameError, UsageError
from socsim.schedulers.base import OnlineScheduler
from socsim.schedulers.managers.device import Cost, Range, Rehearsal, Setting
from socsim.schedulers.managers.pinned import Pinned
from socsim.simulation.simulation import Simulation
from socsim.workloads.apps import Inference
from socsim.workloads.competitors import Competitor


def asked(question: Any, *apps: Any, **options: Any) -> Any:
    """What a manager's view answers at the start."""
    answers: list[Any] = []
    managed(Says(began=lambda state: answers.append(question(state))), *apps, **options)
    return answers[0]


# --- costs ----------------------------------------------------------------------------------------------------


def cost(level: int = 3, place: str = "on_cpu", **clocks: float) -> Cost:
    wanted = {name.replace("_", "."): clock for name, clock in clocks.items()}
    row: Cost = asked(lambda state: state.cost("net", level, place, wanted))
    return row


def test_a_row_at_the_highest_clocks() -> None:
    row = cost()
    # A busy big core draws 2 W x 1 Hz x (1 V)^2 and 1 W x 1 V of leakage, 0.5 W of which it draws idle too.
    assert row.latency_s == 6.0 and row.busy_s["cpu.big"] == 6.0
    assert {name: busy for name, busy in row.busy_s.items() if busy} == {
        "cpu.big": 6.0,
        "dram": pytest.approx(1.28e-7),
    }
    assert row.energy_j["soc"] == pytest.approx(6.0 * 2.5)
    assert (
        row.energy_j["total"]
        == pytest.approx(6.0 * 2.5 + 128 * 2**-10)
        == row.energy_j["soc"] + row.energy_j["rest"]
    )


def test_a_row_at_half_the_clock_takes_twice_as_long() -> None:
    row = cost(level=1, cpu_big=0.5)
    assert row.latency_s == 4.0
    # 2 W x 0.5 x 0.75^2 and 0.75 W of leakage.
    assert row.energy_j["soc"] == pytest.approx(4.0 * (2 * 0.5 * 0.5625 + 0.75 - 0.5))


def test_clocks_between_two_points_are_those_that_a_pinned_domain_runs_at() -> None:
    assert cost(cpu_big=0.75) == cost(cpu_big=0.5) != cost(cpu_big=1.0) == cost()
    assert cost(cpu_big=0.1) == cost(cpu_big=0.25)
    assert lives(managed(Says(to(cpu_big=Range(0.75, 0.75))))) == ["0-12@3/cpu"]


def test_asking_again_costs_nothing() -> None:
    first, second, third = asked(
        lambda state: [state.cost("net", 3, "on_cpu", {"cpu.big": clock}) for clock in (0.5, 0.6, 1.0)]
    )
    assert first is second is not third


@given(
    st.integers(1, 3),
    st.sampled_from(["on_cpu", "on_gpu"]),
    st.sampled_from([0.25, 0.5, 1.0]),
    st.sampled_from([0.25, 0.5, 1.0]),
)
def test_rows_are_what_a_run_alone_takes(level: int, place: str, big: float, gpu: float) -> None:
    device = phone()
    setting = to({"net": level}, {"net": place}, cpu_big=Range(big, big), gpu=Range(gpu, gpu))
    rows: list[Any] = []

    def ask(state: Any) -> None:
        rows.extend(
            [state.cost("net", level, place, {"cpu.big": big, "gpu": gpu}), state.idle_w({"gpu": gpu})]
        )

    done = managed(Says(setting, began=ask), device=device)
    row, idle = rows
    [only] = done.inferences
    assert row.latency_s == pytest.approx(only.finish_s - only.start_s, rel=1e-12)
    assert row.busy_s["gpu"] == pytest.approx(done.busy_s["gpu"])
    totals = {**done.rails_j, "total": sum(done.energy_j.values())}
    assert set(totals) == set(row.energy_j) == set(idle)
    for name, joules in totals.items():
        assert row.energy_j[name] + idle[name] * done.duration_s == pytest.approx(joules, rel=1e-9)


def test_rails_and_meters_of_a_board() -> None:
    nx = load_device("jetson-xavier-nx")
    net = Inference(load_model("mobilenet_v1_0.25_128"), "gpu", "pytorch_eager", "net", count=1)
    rails, idle, row = asked(
        lambda s: (s.rails, s.idle_w({}), s.cost("net", 1, "gpu", {"gpu": 510e6})), net, device=nx
    )
    assert rails == (*nx.rails, *nx.meters, "total") == tuple(idle) == tuple(row.energy_j)
    assert idle["vdd_in"] == pytest.approx(idle["total"]) and row.energy_j["vdd_in"] > 0.0


def test_questions_that_make_no_sense() -> None:
    for question, error, message in (
        (lambda s: s.cost("nett", 1, "on_cpu", {}), UnknownNameError, "did you mean 'net'"),
        (lambda s: s.cost("net", 4, "on_cpu", {}), UsageError, "'net' has the levels 1, 2, 3, got 4"),
        (lambda s: s.cost("net", 1, "on_gqu", {}), UsageError, "did you mean 'on_gpu'"),
        (lambda s: s.cost("net", 1, "on_cpu", {"cpu.bigg": 1.0}), UnknownNameError, "did you mean 'cpu.big'"),
        (lambda s: s.idle_w({"gqu": 1.0}), UnknownNameError, "did you mean 'gpu'"),
        (lambda s: s.rehearse([]), UsageError, "needs settings of which the first is at 0 s"),
        (lambda s: s.rehearse([(1.0, to())]), UsageError, "needs settings of which the first is at 0 s"),
        (lambda s: s.rehearse([(0.0, to())], until=0.0), UsageError, "must end after 0 s, got 0.0"),
        (lambda s: s.rehearse([(0.0, to()), (0.0, to())]), UsageError, "instants of settings must ascend"),
        (
            lambda s: s.rehearse([(0.0, to({"net": 9}))]),
            UsageError,
            "manager 'pinned': family 'toy'",
        ),
    ):
        with pytest.raises(error, match=message):
            asked(question)


# --- rehearsals -----------------------------------------------------------------------------------------------


def test_a_rehearsal_is_the_run_under_other_settings() -> None:
    settings = [(0.0, to({"net": 1})), (3.0, to({"net": 2}, cpu_big=Range(0.5, 0.5)))]
    apps = app(count=4, period=2.0), plain("beside", count=2, scheduler=OnGpu())
    options = {
        "governors": {"cpu.big": "schedutil"},
        "limits": {"gpu": {"max": 0.5}},
        "device": phone(latency=0.125),
    }
    rehearsed: Rehearsal = asked(lambda state: state.rehearse(settings), *apps, **options)
    done = managed(Pinned(settings=settings), *apps, **options)
    assert rehearsed.duration_s == done.duration_s
    assert rehearsed.energy_j == {**done.rails_j, "total": sum(done.energy_j.values())}
    own = sorted((r for r in done.inferences if r.app == "net"), key=lambda r: r.number)
    assert rehearsed.latencies_s["net"] == [r.finish_s - r.arrival_s for r in own]
    assert rehearsed.arrivals_s["net"] == [0.0, 2.0, 4.0, 6.0]
    assert rehearsed.levels == {"net": [1, 1, 2, 2], "beside": [1, 1]}
    assert rehearsed.unfinished == {"net": 0, "beside": 0}


def test_a_rehearsal_ends_where_it_is_told_or_with_the_run() -> None:
    cut, whole, beyond = asked(
        lambda s: [s.rehearse([(0.0, to({"net": 1}))], until) for until in (3.0, None, 90.0)],
        app(count=None),
        duration=5.0,
    )
    assert (cut.duration_s, whole.duration_s, beyond.duration_s) == (3.0, 5.0, 5.0)
    assert (cut.latencies_s, cut.unfinished) == ({"net": [2.0]}, {"net": 1})
    assert cut.energy_j["total"] < whole.energy_j["total"] == beyond.energy_j["total"]


def test_rehearsing_changes_nothing_of_the_run() -> None:
    class Tired(OnlineScheduler):
        """Drops everything from its third decision on: what it remembers shows."""

        calls = 0

        def decide(self, view: Any) -> Any:
            for job in view.ready:
                self.calls += 1
                yield job.on("cpu") if self.calls < 3 else job.drop()

    def run(tick: Any) -> Any:
        online = plain("online", scheduler=Tired(), count=4, work=2)
        return managed(
            Says(tick=tick, period=1.5), app(level=1), online, Competitor(duty=0.5, period=1.0), duration=9.0
        )

    quiet = run(lambda state: None)
    busy = run(lambda state: state.rehearse([(0.0, to({"net": 2}))]) and None)
    assert quiet == busy
    assert [r.status for r in quiet.inferences if r.app == "online"].count("dropped") == 2


# --- pinned ---------------------------------------------------------------------------------------------------


def test_pinned_keeps_levels_places_and_clocks() -> None:
    options = {"levels": {"net": 1}, "places": {"net": "on_cpu"}, "clocks": {"cpu.big": "0.5 Hz"}}
    done = managed({"name": "pinned", **options}, app(count=2))
    assert lives(done) == ["0-4@1/cpu", "4-8@1/cpu"] and clocks(done)[-1] == (0.0, 0.5)


def test_pinned_changes_at_instants() -> None:
    rows = [
        {"at": 0, "levels": {"net": 2}},
        {"at": "3 s", "levels": {"net": 1}, "clocks": {"cpu.big": {"min": 0.25, "max": 0.5}}},
        {"at": 9.5, "clocks": {"cpu.big": None}},
    ]
    done = managed(Pinned(levels={"net": 3}, settings=rows), app(count=3), device=phone(latency=0.0))
    # 3 s and 2 s of work at half speed; 0.5 s to switch; the last 0.5 s at full speed.
    assert lives(done)[:2] == ["0-5@2/cpu", "5.5-9.5@1/cpu"] and clocks(done) == [
        (0.0, 1.0),
        (3.0, 0.5),
        (9.5, 1.0),
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"levels": 3}, "manager 'pinned': levels must be a mapping, got 3"),
        ({"clocks": {"gpu": "fast"}}, "manager 'pinned': clocks.gpu: "),
        ({"clocks": {"gpu": "5 ms"}}, "manager 'pinned': clocks.gpu: "),
        ({"clocks": {"gpu": True}}, "clocks.gpu must be a frequency, got True"),
        ({"clocks": {"gpu": {"mean": 1.0}}}, "clocks.gpu has the keys min and max, or one of them, got mean"),
        ({"settings": "x"}, "settings are a list, got 'x'"),
        ({"settings": [{"levels": {}}]}, "settings.0 needs the instant 'at'"),
        ({"settings": [3]}, "settings.0 must be a mapping with 'at', or an instant and a Setting, got 3"),
        ({"settings": [{"at": -1}]}, "settings.0.at must not be negative, got -1"),
        ({"settings": [{"at": 1}, {"at": 1}]}, "instants of settings must ascend, got 1 s after 1 s"),
        ({"settings": [{"at": 1, "level": {}}]}, "has no 'level'; did you mean 'levels'?"),
    ],
)
def test_pinned_refuses_what_makes_no_sense(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Pinned(**options)
    assert message in str(caught.value)


def test_pinned_told_nothing_is_no_manager() -> None:
    assert managed("pinned").energy_j == managed(None).energy_j


def test_settings_are_copied_by_simulations_that_rehearse() -> None:
    setting = Setting({"net": 1})
    run = Simulation(phone(), [app()], manager=Pinned(settings=[(0.0, setting)]))
    assert lives(run.run()) == ["0-2@1/cpu"] and setting == Setting({"net": 1})
