"""The page of ``socsim validate``: its tables, its pictures, and what it says of intervals."""

from __future__ import annotations

import csv
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from calibkit import KEY, calibrated, truth

from benchmarks.intervals import Held, held, summary
from socsim.calibration.calibrate import Calibrated, Part
from socsim.calibration.tables import Row
from socsim.calibration.validation import Compared, Validation
from socsim.calibration.validation_page import page_text, write_page
from socsim.calibration.validation_report import Group
from socsim.calibration.validation_tables import aim_of, by_basis, expected, furthest, of_groups
from socsim.devices.device import Calibration, CalibrationError
from socsim.results.scatter import Points, scatter_figure

OWN = "calibrated: 24 rows; xiaomi-9 in t.csv"


def calibration(source: str = OWN) -> Calibration:
    found = calibrated(truth())
    error = CalibrationError(0.8, 1.25, 0.12)
    grade = "D" if "family" in source else "B"
    return replace(found.calibrations[KEY], source=source, error=error, grade=grade)


def group(*pairs: tuple[float, float], **changes: object) -> Group:
    """Of measured and simulated milliseconds."""
    own, table = calibration(str(changes.get("source", OWN))), str(changes.get("table", "t.csv"))
    compared = tuple(
        Compared(table, "xiaomi-9", row, predicted * 1e-3, None, own, own.source == OWN)
        for i, (measured, predicted) in enumerate(pairs)
        for row in [Row(i + 2, "tflite", "cpu", "prime:1", "fp32", f"net{i}", measured * 1e-3)]
    )
    shared = ("xiaomi-9", "cpu", str(changes.get("cores", "prime:1")), "tflite", "fp32")
    return Group(*shared, compared, "latency")


def cells(table, column: str) -> list[str]:
    return [row[table.columns.index(column)] for row in table.rows]


# --- tables ---------------------------------------------------------------------------------------------------


def test_errors_of_a_group() -> None:
    """0, +5 %, -50 % and +100 %: 1.0 and 0.5 are within 0.8 to 1.25 of a prediction, 2.0 and 0.5 are not."""
    table = of_groups([group((10.0, 10.0), (20.0, 21.0), (10.0, 5.0), (30.0, 60.0))])
    assert table.columns == (
        "library", "on", "cores", ">n", ">mean error", ">median", ">within 10 %", ">in interval", ">Spearman",
        ">unseen", "grade", "rates",
    )  # fmt: skip
    assert table.rows == (
        (
            "tflite",
            "cpu fp32",
            "prime:1",
            "4",
            "38.8 %",
            "27.5 %",
            "50 %",
            "50 %",
            "0.949",
            "12.0 %",
            "B",
            "fitted",
        ),
    )
    assert table.grades == ("B",)


def test_two_networks_have_no_rank_correlation() -> None:
    assert cells(of_groups([group((1.0, 2.0), (2.0, 1.0))]), ">Spearman") == ["-"]


def test_sets_without_an_interval_have_none() -> None:
    alone = group((1.0, 1.0), source="estimate: by eye")
    bare = tuple(replace(one, calibration=replace(one.calibration, error=None)) for one in alone.compared)
    own = replace(alone, compared=bare)
    assert own.inside is None
    assert cells(of_groups([own]), ">in interval") == ["-"]
    assert cells(by_basis([own, group((1.0, 1.0))]), ">in interval") == ["-", "100 %", "100 %"]


def test_errors_by_what_they_rest_on() -> None:
    fitted, lent = (
        group((10.0, 10.0), (10.0, 11.0)),
        group((10.0, 20.0), source="family: pixel-4, cortex-a76"),
    )
    table = by_basis([fitted, lent])
    assert cells(table, "rates") == ["fitted", "another device", "all"]
    assert cells(table, ">n") == ["2", "1", "3"]
    assert cells(table, ">mean error") == ["5.0 %", "100.0 %", "36.7 %"]
    assert cells(table, ">in interval") == ["100 %", "0 %", "67 %"]
    assert cells(by_basis([lent]), "rates") == ["another device"]


def test_what_to_expect_of_others_is_told_once_for_a_set() -> None:
    """Two sets of cores are one parameter set; what was not fitted to has no such error."""
    table = expected(
        [group((1.0, 1.0)), group((1.0, 1.0), cores="gold:2"), group((1.0, 1.0), source="family: a, b")]
    )
    assert table.rows == (("xiaomi-9", "tflite", "cpu fp32", "12.0 %", "10 %", "no", "-20% to +25%", "B"),)


@pytest.mark.parametrize(
    ("library", "processor", "precision", "table", "aim"),
    [
        ("tflite", "cpu", "fp32", "qed.csv", 0.10),
        ("tflite", "cpu", "int8", "qed.csv", 0.14),
        ("tflite", "gpu", "fp32", "qed.csv", 0.18),
        ("tflite", "cpu", "fp32", "mlperf.csv", 0.15),
        ("ncnn", "gpu", "fp16", "ncnn.csv", 0.25),
        ("qnn", "npu", "int8", "aihub.csv", 0.30),
        ("paddlelite", "cpu", "fp32", "paddlelite.csv", None),
    ],
)
def test_aims(library, processor, precision, table, aim) -> None:
    own = replace(group((1.0, 1.0), table=table), library=library, processor=processor, precision=precision)
    assert aim_of(own) == aim


def test_the_furthest_come_first_either_way() -> None:
    table = furthest([group((10.0, 10.5), (10.0, 30.0)), group((10.0, 2.0), cores="gold:2")], "ms", 2)
    assert cells(table, "network") == ["net0", "net1"]
    assert cells(table, ">error") == ["-80%", "+200%"]
    assert cells(table, "row") == ["t.csv:2", "t.csv:3"]


# --- the page -------------------------------------------------------------------------------------------------


class Tags(HTMLParser):
    """Checks that tags close in order, and collects links and identities."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: set[str] = set()
        self.ids: set[str] = set()

    def handle_starttag(self, tag, attrs) -> None:
        if tag not in ("meta", "img"):
            self.open.append(tag)
        found = dict(attrs)
        self.links |= {found["href"]} if "href" in found else set()
        self.ids |= {f"#{found['id']}"} if "id" in found else set()

    def handle_startendtag(self, tag, attrs) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag


def found(*shown: Group) -> Validation:
    compared = tuple(one for own in shown for one in own.compared)
    return Validation(len(compared), compared, {}, 0)


def test_the_page_is_sound_and_its_links_lead_somewhere() -> None:
    text = page_text(found(group((10.0, 10.0), (20.0, 25.0)), group((1.0, 1.0), cores="gold:2")))
    tags = Tags()
    tags.feed(text)
    assert not tags.open and tags.links == tags.ids == {"#rows", "#latency-xiaomi-9"}
    assert 'name="viewport"' in text and "@media print" in text
    assert text.count('<img alt="xiaomi-9: latency measured and simulated') == 1
    assert text.count("<table>") == text.count("<div class='wide'>") == 4
    assert "Energy of one inference" not in text


def test_the_file_of_all_values_tells_intervals(tmp_path: Path) -> None:
    shown = group((10.0, 8.0))
    renamed = replace(shown.compared[0], row=replace(shown.compared[0].row, model='a,"b'))
    page = write_page(Validation(1, (renamed,), {}, 0), tmp_path / "out")
    assert page == tmp_path / "out" / "index.html"
    assert sorted(path.name for path in page.parent.iterdir()) == [
        "index.html",
        "manifest.json",
        "models.csv",
    ]
    (row,) = csv.DictReader((page.parent / "models.csv").read_text(encoding="utf-8").splitlines())
    assert (row["model"], row["measured"], row["predicted"], row["error"]) == ('a,"b', "10", "8", "-0.2")
    assert (row["low"], row["high"], row["table"], row["line"]) == ("6.4", "10", "t.csv", "2")


# --- pictures -------------------------------------------------------------------------------------------------


def test_a_panel_for_each_processor() -> None:
    points = Points("tflite fp32", [1.0, 10.0], [1.1, 9.0], "prime:1")
    figure = scatter_figure({"cpu": [points, replace(points, cores="gold:2")], "gpu": [points]}, "ms", "all")
    cpu, gpu = figure.axes
    assert (cpu.get_title(), gpu.get_title()) == ("cpu", "gpu")
    assert (cpu.get_xlabel(), cpu.get_ylabel()) == ("measured [ms]", "simulated [ms]")
    assert cpu.get_xlim() == cpu.get_ylim() == pytest.approx((1.0 / 1.3, 13.0))
    assert [text.get_text() for text in cpu.get_legend().get_texts()] == ["tflite fp32", "prime:1", "gold:2"]


MANY = [(name, cores) for name in ("a", "tflite fp32") for cores in ("b:1", "b:2", "b" * 38)]


@pytest.mark.parametrize("labels", [[("a", "")], MANY])
@pytest.mark.parametrize(
    ("low", "span"), [(3.0, 1.0), (0.02, 3.0), (90.0, 8.0), (1.0, 60.0), (0.5, 400.0), (0.01, 1e6)]
)
def test_labels_stay_inside_the_picture_and_apart(labels, low, span) -> None:
    kinds = [Points(name, [low, low * span], [low, low * span], cores) for name, cores in labels]
    figure = scatter_figure({"cpu": kinds, "gpu": kinds[:1]}, "ms", "title")
    figure.draw_without_rendering()
    for axes in figure.axes:
        legend = axes.get_legend().get_window_extent()
        label = axes.xaxis.label.get_window_extent()
        assert legend.y0 >= -1.0 and legend.y1 <= label.y0 + 1.0
        shown = [text.get_window_extent() for text in axes.get_xticklabels() if text.get_text()]
        inside = [box for box in shown if axes.bbox.x0 - 1 <= (box.x0 + box.x1) / 2 <= axes.bbox.x1 + 1]
        assert all(one.x1 <= other.x0 for one, other in pairwise(inside))


# --- what intervals hold --------------------------------------------------------------------------------------


def test_a_family_is_held_against_the_others() -> None:
    """Errors of 10 % either way of family a hold b's of 5 %, whose own hold none of a's; the span of a, too."""
    ratios, names = np.array([1.1, 1 / 1.1, 1.05, 1 / 1.05]), ("a1", "a2", "b1", "b2")
    lines = tuple(Row(i, "tflite", "cpu", "", "fp32", name, 1.0) for i, name in enumerate(names))
    part = Part("", lines, ratios, ratios, np.ones(4), None)  # type: ignore[arg-type]
    families = {name: name[0] for name in names}
    own = Calibrated(KEY, None, calibration(), (), (part,), families, ())  # type: ignore[arg-type]
    found = held("phone", own)
    # t(2, 0.95) sqrt(1.5) = 3.58 times 5 % is more than 10 %
    assert found == Held("phone", "tflite/cpu/fp32", 4, 4, 4, 2)
    assert list(summary([found])) == [
        {"networks": "4 to 4", "sets": 1, "rows": 4, "inside": 1.0, "in_span": 0.5},
        {"networks": "all", "sets": 1, "rows": 4, "inside": 1.0, "in_span": 0.5},
    ]
