"""Bands at their ends, what is no number, and digits that tell a verdict."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socsim.reproduce.chart import Bars, Table
from socsim.reproduce.claim import Claim, Effort, Finding, Measure, band
from socsim.reproduce.helpers import differences, half_width, means, ratios
from socsim.reproduce.page import band_text, told
from socsim.reproduce.verdict import Judged, Report, judge

FINITE = st.floats(-1e6, 1e6, allow_nan=False)


def report(*measures: Measure, **values: list[float]) -> Report:
    claim = Claim("c", "", "", "", "", measures, lambda effort: {}, lambda found, effort: finding, "")
    finding = Finding(values, Bars([], [], ""), Table("", (), ()))
    return judge(claim, finding, Effort())


def judged(measure: Measure, *values: float) -> Judged:
    return report(measure, **{measure.name: list(values)}).judged[0]


def direction(low: float | None, high: float | None) -> Measure:
    return Measure("m", "", None, low, high, kind="direction")


@given(FINITE, FINITE, FINITE)
def test_a_single_value_is_within_a_band_or_at_its_end(x: float, a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert judged(Measure("m", "", None, low, high), x).holds is (low <= x <= high)
    assert (
        judged(Measure("m", "", None, low, None), low).holds
        and judged(Measure("m", "", None, None, high), high).holds
    )


@given(FINITE, FINITE)
def test_a_direction_leaves_its_end_out(x: float, end: float) -> None:
    assert judged(direction(end, None), x).holds is (x > end)
    assert judged(direction(None, end), x).holds is (x < end)


def test_the_interval_of_two_seeds_is_student_s() -> None:
    one = judged(direction(0.0, None), 1.0, 3.0)
    # t(1 degree) = 12.7062; the standard deviation is sqrt(2), over sqrt(2).
    assert one.interval == pytest.approx((2.0 - 12.7062, 2.0 + 12.7062), abs=1e-3) and not one.holds
    assert judged(Measure("m", "", None, 2.0, 2.0), 1.0, 3.0).holds  # a band asks for the mean alone


def test_a_direction_with_both_ends_needs_the_whole_interval_between_them() -> None:
    values = (1.9, 2.0, 2.1)  # 2 and 4.3027 / sqrt(3) x 0.1 = 0.2484 to both sides
    assert judged(direction(1.75, 2.25), *values).holds
    assert not judged(direction(1.76, 2.25), *values).holds
    assert not judged(direction(1.75, 2.24), *values).holds


def test_one_seed_has_no_interval() -> None:
    one = judged(direction(1.0, None), 1.0001)
    assert one.interval is None and one.holds
    assert told(one)[1] == "1.0001x"


@pytest.mark.parametrize("kind", ["band", "direction"])
@pytest.mark.parametrize("values", [(math.nan,), (1.5, math.nan), (math.nan, math.nan, 1.5)])
def test_what_is_no_number_at_one_seed_does_not_hold(kind: str, values: tuple[float, ...]) -> None:
    for low, high in ((1.0, 2.0), (None, 2.0), (1.0, None)):
        one = judged(Measure("m", "", None, low, high, kind=kind), *values)  # type: ignore[arg-type]
        assert not one.holds and one.interval is None
        assert told(one)[1] == "-"


def test_infinity_is_beyond_every_end() -> None:
    assert judged(direction(1.0, None), math.inf).holds
    assert not judged(Measure("m", "", None, 1.0, 2.0), math.inf).holds


def test_a_claim_holds_with_all_of_its_measures() -> None:
    a, b = (
        Measure("a", "", None, 1.0, 2.0, otherwise="Why."),
        Measure("b", "", None, 1.0, 2.0, otherwise="Why."),
    )
    assert report(a, b, a=[1.0], b=[2.0]).holds
    one = report(a, b, a=[1.0], b=[3.0])
    assert not one.holds and one.shortfalls == ["Why."] and [j.holds for j in one.judged] == [True, False]
    assert report(a, b, a=[0.0], b=[3.0]).shortfalls == ["Why."]  # once
    assert report(a, b, a=[1.0], b=[1.0]).shortfalls == []


# --- digits ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("measure", "value", "shown", "ends"),
    [
        (band("m", "", 3.4), 2.7159, "2.716x", "2.72x to 4.08x"),
        (band("m", "", 3.4), 2.72, "2.72x", "2.72x to 4.08x"),
        (band("m", "", 3.4), 2.71999, "2.71999x", "2.72x to 4.08x"),
        (Measure("m", "", None, 0.46, 0.50, "share"), 0.50004, "50.004 %", "46.000 % to 50.000 %"),
        (Measure("m", "", None, 0.46, 0.50, "share"), 0.50, "50.0 %", "46.0 % to 50.0 %"),
        (Measure("m", "", None, 0.46, 0.50, "share"), 0.4801, "48.0 %", "46.0 % to 50.0 %"),
        (Measure("m", "", None, 77.0, None, "%"), 76.999, "76.999 %", "above 77.000 %"),
        (Measure("m", "", None, None, 60.0, "ms"), 60.04, "60.04 ms", "below 60 ms"),
    ],
)
def test_so_many_digits_that_the_verdict_can_be_seen(
    measure: Measure, value: float, shown: str, ends: str
) -> None:
    one = judged(measure, value)
    assert (told(one)[1], band_text(one)) == (shown, ends)


def test_the_interval_decides_a_direction_and_its_digits() -> None:
    far = judged(direction(1.0, None), 1.5, 1.5001)
    assert far.holds and told(far)[1] == "1.5x"  # both ends of its interval look like the mean
    near = judged(direction(1.5, None), 1.5005, 1.5007)  # 0.00127 to both sides of 1.5006
    assert not near.holds and (told(near)[1], band_text(near)) == ("1.501x [1.499x, 1.502x]", "above 1.5x")


@given(
    st.floats(0.01, 100.0), st.floats(0.01, 100.0), st.sampled_from(["x", "share", "%", "ms", "points", ""])
)
def test_what_is_shown_is_on_its_side_of_what_is_shown_of_the_band(x: float, end: float, unit: str) -> None:
    one = judged(Measure("m", "", None, end, None, unit), x)
    if abs(x - end) > 1e-5 * end and abs(x - end) > 1e-5:
        shown, low = (
            float(text.split()[0].rstrip("x")) for text in (told(one)[1], band_text(one).split()[1])
        )
        assert (shown > low) is (x > end) and one.holds is (x > end)


# --- helpers of claims ----------------------------------------------------------------------------------------


def test_ratios_and_differences_are_seed_by_seed() -> None:
    assert ratios([6.0, 1.0], [2.0, 4.0]) == [3.0, 0.25]
    assert differences([6.0, 1.0], [2.0, 4.0]) == [4.0, -3.0]
    assert ratios(iter([1.0]), iter([2.0])) == [0.5]
    for pair in (ratios, differences):
        with pytest.raises(ValueError, match=r"shorter|longer"):
            pair([1.0], [1.0, 2.0])


def test_bars_of_means_over_the_seeds() -> None:
    series = means("s", ([1.0, 3.0], [2.0]), 100)
    assert (series.name, list(series.ys)) == ("s", [200.0, 200.0])
    assert series.errors == pytest.approx([1270.62, 0.0], abs=0.01)
    assert half_width([2.0]) == 0.0
    plain = means("s", (own for own in ([1.0, 3.0],)))
    assert list(plain.ys) == [2.0] and plain.errors == pytest.approx([12.7062], abs=1e-4)
