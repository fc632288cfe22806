"""Calls of a DSP: what the waiting core's idle state costs; exact traces of the toy phone in s.

A call takes 2 s of latency and a kernel of 16 or 8 operations 4 or 2 s; the host is core 0. A core that has been idle
for 3 s takes 0.25 s to run again, and 1 s after 10 s.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from corekit import DSP, LIBRARY, Fixed, net, outcome, toy
from simkit import MS, Busy, kernel, step
from simkit import device as busy_device

from socsim import load_device
from socsim.devices.opp import IdleState, exit_latency
from socsim.simulation.context import Context
from socsim.simulation.mechanisms import Mechanisms
from socsim.simulation.simulation import Simulation
from socsim.workloads.apps import Inference
from socsim.workloads.competitors import Competitor

NAP = IdleState("nap", 0.1, 0.25, 3.0)
OFF = IdleState("off", 0.5, 1.0, 10.0)
HAND_OVERS = 0.375 + 1.5
"""To the DSP, and back to the CPU."""


# --- idle states ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("idle", "latency"), [(0.0, 0.0), (2.9, 0.0), (3.0, 0.25), (9.9, 0.25), (10.0, 1.0), (99.0, 1.0)]
)
def test_the_deepest_state_that_fits(idle: float, latency: float) -> None:
    assert exit_latency([NAP, OFF], idle) == latency
    assert exit_latency([OFF, NAP], idle) == latency
    assert exit_latency([], idle) == 0.0


def test_states_of_whole_clusters_are_not_entered_within_a_call() -> None:
    assert exit_latency([NAP, replace(OFF, scope="cluster")], 99.0) == 0.25


def test_idle_states_of_the_snapdragon_855() -> None:
    prime = load_device("xiaomi-9").clusters[-1]
    assert [s.scope for s in prime.idle_states] == ["core", "cluster"]
    assert exit_latency(prime.idle_states, 4e-3) == 0.0
    assert exit_latency(prime.idle_states, 20e-3) == 1461e-6


# --- calls ----------------------------------------------------------------------------------------------------


def phone(*states: IdleState, poll: bool = False, call_latency: float = 2.0, **options):
    made = toy(call_latency=call_latency, **options)
    dsp = replace(made.accelerators["dsp"], poll=poll)
    clusters = tuple(replace(c, idle_states=states) for c in made.clusters)
    return replace(made, clusters=clusters, accelerators={**made.accelerators, "dsp": dsp})


def latency(work: int, device, **options) -> float:
    graph = net(f"a:{work} x")
    return outcome(graph, {"a": DSP}, device, **options).inferences[0].finish_s


@pytest.mark.parametrize(
    ("work", "states", "wake"),
    [
        (2, (NAP, OFF), 0.0),
        (8, (), 0.0),
        (8, (NAP, OFF), 0.25),
        (28, (NAP, OFF), 0.25),
        (32, (NAP, OFF), 1.0),
        (32, (NAP,), 0.25),
    ],
)
def test_a_call_ends_when_its_core_runs_again(work: int, states: tuple[IdleState, ...], wake: float) -> None:
    """The wait is 2 s of latency and work / 4 s of the kernel."""
    assert latency(work, phone(*states)) == HAND_OVERS + 2.0 + work / 4 + wake


def test_accelerators_that_are_not_called_end_at_once() -> None:
    assert latency(32, phone(NAP, OFF, call_latency=0.0)) == HAND_OVERS + 8.0


def test_the_wait_counts_from_the_last_work_of_the_core() -> None:
    """Dispatching keeps core 0 busy for 6 of the wait's 6 + 2 + 0.5 s: 2.5 s are too short for a nap."""
    graph = net("a:2 x")
    device = phone(NAP, dsp={"dispatch": 6.0})
    done = outcome(graph, {"a": DSP}, device)
    assert done.inferences[0].finish_s == HAND_OVERS + 6.0 + 2.5


def test_the_accelerator_is_free_while_the_core_wakes_up() -> None:
    """A second application's kernel begins as the first one's ends."""
    graph = net("a:8 x")
    apps = [Inference(graph, Fixed({"a": DSP}), library=LIBRARY, name=n, count=1) for n in "pq"]
    done = Simulation(phone(NAP), apps, kernels=True).run()
    kernels = [(r.start_s, r.end_s) for r in done.kernels if r.kind == "kernel"]
    assert kernels == [(0.375, 4.375), (4.375, 8.375)]


def busy(*cores: str, **options) -> float:
    graph = net("a:32 x")
    app = Inference(graph, Fixed({"a": DSP}), library=LIBRARY, count=1)
    rivals = [Competitor(affinity=c, name=c, nice=19) for c in cores]
    simulation = Simulation(phone(NAP, OFF, **options), [app, *rivals], mechanisms=Mechanisms(cpu="cfs"))
    simulation.validate()
    return simulation.run().inferences[0].finish_s


def test_a_busy_core_has_no_idle_state_to_leave() -> None:
    """Core 0 computes: nothing to leave. With a competitor elsewhere, the host's core still has to wake up."""
    assert busy("big:1") == HAND_OVERS + 10.0
    assert busy("little") == HAND_OVERS + 10.0 + 1.0


# --- polling --------------------------------------------------------------------------------------------------


def test_polling_saves_the_exit_and_keeps_a_core_busy() -> None:
    graph = net("a:32 x")
    done = outcome(graph, {"a": DSP}, phone(NAP, OFF, poll=True))
    assert done.inferences[0].finish_s == HAND_OVERS + 10.0
    assert done.busy_s["cpu"] == 10.0 / 4
    idle = outcome(graph, {"a": DSP}, phone(NAP, OFF))
    assert idle.busy_s["cpu"] == 0.0
    assert done.energy_j["cpu.big"] > idle.energy_j["cpu.big"]


class Polling(Busy):
    """A bench whose DSP is called and polled for."""

    def __init__(self) -> None:
        made = busy_device()
        dsp = replace(made.accelerators["dsp"], poll=True, call_latency=1.0)
        super().__init__(replace(made, accelerators={**made.accelerators, "dsp": dsp}))

    def call(self, work: float) -> None:
        context = Context(self.executor, "net", 0, host_cores=(0,), calls=True)
        self.launch([step(kernel("k", work * MS, on="dsp"))], "net", context=context)


def test_a_thread_that_polls_sees_the_end_when_it_has_a_core() -> None:
    """Alone it sees the end at 15. Beside a loop on its core it has lost the core by then, and waits for its turn."""
    alone, beside = Polling(), Polling()
    alone.call(15)
    alone.ms(100)
    beside.call(15)
    beside.loop(0)
    beside.ms(100)
    assert alone.done == [("net", 15 * MS)]
    ((_, end),) = beside.done
    assert beside.trace == alone.trace
    assert end == pytest.approx(20 * MS)


def test_competitors_do_not_call() -> None:
    """Their kernels follow each other without a gap: they stand for a busy DSP, not for a client."""
    rival = Competitor(processor="dsp", kernel=5.0, duty=1.0)
    simulation = Simulation(phone(NAP, OFF), [rival], duration=100.0)
    busy_s = simulation.run().busy_s["dsp"]
    assert busy_s > 95.0


# --- the phone ------------------------------------------------------------------------------------------------


def test_a_device_file_may_poll(tmp_path) -> None:
    path = tmp_path / "polling.yaml"
    path.write_text("title: P\nextends: xiaomi-9\naccelerators: {dsp: {poll: true}}\n")
    assert load_device(path).accelerators["dsp"].poll
    assert not load_device("xiaomi-9").accelerators["dsp"].poll
