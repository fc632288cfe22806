"""Runs of one network under several schedulers, side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from socsim.errors import UsageError
from socsim.results.frames import TABLES
from socsim.results.metrics import transforms_of
from socsim.results.notes import comparison_notes
from socsim.results.plots import save_utilisation
from socsim.results.printed import Printed
from socsim.results.result import Result, file_name, flat_row
from socsim.results.store import output_directory, write_table

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import RenderableType

__all__ = ["Comparison"]


class Comparison(Printed):
    """Results of the same work under several schedulers, and governors; speedups are over the first.

    Parameters
    ----------
    results
        One per scheduler, at least one; one per scheduler and set of governors where those are compared.
    config
        The resolved comparison, plain enough to be written to a file.
    governors
        What each result's set of governors is called; empty (default) where none are compared.
    schedulers
        What each row is called; empty (default) for who placed its operators.

    Raises
    ------
    UsageError
        No results.
    """

    def __init__(
        self,
        results: Iterable[Result],
        config: Mapping[str, Any] | None = None,
        governors: Sequence[str] = (),
        schedulers: Sequence[str] = (),
    ) -> None:
        self.results = tuple(results)
        if not self.results:
            raise UsageError("a comparison needs at least one scheduler, got none")
        self.config: dict[str, Any] = dict(config or {})
        self.governors, self.schedulers = tuple(governors), tuple(schedulers)

    def __repr__(self) -> str:
        return f"Comparison({', '.join(map(self._full_title, self.rows))})"

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """A row per result: the keys of :data:`socsim.results.metrics.METRICS` and ``speedup``.

        ``speedup`` is the first row's mean latency over this one's, None where either has none. Where governors are
        compared, ``governors`` comes after ``scheduler``.
        """
        rows = [result.metrics() for result in self.results]
        if self.schedulers:
            rows = [{**row, "scheduler": title} for row, title in zip(rows, self.schedulers, strict=True)]
        if self.governors:
            rows = [
                _beside(row, "scheduler", "governors", own)
                for row, own in zip(rows, self.governors, strict=True)
            ]
        base = rows[0]["latency_ms_mean"]
        return [{**row, "speedup": _ratio(base, row["latency_ms_mean"])} for row in rows]

    def table(self) -> pd.DataFrame:
        """The rows as a table; ``utilization_<processor>`` is a column each."""
        import pandas as pd

        return pd.DataFrame([flat_row(row) for row in self.rows])

    def render(self) -> RenderableType:
        """A table for terminals of 120 columns, with notes on quantised and fallback rows below."""
        from socsim.results.render import render_comparison

        return render_comparison(self)

    def save(self, directory: str | Path, *, overrides: list[str] | None = None) -> Path:
        """Write tables, a trace and a Gantt picture per scheduler, a plot, the comparison and a manifest.

        Parameters are those of :meth:`socsim.results.result.Result.save`.

        Raises
        ------
        UsageError
            The directory may not be written.
        """
        first = self.results[0].outcome
        about = {
            "experiment": self.config,
            "seed": first.seed,
            "device": first.device,
            "overrides": overrides or [],
            "notes": comparison_notes(self),
        }
        with output_directory(directory, about) as partial:
            write_table(self.table(), partial, "comparison")
            for name in TABLES:
                write_table(self._joined(name), partial, name)
            pairs = zip(self.rows, self.labels, strict=True)
            rows = [
                {**row, "scheduler": self._full_title({**row, "scheduler": label})} for row, label in pairs
            ]
            save_utilisation(rows, partial / "utilisation.png")
            for title, result in zip(self.titles, self.results, strict=True):
                own = partial / title
                own.mkdir()
                result.save_pictures(own)
        return Path(directory).resolve()

    @property
    def wanted_dtype(self) -> str:
        """The data type asked for, or, where the comparison does not say, that of the first run."""
        return str(self.config.get("dtype") or self.rows[0]["dtype"])

    @cached_property
    def labels(self) -> list[str]:
        """Names of the rows in tables and pictures: schedulers, with the data type if it is not the one asked for."""
        wanted = self.wanted_dtype
        return [
            row["scheduler"] if row["dtype"] == wanted else f"{row['scheduler']} ({row['dtype']})"
            for row in self.rows
        ]

    @cached_property
    def titles(self) -> list[str]:
        """Names of the schedulers, with their governors, as directories, numbered where two are the same."""
        names = [file_name(self._full_title(row, "-")) for row in self.rows]
        taken = set(names)
        return [name if names.count(name) == 1 else _free(name, i + 1, taken) for i, name in enumerate(names)]

    def _full_title(self, row: Mapping[str, Any], between: str = ", ") -> str:
        """Transforms, where rows differ in them, scheduler and governors of a row, as far as it has any."""
        parts = [transforms_of(row["model"])] if self._models > 1 else []
        parts += [str(row[key]) for key in ("scheduler", "governors") if key in row]
        return between.join(parts)

    @cached_property
    def _models(self) -> int:
        return len({row["model"] for row in self.rows})

    def _joined(self, table: str) -> pd.DataFrame:
        """A table of all results below each other, with who it is in the first column."""
        import pandas as pd

        pairs = zip(self.titles, self.results, strict=True)
        parts = {title: getattr(result, table) for title, result in pairs}
        filled = {title: part for title, part in parts.items() if len(part)} or dict(list(parts.items())[:1])
        joined: pd.DataFrame = pd.concat(
            [part.assign(run=title) for title, part in filled.items()], ignore_index=True
        )
        return joined.reindex(columns=["run", *(c for c in joined.columns if c != "run")])


def _beside(row: Mapping[str, Any], before: str, key: str, value: Any) -> dict[str, Any]:
    """A row with one key more, after another one."""
    pairs = ([(name, cell), (key, value)] if name == before else [(name, cell)] for name, cell in row.items())
    return {name: cell for pair in pairs for name, cell in pair}


def _free(name: str, number: int, taken: set[str]) -> str:
    """A name with a number, or the next one where another name ends in it; it counts as taken from now on."""
    while f"{name}-{number}" in taken:
        number += 1
    taken.add(free := f"{name}-{number}")
    return free


def _ratio(base: float | None, value: float | None) -> float | None:
    return base / value if base is not None and value else None
