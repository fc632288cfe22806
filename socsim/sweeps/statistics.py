"""What repeated seeds say: means with confidence intervals, and paired comparisons, of tables of runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from socsim.errors import UnknownNameError, UsageError
from socsim.results.means import mean
from socsim.results.pairs import compare_pairs

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["paired", "summarise"]

_SEED, _APP = "seed", "app"


def summarise(
    runs: pd.DataFrame, metrics: str | Sequence[str] = "latency_ms_mean", *, over: str = _SEED
) -> pd.DataFrame:
    """Means over repetitions, with 95 % confidence intervals by Student's t distribution.

    Parameters
    ----------
    runs
        As of :func:`socsim.sweep`: the columns between ``run`` and ``app`` say what a run is.
    metrics
        One column or several.
    over
        The column that tells repetitions apart; default ``seed``.

    Returns
    -------
    A row for each point without `over`, each application and each metric: ``n``, ``mean``, ``low`` and ``high``, the
    ends of the interval, which are NaN for a single run. Runs without a value are left out.

    Raises
    ------
    UnknownNameError
        No such column.
    """
    import pandas as pd

    wanted = [metrics] if isinstance(metrics, str) else list(metrics)
    keys = _keys(runs, over, *wanted)
    rows = []
    for labels, group in _groups(runs, keys):
        for metric in wanted:
            values = [float(value) for value in group[metric] if _there(value)]
            if values:
                centre, half = mean(values)
                half = math.nan if half is None else half
                rows.append((*labels, metric, len(values), centre, centre - half, centre + half))
    return pd.DataFrame(rows, columns=[*keys, "metric", "n", "mean", "low", "high"])


def paired(
    runs: pd.DataFrame,
    column: str,
    metric: str = "latency_ms_mean",
    *,
    base: Any = None,
    over: str = _SEED,
) -> pd.DataFrame:
    """Compare the values of a column with one of them, run by run with the same seed and the same of everything else.

    Runs of one seed have the same arrivals, the same competing processes and the same spread of inferences under all
    schedulers, so what they differ in is due to what is compared: far fewer seeds tell it than means side by side.

    Parameters
    ----------
    runs
        As of :func:`socsim.sweep`.
    column
        What is compared, such as ``scheduler``.
    metric
        By which column.
    base
        The value that others are compared with; default the first.
    over
        The column that tells repetitions apart; default ``seed``.

    Returns
    -------
    A row for each other value of `column` and each point and application without it: ``pairs``; ``difference`` (mean of
    value - base) with ``low`` and ``high``; ``ratio`` (geometric mean of base / value, the speed-up of times) with
    ``ratio_low`` and ``ratio_high``; ``below`` (pairs in which the value is below the base); ``differs`` (whether the
    interval leaves 0 out). Intervals are of 95 %, and NaN for a single pair.

    Raises
    ------
    UnknownNameError
        No such column or value.
    UsageError
        Two runs of one point and seed.
    """
    import pandas as pd

    keys = _keys(runs, over, metric, column)
    rest = [key for key in keys if key != column]
    known = list(dict.fromkeys(runs[column]))
    base = known[0] if base is None and known else base
    if base not in known:
        raise UnknownNameError(f"value of {column!r}:", str(base), map(str, known))
    rows = []
    for labels, group in _groups(runs, rest):
        values = {
            value: _by_repetition(own, over, metric) for value, own in group.groupby(column, sort=False)
        }
        for value in known:
            if value != base and value in values and base in values:
                both = [key for key in values[base] if key in values[value]]
                if both:
                    told = _told([values[base][k] for k in both], [values[value][k] for k in both])
                    rows.append((*labels, value, *told))
    columns = ["pairs", "difference", "low", "high", "ratio", "ratio_low", "ratio_high", "below", "differs"]
    return pd.DataFrame(rows, columns=[*rest, column, *columns])


def _told(base: Sequence[float], values: Sequence[float]) -> tuple[Any, ...]:
    found = compare_pairs(base, values)
    centre, half = found.difference
    half = math.nan if half is None else half
    ratio = (
        (math.nan,) * 3 if found.ratio is None else tuple(math.nan if x is None else x for x in found.ratio)
    )
    return (found.pairs, centre, centre - half, centre + half, *ratio, found.below, found.differs)


def _keys(runs: pd.DataFrame, *wanted: str) -> list[str]:
    """The columns that say what a run is, without the repetitions, which come first in `wanted`."""
    over = wanted[0]
    columns = list(runs.columns)
    for name in wanted[1:]:
        if name not in columns:
            raise UnknownNameError("column", name, columns)
    end = columns.index(_APP) + 1 if _APP in columns else 1
    return [name for name in columns[:end] if name not in ("run", over)]


def _groups(runs: pd.DataFrame, keys: Sequence[str]) -> list[tuple[tuple[Any, ...], pd.DataFrame]]:
    if not keys:
        return [((), runs)]
    return [(tuple(labels), group) for labels, group in runs.groupby(list(keys), sort=False, dropna=False)]


def _by_repetition(runs: pd.DataFrame, over: str, metric: str) -> dict[Any, float]:
    repetitions = runs[over] if over in runs.columns else [0] * len(runs)
    found: dict[Any, float] = {}
    for key, value in zip(repetitions, runs[metric], strict=True):
        if key in found:
            raise UsageError(
                f"two runs of one point have {over} {key!r}; nothing tells which of them make a pair"
            )
        if _there(value):
            found[key] = float(value)
    return found


def _there(value: Any) -> bool:
    return value is not None and not math.isnan(float(value))
