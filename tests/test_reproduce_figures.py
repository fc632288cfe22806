"""Where marks, bars and texts of figures are."""

from __future__ import annotations

import base64
import io
import math
import xml.etree.ElementTree as ET
from html import escape
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from socsim.reproduce.chart import Bars, Chart, Grid, Lines, Points, Series, Table
from socsim.reproduce.claim import Claim, Effort, Finding, Measure
from socsim.reproduce.figures import COLOURS, draw, picture
from socsim.reproduce.page import page
from socsim.reproduce.verdict import judge

LONG = "words of usual width " * 4
TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=90)
USUAL = st.text("abcdefghijklnopqrstuvxyz0123456789 _$\\{}<>&^.,;:()", min_size=1, max_size=90)


def boxes(chart: Chart) -> list[tuple[float, float, float, float]]:
    """Left and right end of each bar or cell, and its top and bottom."""
    (axes,) = draw(chart).axes
    ends = [
        (p.get_x(), p.get_x() + p.get_width(), p.get_y(), p.get_y() + p.get_height()) for p in axes.patches
    ]
    return [(round(a, 6), round(b, 6), round(c, 6), round(d, 6)) for a, b, c, d in ends]


# --- geometry -------------------------------------------------------------------------------------------------


def test_bars_of_a_group_lie_below_each_other() -> None:
    chart = Bars(["a", "b"], [Series("s", [1.0, 2.0]), Series("t", [3.0, -4.0])], "x")
    assert boxes(chart) == [
        (0.0, 1.0, -0.38, -0.02), (0.0, 2.0, 0.62, 0.98), (0.0, 3.0, 0.02, 0.38), (0.0, -4.0, 1.02, 1.38),
    ]  # fmt: skip
    (axes,) = draw(chart).axes
    assert axes.get_ylim() == (1.55, -0.55)  # the first one on top
    assert [t.get_text() for t in axes.get_yticklabels()] == ["a", "b"]


def test_stacked_bars_begin_where_the_ones_before_end() -> None:
    chart = Bars(["a", "b"], [Series("s", [1.0, 2.0]), Series("t", [3.0, 4.0]), Series("u", [0.5, 0.0])], "x",
                 stacked=True)  # fmt: skip
    found = boxes(chart)
    assert [own[:2] for own in found] == [
        (0.0, 1.0),
        (0.0, 2.0),
        (1.0, 4.0),
        (2.0, 6.0),
        (4.0, 4.5),
        (6.0, 6.0),
    ]
    assert {own[2:] for own in found[::2]} == {(-0.36, 0.36)}


def test_whiskers_are_as_long_as_the_error_to_both_sides() -> None:
    (axes,) = draw(Bars(["a"], [Series("s", [2.0], errors=[0.5])], "x")).axes
    (whisker,) = axes.collections
    (ends,) = whisker.get_segments()
    assert ends.tolist() == [[1.5, 0.0], [2.5, 0.0]]


def test_marks_and_bands_lie_at_their_group() -> None:
    chart = Bars(
        ["a", "b", "c"],
        [Series("s", [1.0, 2.0, 3.0])],
        "x",
        [None, 2.5, 1.5],
        [(None, None), (1, 2), (2, None)],
    )
    (axes,) = draw(chart).axes
    marks = [(list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines]
    assert marks == [([2.5, 2.5], [0.56, 1.44]), ([1.5, 1.5], [1.56, 2.44])]
    shades = [path.get_paths()[0].get_extents() for path in axes.collections]
    assert [shade.intervaly.tolist() for shade in shades] == [[0.54, 1.46], [1.54, 2.46]]
    assert shades[0].intervalx.tolist() == [1.0, 2.0]
    assert shades[1].x0 == 2.0 and shades[1].x1 >= 3.0  # without an upper end, as far as the axis went
    assert [text.get_text() for text in axes.get_legend().get_texts()].count("published") == 1


def test_one_series_without_marks_needs_no_legend() -> None:
    assert draw(Bars(["a"], [Series("s", [1.0])], "x")).axes[0].get_legend() is None
    assert draw(Bars(["a"], [Series("s", [1.0])], "x", [1.0])).axes[0].get_legend() is not None


def test_published_curves_have_the_colour_of_the_simulated_ones() -> None:
    chart = Lines(
        [Series("s", [1.0, 2.0], [0.0, 1.0], [0.25, 0.5]), Series("t", [5.0], [3.0])], "x", "y",
        [Series("t", [4.0], [3.0]), Series("other", [4.0], [3.0])], [("level", 1.5)], True,
    )  # fmt: skip
    (axes,) = draw(chart).axes
    assert [line.get_color() for line in axes.lines[:4]] == [COLOURS[0], COLOURS[1], COLOURS[1], "black"]
    assert [line.get_linestyle() for line in axes.lines[:4]] == ["-", "-", "--", "--"]
    assert (list(axes.lines[0].get_xdata()), list(axes.lines[0].get_ydata())) == ([0.0, 1.0], [1.0, 2.0])
    (shade,) = axes.collections
    box = shade.get_paths()[0].get_extents()
    assert (box.x0, box.x1, box.y0, box.y1) == (0.0, 1.0, 0.75, 2.5)
    assert set(axes.lines[4].get_ydata()) == {1.5} and axes.get_xscale() == "log"


def test_points_that_are_no_numbers_are_left_out() -> None:
    chart = Points([Series("s", [1.0, math.nan], [2.0, 0.0]), Series("t", [3.0, 4.0], [math.nan, 5.0])],
                   [["p", "q"], ["p", "q"]], "x", "y", [(2.0, 1.0), (5.0, 4.0)])  # fmt: skip
    (axes,) = draw(chart).axes
    drawn = [line for line in axes.lines if len(line.get_xdata())]
    at = [(list(line.get_xdata()), list(line.get_ydata()), line.get_marker()) for line in drawn]
    assert at[:2] == [([2.0], [1.0], "o"), ([5.0], [4.0], "s")]
    assert at[2][:2] == ([2.0, 5.0], [1.0, 4.0]) and len(at) == 3
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["s", "t", "p", "q", "Pareto front"]


def test_cells_lie_row_by_row_from_the_top() -> None:
    chart = Grid(
        ["r", "s"],
        ["c", "d", "e"],
        [["k", "l", "k"], ["l", "l", "m"]],
        [["1", "2", "3"], ["4", "5", "6"]],
        "x",
        "y",
    )
    (axes,) = draw(chart).axes
    cells = [patch for patch in axes.patches if patch.get_x() > -2]
    assert [(c.get_x() + 0.48, c.get_y() + 0.46) for c in cells] == [
        (j, i) for i in range(2) for j in range(3)
    ]
    assert len({cell.get_facecolor() for cell in cells}) == 3
    assert cells[0].get_facecolor() == cells[2].get_facecolor() != cells[1].get_facecolor()
    assert [(t.get_text(), t.get_position()) for t in axes.texts][3:5] == [("4", (0, 1)), ("5", (1, 1))]
    assert axes.get_ylim() == (1.5, -0.5) and axes.get_xlim() == (-0.5, 2.5)


def test_a_figure_is_higher_the_more_it_shows() -> None:
    def height(chart: Chart) -> float:
        return float(draw(chart).get_figheight())

    one, two = Series("s", [1.0, 2.0]), Series("t", [1.0, 2.0])
    assert height(Bars(["a", "b"], [one, two], "x")) == pytest.approx(1.1 + 0.22 * 2 * 2.9)
    assert height(Bars(["a", "b"], [one, two], "x", stacked=True)) == pytest.approx(1.1 + 0.22 * 2 * 1.9)
    assert height(Grid(["r"] * 3, ["c"], [["k"]] * 3, [["t"]] * 3, "", "")) == pytest.approx(1.2 + 0.85 * 3)


# --- texts ----------------------------------------------------------------------------------------------------


def ink_outside(figure: Any) -> bool:
    """Whether anything is drawn beyond the edges of a figure."""
    import numpy as np
    from matplotlib.image import imread
    from matplotlib.transforms import Bbox

    width, height = figure.get_size_inches()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=40, bbox_inches=Bbox([[-2, -2], [width + 2, height + 2]]))
    buffer.seek(0)
    drawn = np.asarray(imread(buffer))[..., :3].min(axis=2) < 0.97
    drawn[79:-79, 79:-79] = False
    return bool(drawn.any())


def charts(a: str, b: str, x: str) -> list[Chart]:
    series = [Series(a, [1.0, 2.0]), Series(b, [2.0, 1.0])]
    return [
        Bars([b, a], series, x, [1.5, None]),
        Lines([Series(a, [1.0, 2.0], [0.0, 1.0])], x, b, [Series(b, [1.0], [0.0])]),
        Points([Series(a, [1.0, 2.0], [0.0, 1.0])], [[b, a]], x, a),
        Grid([a, b], ["c"], [[b], [a]], [["1"], ["2"]], x, "y"),
    ]


@example("b", LONG, LONG * 2, 0)
@example(LONG, "b", "x", 0)
@example(LONG, LONG, LONG, 1)
@example(LONG, "b", LONG, 2)
@example(LONG, "b", "x", 3)
@given(USUAL, USUAL, USUAL, st.integers(0, 3))
@settings(max_examples=12, deadline=None)
def test_no_text_leaves_the_figure(a: str, b: str, x: str, kind: int) -> None:
    assert not ink_outside(draw(charts(a, b, x)[kind]))


def test_ink_outside_is_seen() -> None:
    figure = draw(charts("a", "b", "x")[0])
    assert not ink_outside(figure)
    figure.text(1.01, 0.5, "outside")
    assert ink_outside(figure)


@given(TEXT, TEXT, st.integers(0, 3))
@settings(max_examples=6, deadline=None)
def test_pictures_are_well_formed_whatever_they_say(a: str, b: str, kind: int) -> None:
    root = ET.fromstring(picture(charts(a, b, "x")[kind]))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert [float(x) for x in root.attrib["viewBox"].split()][:2] == [0.0, 0.0]


def test_dollars_are_no_formulas() -> None:
    picture(charts("a $x_$ $", "$\\frac{$", "${")[0])


def test_lines_that_are_told_apart_stay_so() -> None:
    chart = Grid(["first\nsecond", "word " * 20], ["c"], [["k"], ["k"]], [["1"], ["2"]], "x", "y")
    labels = [text.get_text() for text in draw(chart).axes[0].get_yticklabels()]
    assert labels[0] == "first\nsecond"
    assert labels[1].split() == ["word"] * 20 and max(map(len, labels[1].split("\n"))) <= 40


# --- the page -------------------------------------------------------------------------------------------------


@given(TEXT, TEXT)
@settings(max_examples=6, deadline=None)
def test_the_page_says_exactly_what_it_is_given(one: str, other: str) -> None:
    first, second = f"1{one}", f"2{other}"

    def plain(text: str) -> str:
        return text.replace("{", "(").replace("}", ")")

    measure = Measure("m", first, 1.0, 2.0, None, otherwise=plain(second))
    claim = Claim(
        "name", second, first, second, first, (measure,), lambda effort: {}, lambda found, effort: finding,
        plain(first), (plain(second),),
    )  # fmt: skip
    table = Table(first, (second, first), ((first, second),))
    finding = Finding({"m": [1.0]}, Bars(["x"], [Series("s", [1.0])], "x"), table, (table,), (first,), second)
    html = page([judge(claim, finding, Effort())], {first: second})
    root = ET.fromstring(html.removeprefix("<!DOCTYPE html>\n"))
    told = [cell.text for cell in root.iter("td")]
    assert told[:2] == [first, second] and told.count(first) == 5
    paragraphs = ["".join(p.itertext()) for p in root.iter("p")]
    assert plain(second) in paragraphs and plain(first) in paragraphs and first in paragraphs
    (image,) = root.iter("img")
    assert image.attrib["alt"] == second
    drawn = base64.b64decode(image.attrib["src"].removeprefix("data:image/svg+xml;base64,"))
    assert ET.fromstring(drawn).tag.endswith("svg")
    assert f"<li>{escape(plain(second))}</li>" in html
