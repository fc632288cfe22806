"""Pictures: what they draw, not how it looks."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from results_samples import app_record, kernel, long_outcome, many_inferences, mixed_outcome

from socsim.errors import UsageError
from socsim.results.gantt import gantt_figure, save_gantt, typical_inference
from socsim.results.metrics import metrics
from socsim.results.palette import KIND_COLOURS, class_colours, processor_colour
from socsim.results.plots import save_utilisation, utilisation_figure
from socsim.simulation.processlog import ProcessRecord, SpanRecord
from socsim.workloads.library import library_names, load_library

PNG = b"\x89PNG\r\n"


def bars(figure):
    """(left, right, row) of every bar of the time line."""
    boxes = [path.get_extents() for path in figure.axes[0].collections[0].get_paths()]
    return [(round(b.x0, 6), round(b.x1, 6), round((b.y0 + b.y1) / 2)) for b in boxes]


def rows(figure):
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


# --- which inference ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("latencies", "index"), [([9, 5, 7], 2), ([5, 5, 5], 0), ([4, 9, 6, 5], 3), ([8], 0)]
)
def test_the_inference_nearest_to_the_median_is_drawn(latencies, index):
    outcome = mixed_outcome(inferences=many_inferences(latencies))
    assert typical_inference(outcome, "app").number == index


def test_without_finished_inferences_or_kernels_there_is_nothing_to_draw():
    with pytest.raises(UsageError, match="finished no inference"):
        gantt_figure(mixed_outcome(inferences=()))
    with pytest.raises(UsageError, match="kernels=True"):
        gantt_figure(mixed_outcome(kernels=()))


# --- the time line --------------------------------------------------------------------------------


def test_bars_of_a_small_run():
    assert bars(gantt_figure(mixed_outcome())) == [
        (6.0, 8.0, 0),
        (0.0, 2.0, 1),
        (2.0, 5.0, 1),
        (5.0, 5.5, 2),
        (5.5, 6.0, 2),
    ]


def test_rows_say_how_busy_they_are():
    assert [row.split() for row in rows(gantt_figure(mixed_outcome()))] == [
        ["cpu", "(2", "of", "4", "cores)", "25%"],
        ["gpu", "62%"],
        ["sharing", "12%"],
    ]


def test_the_title_says_how_long_the_inference_waited():
    waited = mixed_outcome().inferences[0]._replace(arrival_s=-0.0025)
    title = gantt_figure(mixed_outcome(inferences=(waited,))).axes[0].get_title(loc="left")
    assert title.endswith(": 8.00 ms after waiting 2.50 ms")


def test_title_and_axis_say_what_is_shown():
    figure = gantt_figure(mixed_outcome())
    assert figure.axes[0].get_title(loc="left") == "tiny on toy, scheduler gpu (mace, fp32): 8.00 ms"
    assert "[ms]" in figure.axes[0].get_xlabel()


def test_legend_has_the_classes_by_time_then_the_other_kinds():
    assert legend(gantt_figure(mixed_outcome())) == ["winograd", "gemm", "softmax", "map", "sync"]


def test_sums_of_each_row_stand_beside_it():
    figure = gantt_figure(mixed_outcome())
    widths = [(round(p.get_y() + 0.4), round(p.get_width(), 6)) for p in figure.axes[1].patches]
    assert widths == [(0, 2.0), (1, 3.0), (1, 2.0), (2, 0.5), (2, 0.5)]


def test_processors_without_work_keep_their_row():
    outcome = mixed_outcome(busy_s={"cpu": 0.0, "gpu": 0.005, "dsp": 0.0})
    assert [row.split()[0] for row in rows(gantt_figure(outcome))] == ["cpu", "gpu", "dsp", "sharing"]


def test_dispatching_has_a_row_of_its_own():
    extra = kernel("conv1", 0, 0.5, on="cpu", cores=(3,), kind="dispatch", kernel_class="")
    figure = gantt_figure(mixed_outcome(kernels=(extra, *mixed_outcome().kernels)))
    assert [row.split()[0] for row in rows(figure)] == ["cpu", "gpu", "dispatch", "sharing"]


def test_other_inferences_are_shown_in_grey_and_cut_at_the_edges():
    other = kernel("x", 7, 12, app="other")
    figure = gantt_figure(mixed_outcome(kernels=(*mixed_outcome().kernels, other)))
    assert (7.0, 8.0, 1) in bars(figure)
    assert legend(figure)[-1] == "other inferences"


def test_other_processes_have_a_row_and_a_colour_of_their_own():
    """On cores 2 and 0 from -1 to 3 and 6 to 9 ms of an inference from 0 to 8, and on the GPU from 6 to 7."""
    own = mixed_outcome()
    outcome = replace(
        own,
        kernels=(*own.kernels, kernel("busy", 6.0, 7.0, app="busy")),
        spans=(SpanRecord("busy", "0", 2, -0.001, 0.003, 1.0), SpanRecord("busy", "1", 0, 0.006, 0.009, 1.0)),
        processes=(ProcessRecord("busy", "competitor", "busy", "cpu", 0.007),),
    )
    figure = gantt_figure(outcome)
    assert [row.partition("  ")[0] for row in rows(figure)] == [
        "cpu (2 of 4 cores)",
        "cpu, others",
        "gpu",
        "sharing",
    ]
    assert rows(figure)[1] == "cpu, others"
    assert [bar for bar in bars(figure) if bar[2] == 1] == [(0.0, 3.0, 1), (6.0, 8.0, 1)]
    assert (6.0, 7.0, 2) in bars(figure)
    assert "other processes" in legend(figure)
    assert "other inferences" not in legend(figure)
    assert "other processes" not in legend(gantt_figure(own))


def test_time_starts_with_the_inference():
    inferences = many_inferences([8, 8, 8], period_ms=10)
    later = tuple(
        r._replace(start_s=r.start_s + 0.01, end_s=r.end_s + 0.01, inference=1)
        for r in mixed_outcome().kernels
    )
    outcome = mixed_outcome(inferences=inferences[1:], kernels=later)
    assert bars(gantt_figure(outcome))[0] == (6.0, 8.0, 0)


def test_an_application_can_be_chosen():
    apps = {"app": app_record(), "other": app_record(app="other", model="big")}
    records = tuple(r._replace(app="other") for r in mixed_outcome().kernels)
    outcome = mixed_outcome(apps=apps, kernels=records, inferences=many_inferences([8], app="other"))
    assert gantt_figure(outcome, "other").axes[0].get_title(loc="left").startswith("big on toy")


@pytest.mark.parametrize("kernels", [5, 200, 700])
def test_a_picture_is_written_whatever_the_number_of_kernels(tmp_path, kernels):
    save_gantt(long_outcome("codl", kernels, split=True), tmp_path / "gantt.png")
    assert (tmp_path / "gantt.png").read_bytes().startswith(PNG)


def test_the_same_run_gives_the_same_picture(tmp_path):
    for name in ("a.png", "b.png"):
        save_gantt(long_outcome("gpu", 30), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


# --- comparisons ----------------------------------------------------------------------------------


def test_utilisation_has_a_bar_per_scheduler_and_processor():
    data = [metrics(mixed_outcome(apps={"app": app_record(scheduler=s)})) for s in ("cpu", "gpu", "band")]
    left, right = utilisation_figure(data).axes
    assert [label.get_text() for label in left.get_yticklabels()] == ["cpu", "gpu", "band"]
    assert [round(p.get_width(), 6) for p in right.patches] == [10.0] * 3 + [50.0] * 3
    assert [text.get_text() for text in right.get_legend().get_texts()] == ["cpu", "gpu"]


def test_a_scheduler_that_finished_nothing_is_said_to(tmp_path):
    row = metrics(replace(mixed_outcome(), inferences=()))
    left, _ = utilisation_figure([row]).axes
    assert [text.get_text() for text in left.texts] == ["none finished"]
    save_utilisation([row], tmp_path / "u.png")
    assert (tmp_path / "u.png").read_bytes().startswith(PNG)


def test_rows_of_several_networks_are_told_apart():
    data = [metrics(mixed_outcome(apps={"app": app_record(model=m)})) for m in ("a", "b")]
    left, _ = utilisation_figure(data).axes
    assert [label.get_text() for label in left.get_yticklabels()] == ["a gpu", "b gpu"]


# --- colours --------------------------------------------------------------------------------------


def test_a_class_has_one_colour_whatever_else_is_drawn():
    assert class_colours(["gemm"])["gemm"] == class_colours(["softmax", "gemm", "x"])["gemm"]


def test_classes_and_kinds_have_different_colours():
    colours = class_colours(
        ["winograd", "gemm", "direct", "depthwise", "grouped", "pool", "eltwise", "fc", "a", "b", "c"]
    )
    assert len({*colours.values(), *KIND_COLOURS.values()}) == len(colours) + len(KIND_COLOURS)


@pytest.mark.parametrize("library", library_names())
def test_classes_of_a_library_have_fixed_and_different_colours(library):
    classes = sorted({rule.result[0] for rule in load_library(library).classes} - {"other"})
    colours = class_colours(classes)
    assert len(set(colours.values())) == len(classes)
    assert all(class_colours([c]) == {c: colours[c]} for c in classes)


def test_processors_have_different_colours():
    assert len({processor_colour(p) for p in ("cpu", "gpu", "dsp", "npu", "unknown")}) == 5


# --- what is drawn where --------------------------------------------------------------------------


def test_records_before_and_after_the_inference_are_not_drawn():
    """The inference lasts from 0 to 8 ms; one that ends as it starts, or starts as it ends, is outside."""
    base = mixed_outcome()
    inference = base.inferences[0]._replace(start_s=0.001)
    outside = (kernel("x", 0, 1, app="other"), kernel("z", 8, 9, app="other"))
    inside = kernel("y", 0.5, 1.5, app="other")
    alone = gantt_figure(replace(base, inferences=(inference,)))
    with_outside = gantt_figure(replace(base, inferences=(inference,), kernels=(*base.kernels, *outside)))
    assert bars(with_outside) == bars(alone)
    assert "other inferences" not in legend(with_outside)
    with_inside = gantt_figure(replace(base, inferences=(inference,), kernels=(*base.kernels, inside)))
    assert (0.0, 0.5, 1) in bars(with_inside)


def test_bars_of_one_row_that_overlap_share_its_height():
    records = (kernel("a", 0, 4), kernel("b", 1, 3), kernel("c", 3, 5))
    boxes = [
        path.get_extents()
        for path in gantt_figure(mixed_outcome(kernels=records)).axes[0].collections[0].get_paths()
    ]
    assert [round(box.height, 6) for box in boxes] == [0.4] * 3
    assert [round(box.y0, 6) for box in boxes] == [0.6, 1.0, 1.0]


def test_shares_are_percent_of_a_fixed_axis_and_missing_processors_have_none():
    rows_ = [metrics(mixed_outcome(busy_s={"cpu": 0.01})), metrics(mixed_outcome(busy_s={"npu": 0.0025}))]
    _, right = utilisation_figure(rows_).axes
    assert right.get_xlim() == (0.0, 100.0)
    assert [round(p.get_width(), 6) for p in right.patches] == [100.0, 0.0, 0.0, 25.0]


def test_bars_of_a_scheduler_stand_beside_its_name_and_do_not_overlap():
    data = [metrics(mixed_outcome(busy_s={"cpu": 0.01, "gpu": 0.01, "dsp": 0.01})) for _ in range(2)]
    left, right = utilisation_figure(data).axes
    spans = sorted((p.get_y(), p.get_y() + p.get_height()) for p in right.patches)
    assert len(spans) == 6
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    for index in range(2):
        own = spans[3 * index : 3 * index + 3]
        assert own[0][0] >= index - 0.4
        assert own[-1][1] <= index + 0.4
        middle = (own[0][0] + own[-1][1]) / 2
        assert middle == pytest.approx(index)
    low, high = left.get_ylim()
    assert low > 1.4
    assert high < -0.4


def test_a_picture_of_a_comparison_says_what_it_is_of():
    figure = utilisation_figure([metrics(mixed_outcome())])
    assert figure.get_suptitle() == "tiny on toy (mace)"


def test_colours_do_not_depend_on_the_order_or_on_known_classes():
    assert class_colours(["b", "a"]) == class_colours(["a", "b"]) == class_colours(["a", "a", "b"])
    assert list(class_colours(["b", "a"])) == ["b", "a"]
    mixed = class_colours(["gemm", "y", "winograd", "z"])
    assert {c: mixed[c] for c in "yz"} == class_colours(["y", "z"])


@given(st.lists(st.text(min_size=1), min_size=1, max_size=6, unique=True))
def test_a_class_outside_the_table_has_one_colour_whatever_else_is_drawn(classes):
    together = class_colours(classes)
    assert together == {c: class_colours([c])[c] for c in classes}
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) for colour in together.values())


def test_classes_outside_the_table_differ():
    assert len(set(class_colours(f"own_{i}" for i in range(40)).values())) == 40


def test_a_picture_of_nothing():
    left, right = utilisation_figure([]).axes
    assert (len(left.patches), len(right.patches), right.get_legend()) == (0, 0, None)
