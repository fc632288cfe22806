"""Pages that need nothing beside themselves: their frame, tables and pictures, whatever they tell."""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Iterable, Sequence
from html import escape
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Head", "document", "drawn", "image", "paragraph", "section", "table"]

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 70em; margin: 1.5em auto; padding: 0 1em; }
h1 { font-size: 1.6em; } h2 { font-size: 1.25em; margin-top: 2em; border-top: 1px solid #ccc; padding-top: .8em; }
h3 { font-size: 1em; margin-bottom: .2em; }
.wide { overflow-x: auto; margin: .6em 0 1.2em; }
table { border-collapse: collapse; margin: .6em 0; font-size: .88em; }
th, td { text-align: left; padding: .18em .8em .18em 0; vertical-align: top; border-bottom: 1px solid #eee; }
th { border-bottom: 1px solid #999; } th[title] { text-decoration: underline dotted #999; cursor: help; }
.number, .n { text-align: right; font-variant-numeric: tabular-nums; } td.number, td.n { white-space: nowrap; }
.yes { color: #1a6b1a; } .no { color: #a11; font-weight: 600; }
.D { color: #b00; } tr.D td:first-child::after { content: " (D)"; }
.warning { border-left: 4px solid #b00; padding-left: .8em; }
figure { margin: 1em 0; } .chart { overflow-x: auto; } img { max-width: 100%; height: auto; }
figcaption, .small, dd, pre { color: #555; } figcaption, .small { font-size: .88em; }
code { background: #f4f4f4; padding: .1em .3em; overflow-wrap: anywhere; } pre { white-space: pre-wrap; }
dt { font-weight: bold; float: left; margin-right: .5em; } dd { margin: 0 0 .2em; }
nav a { margin-right: .8em; white-space: nowrap; }
@media (max-width: 45em) { .chart img:not([width]) { max-width: none; width: 42em; } }
@page { margin: 12mm; }
@media print { body { max-width: none; padding: 0; font-size: 10pt; } table { font-size: 7pt; } nav { display: none; }
 .wide, .chart { overflow: visible; } .chart img:not([width]) { width: auto; max-width: 100%; }
 th, td, .number, .n, td.number, td.n { padding: 1px 4px; white-space: normal; } td { overflow-wrap: anywhere; }
 figure, tr { break-inside: avoid; } h2, h3 { break-after: avoid; } }
""".strip()


class Head(NamedTuple):
    """A column of a table.

    Parameters
    ----------
    text
        Its header, with the unit.
    about
        What it means, told where a pointer rests on it; default nothing.
    number
        Whether its cells are numbers, which are aligned to the right.
    """

    text: str
    about: str = ""
    number: bool = False


def document(title: str, body: Iterable[str]) -> str:
    """A page.

    Parameters
    ----------
    title
        In plain text; also the heading of the page.
    body
        Parts in HTML, in order.
    """
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8"/>',
            '<meta name="viewport" content="width=device-width, initial-scale=1"/>',
            f"<title>{escape(title)}</title>\n<style>\n{_STYLE}\n</style>\n</head>\n<body>",
            f"<h1>{escape(title)}</h1>",
            *filter(None, body),
            "</body>\n</html>\n",
        ]
    )


def section(title: str, parts: Iterable[str], name: str = "") -> str:
    """A heading, in plain text, with what is below it, in HTML; nothing where that is nothing.

    Parameters
    ----------
    name
        What links to it are to.
    """
    found = [part for part in parts if part]
    anchor = f' id="{escape(name)}"' if name else ""
    return "\n".join([f"<h2{anchor}>{escape(title)}</h2>", *found]) if found else ""


def paragraph(text: str, kind: str = "") -> str:
    """Plain text as a paragraph; nothing for no text."""
    mark = f' class="{escape(kind)}"' if kind else ""
    return f"<p{mark}>{escape(text)}</p>" if text else ""


def table(heads: Sequence[Head], rows: Iterable[Sequence[str]], marks: Sequence[str] = ()) -> str:
    """Cells in plain text as a table; nothing where there are no rows.

    Parameters
    ----------
    heads, rows
        As many cells in each row as there are heads.
    marks
        Class of each row in the style sheet; default none.
    """
    lines = [_line(heads, row, mark) for row, mark in zip_longest(rows, marks, fillvalue="")]
    if not lines:
        return ""
    top = "".join(f"<th{_number(head)}{_about(head)}>{escape(head.text)}</th>" for head in heads)
    body = "\n".join(lines)
    return (
        f'<div class="wide"><table>\n<thead><tr>{top}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>'
    )


def _line(heads: Sequence[Head], row: Sequence[str], mark: str) -> str:
    kind = f' class="{escape(mark)}"' if mark else ""
    cells = zip(heads, row, strict=True)
    return f"<tr{kind}>{''.join(f'<td{_number(head)}>{escape(cell)}</td>' for head, cell in cells)}</tr>"


def _number(head: Head) -> str:
    return ' class="number"' if head.number else ""


def _about(head: Head) -> str:
    return f' title="{escape(head.about)}"' if head.about else ""


def image(
    data: bytes, alt: str, caption: str = "", *, form: str = "svg+xml", width: int | None = None
) -> str:
    """A picture within the page.

    Parameters
    ----------
    data
        The file.
    alt, caption
        Plain text: for those who do not see it, and below it.
    form
        What it is: ``"svg+xml"`` (default) or ``"png"``.
    width
        At most so many pixels wide; default as wide as it says.
    """
    wide = f' width="{width}"' if width else ""
    source = f"data:image/{form};base64,{base64.b64encode(data).decode()}"
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    shown = f'<img alt="{escape(alt)}"{wide} src="{source}"/>'
    return f'<figure><div class="chart">{shown}</div>{below}</figure>'


def drawn(figure: Figure, form: str = "svg", dpi: int = 110) -> bytes:
    """A figure as a file, ``"svg"`` or ``"png"``; the same bytes for the same figure."""
    from matplotlib import rc_context

    stream = io.BytesIO()
    with rc_context({"svg.hashsalt": "socsim", "svg.fonttype": "path"}), warnings.catch_warnings():
        # Letters that the font lacks are drawn as boxes; the tables have them.
        warnings.filterwarnings("ignore", message="Glyph")
        metadata = {"Date": None} if form == "svg" else {"Software": None}
        figure.savefig(stream, format=form, dpi=dpi, metadata=metadata)
    return stream.getvalue()
