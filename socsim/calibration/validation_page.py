"""A comparison with measurements as a page that needs nothing beside it."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from socsim.calibration.validation import Validation
from socsim.calibration.validation_report import Group, Quantity, basis, groups, json_rows, left_out_lines
from socsim.calibration.validation_tables import Table, by_basis, expected, furthest, of_groups
from socsim.results.html import document, drawn, image

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["page_text", "write_page"]

_UNITS: dict[Quantity, str] = {"latency": "ms", "energy": "mJ"}
_NOTE = (
    "Each measurement is one inference, run by the simulator alone on the idle device. Rows that measure the same are "
    "one, with their mean. Errors of rows that rates were fitted to tell how well the model can be made to fit, not "
    "how well it predicts: that is 'unseen'."
)
_TERMS = {
    "mean error, median": "of absolute errors as a share of what was measured.",
    "within 10 %": "share of simulated values at most that far from the measured one.",
    "in interval": "share of measurements within the interval that predictions carry; nine in ten are expected of "
    "networks that rates were not fitted to, more of those that they were.",
    "unseen": "mean error on families of networks that were left out of a fit, of the whole parameter set: what to "
    "expect of another network.",
    "Spearman": "rank correlation of simulated and measured values, of three or more.",
    "grade": "B fitted, unseen within 10 %; C fitted or derived; D, in red: no measurement of the device supports the "
    "rates.",
    "rates": "fitted to these very rows; to other rows of the device; by hand; or of another device.",
}
_ALT = "{}: {} measured and simulated, on logarithmic axes"
_CAPTION = "Line: simulated equals measured. Bands: within 10 % and 25 % of it."


def write_page(found: Validation, folder: str | Path) -> Path:
    """Write ``index.html``, and ``models.csv`` with every measurement beside its prediction.

    Returns
    -------
    The page.
    """
    from socsim.results.store import output_directory

    about = {"measurements": sorted({one.table for one in found.compared})}
    with output_directory(folder, about) as partial:
        (partial / "index.html").write_text(page_text(found), encoding="utf-8")
        with (partial / "models.csv").open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream, lineterminator="\n").writerows(_lines(found))
    return Path(folder).resolve() / "index.html"


def page_text(found: Validation) -> str:
    """The page: the same for the same comparison."""
    return document("Simulated and measured", _page(found))


def _page(found: Validation) -> Iterator[str]:
    yield f"<p>{escape(_NOTE)}</p><dl>"
    yield from (f"<dt>{escape(term)}</dt><dd>{escape(told)}</dd>" for term, told in _TERMS.items())
    yield f"</dl><p>{escape(left_out_lines(found)[0])} (<a href='#rows'>why</a>).</p>"
    quantities: tuple[Quantity, ...] = ("latency", "energy")
    for quantity in quantities:
        shown = groups(found, quantity)
        if shown:
            yield from _section(shown, quantity)
    yield f"<h2 id='rows'>Rows</h2><pre>{escape(chr(10).join(left_out_lines(found)))}</pre>"


def _section(shown: Sequence[Group], quantity: Quantity) -> Iterator[str]:
    devices = list(dict.fromkeys(group.device for group in shown))
    yield f"<h2>{quantity.capitalize()} of one inference</h2><nav>"
    yield from (f"<a href='#{quantity}-{escape(name, quote=True)}'>{escape(name)}</a>" for name in devices)
    yield "</nav><h3>All devices</h3>"
    yield from _table(by_basis(shown))
    if quantity == "latency" and any(group.held_out is not None for group in shown):
        yield "<h3>What to expect of other networks</h3>"
        yield "<p>By parameter set; the aim is the mean error that the model should keep there.</p>"
        yield from _table(expected(shown))
    yield "<h3>Furthest off</h3>"
    yield from _table(furthest(shown, _UNITS[quantity]))
    for name in devices:
        own = [group for group in shown if group.device == name]
        yield f"<h3 id='{quantity}-{escape(name, quote=True)}'>{escape(name)}</h3>"
        figure = _scatter(own, quantity, name)
        alt, width = _ALT.format(name, quantity), round(80 * figure.get_figwidth())
        yield image(drawn(figure, "png"), alt, _CAPTION, form="png", width=width)
        yield from _table(of_groups(own), [group.calibration.source for group in own])


def _table(table: Table, titles: Sequence[str] = ()) -> Iterator[str]:
    yield "<div class='wide'><table><tr>"
    yield "".join(_cell("th", head, head.removeprefix(">")) for head in table.columns) + "</tr>"
    for i, row in enumerate(table.rows):
        mark = " class='D'" if table.grades and table.grades[i] == "D" else ""
        title = f' title="{escape(titles[i], quote=True)}"' if titles else ""
        cells = "".join(_cell("td", head, cell) for head, cell in zip(table.columns, row, strict=True))
        yield f"<tr{mark}{title}>{cells}</tr>"
    yield "</table></div>"


def _cell(tag: str, head: str, text: str) -> str:
    number = " class='n'" if head.startswith(">") else ""
    return f"<{tag}{number}>{escape(text)}</{tag}>"


def _scatter(own: Sequence[Group], quantity: Quantity, device: str) -> Figure:
    from socsim.results.scatter import Points, scatter_figure

    panels: dict[str, list[Points]] = {}
    for group in own:
        name = f"{group.library} {group.precision}"
        points = Points(name, group.measured.tolist(), group.predicted.tolist(), group.cores)
        panels.setdefault(group.processor, []).append(points)
    return scatter_figure(panels, _UNITS[quantity], f"{device}: {quantity} of one inference")


def _lines(found: Validation) -> Iterator[Sequence[object]]:
    """Rows of ``models.csv``."""
    where = ("device", "processor", "cores", "library", "precision")
    values = ("measured", "predicted", "error", "low", "high")
    yield ("quantity", *where, "model", *values, "grade", "rates", "table", "line")
    quantities: tuple[Quantity, ...] = ("latency", "energy")
    for quantity in quantities:
        unit = _UNITS[quantity].lower()
        shown = groups(found, quantity)
        for group, row in zip(shown, json_rows(shown, per_model=True), strict=True):
            for one in row["models"]:
                told = [one[f"measured_{unit}"], one[f"predicted_{unit}"], one["error"]]
                numbers = [f"{value:.6g}" for value in (*told, *_ends(group, one[f"predicted_{unit}"]))]
                numbers += [""] * (len(values) - len(numbers))
                tail = (group.calibration.grade, basis(group), one["table"], one["line"])
                yield (quantity, *(row[key] for key in where), one["model"], *numbers, *tail)


def _ends(group: Group, predicted: float) -> Sequence[float]:
    """Of the interval about a predicted latency; none where it is not known."""
    error = group.calibration.error
    return (predicted * error.low, predicted * error.high) if error and group.quantity == "latency" else ()
