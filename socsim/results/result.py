"""What a simulation gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from socsim.errors import UsageError
from socsim.results import frames
from socsim.results.metrics import METRICS, device_row, metrics
from socsim.results.notes import run_notes
from socsim.results.reuse import REUSE, reuse, reuse_apps
from socsim.results.service import SERVICE, service
from socsim.results.shown import SHOWN, frame_apps, shown
from socsim.results.store import output_directory, write_table
from socsim.simulation.records import Outcome
from socsim.words import counted

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Result"]


class Result:
    """A finished run: rows, tables, traces and pictures of it.

    Parameters
    ----------
    outcome
        What the simulation recorded.
    config
        The resolved experiment, plain enough to be written to a file.
    deadlines_s
        Deadline after arrival in s, by application; default none.
    idle_service_s
        Simulates each application alone on the idle phone, and gives the time of one inference by application;
        :meth:`slowdown` calls it when it is asked for.
    report
        What the manager of the device has to say about its decisions.
    """

    def __init__(
        self,
        outcome: Outcome,
        config: Mapping[str, Any] | None = None,
        deadlines_s: Mapping[str, float] | None = None,
        idle_service_s: Callable[[], Mapping[str, float]] | None = None,
        report: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self.outcome = outcome
        self.report = [dict(row) for row in report]
        self.config: dict[str, Any] = dict(config or {})
        self.deadlines_s: dict[str, float] = dict(deadlines_s or {})
        self._idle_service_s = idle_service_s
        self._slowdowns: dict[str, float | None] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """For other processes: without the applications, which only :meth:`slowdown` needs."""
        return {**vars(self), "_idle_service_s": None}

    def __repr__(self) -> str:
        o = self.outcome
        finished = sum(r.status == "finished" for r in o.inferences)
        return f"Result({o.device!r}, {counted(finished, 'inference')} in {o.duration_s * 1e3:.1f} ms)"

    def metrics(self, app: str | None = None) -> dict[str, Any]:
        """One row of numbers for an application; keys in :data:`socsim.results.metrics.METRICS`.

        Parameters
        ----------
        app
            Application; default the first.

        Raises
        ------
        UnknownNameError
            No application of that name.
        UsageError
            The run had no application that infers.
        """
        name = next(iter(self.outcome.apps), "") if app is None else app
        return metrics(self.outcome, app, self.deadlines_s.get(name))

    def service(self, app: str | None = None) -> dict[str, Any]:
        """How an application was served; keys in :data:`socsim.results.service.SERVICE`.

        Parameters
        ----------
        app
            Application; default the first.

        Raises
        ------
        UnknownNameError
            No application of that name.
        """
        return service(self.outcome, app)

    def shown(self, app: str | None = None) -> dict[str, Any]:
        """What an application that shows frames showed; keys in :data:`socsim.results.shown.SHOWN`.

        Parameters
        ----------
        app
            Application; default the first that shows frames.

        Raises
        ------
        UnknownNameError
            No application that shows frames has that name.
        """
        return shown(self.outcome, app)

    def reuse(self, app: str | None = None) -> dict[str, Any]:
        """What an application with a scene reused; keys in :data:`socsim.results.reuse.REUSE`.

        Parameters
        ----------
        app
            Application; default the first with a scene.

        Raises
        ------
        UnknownNameError
            No application with a scene has that name.
        """
        return reuse(self.outcome, app)

    def slowdown(self) -> dict[str, float | None]:
        """Mean service time / the service time of the same application alone on the idle phone, by application.

        The first call simulates one inference of each application alone, without noise. None where no inference
        finished.

        Raises
        ------
        UsageError
            The result has no applications to simulate: it was not made by :func:`socsim.simulate`, or came from
            another process that had not asked.
        """
        if self._slowdowns is None:
            if self._idle_service_s is None:
                raise UsageError(
                    "a slow-down needs the applications; ask the result of socsim.simulate itself, before it is copied"
                )
            alone = self._idle_service_s()
            means = {app: self.service(app)["service_ms_mean"] for app in self.outcome.apps}
            self._slowdowns = {app: m and m / 1e3 / alone[app] for app, m in means.items()}
        return dict(self._slowdowns)

    def rows(self, *, slowdown: bool = False) -> list[dict[str, Any]]:
        """A row per application: ``app``, the keys of :meth:`metrics` and :meth:`service`.

        In a run with a scene the keys of :meth:`reuse` as well. In a run that shows frames the keys of :meth:`shown` as
        well, and rows of the applications that show them come last; what an application has no value for is None.

        Parameters
        ----------
        slowdown
            Add :meth:`slowdown` in the key ``slowdown``.
        """
        factors = self.slowdown() if slowdown else {}
        scenes = reuse_apps(self.outcome)
        rows = [
            {
                "app": app,
                **self.metrics(app),
                **self.service(app),
                **(dict.fromkeys(REUSE) if scenes else {}),
                **(self.reuse(app) if app in scenes else {}),
                **({"slowdown": factors[app]} if slowdown else {}),
            }
            for app in self.outcome.apps
        ]
        if not self.outcome.frames:
            return rows
        more = [*(REUSE if scenes else ()), *(["slowdown"] if slowdown else [])]
        keys = dict.fromkeys(("app", *METRICS, *SERVICE, *more, *SHOWN))
        device = device_row(self.outcome)
        rows += [{"app": app, **device, **self.shown(app)} for app in frame_apps(self.outcome)]
        return [{**keys, **row} for row in rows]

    def summary(self, *, slowdown: bool = False) -> pd.DataFrame:
        """The rows of :meth:`rows` as a table; ``utilization_<processor>`` is a column each."""
        import pandas as pd

        return pd.DataFrame([flat_row(row) for row in self.rows(slowdown=slowdown)])

    @cached_property
    def inferences(self) -> pd.DataFrame:
        """One row per inference; columns, as of all tables, in :data:`socsim.results.frames.COLUMNS`."""
        return frames.inferences_frame(self.outcome)

    @cached_property
    def kernels(self) -> pd.DataFrame:
        """One row per kernel and sharing step; empty unless simulated with ``kernels=True``."""
        return frames.kernels_frame(self.outcome)

    @cached_property
    def frames(self) -> pd.DataFrame:
        """One row per frame of a video or a user interface; empty where nothing shows any."""
        return frames.frames_frame(self.outcome)

    @cached_property
    def power(self) -> pd.DataFrame:
        """Power of each component, rail and meter over time; without kernel records means only."""
        return frames.power_frame(self.outcome)

    @cached_property
    def energy(self) -> pd.DataFrame:
        """Energy by component and by rail."""
        return frames.energy_frame(self.outcome)

    @cached_property
    def app_energy(self) -> pd.DataFrame:
        """Energy by application and component, and what nobody caused."""
        return frames.app_energy_frame(self.outcome)

    @cached_property
    def idle(self) -> pd.DataFrame:
        """Time in each idle state of each CPU cluster."""
        return frames.idle_frame(self.outcome)

    @cached_property
    def clocks(self) -> pd.DataFrame:
        """Every change of a clock, after the clocks at the beginning."""
        return frames.clocks_frame(self.outcome)

    @cached_property
    def temperatures(self) -> pd.DataFrame:
        """Readings of the thermal zones; empty unless simulated with ``heat=True``."""
        return frames.temperatures_frame(self.outcome)

    @cached_property
    def apps(self) -> pd.DataFrame:
        """One row per application that infers: what it ran, and what its plan costs."""
        return frames.apps_frame(self.outcome)

    @cached_property
    def fallback_ops(self) -> pd.DataFrame:
        """One row per application and operator that fell back to the CPU, and why."""
        return frames.fallback_ops_frame(self.outcome)

    @cached_property
    def rates(self) -> pd.DataFrame:
        """One row per application and set of rates that its kernels rest on, with its grade and error."""
        return frames.rates_frame(self.outcome)

    @cached_property
    def prediction_error(self) -> pd.DataFrame:
        """Predicted against actual times of kernels, by application, processor and kernel class."""
        return frames.prediction_error_frame(self.outcome)

    @cached_property
    def processes(self) -> pd.DataFrame:
        """Busy time of every process by processor; empty unless simulated with ``kernels=True``."""
        return frames.processes_frame(self.outcome)

    def process_trace(self, *, inferences: bool = False) -> pd.DataFrame:
        """What every process asked for, as :class:`socsim.Replay` plays it; columns in `results.frames.TRACE_COLUMNS`.

        Parameters
        ----------
        inferences
            Applications that infer as well: workers, dispatching and mapping threads, and kernels on accelerators.

        Raises
        ------
        UsageError
            The run was not simulated with ``kernels=True``.
        """
        if not self.outcome.processes:
            raise UsageError("the run recorded no processes; simulate with kernels=True")
        kinds = {r.kind for r in self.outcome.processes}
        return frames.process_trace_frame(self.outcome, kinds if inferences else kinds - {"inference"})

    @property
    def fallbacks(self) -> dict[str, str]:
        """Operators that fell back to the CPU, of all applications, and why."""
        return {op: why for app in self.outcome.apps.values() for op, why in app.fallbacks.items()}

    def save(self, directory: str | Path, *, overrides: list[str] | None = None) -> Path:
        """Write tables, trace, pictures, the resolved experiment and a manifest.

        Parameters
        ----------
        directory
            A new or empty directory, or one that socsim wrote before, which is then replaced.
        overrides
            ``key=value`` settings that changed the experiment; kept in the manifest.

        Returns
        -------
        The absolute path of the directory.

        Raises
        ------
        UsageError
            The directory may not be written.
        """
        about = {
            "experiment": self.config, "seed": self.outcome.seed, "device": self.outcome.device,
            "overrides": overrides or [], "notes": run_notes(self),
        }  # fmt: skip
        with output_directory(directory, about) as partial:
            if self.outcome.apps or self.outcome.frames:
                write_table(self.summary(), partial, "summary")
            for name in frames.TABLES:
                write_table(getattr(self, name), partial, name)
            if any(r.kind != "inference" for r in self.outcome.processes):
                self.process_trace().to_csv(partial / "process_trace.csv", index=False)
            self.save_pictures(partial)
        return Path(directory).resolve()

    def save_pictures(self, directory: Path) -> None:
        """Write ``trace.json.gz`` and a picture of each application, ``gantt.png`` or ``gantt-<app>.png``."""
        from socsim.results.gantt import save_gantt
        from socsim.results.trace import write_trace

        write_trace(self.outcome, directory / "trace.json.gz")
        apps = list(self.outcome.apps)
        finished = {r.app for r in self.outcome.inferences if r.status == "finished"}
        for app in apps if self.outcome.kernels else []:
            if app in finished:
                name = "gantt.png" if len(apps) == 1 else f"gantt-{file_name(app)}.png"
                save_gantt(self.outcome, directory / name, app)


def flat_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row whose mappings are spread: ``utilization: {cpu: 1}`` becomes ``utilization_cpu: 1``."""
    flat: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, Mapping):
            flat.update({f"{key}_{name}": item for name, item in value.items()})
        else:
            flat[key] = value
    return flat


def file_name(title: str) -> str:
    """A title as part of a file name: letters, digits, ``.``, ``_`` and ``-``."""
    return (
        "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in title).strip(".-")
        or "unnamed"
    )
