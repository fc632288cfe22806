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
    if as_json:
        emit_json(_library(library))
        return
    threads = library.threads or "one for each core"
    show_fields(
        [
            ("library", f"{library.title} ({library.name})"),
            ("CPU cores", library.cores),
            ("threads", threads),
            (
                "work of a kernel is divided",
                {"static": "equally", "capacity": "by core speed"}[library.chunking],
            ),
        ]
    )
    rows = [
        (
            backend["processor"],
            ", ".join(backend["dtypes"]),
            backend["layout"],
            len(backend["operators"]),
            backend["else"],
        )
        for backend in _library(library)["backends"]
    ]
    emit_table(("processor", "data types", "layout", ">operator types", "others"), rows, title="\nkernels")
    columns = [(b["processor"], b["layout"], b["operators"]) for b in _library(library)["backends"]]
    types = sorted({t for _, _, operators in columns for t in operators})
    marks = [
        (t, *("yes" if t in ops and not ops[t] else "if" if t in ops else "-" for _, _, ops in columns))
        for t in types
    ]
    emit_table(
        ("operator type", *(f"{p} {x}".strip() for p, x, _ in columns)),
        marks,
        title="\nsupport (if: under conditions)",
    )


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
