"""Quantities in and out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from socsim import units
from socsim.errors import UnitError, UsageError


@pytest.mark.parametrize(
    ("text", "dimension", "value"),
    [
        ("2841.6 MHz", "frequency", 2841.6e6),
        ("2.84GHz", "frequency", 2.84e9),
        (" 33 ms ", "time", 0.033),
        ("1 us", "time", 1e-6),
        ("2 min", "time", 120.0),
        ("756 mV", "voltage", 0.756),
        ("1383 mW", "power", 1.383),
        ("2.5 mWh", "energy", 9.0),
        ("4 GB", "size", 4e9),
        ("4 GiB", "size", 4 * 2**30),
        ("34.1 GB/s", "bandwidth", 34.1e9),
        ("1 MiB/s", "bandwidth", 2.0**20),
        ("898.6 GFLOP/s", "throughput", 898.6e9),
        ("449.3 GMAC/s", "throughput", 898.6e9),
        ("7 TOP/s", "throughput", 7e12),
        ("3 MMAC", "work", 3e6),
        ("12 kop", "work", 12e3),
        ("4 pJ/bit", "energy per byte", 32e-12),
        ("32 pJ/B", "energy per byte", 32e-12),
        ("90 C", "temperature", 90.0),
        ("90 °C", "temperature", 90.0),
        ("2 K", "temperature difference", 2.0),
        ("60 fps", "rate", 60.0),
        ("12 %", "ratio", 0.12),
        ("0.5", "ratio", 0.5),
        (0.25, "ratio", 0.25),
        (3, "ratio", 3.0),
        ("1e-3", "ratio", 1e-3),
        ("77.6 mW/V", "leakage", 0.0776),
        ("362 uW/MHz/V^2", "dynamic power", 362e-12),
        ("53.75 us/MB", "time per byte", 53.75e-12),
        ("1 ms/MB", "time per byte", 1e-9),
        ("1 ns/B", "time per byte", 1e-9),
        ("-5 C", "temperature", -5.0),
        ("+1.5e3 Hz", "frequency", 1500.0),
        (".5 s", "time", 0.5),
    ],
)
def test_reads_quantities_exactly(text: str | float, dimension: str, value: float) -> None:
    assert units.parse(text, dimension) == value


@pytest.mark.parametrize(
    ("text", "dimension", "message"),
    [
        ("2.84 Ghz", "frequency", "unknown unit 'Ghz', did you mean 'GHz'?"),
        ("3 mb", "size", "unknown unit 'mb', did you mean 'MB'?"),
        ("300 uw/MHz/V^2", "dynamic power", "unknown unit 'uw/MHz/V^2', did you mean 'uW/MHz/V^2'?"),
        ("5 parsec", "time", "unknown unit 'parsec', a time is in one of s, ms, us, ns, ps, min, h"),
        ("60 fps", "frequency", "'60 fps' is a rate, expected a frequency (GHz, MHz, kHz, Hz)"),
        ("34 GB", "bandwidth", "'34 GB' is a size, expected a bandwidth"),
        ("5 V", "energy", "'5 V' is a voltage, expected an energy"),
        (2841.6, "frequency", "the value 2841.6 has no unit; a frequency needs one of GHz, MHz, kHz, Hz"),
        ("10", "energy", "'10' has no unit; an energy needs one of J, mJ"),
        ("fast", "time", "'fast' is no time; expected a number and a unit (s, ms"),
        ("", "ratio", "'' is no ratio; expected a number"),
        ("1,5 s", "time", "unknown unit ',5 s'"),
        (True, "ratio", "the value True is no ratio; expected a number"),
        (None, "time", "the value None is no time; expected a number and a unit"),
        (math.nan, "ratio", "the value nan is no ratio"),
        ("1e999 s", "time", "'1e999 s' is too large for a time"),
        ("1e99999 s", "time", "unknown unit '99 s'"),
    ],
)
def test_refuses_what_is_no_such_quantity(text: str | float, dimension: str, message: str) -> None:
    with pytest.raises(UnitError) as caught:
        units.parse(text, dimension)
    assert str(caught.value).startswith(message)


def test_unknown_dimension_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="unknown dimension 'mass'; known: time, frequency"):
        units.parse("1 kg", "mass")
    with pytest.raises(UsageError, match="unknown dimension 'mass'"):
        units.format(1.0, "mass")


@pytest.mark.parametrize(
    ("value", "dimension", "text"),
    [
        (2841.6e6, "frequency", "2.8416 GHz"),
        (499.2e6, "frequency", "499.2 MHz"),
        (1e6, "frequency", "1 MHz"),
        (0.001, "time", "1 ms"),
        (0.00054, "time", "540 us"),
        (3e-12, "time", "0.003 ns"),
        (0.0, "time", "0 s"),
        (-0.002, "time", "-2 ms"),
        (34.128e9, "bandwidth", "34.128 GB/s"),
        (32e-12, "energy per byte", "32 pJ/B"),
        (53.75e-12, "time per byte", "53.75 us/MB"),
        (362e-12, "dynamic power", "362 uW/MHz/V^2"),
        (0.89, "ratio", "0.89"),
        (90.0, "temperature", "90 C"),
    ],
)
def test_shows_values_in_the_unit_that_suits(value: float, dimension: str, text: str) -> None:
    assert units.format(value, dimension) == text


@given(
    st.sampled_from(units.DIMENSIONS), st.floats(1e-15, 1e15, allow_nan=False), st.sampled_from((-1.0, 1.0))
)
def test_what_is_shown_reads_back(dimension: str, size: float, sign: float) -> None:
    value = sign * size
    assert units.parse(units.format(value, dimension), dimension) == pytest.approx(value, rel=1e-4)


@pytest.mark.parametrize("value", [3, 0.5, "2.84 GHz", "12 %", "7", "4pJ/bit"])
def test_tells_quantities(value: object) -> None:
    assert units.is_quantity(value)


@pytest.mark.parametrize("value", [True, None, "cortex-a76", "5G phone", "2.84 Ghz", "", [1]])
def test_tells_what_is_no_quantity(value: object) -> None:
    assert not units.is_quantity(value)


# --- exact times ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [(2, "2 s"), (10.0, "10 s"), (0.033, "0.033 s"), (1 / 60, "0.016666666666666666 s"), (1e-7, "1e-07 s")],
)
def test_seconds_as_text(value: float, text: str) -> None:
    assert units.exact_seconds(value) == text


@given(st.floats(min_value=0.0, max_value=1e9))
def test_seconds_are_read_back_to_the_last_bit(value: float) -> None:
    assert units.parse(units.exact_seconds(value), "time") == value


def test_times_of_numpy_are_plain_text() -> None:
    assert units.exact_seconds(np.float64(1 / 60)) == "0.016666666666666666 s"
