"""Powers told by energies: what is put in comes out, and what cannot be told is said."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from calibkit import NETWORKS, phone
from hypothesis import given
from hypothesis import strategies as st

from socsim.calibration.calibrate import Calibrated
from socsim.calibration.power import PowerFit, fit_power, known
from socsim.calibration.tables import Row
from socsim.workloads.graph import ModelGraph
from socsim.workloads.kernels import part_bytes
from socsim.workloads.zoo.catalogue import build_model

graph = cache(build_model)
LATENCY = 0.05


def network(row: Row) -> ModelGraph | None:
    return graph(row.model) if row.model in NETWORKS else None


def idle() -> float:
    """Power in W of the idle phone without its board."""
    device = phone()
    units = [*[c for c in device.clusters for _ in range(c.count)], *device.accelerators.values()]
    return sum(unit.power.idle for unit in units) + device.memory.background_power


def power(model: str, cores: dict[str, int], factor: float, board: float) -> float:
    """Power in W while some cores work: C f V^2 times a factor, and leakage, in place of their idle power."""
    device, total = phone(), idle() + board
    for cluster in device.clusters:
        top, own = cluster.max_opp, cluster.power
        dynamic = own.coefficient * own.activity * top.frequency * top.voltage**2
        total += cores.get(cluster.name, 0) * (factor * dynamic + own.leakage * top.voltage - own.idle)
    moved = sum(part_bytes(graph(model), op, "fp32") for op in graph(model))
    return total + moved * device.memory.energy_per_byte / LATENCY


def rows(
    factor: float, board: float, *, number: int = 8, energies: bool = True, told: bool = True
) -> list[Row]:
    """All of them on the three gold cores."""
    found = []
    for place, model in enumerate(NETWORKS[:number]):
        watts = power(model, {"gold": 3}, factor, board)
        found.append(
            Row(
                place + 2, "tflite", "cpu", "gold:3", "fp32", model, LATENCY,
                energy=watts * LATENCY if energies else None,
                power=None if energies else watts,
                idle_power=idle() + board if told else None,
            )
        )  # fmt: skip
    return found


def calibrated(measured: list[Row]) -> Calibrated:
    """A parameter set whose kernels compute all the time, and which predicts what was measured."""
    seconds = np.array([row.latency for row in measured])
    model = SimpleNamespace(computing=lambda values: np.ones(len(seconds)), latencies=lambda values: seconds)
    part = SimpleNamespace(cores="gold:3", rows=tuple(measured), measured=seconds, model=model)
    fit = SimpleNamespace(values=None)
    return cast(
        Calibrated,
        SimpleNamespace(key=("tflite", "cpu", "fp32", ""), parts=(part,), fit=fit, folds=(), families={}),
    )


def fitted(measured: list[Row]) -> PowerFit:
    found = fit_power(phone(), [calibrated(measured)], measured, network)
    assert found is not None
    return found


@given(factor=st.floats(0.2, 5.0), board=st.floats(0.1, 4.0), energies=st.booleans())
def test_what_energies_or_powers_were_made_of_is_found(factor: float, board: float, energies: bool) -> None:
    found = fitted(rows(factor, board, energies=energies))
    (cpu,) = found.processors
    (tflite,) = found.sets.values()
    assert found.board == pytest.approx(board)
    assert (cpu.processor, cpu.n, cpu.factor) == ("cpu", 8, pytest.approx(factor))
    assert (tflite.power.computing, tflite.power.waiting) == (pytest.approx(1.0), pytest.approx(1.0))
    assert cpu.mape == tflite.mape == pytest.approx(0.0, abs=1e-9)
    assert known(cpu) and known(tflite) and found.warnings == ()


def test_without_an_idle_power_the_board_is_that_of_the_profile() -> None:
    found = fitted(rows(1.3, phone().board_power, told=False))
    assert (found.board, found.idle_rows) == (None, 0)
    assert found.processors[0].factor == pytest.approx(1.3)


def test_one_wrong_energy_hardly_moves_the_others() -> None:
    """Nine joules for a twentieth of a second."""
    measured = rows(1.3, 1.0)
    wrong = [*measured[:-1], replace(measured[-1], energy=9.0)]
    assert fitted(wrong).processors[0].factor == pytest.approx(1.3, rel=0.01)


def test_too_few_rows_are_told() -> None:
    found = fitted(rows(1.0, 1.0, number=2))
    assert found.processors == ()
    assert found.warnings == (
        "power of tflite/cpu/fp32, 2 rows with energies: at least 3 are needed; left out",
    )


def test_energies_in_another_unit_are_told_and_not_believed() -> None:
    """Tenths of what the idle device draws already."""
    found = fitted([replace(row, energy=(row.energy or 0) / 100) for row in rows(1.0, 1.0)])
    assert not known(found.processors[0])
    (told,) = found.warnings
    assert told.startswith("power of tflite/cpu/fp32, 8 rows with energies: the best fit misses them by ")
    assert "energy_mj must be in millijoules, of the whole device" in told


def test_an_idle_power_below_what_is_modelled_is_told() -> None:
    found = fitted([replace(row, energy=None, idle_power=idle() / 2) for row in rows(1.0, 1.0)])
    assert found.board == 0.01
    assert found.warnings == (
        "idle power: less than what is modelled by itself draws when idle; nothing is left for the board",
    )


def test_no_energies_tell_no_power() -> None:
    measured = [replace(row, energy=None, idle_power=None) for row in rows(1.0, 1.0)]
    assert fit_power(phone(), [calibrated(measured)], measured, network) is None
