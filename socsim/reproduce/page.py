"""One HTML page of a reproduction that needs nothing beside itself."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from socsim.reproduce.chart import Bars, Chart, Lines, Points, Table
from socsim.reproduce.claim import Claim
from socsim.reproduce.figures import picture
from socsim.reproduce.verdict import Judged, Report, format_value
from socsim.results.html import document

__all__ = ["band_text", "legend", "page", "told"]


def page(reports: Sequence[Report], about: Mapping[str, str]) -> str:
    """The page.

    Parameters
    ----------
    reports
        Claims in their order.
    about
        What to say of the run as a whole, name by name: version, command, seeds.
    """
    held = sum(report.holds for report in reports)
    facts = "".join(f"<tr><td>{escape(k)}</td><td>{escape(v)}</td></tr>" for k, v in about.items())
    return document(
        "What two studies report, simulated",
        [
            f"<p>{held} of {len(reports)} claims hold, each with all of its measures. All come from mechanisms and "
            "one profile for each device, the same for every claim; where a set-up was chosen with a published number "
            "in view, the claim says so. Numbers in brackets are 95 % confidence intervals over seeds; where there is "
            "none, nothing in the simulation is random. The mean has to be within a band; where only a direction is "
            "claimed, the whole interval has to be beyond it.</p>",
            f"<table>{facts}</table>",
            _overview(reports),
            *(_section(report) for report in reports),
        ],
    )


def _overview(reports: Iterable[Report]) -> str:
    rows = []
    for report in reports:
        for number, one in enumerate(report.judged):
            name = report.claim.name
            link = f'<a href="#{escape(name)}">{escape(name)}</a>' if not number else ""
            rows.append(f"<tr><td>{link}</td>{_measured(one)}</tr>")
    header = (
        '<tr><th>claim</th><th>measure</th><th class="number">paper</th><th class="number">simulated</th>'
    )
    return f'<table>{header}<th class="number">band</th><th>holds</th></tr>{"".join(rows)}</table>'


def _measured(one: Judged) -> str:
    verdict = '<td class="yes">yes</td>' if one.holds else '<td class="no">no</td>'
    numbers = "".join(f'<td class="number">{escape(cell)}</td>' for cell in told(one))
    return f"<td>{escape(one.measure.what)}</td>{numbers}{verdict}"


def told(one: Judged) -> tuple[str, str, str]:
    """What a paper reports, what was simulated with its confidence interval, and the band, in words."""
    unit, digits, interval = one.measure.unit, one.digits, ""
    if one.interval:
        low, high = (format_value(x, unit, digits) for x in one.interval)
        interval = f" [{low}, {high}]" if low != high else ""
    return (
        format_value(one.measure.paper, unit),
        format_value(one.mean.value, unit, digits) + interval,
        band_text(one),
    )


def band_text(one: Judged) -> str:
    """The band of a measure in words."""
    m = one.measure
    low, high = (format_value(end, m.unit, one.digits) for end in (m.low, m.high))
    if m.low is not None and m.high is not None:
        return f"{low} to {high}"
    return f"above {low}" if m.low is not None else f"below {high}" if m.high is not None else "-"


def _section(report: Report) -> str:
    claim, finding = report.claim, report.finding
    source = base64.b64encode(picture(finding.chart)).decode()
    verdict = '<span class="yes">holds</span>' if report.holds else '<span class="no">does not hold</span>'
    rows = "".join(f"<tr>{_measured(one)}</tr>" for one in report.judged)
    header = '<tr><th></th><th class="number">paper</th><th class="number">simulated</th><th class="number">band</th>'
    why = "".join(_paragraph(text) for text in report.shortfalls)
    caption = " ".join(filter(None, (finding.caption, legend(finding.chart))))
    seeds = f"seeds 0 to {report.effort.seeds - 1}" if claim.random else "nothing random, so no seed matters"
    return "\n".join(
        [
            f'<h2 id="{escape(claim.name)}">{escape(claim.name)}: {escape(claim.title)} ({verdict})</h2>',
            f"<p>{escape(claim.reports)} {_source_of(claim)}</p>",
            f"<table>{header}<th>holds</th></tr>{rows}</table>",
            f'<figure><img alt="{escape(claim.title)}" src="data:image/svg+xml;base64,{source}"/>'
            f"<figcaption>{escape(caption)}</figcaption></figure>",
            *(_paragraph(note) for note in finding.notes),
            f"<h3>Why it does not hold</h3>{why}" if why else "",
            f"<h3>Mechanism</h3>{_paragraph(report.filled(claim.mechanism))}",
            _table(finding.ablation, "Ablation: "),
            *(_table(table) for table in finding.tables),
            "<h3>Assumed where the paper is silent</h3>",
            "<ul>"
            + "".join(f"<li>{escape(report.filled(text))}</li>" for text in claim.assumptions)
            + "</ul>",
            f'<p class="small">Command: <code>{escape(claim.command(report.effort))}</code>; {seeds}.</p>',
        ]
    )


def _source_of(claim: Claim) -> str:
    return f'<span class="small">({escape(claim.paper)}; {escape(claim.section)})</span>'


def legend(chart: Chart) -> str:
    """What marks, shades and whiskers of a figure mean."""
    if isinstance(chart, Points):
        return "Dashed: the Pareto front, of points that no other beats in both." if chart.front else ""
    told = []
    if isinstance(chart, Bars):
        told += ["Black marks: published."] * any(x is not None for x in chart.published)
        told += ["Shaded: the band."] * any(band != (None, None) for band in chart.bands)
    if isinstance(chart, Lines):
        told += ["Dashed: published."] * bool(chart.published)
    if isinstance(chart, Bars | Lines) and any(any(series.errors) for series in chart.series):
        what = "Whiskers" if isinstance(chart, Bars) else "Shades"
        told.append(f"{what}: 95 % confidence interval of the mean.")
    return " ".join(told)


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _table(table: Table, kind: str = "") -> str:
    if not table.rows:
        return ""
    header = "".join(f"<th{_number(i)}>{escape(cell)}</th>" for i, cell in enumerate(table.header))
    rows = "".join(
        "<tr>" + "".join(f"<td{_number(i)}>{escape(cell)}</td>" for i, cell in enumerate(row)) + "</tr>"
        for row in table.rows
    )
    return f"<h3>{kind}{escape(table.title)}</h3><table><tr>{header}</tr>{rows}</table>"


def _number(column: int) -> str:
    return ' class="number"' if column else ""
