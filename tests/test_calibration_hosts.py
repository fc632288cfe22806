"""Whose work an accelerator's fixed time is: the host's where kernels were timed, else nobody knows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import socsim
from socsim.calibration.calibrate import Outcome, calibrate
from socsim.calibration.features import host_rate
from socsim.calibration.operators import NONE, read_operators
from socsim.calibration.tables import find_table, read_table
from socsim.calibration.writing import profile_text, set_lines
from socsim.devices.device import Calibration
from socsim.devices.profile import load_device
from socsim.workloads.library import load_library

OPERATORS = find_table("qed").with_name("qed_gpu_operators.csv.gz")
PHONE = "galaxy-s10"


def fitted(*, timed: bool) -> Outcome:
    """The GPU of a phone, fitted to latencies of networks and, `timed`, of its kernels."""
    device = load_device(PHONE)
    table = read_table(find_table("qed"), device, PHONE)
    rows = [
        row for row in table.rows if row.processor == "gpu" and row.model.startswith(("mob", "resnet", "sq"))
    ]
    times = read_operators(OPERATORS, PHONE) if timed else NONE
    return calibrate(device, replace(table, rows=tuple(rows)), operators=times)


@pytest.fixture(scope="module")
def timed() -> Outcome:
    return fitted(timed=True)


def only(outcome: Outcome) -> Calibration:
    (found,) = outcome.calibrated
    return found.calibration


def test_timed_kernels_tell_what_the_host_does(timed: Outcome) -> None:
    found = only(timed)
    assert found.inference_overhead == 0.0
    rate = host_rate(timed.device, load_library("tflite"), socsim.load_model("mobilenet_v1"))
    # measured: latencies are 4 ms and a quarter of the kernels' sum beyond that sum, of which hand-overs are a part
    assert 1.5e-3 < found.host_overhead / rate < 6e-3


def test_whole_latencies_do_not(timed: Outcome) -> None:
    untimed = only(fitted(timed=False))
    assert untimed.host_overhead == 0.0
    assert untimed.inference_overhead > 1e-4


def test_the_file_tells_it(timed: Outcome, tmp_path: Path) -> None:
    (found,) = timed.calibrated
    lines = list(set_lines(found, timed.table, load_device(PHONE)))
    assert "inference_overhead: 0 s" in lines
    assert any(line.startswith("host_overhead: ") for line in lines)
    path = tmp_path / "phone.yaml"
    path.write_text(profile_text(timed, PHONE), encoding="utf-8")
    read = load_device(path).calibration(*found.key)
    assert read.host_overhead == pytest.approx(found.calibration.host_overhead, rel=1e-3)


def test_no_host_works_for_kernels_on_the_cpu() -> None:
    device = load_device(PHONE)
    assert all(
        c.host_overhead == c.dispatch == 0.0 for c in device.calibrations.values() if c.processor == "cpu"
    )


def test_a_busy_phone_slows_a_gpu_through_its_host(timed: Outcome) -> None:
    """Three processes with eight threads each want every core: the GPU is free, but its host waits for its turn."""
    app = socsim.Inference("mobilenet_v1", "gpu", library="tflite", dtype="fp16", name="net")
    busy = socsim.Competitor(count=3, threads=8, affinity="all", traffic=0)
    whole = replace(only(timed), host_overhead=0.0, inference_overhead=3e-3)
    factors = []
    for calibration in (only(timed), whole):
        device = replace(
            timed.device, calibrations={**timed.device.calibrations, calibration.key: calibration}
        )
        alone, beside = (
            socsim.simulate(device, apps, duration="2 s").metrics("net")["latency_ms_mean"]
            for apps in ([app], [app, busy])
        )
        factors.append(beside / alone)
    assert factors[1] == pytest.approx(1.0, abs=0.1)
    assert factors[0] > 1.2
