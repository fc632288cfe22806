"""What holds of any mixture of applications, checked from the records of the run and not by the simulator itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil
from typing import Any

import pytest
from corekit import LIBRARY, Fixed, edges, placed
from hypothesis import given, settings
from hypothesis import strategies as st
from test_clocks import phone

from socsim.devices.device import Device
from socsim.simulation.mechanisms import Mechanisms
from socsim.simulation.records import Outcome
from socsim.simulation.simulation import Simulation
from socsim.workloads.apps import Inference
from socsim.workloads.competitors import Competitor
from socsim.workloads.frames import Ui

SOON = 1e-9


@dataclass
class Mixture:
    """Applications on a device for some time."""

    device: Device
    apps: list[Any]
    duration: float
    seed: int
    options: dict[str, Any]

    def __repr__(self) -> str:
        """Without the device's parameters."""
        return f"Mixture({self.apps}, {self.duration}, {self.seed}, {self.options})"

    def run(self, *more: Any, **options: Any) -> Outcome:
        given = {"duration": self.duration, "seed": self.seed, "kernels": True, **self.options, **options}
        simulation = Simulation(self.device, [*self.apps, *more], **given)
        simulation.validate()
        return simulation.run()

    @property
    def inferences(self) -> list[Inference]:
        return [app for app in self.apps if isinstance(app, Inference)]

    @property
    def cores(self) -> int:
        return len(self.device.cores)


@st.composite
def inferences(draw: Any, number: int) -> Inference:
    """A random network under a random plan; every so often, back to back, or a few at once."""
    graph, plan = draw(placed(most=4))
    options = draw(
        st.sampled_from(
            [{"period": 3.0}, {"period": 7.0}, {}, {"arrivals": [1.0, 1.0, 1.5]}, {"period": 40.0}]
        )
    )
    return Inference(
        graph,
        Fixed(plan),
        library=LIBRARY,
        name=f"net{number}",
        cores=draw(st.sampled_from(["big:1", "big", "little", "big:1+little:1"])),
        queue=draw(st.sampled_from(["queue", "latest", "skip"])) if options else "queue",
        priority=draw(st.integers(0, 1)),
        nice=draw(st.sampled_from([0, 0, 5])),
        **options,
    )


OTHERS = (
    Competitor(threads=2, duty=0.5, period=2.0),
    Competitor(threads=1, affinity="big", traffic=16.0),
    Competitor(processor="gpu", kernel=0.75, threads=1),
    Ui(fps=1.0, render=0.25, compose=0.5, traffic=8.0),
)


@st.composite
def mixtures(draw: Any, others: Sequence[Any] = OTHERS) -> Mixture:
    """One to three networks, and what else runs, on the toy phone with three clocks."""
    device = phone(draw(st.sampled_from([0.0, 0.25])), bandwidth=draw(st.sampled_from([1e9, 64.0, 24.0])))
    noisy = {key: replace(c, noise=0.1) for key, c in device.calibrations.items()}
    apps = [draw(inferences(i)) for i in range(draw(st.integers(1, 3)))]
    apps += draw(st.lists(st.sampled_from(others), max_size=2, unique=True)) if others else []
    return Mixture(
        replace(device, calibrations=noisy),
        apps,
        float(draw(st.integers(3, 16))),
        draw(st.integers(0, 9)),
        {
            "noise": draw(st.booleans()),
            "governors": draw(st.sampled_from([{}, {"gpu": "powersave"}, {"cpu.big": "ondemand"}])),
            "mechanisms": Mechanisms(cpu=draw(st.sampled_from(["cfs", "processor_sharing"]))),
        },
    )  # fmt: skip


def overlap_free(spans: Sequence[tuple[float, float]]) -> bool:
    """Whether each begins when the one before has ended."""
    return all(after[0] >= before[1] - SOON for before, after in pairwise(sorted(spans)))


@settings(max_examples=80)
@given(mixtures())
def test_a_run_is_sound(mixture: Mixture) -> None:
    done = mixture.run()
    all_that_arrived_is_there_once_and_in_its_turn(mixture, done)
    every_operator_runs_once_after_those_it_reads(mixture, done)
    nobody_has_what_another_has(mixture, done)
    what_is_used_is_used_by_somebody(mixture, done)


def all_that_arrived_is_there_once_and_in_its_turn(mixture: Mixture, done: Outcome) -> None:
    """Arrivals are counted by hand; of one application there is one at a time, first come, first served."""
    for app in mixture.inferences:
        own = sorted((r for r in done.inferences if r.app == app.name), key=lambda r: r.number)
        assert [r.number for r in own] == list(range(len(own)))
        if app.period is not None:
            assert len(own) == ceil(mixture.duration / app.period_s)
            assert [r.arrival_s for r in own] == pytest.approx([i * app.period_s for i in range(len(own))])
        waiting = sum(r.status == "queued" for r in own)
        assert sum(r.status == "running" for r in own) <= 1
        assert waiting <= {"queue": len(own), "latest": 1, "skip": 0}[app.queue]
        begun = [
            (r.start_s, r.finish_s if r.finish_s >= 0.0 else done.duration_s) for r in own if r.start_s >= 0.0
        ]
        assert begun == sorted(begun)
        assert overlap_free(begun)
        if app.queue == "queue":
            assert not any(r.status == "dropped" for r in own)
        elif app.queue == "skip":
            assert all(r.start_s in (-1.0, r.arrival_s) for r in own)


def every_operator_runs_once_after_those_it_reads(mixture: Mixture, done: Outcome) -> None:
    for app in mixture.inferences:
        runs: dict[int, dict[str, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
        for r in done.kernels:
            if r.app == app.name and r.kind == "kernel":
                runs[r.inference][r.operator].append((r.start_s, r.end_s))
        for record in (r for r in done.inferences if r.app == app.name):
            own = runs.pop(record.number, {})
            assert all(len(spans) == 1 for spans in own.values())
            if record.status == "finished":
                assert set(own) == set(app.model.operators)
                assert min(start for ((start, _),) in own.values()) >= record.start_s - SOON
                assert max(end for ((_, end),) in own.values()) <= record.finish_s + SOON
            if record.status in ("queued", "dropped"):
                assert not own
            for producer, reader in edges(app.model):
                if reader in own:
                    assert own[producer][0][1] <= own[reader][0][0] + SOON
        assert not runs


def nobody_has_what_another_has(mixture: Mixture, done: Outcome) -> None:
    """An accelerator runs one kernel at a time; under CFS a core has one thread, whatever it is for."""
    for name in mixture.device.accelerators:
        kernels = [
            (r.start_s, r.end_s)
            for r in done.kernels
            if r.processor == name and r.kind in ("kernel", "transform")
        ]
        assert overlap_free(kernels)
        assert sum(end - start for start, end in kernels) <= done.busy_s[name] + 1e-6
    if mixture.options["mechanisms"].cpu == "cfs":
        for core in range(mixture.cores):
            spans = [(s.start_s, s.end_s) for s in (*done.spans, *done.dispatches) if s.core == core]
            assert overlap_free(spans)
            assert all(0.0 <= start < end <= done.duration_s for start, end in spans)


def what_is_used_is_used_by_somebody(mixture: Mixture, done: Outcome) -> None:
    """Times by process sum to those of processors, energies by application to those of components and rails."""
    for processor, busy in done.busy_s.items():
        count = mixture.cores if processor == "cpu" else 1
        assert sum(r.busy_s for r in done.processes if r.processor == processor) == pytest.approx(
            busy * count
        )
        assert 0.0 <= busy <= done.duration_s * (1.0 + 1e-9)
    for component, joules in done.energy_j.items():
        parts = [r.energy_j for r in done.used if r.component == component]
        assert sum(parts) == pytest.approx(joules) and min(parts) >= -1e-9
    assert sum(done.rails_j.values()) == pytest.approx(sum(done.energy_j.values()))
    assert done.energy_j["board"] == pytest.approx(1.0 * done.duration_s)
    for name in ("cpu.little", "dsp"):  # whose clocks nobody changes
        busy = sum(r.busy_s for r in done.used if r.component == name)
        idle = 2 * 0.5 if name == "cpu.little" else 0.5
        assert done.energy_j[name] == pytest.approx(idle * done.duration_s + 2.5 * busy)
    moved: dict[str, float] = defaultdict(float)
    for r in done.kernels:
        moved[r.app] += r.dram_bytes if r.kind in ("kernel", "transform") else 0.0
    for app in mixture.inferences:
        drawn = sum(r.energy_j for r in done.used if (r.app, r.component) == (app.name, "dram")) * 1024
        ended = all(r.status != "running" for r in done.inferences if r.app == app.name)
        assert drawn == pytest.approx(moved[app.name]) if ended else drawn >= moved[app.name] - 1e-6


@settings(max_examples=25)
@given(mixtures())
def test_neither_records_nor_repetition_change_a_bit(mixture: Mixture) -> None:
    one, again, bare = mixture.run(), mixture.run(), mixture.run(kernels=False)
    assert one == again
    for name in (
        "inferences",
        "frames",
        "clocks",
        "used",
        "idle",
        "energy_j",
        "busy_s",
        "apps",
        "predictions",
    ):
        assert getattr(bare, name) == getattr(one, name), name
    assert bare.kernels == bare.spans == bare.processes == ()


@settings(max_examples=25)
@given(mixtures())
def test_who_comes_after_the_end_changes_nothing(mixture: Mixture) -> None:
    """Applications that begin when the run is over are told as such, and cost no one anything."""
    (late, *_) = mixture.inferences
    late = replace(late, name="late", start=mixture.duration + 1.0)
    done, more = mixture.run(), mixture.run(late)
    assert list(more.inferences) == list(done.inferences)
    for name in ("kernels", "frames", "clocks", "used", "energy_j", "busy_s", "spans"):
        assert getattr(more, name) == getattr(done, name), name


@settings(max_examples=25)
@given(mixtures(), st.floats(0.1, 0.9))
def test_a_shorter_run_is_the_beginning_of_a_longer_one(mixture: Mixture, share: float) -> None:
    """What has ended by then has ended alike, and what is under way then ends later."""
    whole = mixture.run()
    cut = replace(mixture, duration=mixture.duration * share).run()
    end = cut.duration_s
    assert end == pytest.approx(mixture.duration * share)
    for app in mixture.inferences:
        long = {r.number: r for r in whole.inferences if r.app == app.name}
        for record in (r for r in cut.inferences if r.app == app.name):
            later = long[record.number]
            assert record.arrival_s == later.arrival_s
            if record.status in ("finished", "dropped"):
                assert record == later
            else:
                assert later.finish_s < 0.0 or later.finish_s >= end - SOON
            assert record.start_s in (later.start_s, -1.0)
    kernels = {(r.app, r.inference, r.operator, r.kind, r.start_s) for r in whole.kernels}
    assert all((r.app, r.inference, r.operator, r.kind, r.start_s) in kernels for r in cut.kernels)
    assert all(cut.energy_j[name] <= joules + 1e-9 for name, joules in whole.energy_j.items())
    assert [c for c in whole.clocks if c.start_s < end] == [c for c in cut.clocks if c.start_s < end]
