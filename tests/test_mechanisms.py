"""Switches for ablations: each takes one mechanism away, and nothing else; times in ms."""

from __future__ import annotations

import pytest
from simkit import GB, Busy

from socsim import Competitor, Inference, Mechanisms, simulate
from socsim.errors import FileError, UnknownNameError
from socsim.experiments import load_experiment
from socsim.simulation.mechanisms import ALL_MECHANISMS

SHARED = Mechanisms(cpu="processor_sharing")
FLOWING = Mechanisms(barriers=False)


def one_busy_core(mechanisms: Mechanisms, **options) -> float:
    """When two workers of 25 are done, of which the first shares its core."""
    bench = Busy(mechanisms=mechanisms)
    bench.team(25, spin=1000, **options)
    bench.loop(0)
    return bench.ms()[0][2]


def test_all_mechanisms_are_on_unless_told() -> None:
    assert Mechanisms() == ALL_MECHANISMS == Mechanisms("cfs", barriers=True, dram=True)


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="unknown cpu policy 'csf'; did you mean 'cfs'"):
        Mechanisms(cpu="csf")


def test_with_turns_and_barriers_the_slowest_decides() -> None:
    """0 to 10, 20 to 30, 40 to 45."""
    assert one_busy_core(ALL_MECHANISMS) == 45.0


def test_ideal_sharing_halves_a_core() -> None:
    assert one_busy_core(SHARED) == pytest.approx(50.0, abs=1e-5)


def test_without_barriers_work_flows_to_who_has_a_core() -> None:
    """Two cores' work until 10, one's until 20, two's from then on: 50 at 30."""
    assert one_busy_core(FLOWING) == pytest.approx(30.0, abs=1e-5)


def test_without_both_it_is_an_ideal_fluid() -> None:
    """1.5 cores for 50."""
    assert one_busy_core(Mechanisms("processor_sharing", barriers=False)) == pytest.approx(50 / 1.5, abs=1e-5)


@pytest.mark.parametrize("mechanisms", [ALL_MECHANISMS, SHARED, FLOWING, Mechanisms(dram=False)])
def test_alone_no_switch_changes_anything(mechanisms: Mechanisms) -> None:
    bench = Busy(mechanisms=mechanisms)
    bench.team(12.5, 3, traffic=1e7)
    bench.gpu(2, at=20, traffic=1e7)
    assert bench.ms() == [("net.op0", 0.0, 12.5), ("net.op1", 12.5, 15.5), ("gpu.k0", 20.0, 22.0)]


def test_without_dram_sharing_everybody_has_all_of_it() -> None:
    ends = {}
    for dram in (True, False):
        bench = Busy(mechanisms=Mechanisms(dram=dram))
        bench.team(10, traffic=0.1 * GB)
        bench.gpu(10, traffic=0.1 * GB)
        ends[dram] = {name: end for name, _, end in bench.ms()}
    assert ends == {True: {"net.op0": 20.0, "gpu.k0": 20.0}, False: {"net.op0": 10.0, "gpu.k0": 10.0}}


def test_small_operators_suffer_most_from_turns() -> None:
    """Operators of 0.5 ms against loops on both cores: as one fluid they take twice as long. Turns of both workers that
    begin 5 ms apart leave them less than half of the time together.
    """

    def slowdown(mechanisms: Mechanisms) -> float:
        bench = Busy(mechanisms=mechanisms)
        bench.team(*[0.5] * 400)
        bench.loop(0)
        bench.loop(1, at=4)
        return bench.ms(4000)[-1][2] / 200.0

    assert slowdown(Mechanisms("processor_sharing")) == pytest.approx(2.0, rel=0.01)
    assert slowdown(ALL_MECHANISMS) >= 1.9


def test_an_experiment_may_switch_mechanisms_off(tmp_path) -> None:
    file = tmp_path / "e.yaml"
    file.write_text(
        "device: xiaomi-9\nmechanisms: {cpu: processor_sharing, barriers: false}\n"
        "apps:\n- {kind: inference, model: mobilenet_v1, count: 1}\n"
    )
    assert load_experiment(file).mechanisms == Mechanisms("processor_sharing", barriers=False)
    assert load_experiment(file, ["mechanisms.barriers=true"]).mechanisms == SHARED
    file.write_text(file.read_text().replace("processor_sharing", "fifo"))
    with pytest.raises(
        FileError, match=r"mechanisms\.cpu: should be 'cfs' or 'processor_sharing', got 'fifo'"
    ):
        load_experiment(file)


def test_what_each_mechanism_does_to_a_network() -> None:
    """Busy processes on all cores: a network is slower with turns and barriers than as a fluid."""
    app = Inference("mobilenet_v1", "cpu", count=4)
    busy = Competitor(count=2, threads=8, duty=0.9, period="50 ms")

    def latency(mechanisms: Mechanisms) -> float:
        return simulate("xiaomi-9", [app, busy], mechanisms=mechanisms, seed=1).metrics()["latency_ms_mean"]

    alone = simulate("xiaomi-9", [app]).metrics()["latency_ms_mean"]
    fluid = latency(Mechanisms("processor_sharing", barriers=False))
    real = latency(ALL_MECHANISMS)
    assert alone < fluid < real
