"""Managers of a device in time: what they settle holds from exact instants on; times of the toy phone in s."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from devicekit import OnCpu, OnGpu, Says, app, clocks, lives, managed, plain, simulated, to
from hypothesis import given
from hypothesis import strategies as st
from test_clocks import phone
from test_levels import family

from socsim.errors import SimulationError, UsageError
from socsim.schedulers.base import OnlineScheduler
from socsim.schedulers.managers.device import DeviceManager, Range, Setting
from socsim.simulation.simulation import Simulation
from socsim.workloads.competitors import Competitor

HALF = Range(0.5, 0.5)

# --- levels and places ----------------------------------------------------------------------------------------


def test_who_settles_nothing_changes_nothing() -> None:
    with_one, without = managed(Says(), app(count=3, period=7.0)), managed(None, app(count=3, period=7.0))
    assert with_one.energy_j == without.energy_j and with_one.clocks == without.clocks
    assert lives(with_one) == ["0-6@3/cpu", "7-13@3/cpu", "14-20@3/cpu"]
    assert [r[:8] for r in with_one.inferences] == [r[:8] for r in without.inferences]


def test_levels_and_places_of_the_start_hold_for_the_first_inference() -> None:
    done = managed(Says(to({"net": 1}, {"net": "on_gpu"})), app(count=2))
    assert lives(done)[0].endswith("@1/gpu") and lives(done)[0].startswith("0-")
    assert done.switches == ()
    assert done.apps["net"].scheduler == "on_gpu"


def test_what_is_settled_after_an_inference_holds_for_the_next_and_costs_a_switch() -> None:
    wanted = iter([to({"net": 1}), None, to(places={"net": "on_cpu"}), to({"net": 2})])
    done = managed(Says(finished=lambda state, app: next(wanted)), app(count=4))
    assert lives(done) == ["0-6@3/cpu", "6.5-8.5@1/cpu", "8.5-10.5@1/cpu", "10.5-12.5@1/cpu"]
    assert [tuple(s) for s in done.switches] == [("net", 1, 6.0, 6.5, 1, "on_cpu")]


def test_a_change_of_place_is_taken_to_cost_what_one_of_level_costs() -> None:
    done = managed(Says(finished=lambda state, app: to(places={"net": "on_gpu"})), app(count=2))
    [switch] = done.switches
    assert (switch.start_s, switch.end_s, switch.level, switch.place) == (6.0, 6.5, 3, "on_gpu")
    assert lives(done)[1].startswith("6.5-") and lives(done)[1].endswith("@3/gpu")
    assert done.apps["net"].scheduler == "on_cpu+on_gpu"


def test_one_network_is_a_family_of_one_that_changes_places_at_no_cost() -> None:
    seen: list[Any] = []
    manager = Says(
        began=lambda state: seen.append((dict(state.apps["plain"].top1), state.apps["plain"].switch_s)),
        finished=lambda state, app: to({app: 1}, {app: "on_gpu"}),
    )
    done = managed(manager, plain(count=2))
    assert lives(done)[0] == "0-4@1/cpu" and lives(done)[1].startswith("4-")
    assert [(s.start_s, s.end_s) for s in done.switches] == [(4.0, 4.0)]
    assert list(seen[0][0]) == [1] and seen[0][0][1] != seen[0][0][1] and seen[0][1] == 0.0
    assert done.apps["plain"].top1 == {} and done.apps["plain"].model == "net"


def test_inferences_of_one_network_that_overlap_keep_their_places() -> None:
    manager = Says(tick=lambda state: to(places={"plain": "on_gpu"}), period=1.0)
    done = managed(manager, plain(count=2, arrivals=[0.0, 2.0], concurrency=2), duration=20.0)
    assert [(r.number, r.place) for r in sorted(done.inferences, key=lambda r: r.number)] == [
        (0, "on_cpu"),
        (1, "on_gpu"),
    ]


def test_a_tick_between_two_inferences_counts_and_the_last_word_wins() -> None:
    manager = Says(tick=lambda state: to({"net": 1 if state.now < 3.5 else 2}), period="2 s")
    done = managed(manager, app(count=2, period=10.0), duration=20.0)
    assert lives(done) == ["0-6@3/cpu", "10.5-14.5@2/cpu"]


# --- clocks ---------------------------------------------------------------------------------------------------


def test_clocks_of_the_start_hold_at_once_as_limits_of_users_do() -> None:
    done = managed(Says(to(cpu_big=HALF)), device=phone(latency=1.0))
    assert lives(done) == ["0-12@3/cpu"]
    assert clocks(done) == [(0.0, 1.0), (0.0, 0.5)]


def test_later_clocks_take_the_transition_latency_and_cut_what_runs() -> None:
    ticks = iter([to(cpu_big=HALF), None, to(cpu_big=None)])
    done = managed(
        Says(tick=lambda state: next(ticks, None), period=1.0), device=phone(latency=0.25), duration=9.0
    )
    # 1.25 s at full speed, 2 s at half of it, the rest at full speed again.
    assert clocks(done) == [(0.0, 1.0), (1.25, 0.5), (3.25, 1.0)]
    assert lives(done) == ["0-7@3/cpu"]


def test_without_a_governor_a_domain_runs_at_the_highest_clock_of_its_range() -> None:
    assert clocks(managed(Says(to(cpu_big=Range(0.25, 0.5)))))[-1] == (0.0, 0.5)
    assert clocks(managed(Says(to(cpu_big=Range(0.25, 0.9)))))[-1] == (0.0, 0.5)
    assert clocks(managed(Says(to(cpu_big=Range(0.6, 0.9)))))[-1] == (
        0.0,
        0.5,
    )  # a cap counts more than a floor


@pytest.mark.parametrize(
    ("governor", "inside", "after"), [("performance", 0.5, 1.0), ("powersave", 0.25, 0.25)]
)
def test_a_governor_goes_on_inside_its_range(governor: str, inside: float, after: float) -> None:
    manager = Says(to(cpu_big=Range(0.25, 0.5)), tick=lambda state: to(cpu_big=None), period=3.0)
    done = managed(manager, governors={"cpu.big": governor}, duration=4.0)
    assert clocks(done)[-1][1] == after
    assert [clock for at, clock in clocks(done) if at < 3.0][-1] == inside


def test_cpu_is_all_policies_but_those_that_are_named() -> None:
    done = managed(Says(to(cpu=Range(0.25, 1.0), cpu_big=HALF), tick=lambda s: None), device=_alike())
    assert (clocks(done)[-1][1], clocks(done, "cpu.little")[-1][1]) == (0.5, 1.0)
    done = managed(Says(to(cpu=HALF)), device=_alike())
    assert (clocks(done)[-1][1], clocks(done, "cpu.little")[-1][1]) == (0.5, 0.5)


def _alike() -> Any:
    """The phone whose little cores have the clocks of the big ones."""
    from dataclasses import replace

    made = phone()
    big, little = made.clusters
    return replace(made, clusters=(big, replace(little, opps=big.opps)))


def test_what_the_user_wants_at_least_counts_for_more() -> None:
    seen: list[Range] = []
    manager = Says(
        to(cpu_big=Range(0.25, 0.25)), began=lambda state: seen.append(state.domains["cpu.big"].allowed)
    )
    done = managed(manager, limits={"cpu.big": {"min": 0.5}})
    assert seen == [(0.5, 1.0)] and clocks(done)[-1] == (0.0, 0.5)


def test_what_the_user_allows_at_most_counts_too() -> None:
    seen: list[Range] = []
    manager = Says(
        to(cpu_big=Range(1.0, 1.0)), began=lambda state: seen.append(state.domains["cpu.big"].allowed)
    )
    done = managed(manager, limits={"cpu.big": {"max": 0.5}})
    assert seen == [(0.25, 0.5)] and clocks(done)[-1] == (0.0, 0.5)


def test_its_own_ranges_are_not_among_what_is_allowed() -> None:
    seen: list[Range] = []
    manager = Says(to(cpu_big=HALF), tick=lambda s: seen.append(s.domains["cpu.big"].allowed), period=1.0)
    managed(manager, duration=1.5)
    assert seen == [(0.25, 1.0)]


def test_a_range_that_stays_asks_no_governor_again() -> None:
    moves = managed(
        Says(to(cpu_big=HALF), tick=lambda s: to(cpu_big=HALF), period=0.5),
        governors={"cpu.big": "performance"},
    )
    assert clocks(moves) == [(0.0, 1.0), (0.0, 0.5)]


# --- when it is asked -----------------------------------------------------------------------------------------


def test_ticks_come_at_multiples_of_the_period_until_the_end() -> None:
    seen: list[float] = []
    managed(Says(tick=lambda state: seen.append(state.now), period=0.1), app(level=1), duration=1.05)
    assert seen == [pytest.approx(0.1 * i, abs=1e-12) for i in range(1, 11)]


def test_instants_are_ticks_beside_the_period() -> None:
    seen: list[float] = []
    manager = Says(tick=lambda state: seen.append(state.now), period=1.0)
    manager.instants = (0.0, 1.5, 1.0)
    managed(manager, duration=2.5)
    assert sorted(seen) == [0.0, 1.0, 1.0, 1.5, 2.0]


@pytest.mark.parametrize("period", [0, -1.0, "3", "soon", True, float("nan")])
def test_periods_that_are_none(period: Any) -> None:
    with pytest.raises(UsageError, match="manager 'says': period"):
        managed(Says(period=period))


@pytest.mark.parametrize("instant", [-1.0, "1 s", True, float("inf")])
def test_instants_that_are_none(instant: Any) -> None:
    manager = Says()
    manager.instants = (instant,)
    with pytest.raises(UsageError, match="instants must be times in s from 0 on"):
        managed(manager)


def test_applications_with_their_own_deciders_are_left_alone() -> None:
    class Online(OnlineScheduler):
        def decide(self, view: Any) -> Any:
            for job in view.ready:
                yield job.on("cpu")

    seen: list[Any] = []
    done = managed(
        Says(began=lambda state: seen.extend(state.apps)),
        app("managed"),
        app("own", manager="fixed(level=1)"),
        plain("online", scheduler=Online()),
    )
    assert seen == ["managed"]
    assert {r.app: (r.level, r.place) for r in done.inferences} == {
        "managed": (3, "on_cpu"), "own": (1, ""), "online": (0, "")
    }  # fmt: skip


# --- what it sees ---------------------------------------------------------------------------------------------


def test_an_application_over_time() -> None:
    seen: list[Any] = []

    def note(state: Any, name: str = "") -> None:
        net = state.apps["net"]
        seen.append(
            (
                state.now,
                net.active,
                net.level,
                net.place,
                net.waiting,
                list(net.latencies),
                list(net.services),
            )
        )

    def finished(state: Any, name: str) -> Setting:
        note(state)
        return to({"net": 1}, {"net": "on_cpu"})

    manager = Says(to({"net": 2}), began=note, tick=note, finished=finished, period=9.0)
    managed(manager, app(count=2, period=1.0), duration=10.0)
    assert seen == [
        (0.0, True, 3, "on_cpu", 0, [], []),
        (4.0, True, 2, "on_cpu", 1, [4.0], [4.0]),
        (6.5, False, 1, "on_cpu", 0, [4.0, 5.5], [4.0, 2.0]),
        (9.0, False, 1, "on_cpu", 0, [4.0, 5.5], [4.0, 2.0]),
    ]


def test_an_application_is_active_from_its_start_to_its_last_inference() -> None:
    seen: dict[float, bool] = {}
    manager = Says(tick=lambda s: seen.update({s.now: s.apps["net"].active}), period=1.0)
    managed(manager, app(count=None, level=1, period=5.0, start=1.5, stop=7.0), duration=12.0)
    assert [at for at, active in seen.items() if active] == [2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]
    seen.clear()
    managed(manager, app(count=None, level=1, period=5.0, start=1.5, stop=3.0), duration=6.0)
    # Nothing more arrives after the first one, which is finished at 3.5 s.
    assert [at for at, active in seen.items() if active] == [2.0, 3.0]


def test_a_stage_is_active_once_something_has_arrived() -> None:
    seen: list[bool] = []
    manager = Says(
        began=lambda s: seen.append(s.apps["second"].active),
        finished=lambda s, app: seen.append(s.apps["second"].active),
    )
    managed(manager, app("first", level=1), plain("second", after="first", count=None))
    assert seen == [False, False, False]


def test_fields_that_do_not_change() -> None:
    seen: list[Any] = []

    def look(state: Any) -> None:
        net = state.apps["net"]
        seen.append((dict(net.top1), net.places, net.priority, net.period, net.switch_s, net.target.latency))
        seen.append(state.apps["plain"].period)
        big = state.domains["cpu.big"]
        seen.append((big.name, big.kind, list(big.opps), big.frequency, state.domains["dram"].kind))

    options = {"targets": {"latency": "3 s"}, "priority": 2}
    managed(Says(began=look), app(period=4.0, **options), plain(arrivals="poisson", period=3.0))
    assert seen == [
        ({1: 70.0, 2: 80.0, 3: 90.0}, ("on_cpu", "on_gpu"), 2.0, 4.0, 0.5, 3.0),
        None,
        ("cpu.big", "cpu", [0.25, 0.5, 1.0], 1.0, "dram"),
    ]


def test_places_of_their_own_are_all_processors_without_quantising() -> None:
    seen: list[Any] = []
    manager = Says(began=lambda s: seen.append({name: own.places for name, own in s.apps.items()}))
    managed(
        manager,
        app("a", scheduler="gpu", places=None),
        app("b", scheduler="cpu", places=["gpu", "cpu", "gpu"]),
    )
    assert seen == [{"a": ("gpu", "dsp", "cpu"), "b": ("cpu", "gpu")}]


def test_targets_hold_from_their_instants_on_and_are_for_single_networks_too() -> None:
    seen: list[Any] = []
    manager = Says(tick=lambda s: seen.append(s.apps["plain"].target.latency), period=1.0)
    targets = [{"latency": 2.0}, {"at": 1.5, "latency": 5.0}]
    managed(manager, plain(targets=targets), duration=2.5)
    assert seen == [2.0, 5.0]
    with pytest.raises(
        UsageError, match="'plain': targets are for families of networks, such as dynamic_ofa, or for"
    ):
        Simulation(phone(), [plain(targets=targets)])


def test_events_are_known_instants_within_the_run() -> None:
    seen: list[Any] = []
    apps = (
        app(
            "a", count=None, start=1.0, stop=5.0, period=9.0, targets=[{"top1": 70}, {"at": 3.0, "top1": 80}]
        ),
        plain("b", arrivals=[2.5, 4.5]),
        plain("c", arrivals={"period": 3.0, "offset": 1.25}),
        Competitor(start=0.75, stop=20.0),
    )
    managed(Says(began=lambda s: seen.append(s.events)), *apps, duration=10.0)
    assert seen == [(0.75, 1.0, 1.25, 2.5, 3.0, 4.5, 5.0)]


# --- wrong answers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (to({"nett": 1}), "manager 'says', start(): unknown managed application 'nett'; did you mean 'net'?"),
        (to({"net": 4}), "manager 'says', start(): family 'toy' has levels 1 to 3, got 4; the nearest is toy@3"),
        (to({"net": "x"}), "a level of family 'toy' is a whole number from 1 to 3, got 'x'"),
        (to({"plain": 2}), "'plain' has one network, whose level is 1, got 2"),
        (to({"plain": True}), "'plain' has one network, whose level is 1, got True"),
        (to(places={"net": "on_gqu"}), "'net' cannot run on 'on_gqu'; did you mean 'on_gpu'?"),
        (to(places={"net": "heft"}), "'net' cannot run on 'heft'; it may run on on_cpu, on_gpu"),
        (to(places={"other": "on_cpu"}), "unknown managed application 'other'; known: net, plain"),
        (to(cpu_bigg=HALF), "unknown clock domain 'cpu.bigg'; did you mean 'cpu.big'?"),
        (to(cpu_big=Range(0.1, 0.5)), "clocks of 'cpu.big' must be from 2.5e-07 MHz to 1e-06 MHz, got 1e-07 MHz; the "
                                      "nearest is 2.5e-07 MHz"),
        (to(cpu_big=Range(0.5, 2.0)), "got 2e-06 MHz; the nearest is 1e-06 MHz"),
        (to(cpu_big=Range(1.0, 0.5)), "low must not be above high, got 1e-06 MHz and 5e-07 MHz; the nearest is "
                                      "Range(0.5, 1)"),
        (to(cpu_big=0.5), "clocks of 'cpu.big' must be Range(low, high) in Hz, or None, got 0.5"),
        (to(cpu_big=(0.5, float("nan"))), "must be Range(low, high) in Hz, or None"),
        ({"levels": {"net": 1}}, "start(): it must return a Setting, got {'levels': {'net': 1}}"),
        (Setting(levels=[("net", 1)]), "levels must be a mapping, got [('net', 1)]"),  # type: ignore[arg-type]
    ],
)  # fmt: skip
def test_wrong_answers_are_told_with_what_is_nearest(wanted: Any, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        managed(Says(wanted), app(), plain())
    assert message in str(caught.value)


def test_no_answer_is_one_to_ticks_but_not_to_the_start() -> None:
    class Mute(DeviceManager):
        period = 1.0

        def start(self, state: Any) -> Any:
            return None

    with pytest.raises(UsageError, match=r"manager 'Mute', start\(\): it must return a Setting, got None"):
        managed(Mute())
    assert lives(managed(Says(period=1.0))) == ["0-6@3/cpu"]


def test_wrong_answers_while_it_runs_tell_the_method() -> None:
    with pytest.raises(UsageError, match=r"manager 'says', tick\(\): family 'toy' has levels"):
        managed(Says(tick=lambda state: to({"net": 9}), period=1.0))
    with pytest.raises(UsageError, match=r"manager 'says', finished\(\): 'net' cannot run on 'moon'"):
        managed(Says(finished=lambda state, app: to(places={app: "moon"})))


class Breaks(DeviceManager):
    def start(self, state: Any) -> Setting:
        return {}["nothing"]


def test_its_own_failures_are_told_with_their_place() -> None:
    with pytest.raises(
        SimulationError, match=r"Breaks' failed in start\(\) on 'toy' \(test_managing.py:\d+\): KeyErr"
    ):
        managed(Breaks())


@pytest.mark.parametrize("places", ["gpu", {"gpu": 1}, 3])
def test_places_that_are_no_list(places: Any) -> None:
    with pytest.raises(
        UsageError, match=r"inference 'net': places are a list of schedulers, such as \['gpu', 'cpu'\]"
    ):
        app(places=places)


def test_places_must_plan() -> None:
    with pytest.raises(
        UsageError, match="'net': places are schedulers that plan, such as 'gpu' or 'heft', got 'band_heft'"
    ):
        managed(Says(), app(places=["band_heft"]))


# --- properties -----------------------------------------------------------------------------------------------

SETTINGS = st.builds(
    lambda level, place, clock: to({"net": level}, {"net": place}, cpu_big=clock),
    st.integers(1, 3), st.sampled_from(["on_cpu", "on_gpu"]), st.sampled_from([None, HALF, Range(0.25, 1.0)]),
)  # fmt: skip


@given(st.lists(SETTINGS, min_size=1, max_size=6), st.floats(0.3, 3.0))
def test_every_run_is_sound_and_says_who_waited_for_what(settings: list[Setting], period: float) -> None:
    wanted = iter(settings)
    manager = Says(tick=lambda state: next(wanted, None), period=period)
    done = managed(
        manager, app(count=4, period=5.0), plain("beside", count=3, period=6.0), device=phone(latency=0.125)
    )
    switched = {s.number: s for s in done.switches if s.app == "net"}
    own = sorted((r for r in done.inferences if r.app == "net"), key=lambda r: r.number)
    for before, after in pairwise(own):
        changed = (before.level, before.place) != (after.level, after.place)
        assert changed == (after.number in switched)
        if changed:
            assert after.start_s == pytest.approx(switched[after.number].end_s)
            assert switched[after.number].end_s - switched[after.number].start_s == pytest.approx(0.5)


def test_an_object_is_copied_for_each_run() -> None:
    class Counts(DeviceManager):
        calls = 0

        def start(self, state: Any) -> Setting:
            self.calls += 1
            return Setting({"net": self.calls})

    manager = Counts()
    assert [lives(managed(manager)) for _ in range(2)] == [["0-2@1/cpu"]] * 2
    assert manager.calls == 0


def test_the_family_need_not_be_the_same_object() -> None:
    run = simulated(
        Says(to({"one": 1, "two": 2})), app("one", family()), app("two", family(0.0), scheduler=OnGpu())
    )
    assert {r.app: r.level for r in run.run().inferences} == {"one": 1, "two": 2}
    assert isinstance(run.streams[0].scheduler, OnCpu)
