"""Comparisons with several seeds: means with their confidence, and what differs seed by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from socsim.errors import UsageError
from socsim.results.comparison import Comparison
from socsim.results.means import Mean, mean
from socsim.results.metrics import transforms_of
from socsim.results.pairs import Paired, compare_pairs
from socsim.results.printed import Printed
from socsim.results.result import Result, flat_row
from socsim.results.store import output_directory, write_table
from socsim.words import counted
from socsim.workloads.transforms import split_transforms

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Group, RenderableType

__all__ = ["INTERVALS", "PAIRED", "RepeatedComparison"]

INTERVALS = (
    "latency_ms_mean", "latency_ms_p50", "latency_ms_p95", "energy_mj", "power_w", "top1_mean", "prediction_mape",
)  # fmt: skip
"""Metrics whose confidence intervals are told."""

PAIRED = ("latency_ms_mean", "latency_ms_p95", "energy_mj")
"""Metrics that are compared with the first row seed by seed."""

_SHOWN = (
    ("latency\nms", "latency_ms_mean", ".2f"),
    ("p95\nms", "latency_ms_p95", ".2f"),
    ("energy\nmJ/inf", "energy_mj", ".1f"),
    ("power\nW", "power_w", ".2f"),
)
_TOP1 = ("top-1\n%", "top1_mean", ".2f")
_DROP = ("top-1\ndrop", "top1_drop", ".2f")


class RepeatedComparison(Printed):
    """The same comparison with several seeds.

    Runs of one seed have the same random numbers in every row, so that rows are compared seed by seed.

    Parameters
    ----------
    comparisons
        One for each seed, all of the same rows; at least one.
    seeds
        Of each.
    config
        The resolved comparison, plain enough to be written to a file.

    Raises
    ------
    UsageError
        None, or not as many as seeds.
    """

    def __init__(
        self, comparisons: Sequence[Comparison], seeds: Sequence[int], config: Mapping[str, Any]
    ) -> None:
        if not comparisons or len(comparisons) != len(seeds):
            raise UsageError(
                f"a comparison needs a seed each, got {len(seeds)} for {counted(len(comparisons), 'comparison')}"
            )
        self.comparisons, self.seeds = tuple(comparisons), tuple(seeds)
        self.config: dict[str, Any] = dict(config)

    def __repr__(self) -> str:
        return f"Repeated{self.comparisons[0]!r}, {counted(len(self.seeds), 'seed')}"

    @property
    def results(self) -> tuple[Result, ...]:
        """Those of the first seed, one per row."""
        return self.comparisons[0].results

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """A row per scheduler, with the keys of :attr:`Comparison.rows`: means over the seeds, and texts of the first.

        ``speedup`` is the geometric mean of those of the seeds. Beside it are ``seeds`` (their number); ``ci95``:
        half-width of the 95 % confidence interval of each of :data:`INTERVALS`; and ``paired``: for each of
        :data:`PAIRED` the ``difference`` from the first row with its half-width ``ci95``, the ``ratio`` first / this
        with ``ratio_low`` and ``ratio_high``, and whether it ``differs``. None where there is no value.
        """
        return [self._row(i) for i in range(len(self.results))]

    def _row(self, number: int) -> dict[str, Any]:
        several = [comparison.rows[number] for comparison in self.comparisons]
        base = [comparison.rows[0] for comparison in self.comparisons]
        row = _averaged(several)
        paired = {key: _compared(base, several, key) for key in PAIRED}
        latency = paired["latency_ms_mean"]
        row["speedup"] = latency and latency["ratio"]
        intervals = {key: found and found.half_width for key, found in _means(several, INTERVALS).items()}
        return {**row, "seeds": len(several), "ci95": intervals, "paired": paired}

    def every(self) -> pd.DataFrame:
        """A row for each seed and scheduler, with ``seed`` in front."""
        import pandas as pd

        pairs = zip(self.seeds, self.comparisons, strict=True)
        return pd.DataFrame([{"seed": seed, **flat_row(row)} for seed, own in pairs for row in own.rows])

    def table(self) -> pd.DataFrame:
        """The rows as a table; mappings are columns each: ``ci95_latency_ms_mean``."""
        import pandas as pd

        return pd.DataFrame([_flattened(row) for row in self.rows])

    def render(self) -> RenderableType:
        """A table for terminals: means with confidence, and speed-ups seed by seed."""
        return _rendered(self)

    def save(self, directory: str | Path, *, overrides: list[str] | None = None) -> Path:
        """Write ``comparison`` (means), ``runs`` (every seed), the comparison and a manifest.

        Parameters are those of :meth:`socsim.results.result.Result.save`.

        Raises
        ------
        UsageError
            The directory may not be written.
        """
        about = {
            "experiment": self.config, "seeds": list(self.seeds), "device": self.results[0].outcome.device,
            "overrides": overrides or [], "notes": _notes(self),
        }  # fmt: skip
        with output_directory(directory, about) as partial:
            write_table(self.table(), partial, "comparison")
            write_table(self.every(), partial, "runs")
        return Path(directory).resolve()


def _averaged(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Means of numbers that are there, mapping by mapping; what is no number as in the first row."""
    return {key: _average([row.get(key) for row in rows]) for key in rows[0]}


def _average(values: Sequence[Any]) -> Any:
    first = next((value for value in values if value is not None), None)
    if isinstance(first, Mapping):
        return _averaged([value or {} for value in values])
    if isinstance(first, bool) or not isinstance(first, int | float):
        return first
    if all(value == first for value in values):
        return first
    return mean([float(value) for value in values if value is not None]).value


def _means(rows: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> dict[str, Mean | None]:
    found = {key: [float(row[key]) for row in rows if row.get(key) is not None] for key in keys}
    return {key: mean(values) if values else None for key, values in found.items()}


def _compared(
    base: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]], key: str
) -> dict[str, Any] | None:
    pairs = [(b[key], r[key]) for b, r in zip(base, rows, strict=True)]
    pairs = [(b, r) for b, r in pairs if b is not None and r is not None]
    if not pairs:
        return None
    found: Paired = compare_pairs(*zip(*pairs, strict=True))
    value, low, high = found.ratio if found.ratio else (None, None, None)
    return {
        "difference": found.difference.value, "ci95": found.difference.half_width, "ratio": value,
        "ratio_low": low, "ratio_high": high, "differs": found.differs,
    }  # fmt: skip


def _flattened(row: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings of mappings spread."""
    flat = flat_row(row)
    return flat if not any(isinstance(value, Mapping) for value in flat.values()) else _flattened(flat)


def _rendered(comparison: RepeatedComparison) -> Group:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    rows = [{**row, "transforms": transforms_of(row["model"])} for row in comparison.rows]
    several = len({row["model"] for row in rows}) > 1
    shown = [*_SHOWN, *([_TOP1] if any(row["top1_mean"] is not None for row in rows) else [])]
    shown += [_DROP] if several else []
    table = Table(box=None, pad_edge=False, header_style="bold")
    names = [*(["transforms"] if several else []), "scheduler"]
    names += ["governors"] if "governors" in rows[0] else []
    for name in names:
        table.add_column(name, overflow="fold")
    for header in (*(column[0] for column in shown), "speed-up,\nseed by seed"):
        table.add_column(header, justify="right")
    for row in rows:
        cells = [_cell(row[key], row["ci95"].get(key), form) for _, key, form in shown]
        table.add_row(
            *(Text(str(row[name])) for name in names), *cells, _speedup(row["paired"]["latency_ms_mean"])
        )
    return Group(Text(_title(comparison, several), "bold"), table, *map(Text, _notes(comparison)))


def _title(comparison: RepeatedComparison, several: bool) -> str:
    """What is compared; networks that differ go by what they were made of."""
    first, seeds = comparison.results[0].outcome, counted(len(comparison.seeds), "seed")
    app = next(iter(first.apps.values()))
    network = split_transforms(app.model)[0] if several else app.model
    return f"{network} on {first.device}, {app.library}; means over {seeds}, ± 95 % confidence"


def _cell(value: float | None, half: float | None, form: str) -> str:
    if value is None:
        return "-"
    width = "" if half is None else format(half, form)
    return format(value, form) + (f" ±{width}" if width.strip("0.,") else "")


def _speedup(paired: Mapping[str, Any] | None) -> str:
    if paired is None or paired["ratio"] is None:
        return "-"
    low, high = paired["ratio_low"], paired["ratio_high"]
    ends = "" if low is None else f"{low:.3f} to {high:.3f}"
    told = f"{paired['ratio']:.3f}"
    return told if not ends or ends == f"{told} to {told}" else f"{told} ({ends})"


def _notes(comparison: RepeatedComparison) -> list[str]:
    latencies = [[row["latency_ms_mean"] for row in one.rows] for one in comparison.comparisons]
    same = all(own == latencies[0] for own in latencies)
    if same and not comparison.config.get("noise"):
        return ["seeds make no difference here: nothing is drawn without --noise"]
    return []
