"""Sentences about fits that should not be trusted; silence about those that should."""

from __future__ import annotations

import numpy as np
import pytest
from calibkit import MASKS, kernels, latencies, phone, space, team, truth
from hypothesis import given, settings
from hypothesis import strategies as st

from socsim.calibration.doubts import doubts
from socsim.calibration.fit import Fit, Series
from socsim.calibration.model import CpuModel
from socsim.calibration.space import cpu_space
from socsim.devices.profile import load_device


def series(factor: float, masks: tuple[str, ...] = MASKS) -> list[Series]:
    """Latencies of the true parameter set, all off by one factor."""
    return [Series(CpuModel(kernels(), team(mask), "fp32"), factor * latencies(mask)) for mask in masks]


def fitted(values=None) -> Fit:
    """The true parameter set, as if it had been fitted."""
    arrays = (values or truth()).arrays
    vector = np.log([arrays[p.quantity][p.index] for p in space().parameters])
    return Fit(space(), vector, space().spreads)


def test_a_good_fit_is_not_doubted() -> None:
    assert list(doubts(phone(), "cpu", fitted(), series(1.0))) == []


@settings(max_examples=15, deadline=None)
@given(st.floats(100.0, 2000.0), st.booleans())
def test_other_units_are_noticed(factor: float, faster: bool) -> None:
    found = list(doubts(phone(), "cpu", fitted(), series(1.0 / factor if faster else factor)))
    assert "is latency_ms in milliseconds?" in found[0]
    assert ("1/" in found[0]) == faster
    assert "misses its own rows" in found[1]


def test_the_factor_is_told() -> None:
    start = space().values(space().start)
    exact = [Series(s.model, 1000.0 * s.model.latencies(start)) for s in series(1.0)]
    found = list(doubts(phone(), "cpu", fitted(start), exact))
    assert found[0] == "latencies are 1e+03 times what the hardware suggests; is latency_ms in milliseconds?"


def test_a_fit_that_misses_its_own_rows_is_told() -> None:
    (told,) = doubts(phone(), "cpu", fitted(), series(0.4))
    assert told.startswith("the best fit misses its own rows by 150 % on average")


@pytest.mark.parametrize(
    ("masks", "unseen"),
    [(("prime:1",), "silver or gold, which are"), (("prime:1+gold:3",), "silver, which is")],
)
def test_clusters_that_no_row_ran_on_are_told(masks: tuple[str, ...], unseen: str) -> None:
    own = cpu_space("tflite", "fp32", kernels().classes, [team(mask).cores for mask in masks])
    found = Fit(own, own.start, own.spreads)
    exact = [Series(s.model, s.model.latencies(found.values)) for s in series(1.0, masks)]
    assert list(doubts(phone(), "cpu", found, exact)) == [
        f"no row ran on {unseen} taken to reach the same shares of the peak as prime"
    ]
    assert list(doubts(load_device("raspberry-pi-4"), "gpu", found, exact)) == []
