"""The tables that a terminal shows of a run or a comparison, with explanations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from socsim.results.columns import (
    AFTER,
    DROP,
    ENERGY,
    LATENCY,
    MISSED,
    REUSED,
    SERVED,
    SHOWN,
    SPEEDUP,
    TOP1,
    Columns,
)  # fmt: skip
from socsim.results.html import Head, paragraph, table
from socsim.results.metrics import transforms_of
from socsim.results.report.cells import Row, heading, number, records, rows_table, with_prefix
from socsim.results.report.saved import Saved
from socsim.results.shown import SHOWN as SHOWN_ABOUT

__all__ = ["compared", "notes", "repeated", "summary"]

_EXPECTED: Columns = (("", "expected", ""),)
_INTERVALS = (*LATENCY[:1], *LATENCY[2:], *ENERGY, *TOP1)


def summary(saved: Saved) -> Iterator[str]:
    """Of a run: what each application cost, how it was served, what it reused, what it showed."""
    rows = [_told(row) for row in records(saved.table("summary", ("app",)))]
    inferring = [row for row in rows if row.get("model") is not None]
    names = {
        "application": "app",
        "network": "model",
        "library": "library",
        "scheduler": "scheduler",
        "type": "dtype",
    }
    slow: Columns = (("", "slowdown", ".2f"),)
    yield rows_table(names, inferring, (*LATENCY, *_EXPECTED, *MISSED, *TOP1, *DROP, *ENERGY))
    yield rows_table({"application": "app"}, inferring, (*SERVED[:-3], *slow, SERVED[-2]))
    yield rows_table({"application": "app"}, inferring, (*_busy(inferring), *AFTER))
    yield rows_table(
        {"application": "app"}, [row for row in rows if row.get("computed_share_mean") is not None], REUSED
    )
    about = {**SHOWN_ABOUT, "app_energy_mj": "what its work added to the idle device, per frame"}
    yield rows_table(
        {"application": "app"}, [row for row in rows if row.get("frames") is not None], SHOWN, about
    )


def _busy(rows: Sequence[Row]) -> Columns:
    return tuple(("", key, ".0%") for key in with_prefix(rows, "utilization_"))


def compared(saved: Saved) -> Iterator[str]:
    """Of a comparison: a row for each scheduler, and its set of governors."""
    rows = [_told(row) for row in records(saved.table("comparison", _NEEDED))]
    columns = (*LATENCY, *_EXPECTED, *SPEEDUP, *TOP1, *DROP, *MISSED, *ENERGY)
    yield rows_table(_row_names(rows), rows, columns)
    yield rows_table(_row_names(rows), rows, (*_busy(rows), *AFTER))


def repeated(saved: Saved) -> Iterator[str]:
    """Of a comparison with several seeds: means with their intervals, and what differs seed by seed."""
    rows = [_told(row) for row in records(saved.table("comparison", (*_NEEDED, "seeds")))]
    names = _row_names(rows)
    columns = [(key, form) for _, key, form in _INTERVALS if any(row.get(key) is not None for row in rows)]
    heads = [*map(Head, names), *(heading(key) for key, _ in columns)]
    heads.append(
        Head(
            "speed-up, seed by seed",
            "mean latency of the first row / of this one, with its 95 % interval",
            True,
        )
    )
    seeds = max(int(row["seeds"]) for row in rows) if rows else 0
    yield paragraph(f"Means over {seeds} seeds, ± the half-width of their 95 % confidence interval.")
    yield table(
        heads,
        [
            [
                *(number(row.get(key), "") for key in names.values()),
                *(_with_interval(row, key, form) for key, form in columns),
                _speedup(row),
            ]
            for row in rows
        ],
    )  # fmt: skip
    yield rows_table(names, rows, (*_EXPECTED, *_busy(rows), *AFTER))


_NEEDED = ("model", "scheduler", "latency_ms_mean")


def _told(row: Row) -> Row:
    """A row with what follows from several of its values; without drops of accuracy where there are none."""
    low, high = row.get("latency_ms_low"), row.get("latency_ms_high")
    expected = None if low is None or high is None else f"{low:.2f} to {high:.2f}"
    transforms = transforms_of(str(row.get("model") or ""))
    return {**row, "transforms": transforms, "expected": expected, "top1_drop": row.get("top1_drop") or None}


def _row_names(rows: Sequence[Row]) -> dict[str, str]:
    """What tells rows apart, beside the scheduler."""
    wanted = ("governors", "transforms", "dtype")
    varying = [key for key in wanted if len({row.get(key) for row in rows}) > 1]
    return {"scheduler": "scheduler", **{key: key for key in varying}}


def _with_interval(row: Row, key: str, form: str) -> str:
    told, half = number(row.get(key), form), row.get(f"ci95_{key}")
    width = "" if half is None else number(half, form)
    return f"{told} ±{width}" if width.strip("0.,") else told


def _speedup(row: Row) -> str:
    mean, low, high = (row.get(f"paired_latency_ms_mean_ratio{end}") for end in ("", "_low", "_high"))
    told = number(mean, ".3f")
    ends = "" if low is None or high is None else f"{low:.3f} to {high:.3f}"
    return told if not ends or ends == f"{told} to {told}" else f"{told} ({ends})"


def notes(saved: Saved) -> Iterator[str]:
    """What the terminal says below its tables, and which rates nothing measured supports."""
    rates = saved.table("rates", ("app", "rates", "grade", "share"))
    if rates is not None:
        rates = rates[rates["grade"] == "D"]
    for row in records(rates):
        who = f"{row['run']}: " if "run" in row else f"{row['app']}: "
        share = "" if row["share"] is None else f", on which {row['share']:.0%} of its time in kernels rests,"
        yield paragraph(
            f"{who}the rates of {row['rates']}{share} are estimates (grade D): "
            "no measurement of the device supports them.",
            "warning",
        )
    told = saved.manifest.get("notes")
    yield from (paragraph(str(note)) for note in (told if isinstance(told, list) else ()))
