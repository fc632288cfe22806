"""Columns of tables on a page: headers with units, what they mean, and values as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from socsim.results.columns import Columns
from socsim.results.html import Head, table
from socsim.results.metrics import METRICS
from socsim.results.reuse import REUSE
from socsim.results.service import SERVICE
from socsim.results.shown import SHOWN

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Row", "heading", "number", "records", "rows_table", "titled", "with_prefix"]

Row = Mapping[str, Any]

_ABOUT: Mapping[str, str] = {
    "expected": "where the mean latency is expected in nine of ten cases, as far as the calibration's error is known",
    "speedup": "mean latency of the first row / that of this one",
    "slowdown": "mean time from start to finish / that of the same application alone on the idle phone",
    **SHOWN,
    **REUSE,
    **SERVICE,
    **METRICS,
}
_TITLES = {
    "energy_mj": "energy [mJ/inference]",
    "app_energy_mj": "own energy [mJ/inference]",
    "transfer_mb": "moved [MB/inference]",
    "sync_ms": "synchronisation [ms/inference]",
    "throughput_per_s": "throughput [1/s]",
    "backlog_growth_per_s": "backlog growth [1/s]",
    "fps_shown": "shown [frames/s]",
    "top1_mean": "Top-1 [%]",
    "top1_drop": "Top-1 drop [points]",
    "unsupported_share": "unsupported",
    "fallback_ops": "fallbacks",
    "prediction_mape": "predicted off by",
    "expected": "nine in ten within [ms]",
}
_UNITS = {"ms": "ms", "mj": "mJ", "mb": "MB", "w": "W", "c": "°C", "mhz": "MHz"}
_WIDE = 10_000


def titled(key: str) -> str:
    """The header of a column: ``latency_ms_p95`` is ``latency p95 [ms]``."""
    if key in _TITLES:
        return _TITLES[key]
    for prefix, after in (("utilization_", " busy"), ("rails_mj_", " [mJ/inference]")):
        if key.startswith(prefix):
            return key.removeprefix(prefix) + after
    words = key.split("_")
    unit = next((_UNITS[word] for word in words if word in _UNITS), "")
    name = " ".join(word for word in words if word not in _UNITS)
    return f"{name} [{unit}]" if unit else name


def heading(key: str, about: Mapping[str, str] = _ABOUT, text: str = "") -> Head:
    """The header of a column of numbers, with its explanation."""
    whole = (
        "utilization"
        if key.startswith("utilization_")
        else "rails_mj"
        if key.startswith("rails_mj_")
        else key
    )
    return Head(text or titled(key), about.get(whole, ""), number=True)


def number(value: Any, form: str) -> str:
    """A value as text: ``-`` where there is none."""
    if value is None:
        return "-"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return {True: "yes", False: "no"}.get(value, str(value))
    if form == "d":
        return f"{int(value):,}"
    wide = form.endswith("f") and abs(value) >= _WIDE
    return format(value, ",.0f" if wide else form)


def records(frame: pd.DataFrame | None) -> list[dict[str, Any]]:
    """Rows of a table, with None for what is not there."""
    if frame is None:
        return []
    plain = frame.astype(object)
    rows = plain.where(frame.notna(), None).to_dict("records")
    return [{str(key): value for key, value in row.items()} for row in rows]


def with_prefix(rows: Sequence[Row], prefix: str) -> list[str]:
    """Keys of any row that begin so, in order."""
    return list(dict.fromkeys(key for row in rows for key in row if key.startswith(prefix)))


def rows_table(
    names: Mapping[str, str], rows: Sequence[Row], columns: Columns, about: Mapping[str, str] = _ABOUT
) -> str:
    """Names (header -> key) to the left, then the columns that some row has a value of.

    Parameters
    ----------
    columns
        Of which the header is that of :func:`titled`.
    about
        What the columns mean.
    """
    kept = [(key, form) for _, key, form in columns if any(row.get(key) is not None for row in rows)]
    heads = [*map(Head, names), *(heading(key, about) for key, _ in kept)]
    lines = [
        [
            *(number(row.get(key), "") for key in names.values()),
            *(number(row.get(key), form) for key, form in kept),
        ]
        for row in rows
    ]
    return table(heads, lines)
