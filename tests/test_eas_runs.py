"""Energy-aware placement in runs of the phones: masks hold, big work finds big cores, and little work costs less."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import socsim
from socsim.devices.device import Device
from socsim.simulation.records import Outcome
from socsim.simulation.simulation import Simulation
from socsim.workloads.apps import Inference
from socsim.workloads.competitors import Competitor

PHONES = ["xiaomi-9", "honor-v30-pro"]


@cache
def phone(name: str = "xiaomi-9", placement: str = "eas") -> Device:
    device = socsim.load_device(name)
    return replace(device, os=replace(device.os, placement=placement))


def run(device: Device, *apps, until: float = 0.3, **options) -> Outcome:
    simulation = Simulation(device, apps, duration=until, kernels=True, **options)
    done = simulation.run()
    simulation.validate()
    return done


def cores_of(done: Outcome, process: str) -> dict[int, float]:
    """Core -> time in s that a process had it."""
    found: dict[int, float] = {}
    for span in done.spans:
        if span.process == process:
            found[span.core] = found.get(span.core, 0.0) + (span.end_s - span.start_s) * span.share
    return found


MASKS = {"xiaomi-9": ["all", "gold", "silver", "prime", "prime:1+silver:2", "big", "little"]}
MASKS["honor-v30-pro"] = ["all", "big", "middle", "little", "middle:1+little:1"]
RIVALS = st.lists(
    st.tuples(
        st.integers(0, 6),
        st.integers(1, 3),
        st.sampled_from([0.05, 0.3, 0.9, 1.0]),
        st.sampled_from([-10, 0, 10]),
    ),
    min_size=1,
    max_size=4,
)
"""(mask, threads, duty, nice)."""


@pytest.mark.parametrize("name", PHONES)
@pytest.mark.parametrize("governor", ["", "schedutil"])
@settings(max_examples=12)
@given(rivals=RIVALS, seed=st.integers(0, 9))
def test_nobody_runs_outside_its_mask(name, governor, rivals, seed) -> None:
    device, masks = phone(name), MASKS[name]
    apps = [
        Competitor(affinity=masks[mask % len(masks)], threads=threads, duty=duty, nice=nice, name=f"r{i}")
        for i, (mask, threads, duty, nice) in enumerate(rivals)
    ]
    done = run(device, *apps, until=0.12, seed=seed, governors={"cpu": governor} if governor else {})
    for app in apps:
        allowed = set(device.allowed_cores(app.affinity, ""))
        used = cores_of(done, app.name)
        assert set(used) <= allowed
        # threads that have nothing to wait for get no more than their cores
        assert sum(used.values()) <= 0.12 * min(app.threads, len(allowed)) + 1e-9
        assert sum(used.values()) > 0.0
    # a core is one thread's at a time
    for core in range(len(device.cores)):
        total = sum(cores_of(done, app.name).get(core, 0.0) for app in apps)
        assert total <= 0.12 + 1e-9


@pytest.mark.parametrize("name", PHONES)
@pytest.mark.parametrize("mask", [0, 1, 2, 3])
def test_an_inference_stays_in_its_mask_beside_competitors(name: str, mask: int) -> None:
    device, text = phone(name), MASKS[name][mask]
    app = Inference(socsim.load_model("squeezenet_1.1"), "cpu", cores=text, period="60 ms", name="net")
    done = run(device, app, Competitor(threads=3, duty=0.5), until=0.25)
    allowed = set(device.allowed_cores(text, ""))
    bursts = [b for b in done.bursts if b.process == "net" and b.processor == "cpu"]
    assert bursts
    assert all(set(b.cores) <= allowed for b in bursts)


@pytest.mark.parametrize("name", PHONES)
def test_endless_threads_have_a_core_each(name: str) -> None:
    """As many as there are cores: after a while, nobody shares."""
    device = phone(name)
    count = len(device.cores)
    done = run(device, Competitor(threads=count), until=1.0)
    late: dict[int, set[str]] = {}
    for span in done.spans:
        if span.end_s > 0.8:
            late.setdefault(span.core, set()).add(span.thread)
    assert {core: len(threads) for core, threads in late.items()} == dict.fromkeys(range(count), 1)


@pytest.mark.parametrize("name", PHONES)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_what_has_outgrown_a_little_core_is_on_a_big_one(name: str, count: int) -> None:
    """Endless threads: after 200 ms none of them is on a core of the least capacity, for there are larger ones."""
    device = phone(name)
    done = run(device, Competitor(threads=count), until=0.6)
    least = min(core.capacity for core in device.cores)
    late = {span.core for span in done.spans if span.end_s > 0.2}
    assert len(late) == count
    assert all(device.cores[core].capacity > least for core in late)


@pytest.mark.parametrize("name", PHONES)
def test_a_thread_bound_to_little_cores_stays_there_however_large_it_is(name: str) -> None:
    device = phone(name)
    done = run(device, Competitor(threads=2, affinity="little"), until=0.4)
    assert set(cores_of(done, "competitor")) <= set(device.allowed_cores("little", ""))


@pytest.mark.parametrize("name", PHONES)
def test_light_threads_end_on_little_cores_and_cost_less(name: str) -> None:
    """2 % of the fastest core each: placed by energy they leave the big cores; by load they stay on them."""
    little = set(phone(name).allowed_cores("little", ""))
    energy = {}
    for placement in ("eas", "balance"):
        done = run(
            phone(name, placement), Competitor(threads=3, duty=0.02, period="10 ms"), until=2.0, seed=4
        )
        late = [s for s in done.spans if s.start_s > 1.0]
        share = sum(s.end_s - s.start_s for s in late if s.core in little) / sum(
            s.end_s - s.start_s for s in late
        )
        energy[placement] = sum(joules for part, joules in done.energy_j.items() if part.startswith("cpu"))
        if placement == "eas":
            assert share > 0.9
    assert energy["eas"] < energy["balance"]


def test_a_full_phone_gets_as_much_done_as_by_balancing() -> None:
    """Twice as many threads as cores: beyond 80 % of a core it is load that counts."""
    busy = {}
    for placement in ("eas", "balance"):
        done = run(phone("xiaomi-9", placement), Competitor(threads=16), until=0.5)
        busy[placement] = done.busy_s["cpu"]
    assert busy["eas"] == pytest.approx(0.5, abs=0.02)  # each begins within 20 ms
    assert busy["eas"] == pytest.approx(busy["balance"], rel=0.02)


@pytest.mark.parametrize("placement", ["eas", "balance"])
@pytest.mark.parametrize("governor", ["schedutil", "ondemand", "interactive"])
def test_the_same_seed_gives_the_same_bits(placement: str, governor: str) -> None:
    device = phone("xiaomi-9", placement)
    app = Inference(socsim.load_model("squeezenet_1.1"), "cpu", period="50 ms", name="net")
    rival = Competitor(threads=3, duty=0.4)
    options = {"noise": True, "governors": {"cpu": governor, "gpu": "adreno_tz"}, "heat": 45.0, "seed": 5}
    one, two = (run(device, app, rival, **options) for _ in range(2))
    for name in ("inferences", "kernels", "clocks", "temperatures", "energy_j", "spans", "bursts", "busy_s"):
        assert getattr(one, name) == getattr(two, name)
    bare = Simulation(device, [app, rival], duration=0.3, **options).run()
    assert (bare.inferences, bare.clocks) == (one.inferences, one.clocks)
    assert bare.kernels == () and one.kernels
    other = run(device, app, rival, **{**options, "seed": 6})
    assert other.inferences != one.inferences


@pytest.mark.parametrize("name", PHONES)
def test_schedutil_is_told_of_what_runs_where(name: str) -> None:
    """A thread bound to the little cores moves their clock alone; the others stay as low as they may."""
    device = phone(name)
    done = run(
        device,
        Competitor(affinity="little", threads=1),
        until=0.5,
        governors={"cpu": "schedutil(util_est=false)"},
    )
    little = device.clusters[0]
    assert done.frequencies[f"cpu.{little.name}"] == little.max_opp.frequency
    others = [r for r in done.clocks if r.domain != f"cpu.{little.name}" and r.domain.startswith("cpu")]
    assert {r.start_s for r in others} == {0.0}
