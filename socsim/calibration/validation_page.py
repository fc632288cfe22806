"""A comparison with measurements as a page that needs nothing beside it."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from socsim.calibration.validation import Validation
from socsim.calibration.validation_report import (
    COLUMNS,
    Group,
    Quantity,
    basis,
    groups,
    json_rows,
    left_out_lines,
    summary,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["page_text", "write_page"]

_STYLE = """
body { font: 14px/1.45 sans-serif; margin: 2em auto; max-width: 1150px; color: #222; }
table { border-collapse: collapse; margin: 0.6em 0 1.4em; } th, td { padding: 2px 10px; text-align: left; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; } tr:nth-child(even) { background: #f6f6f6; }
th { border-bottom: 1px solid #999; } .D { color: #b00; } img { max-width: 100%; } pre { color: #555; }
"""
_UNITS: dict[Quantity, str] = {"latency": "ms", "energy": "mJ"}
_NOTE = (
    "Each measurement is one inference, run by the simulator alone on the idle device. An error is the mean of "
    "absolute errors as a share of what was measured. Where rates were fitted to these very rows, 'unseen' is the "
    "error of the parameter set on families of networks that were left out of a fit: what to expect of another one. "
    "Grade D, in red, is for rates that no measurement of the device supports."
)


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
        (partial / "models.csv").write_text("".join(_csv(found)), encoding="utf-8")
    return Path(folder).resolve() / "index.html"


def page_text(found: Validation) -> str:
    """The page: the same for the same comparison."""
    return "\n".join(_page(found)) + "\n"


def _page(found: Validation) -> Iterator[str]:
    yield "<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'><title>Simulated and measured</title>"
    yield f"<style>{_STYLE}</style></head><body><h1>Simulated and measured</h1><p>{escape(_NOTE)}</p>"
    for quantity in ("latency", "energy"):
        shown = groups(found, quantity)
        if shown:
            yield f"<h2>{quantity.capitalize()} of one inference</h2>"
            yield from _table(shown)
            for device in dict.fromkeys(group.device for group in shown):
                own = [group for group in shown if group.device == device]
                yield f"<h3>{escape(device)}</h3>{_picture(_scatter(own, quantity, device))}"
    yield "<h2>Rows</h2><pre>" + escape("\n".join(left_out_lines(found))) + "</pre></body></html>"


def _table(shown: Sequence[Group]) -> Iterator[str]:
    yield "<table><tr>" + "".join(_cell("th", i, head) for i, head in enumerate(COLUMNS)) + "</tr>"
    for group, row in zip(shown, summary(shown), strict=True):
        mark = " class='D'" if group.calibration.grade == "D" else ""
        title = escape(group.calibration.source, quote=True)
        cells = "".join(_cell("td", i, cell) for i, cell in enumerate(row))
        yield f'<tr{mark} title="{title}">{cells}</tr>'
    yield "</table>"


def _cell(tag: str, column: int, text: str) -> str:
    number = " class='n'" if COLUMNS[column].startswith(">") else ""
    return f"<{tag}{number}>{escape(text.removeprefix('>'))}</{tag}>"


def _scatter(own: Sequence[Group], quantity: Quantity, device: str) -> Figure:
    from socsim.results.scatter import Points, scatter_figure

    panels: dict[str, list[Points]] = {}
    for group in own:
        name = " ".join(filter(None, (group.library, group.precision, group.cores)))
        points = Points(name, group.measured.tolist(), group.predicted.tolist())
        panels.setdefault(group.processor, []).append(points)
    return scatter_figure(panels, _UNITS[quantity], f"{device}: {quantity} of one inference")


def _picture(figure: Figure) -> str:
    stream = io.BytesIO()
    figure.savefig(stream, dpi=80, format="png", metadata={"Software": None})
    data = base64.b64encode(stream.getvalue()).decode()
    return f"<img alt='measured against simulated' src='data:image/png;base64,{data}'>"


def _csv(found: Validation) -> Iterable[str]:
    yield "quantity,device,processor,cores,library,precision,model,measured,predicted,error,grade,rates,table,line\n"
    for quantity in ("latency", "energy"):
        unit = _UNITS[quantity].lower()
        shown = groups(found, quantity)
        for group, row in zip(shown, json_rows(shown, per_model=True), strict=True):
            where = [str(row[key]) for key in ("device", "processor", "cores", "library", "precision")]
            for one in row["models"]:
                values = [f"{one[key]:.6g}" for key in (f"measured_{unit}", f"predicted_{unit}", "error")]
                told = [group.calibration.grade, basis(group), one["table"], str(one["line"])]
                yield ",".join([quantity, *where, one["model"], *values, *told]) + "\n"
