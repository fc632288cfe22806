"""From a journal to tables: Parquet files in the order of the runs, of which only a part is ever held."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from socsim.results.result import flat_row
from socsim.sweeps.journal import LINES, Line, read_lines, table_bytes
from socsim.sweeps.rows import Row

__all__ = ["finished_rows", "ordered", "write_failures", "write_rows", "write_tables"]

_ROWS = 4096
"""Rows of a part of a table."""

_CELLS = 100_000
"""Rows of a part of a table of inferences, kernels or power, about."""


def ordered(folder: Path) -> dict[int, int]:
    """Number of each finished run -> where its line begins; of two lines the later counts, if it is not a failure's."""
    found: dict[int, tuple[bool, int]] = {}
    for line in read_lines(folder):
        if line.ok or not found.get(line.run, (False, 0))[0]:
            found[line.run] = (line.ok, line.at)
    return {run: found[run][1] for run in sorted(found)}


def finished_rows(folder: Path, *, ok: bool = True) -> Iterator[dict[str, Any]]:
    """Contents of the lines of runs that came to their end, or of those that failed, in the order of the runs."""
    for line in _lines(folder):
        if line.ok == ok:
            yield line.content


def _lines(folder: Path) -> Iterator[Line]:
    """A line of each finished run, in order."""
    places = ordered(folder)
    if not places:
        return
    wanted = {at: run for run, at in places.items()}
    if list(wanted) == sorted(wanted):
        yield from (line for line in read_lines(folder) if line.at in wanted)
        return
    with (folder / LINES).open("rb") as stream:
        for run, at in places.items():
            stream.seek(at)
            body = stream.readline()[9:-1]
            place, _, payload = body.partition(b" ")
            yield Line(run, b'"rows":' in payload, at, int(place), payload)


# --- rows ---------------------------------------------------------------------------------------------------------


def write_rows(folder: Path, path: Path) -> None:
    """Write ``runs``: a row for each finished run and application."""
    _write(lambda: (row for content in finished_rows(folder) for row in content["rows"]), path)


def write_failures(folder: Path, path: Path, labels: Any) -> None:
    """Write ``failures``: a row for each run that failed.

    Parameters
    ----------
    labels
        From the number of a run to what its point is, as a mapping.
    """

    def rows() -> Iterator[Row]:
        for content in finished_rows(folder, ok=False):
            told = {"kind": content["kind"], "error": content["error"], "attempts": content["attempt"]}
            yield {"run": content["run"], **labels(content["run"]), **told, "trace": content["trace"]}

    _write(rows, path)


def _write(rows: Any, path: Path) -> None:
    import pyarrow as pa

    schema = _schema(flat_row(row) for row in rows())
    with _parquet(path, schema) as writer:
        source = iter(flat_row(row) for row in rows())
        while part := list(islice(source, _ROWS)):
            columns = [
                pa.array([_cell(row.get(field.name), field.type) for row in part], field.type)
                for field in schema
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))


def _schema(rows: Iterable[Row]) -> Any:
    """Columns in the order in which they come up, each of the narrowest type that holds its values."""
    import pyarrow as pa

    kinds: dict[str, set[type]] = {}
    for row in rows:
        for key, value in row.items():
            kinds.setdefault(key, set()).add(type(value))
    return pa.schema([(key, _type(found - {type(None)})) for key, found in kinds.items()])


def _type(kinds: set[type]) -> Any:
    import pyarrow as pa

    if not kinds:
        return pa.null()
    if kinds == {bool}:
        return pa.bool_()
    if kinds == {int}:
        return pa.int64()
    return pa.float64() if kinds <= {int, float} else pa.string()


def _cell(value: Any, kind: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value) if str(kind) == "string" else value


# --- tables ---------------------------------------------------------------------------------------------------------


def write_tables(folder: Path, name: str, path: Path) -> None:
    """Write a table of all runs, with the number of the run in front."""
    import pyarrow as pa

    schema: Any = None
    for table in _parts(folder, name):
        found = [schema, table.schema] if schema is not None else [table.schema]
        schema = pa.unify_schemas(found, promote_options="permissive")
    if schema is None:
        schema = pa.schema([("run", pa.int64())])
    fields = [pa.field(f.name, pa.float64() if pa.types.is_null(f.type) else f.type) for f in schema]
    schema = pa.schema(fields)
    with _parquet(path, schema) as writer:
        held, rows = [], 0
        for table in _parts(folder, name):
            held.append(table.cast(pa.schema([schema.field(n) for n in table.column_names])))
            rows += table.num_rows
            if rows >= _CELLS:
                writer.write_table(_joined(held, schema))
                held, rows = [], 0
        if held:
            writer.write_table(_joined(held, schema))


def _joined(tables: Sequence[Any], schema: Any) -> Any:
    import pyarrow as pa

    return pa.concat_tables(tables, promote_options="default").select(schema.names).combine_chunks()


def _parts(folder: Path, name: str) -> Iterator[Any]:
    import pyarrow as pa

    for line in _lines(folder):
        places: Mapping[str, list[int]] = line.content.get("tables", {}) if line.ok else {}
        if name in places:
            data = table_bytes(folder, line, {name: places[name]})[name]
            table = pa.ipc.open_stream(data).read_all()
            yield table.add_column(0, "run", pa.array([line.run] * table.num_rows, pa.int64()))


@contextmanager
def _parquet(path: Path, schema: Any) -> Iterator[Any]:
    """A file that appears under its name when it is complete."""
    import pyarrow.parquet as pq

    partial = path.with_name(f".{path.name}.partial")
    try:
        with pq.ParquetWriter(partial, schema, compression="zstd") as writer:
            yield writer
        with partial.open("rb+") as stream:
            os.fsync(stream.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
