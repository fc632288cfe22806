"""What is swept, and the points of the grid: pure functions of a sweep block."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socsim.sweeps.axes import Setting
from socsim.sweeps.block import make_axes
from socsim.sweeps.grid import Grid, Point
from socsim.yamlfile import RelativeFaults

VARIANTS = {"none": {}, "short": {"apps.net.kernel_limit": "1 ms", "apps.net.priority": -1}}


def faults(block) -> list[tuple]:
    with pytest.raises(RelativeFaults) as caught:
        make_axes(block)
    return list(caught.value.faults)


# --- axes -----------------------------------------------------------------------------------------------------


def test_a_list_a_range_and_variants() -> None:
    scheduler, seed, variant = make_axes(
        {"apps.net.scheduler": ["cpu", "gpu"], "seed": "0..2", "v": VARIANTS}
    )
    assert (scheduler.name, scheduler.labels, scheduler.written) == (
        "apps.net.scheduler", ["cpu", "gpu"], ["cpu", "gpu"]
    )  # fmt: skip
    assert scheduler.settings(1) == (Setting("apps.net.scheduler", "gpu", ("apps.net.scheduler", 1)),)
    assert (list(seed.labels), seed.written, len(seed)) == ([0, 1, 2], "0..2", 3)
    assert seed.settings(2) == (Setting("seed", 2, ("seed",)),)
    assert variant.labels == ["none", "short"]
    assert variant.settings(0) == ()
    assert variant.settings(1) == (
        Setting("apps.net.kernel_limit", "1 ms", ("v", "short", "apps.net.kernel_limit")),
        Setting("apps.net.priority", -1, ("v", "short", "apps.net.priority")),
    )
    assert list(variant.keys) == ["apps.net.priority", "apps.net.kernel_limit"]
    assert seed.keys == {"seed": ("seed",)}


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("0..9", range(10)),
        ("3..3", [3]),
        ("-2..1", [-2, -1, 0, 1]),
        (" 0 .. 1 ", [0, 1]),
        ("-3..-2", [-3, -2]),
    ],
)
def test_ranges_have_both_ends(text: str, numbers) -> None:
    assert list(make_axes({"seed": text})[0].labels) == list(numbers)


def test_a_range_of_python() -> None:
    (axis,) = make_axes({"seed": range(3)})
    assert (list(axis.labels), axis.written) == ([0, 1, 2], [0, 1, 2])


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([1, 2.5], [1, 2.5]),
        ([True, False], [True, False]),
        ([1, "none"], ["1", "none"]),
        ([1, "1"], ["1", '"1"']),
        ([True, 1], ["true", "1"]),
        ([None, "16 ms"], ["null", "16 ms"]),
        ([{"name": "heft", "predictor": "flops"}, "cpu"], ["heft(predictor=flops)", "cpu"]),
        ([{"name": "a/mine.py:S"}, {"name": "b/mine.py:S"}], ['{"name": "a/mine.py:S"}', '{"name": "b/mine.py:S"}']),
        ([["0 ms", "1 ms"], {"rate": "3 /s"}], ['["0 ms", "1 ms"]', '{"rate": "3 /s"}']),
    ],
)  # fmt: skip
def test_labels_tell_values_apart(values, labels) -> None:
    (axis,) = make_axes({"key": values})
    assert axis.labels == labels
    assert [axis.settings(i)[0].value for i in range(len(axis))] == values


@pytest.mark.parametrize(
    ("key", "values", "labels"),
    [
        ("apps.net.scheduler", ["/f/mine.py:S", "cpu"], ["mine:S", "cpu"]),
        ("apps.net.scheduler", ["/f/mine.py:S", "/g/mine.py:S"], ["/f/mine.py:S", "/g/mine.py:S"]),
        ("device", ["/f/phone.yaml", "xiaomi-9"], ["phone.yaml", "xiaomi-9"]),
        ("apps.0.model", ["/f/a.onnx", "/g/a.onnx"], ["/f/a.onnx", "/g/a.onnx"]),
        ("apps.0.arrivals", ["/f/a.csv"], ["/f/a.csv"]),
    ],
)
def test_labels_leave_folders_out(key, values, labels) -> None:
    assert make_axes({key: values})[0].labels == labels


@pytest.mark.parametrize(
    ("block", "loc", "message"),
    [
        ({"seed": []}, ("seed",), "needs at least one value; leave the key out to keep that of the experiment"),
        ({"v": {}}, ("v",), "needs at least one value; leave the key out"),
        ({"seed": "9..0"}, ("seed",), "the range 9..0 runs backwards; write 0..9"),
        (
            {"seed": "3"},
            ("seed",),
            "should be a list, a range such as 0..9, or a mapping of named variants, got '3'; write [3]",
        ),
        ({"seed": "0..1.5"}, ("seed",), "should be a list, a range such as 0..9, or a mapping of named variants, "
         "got '0..1.5'; a range is of whole numbers, such as 0..9"),
        ({"seed": 3}, ("seed",), "should be a list, a range such as 0..9, or a mapping of named variants, got 3"),
        ({"seed": None}, ("seed",), "should be a list, a range such as 0..9"),
        ({"s": ["cpu", "gpu", "cpu"]}, ("s", 2), "repeats value 1, 'cpu'; repetitions are made by a sweep over seed"),
        ({"s": [{"a": 1}, {"a": 1}]}, ("s", 1), "repeats value 1, {'a': 1}"),
        ({"v": {"none": 3}}, ("v", "none"), "a variant is a mapping of keys and values, got 3; {} changes nothing"),
        ({"apps.net": {"none": {}}}, ("apps.net",), "a mapping holds named variants, and what they are variants of"),
    ],
)  # fmt: skip
def test_faults(block, loc, message) -> None:
    ((place, told),) = faults(block)
    assert (place, told[: len(message)]) == (loc, message)


def test_all_faults_are_told_at_once() -> None:
    told = faults({"a": [], "b": [1, 1, 1], "c": "2..1", "d": [1], "e": {"x": 1, "y": 2}})
    assert [place for place, _ in told] == [("a",), ("b", 1), ("b", 2), ("c",), ("e", "x"), ("e", "y")]


def test_equal_numbers_of_different_types_are_not_the_same() -> None:
    assert len(make_axes({"noise": [True, 1, "1"]})[0]) == 3


# --- the grid -------------------------------------------------------------------------------------------------


def test_the_last_axis_turns_fastest() -> None:
    grid = Grid(make_axes({"scheduler": ["cpu", "gpu"], "seed": "0..2"}))
    assert [point.labels for point in grid] == [
        ("cpu", 0), ("cpu", 1), ("cpu", 2), ("gpu", 0), ("gpu", 1), ("gpu", 2)
    ]  # fmt: skip
    assert grid[4] == Point(
        4, ("gpu", 1), (Setting("scheduler", "gpu", ("scheduler", 1)), Setting("seed", 1, ("seed",)))
    )
    assert grid[-1].labels == ("gpu", 2)
    assert [point.number for point in grid[2:4]] == [2, 3]
    with pytest.raises(IndexError):
        grid[6]


def test_without_axes_there_is_one_point_that_changes_nothing() -> None:
    assert list(Grid(())) == [Point(0, (), ())]


def test_a_large_grid_costs_nothing_until_it_is_walked() -> None:
    grid = Grid(make_axes({"seed": "0..999999", "a": "1..1000000"}))
    assert len(grid) == 10**12
    assert grid[10**12 - 1].labels == (999_999, 1_000_000)


VALUES = st.one_of(st.integers(), st.booleans(), st.text(max_size=3), st.floats(allow_nan=False))
LISTS = st.lists(VALUES, min_size=1, max_size=4, unique_by=repr)
RANGES = st.tuples(st.integers(-5, 5), st.integers(0, 3)).map(lambda r: f"{r[0]}..{r[0] + r[1]}")
SWEPT = st.dictionaries(st.sampled_from(["a", "b.c", "d.e.f", "g"]), LISTS | RANGES, max_size=4)


@given(SWEPT)
def test_the_grid_is_the_product_of_what_is_swept(block) -> None:
    axes = make_axes(block)
    grid = Grid(axes)
    values = [
        range(int(v.split("..")[0]), int(v.split("..")[1]) + 1) if isinstance(v, str) else v
        for v in block.values()
    ]
    expected = [tuple(zip(block, point, strict=True)) for point in product(*values)]
    assert [tuple((s.key, s.value) for s in point.settings) for point in grid] == expected
    assert len(grid) == len(expected)
    assert [grid[i].number for i in range(len(grid))] == list(range(len(grid)))


@given(SWEPT)
def test_no_two_points_have_the_same_labels(block) -> None:
    labels = [tuple(map(repr, point.labels)) for point in Grid(make_axes(block))]
    assert len(set(labels)) == len(labels)


@given(SWEPT)
def test_axes_can_be_written_and_read_again(block) -> None:
    axes = make_axes(block)
    assert list(Grid(make_axes({axis.name: axis.written for axis in axes}))) == list(Grid(axes))
