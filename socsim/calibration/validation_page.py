"""A comparison with measurements as a page that needs nothing beside it."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from socsim.calibration.validation import Validation
from socsim.calibration.validation_report import Group, Quantity, basis, groups, json_rows, left_out_lines
from socsim.calibration.validation_tables import Table, by_basis, expected, furthest, of_groups

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["page_text", "write_page"]

_STYLE = """
body { font: 15px/1.5 sans-serif; margin: 1.5em auto; padding: 0 1em; max-width: 1150px; color: #222; }
.wide { overflow-x: auto; margin: 0.6em 0 1.4em; } table { border-collapse: collapse; font-size: 13px; }
th, td { padding: 2px 9px; text-align: left; vertical-align: top; } th { border-bottom: 1px solid #999; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
tr:nth-child(even) { background: #f6f6f6; } .D { color: #b00; } .D td:first-child::after { content: " (D)"; }
img { max-width: 100%; height: auto; } figure { margin: 0.5em 0; } figcaption, dd, pre { color: #555; }
pre { white-space: pre-wrap; } dt { font-weight: bold; float: left; margin-right: 0.5em; } dd { margin: 0 0 0.2em; }
nav a { margin-right: 0.8em; white-space: nowrap; }
@page { margin: 12mm; }
@media print { body { max-width: none; padding: 0; font-size: 10pt; } table { font-size: 7pt; } nav { display: none; }
 .wide { overflow: visible; } th, td, th.n { padding: 1px 4px; white-space: normal; overflow-wrap: anywhere; }
 figure, tr { break-inside: avoid; } h2, h3 { break-after: avoid; } }
"""
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
    return "\n".join(_page(found)) + "\n"


def _page(found: Validation) -> Iterator[str]:
    yield "<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'><title>Simulated and measured</title>"
    yield "<meta name='viewport' content='width=device-width, initial-scale=1'>"
    yield f"<style>{_STYLE}</style></head><body><h1>Simulated and measured</h1><p>{escape(_NOTE)}</p><dl>"
    yield from (f"<dt>{escape(term)}</dt><dd>{escape(told)}</dd>" for term, told in _TERMS.items())
    yield f"</dl><p>{escape(left_out_lines(found)[0])} (<a href='#rows'>why</a>).</p>"
    quantities: tuple[Quantity, ...] = ("latency", "energy")
    for quantity in quantities:
        shown = groups(found, quantity)
        if shown:
            yield from _section(shown, quantity)
    yield f"<h2 id='rows'>Rows</h2><pre>{escape(chr(10).join(left_out_lines(found)))}</pre></body></html>"


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
        alt = escape(_ALT.format(name, quantity), quote=True)
        yield f"<figure>{_picture(_scatter(own, quantity, name), alt)}<figcaption>{_CAPTION}</figcaption></figure>"
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


def _picture(figure: Figure, alt: str) -> str:
    stream = io.BytesIO()
    figure.savefig(stream, dpi=110, format="png", metadata={"Software": None})
    width = round(80 * figure.get_figwidth())
    data = base64.b64encode(stream.getvalue()).decode()
    return f"<img alt='{alt}' width='{width}' src='data:image/png;base64,{data}'>"


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
