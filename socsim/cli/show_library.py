"""``socsim show library``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from socsim.cli.output import emit_json, emit_table, json_option, show_fields

if TYPE_CHECKING:
    from socsim.workloads.library import Library

__all__ = ["show_library"]


@click.command("library")
@click.argument("name")
@json_option
def show_library(name: str, as_json: bool) -> None:
    """Show an inference library, by name or file: what it runs where."""
    from socsim.workloads.library import load_library

    library = load_library(name)
    described = _library(library)
    if as_json:
        emit_json(described)
        return
    divided = {"static": "equally", "capacity": "by core speed"}[library.chunking]
    show_fields(
        [
            ("library", f"{library.title} ({library.name})"),
            ("CPU cores", library.cores),
            ("threads", library.threads or "one for each core"),
            ("work of a kernel is divided", divided),
        ]
    )
    _print_kernels(described["backends"])
    _print_support(described["backends"])


def _print_kernels(backends: list[dict[str, Any]]) -> None:
    rows = [
        (b["processor"], ", ".join(b["dtypes"]), b["layout"], len(b["operators"]), b["else"])
        for b in backends
    ]
    emit_table(("processor", "data types", "layout", ">operator types", "others"), rows, title="\nkernels")


def _print_support(backends: list[dict[str, Any]]) -> None:
    tables = [b["operators"] for b in backends]
    types = sorted({type_ for table in tables for type_ in table})
    rows = [(type_, *(_mark(table, type_) for table in tables)) for type_ in types]
    columns = [f"{b['processor']} {b['layout']}".strip() for b in backends]
    emit_table(("operator type", *columns), rows, title="\nsupport (if: under conditions)")


def _mark(table: dict[str, Any], type_: str) -> str:
    if type_ not in table:
        return "-"
    return "if" if table[type_] else "yes"


def _library(library: Library) -> dict[str, Any]:
    backends = [
        {
            "processor": processor,
            "dtypes": list(backend.dtypes),
            "layout": layout,
            "else": {"cpu": "fall back to the CPU", "fail": "network refused"}[backend.on_unsupported],
            "operators": {name: dict(when) for name, when in table.items()},
        }
        for processor, backend in library.backends.items()
        for layout, table in backend.tables.items()
    ]
    fields = {
        "name": library.name,
        "title": library.title,
        "cores": library.cores,
        "threads": library.threads,
    }
    return {**fields, "chunking": library.chunking, "host": library.host, "backends": backends}
