"""One network on CPU and GPU at once under MNN, operator by operator: who slows whom, beside DAG-Scheduler's tables.

Nothing in the simulation is fitted to these factors. They follow from the copies, whose law was measured by itself.
"""

from __future__ import annotations

from statistics import fmean

import pytest

import socsim
from benchmarks.sharing import CO_RUN, NETWORKS, co_run, operator_times, run, transfer_rows


@pytest.fixture(scope="module")
def found() -> dict[str, dict]:
    return {device: co_run(device, {}) for device in CO_RUN}


def test_the_gpu_slows_as_measured_on_a_snapdragon_855(found) -> None:
    """Measured 1.47 on average, 1.45 of the sum; its even spread (median 1.35) is not met."""
    _, mean, _, together = found["xiaomi-9"]["gpu"]
    assert 1.35 <= mean <= 1.6
    assert 1.25 <= together <= 1.5


def test_the_cpu_does_not(found) -> None:
    for device, (least, most) in {"xiaomi-9": (0.95, 1.1), "honor-v30-pro": (0.95, 1.15)}.items():
        _, mean, _, together = found[device]["cpu"]
        assert least <= mean <= most
        assert least <= together <= most


def test_cheap_copies_slow_the_sum_less_on_a_kirin_990(found) -> None:
    """Measured 1.17, beside 1.45."""
    assert found["honor-v30-pro"]["gpu"][3] == pytest.approx(1.17, rel=0.1)
    assert found["honor-v30-pro"]["gpu"][3] < found["xiaomi-9"]["gpu"][3]


def test_neither_dram_nor_power_is_short(found) -> None:
    """CoDL's runs of the same phone draw 8.4 W and more, on both processors at once, and are not slowed by it."""
    for own in found.values():
        assert own["dram"] < 0.15
        assert own["power_w"] < 7.0


@pytest.mark.parametrize("device", CO_RUN)
def test_kernels_themselves_take_as_long_as_alone(device: str) -> None:
    alone = {p: run(device, NETWORKS[0], p, {}).kernels for p in ("cpu", "gpu")}
    beside = run(device, NETWORKS[0], "heft", {}).kernels
    ratios = []
    for p, rows in alone.items():
        own = rows[rows.kind == "kernel"].groupby("operator").duration_ms.mean()
        mixed = (
            beside[(beside.kind == "kernel") & (beside.processor == p)].groupby("operator").duration_ms.mean()
        )
        both = own.index.intersection(mixed.index)
        ratios.append(fmean(mixed[both] / own[both]))
    assert ratios == pytest.approx([1.0, 1.0], abs=0.1)


def test_alone_an_operator_is_its_kernel_and_the_wait_for_it() -> None:
    """Sums over operators as measured: 172.6 ms on the GPU, 273.7 ms on one core."""
    graph = socsim.load_model("inception_v3")
    times = operator_times("xiaomi-9", run("xiaomi-9", "inception_v3", "gpu", {}), graph)
    assert {processor for processor, _ in times.values()} == {"gpu"}
    assert sum(time for _, time in times.values()) == pytest.approx(172.6, rel=0.1)
    assert min(time for _, time in times.values()) > 0.85


def test_transfers_within_a_quarter() -> None:
    rows = [row for row in transfer_rows() if row["library"] == "mnn"]
    assert len(rows) == 4
    for row in rows:
        for key in ("constant_ms", "slope_ms_per_mb"):
            assert row[key] == pytest.approx(fmean(row[f"measured_{key}"]), rel=0.25)
