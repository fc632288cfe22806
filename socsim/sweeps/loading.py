"""Output directories, read back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from socsim.errors import UnknownNameError, UsageError
from socsim.results.store import read_manifest
from socsim.sweeps.directory import JOURNAL, read_identity
from socsim.sweeps.publishing import finished_rows, ordered
from socsim.sweeps.statistics import paired, summarise
from socsim.sweeps.tables import evened, frame
from socsim.words import counted

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Results", "load_results"]

_RUNS = "runs"


def load_results(directory: str | Path) -> Results:
    """Read what socsim has written into a directory: the tables of a run, a comparison or a sweep.

    A sweep that is not finished, or still runs, has the runs that have finished.

    Raises
    ------
    UsageError
        socsim has written nothing there.
    """
    path = Path(directory).resolve()
    if not path.is_dir():
        raise UsageError(f"{str(directory)!r} is no directory")
    if not read_manifest(path) and read_identity(path) is None:
        raise UsageError(
            f"{str(directory)!r} holds no results of socsim: it has neither a manifest nor a journal"
        )
    return Results(path)


class Results:
    """Tables of an output directory, each read when it is asked for; made by :func:`load_results`.

    Parameters
    ----------
    directory
        Where they are.

    Attributes
    ----------
    manifest
        Versions, seeds, command line; empty where a sweep is not finished.
    config
        The resolved experiment, with its sweep.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.manifest: dict[str, Any] = read_manifest(directory)
        self.config: dict[str, Any] = (self.manifest or read_identity(directory) or {}).get("experiment", {})

    def __repr__(self) -> str:
        state = "" if self.finished else ", not finished"
        return f"Results({str(self.directory)!r}, {', '.join(self.tables) or 'no tables'}{state})"

    @property
    def finished(self) -> bool:
        """Whether all of it has been written."""
        return bool(self.manifest)

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables."""
        found = {path.stem for path in self.directory.glob("*.parquet")}
        if read_identity(self.directory) is not None:
            found.add(_RUNS)
        return tuple(sorted(found))

    def table(self, name: str) -> pd.DataFrame:
        """A table by name.

        Raises
        ------
        UnknownNameError
            There is none of that name.
        """
        import pandas as pd

        if name == _RUNS and not self.finished:
            return self._runs_so_far()
        if name not in self.tables:
            raise UnknownNameError("table", name, self.tables)
        return pd.read_parquet(self.directory / f"{name}.parquet")

    @property
    def runs(self) -> pd.DataFrame:
        """Of a sweep: a row per run and application; those that have finished, where it has not."""
        return self.table(_RUNS)

    @property
    def failures(self) -> pd.DataFrame:
        """Of a sweep: a row per run that failed, with ``kind``, ``error`` and ``trace``."""
        import pandas as pd

        if self.finished:
            empty = pd.DataFrame(columns=["run", "kind", "error", "attempts", "trace"])
            return self.table("failures") if "failures" in self.tables else empty
        return pd.DataFrame(list(finished_rows(self.directory / JOURNAL, ok=False)))

    @property
    def inferences(self) -> pd.DataFrame:
        """A row per inference."""
        return self.table("inferences")

    @property
    def kernels(self) -> pd.DataFrame:
        """A row per kernel."""
        return self.table("kernels")

    @property
    def power(self) -> pd.DataFrame:
        """A row per component and span of constant power."""
        return self.table("power")

    def summarise(self, metrics: Any = "latency_ms_mean", *, over: str = "seed") -> pd.DataFrame:
        """Means over seeds with confidence intervals; see :func:`socsim.summarise`."""
        return summarise(self.runs, metrics, over=over)

    def paired(self, column: str, metric: str = "latency_ms_mean", **options: Any) -> pd.DataFrame:
        """Paired comparison; see :func:`socsim.paired`."""
        return paired(self.runs, column, metric, **options)

    def progress(self) -> str:
        """How far a sweep is: ``"37 of 100 runs"``."""
        identity = read_identity(self.directory)
        if identity is None:
            raise UsageError(f"{str(self.directory)!r} holds no sweep")
        return f"{len(ordered(self.directory / JOURNAL))} of {counted(identity['runs'], 'run')}"

    def _runs_so_far(self) -> pd.DataFrame:
        contents = finished_rows(self.directory / JOURNAL)
        return frame(evened([row for content in contents for row in content["rows"]]))
