"""Tables and JSON on standard output."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

__all__ = ["console", "emit", "emit_json", "emit_table", "json_option", "show_fields"]

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document and nothing else."
)

_WIDTH = 120
"""Columns when the output is not a terminal."""


def console() -> Console:
    """A console as wide as the terminal, or of 120 columns where there is none."""
    from rich.console import Console

    width = shutil.get_terminal_size((_WIDTH, 24)).columns if sys.stdout.isatty() else _WIDTH
    return Console(width=width, highlight=False, soft_wrap=False)


def emit(renderable: RenderableType) -> None:
    """Print a table; without trailing blanks where the output is no terminal."""
    if sys.stdout.isatty():
        console().print(renderable)
        return
    with (plain := console()).capture() as capture:
        plain.print(renderable)
    click.echo("\n".join(line.rstrip() for line in capture.get().splitlines()))


def emit_json(document: Any) -> None:
    """Print one JSON document; numbers that JSON cannot hold become null."""
    from socsim.results.plain import plain

    click.echo(json.dumps(plain(document), indent=2, allow_nan=False, ensure_ascii=False))


def emit_table(headers: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "") -> None:
    """Print a table.

    Parameters
    ----------
    headers
        Column titles; those that begin with ``>`` are aligned to the right.
    rows
        Cells, shown with ``str``.
    title
        Line above.
    """
    emit(_table(headers, rows, title))


def _table(headers: Sequence[str], rows: Iterable[Sequence[object]], title: str) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold", title=title or None, title_justify="left")
    for header in headers:
        table.add_column(header.removeprefix(">"), justify="right" if header.startswith(">") else "left")
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    return table


def show_fields(fields: Sequence[tuple[str, object]]) -> None:
    """Print names and values in two columns."""
    width = max(len(name) for name, _ in fields) + 3
    for name, value in fields:
        click.echo(f"{name + ':':<{width}}{value}")
