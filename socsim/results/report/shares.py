"""Who had the processors, who used the energy, what fell back, and what the times rest on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from socsim.results.frames import COLUMNS
from socsim.results.html import Head, drawn, image, table
from socsim.results.report.cells import heading, number, records, with_prefix
from socsim.results.report.figures import bars_figure
from socsim.results.report.saved import Saved

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["energy_by_app", "energy_by_part", "fallbacks", "predictions", "rates", "utilisation"]


def utilisation(saved: Saved) -> Iterator[str]:
    """Busy shares of the processors, by application; of a comparison the picture that was saved."""
    data = saved.picture("utilisation.png")
    if data:
        yield image(data, "latency and busy share of every processor", form="png")
    rows, used = records(saved.table("summary")), saved.table("processes", ("app", "processor", "busy_ms"))
    if not rows or used is None:
        return
    bars = {}
    for key in with_prefix(rows, "utilization_"):
        processor = key.removeprefix("utilization_")
        own = used[used["processor"] == processor].groupby("app", sort=False)["busy_ms"].sum()
        total, busy = float(own.sum()), float(rows[0][key] or 0.0)
        bars[processor] = {str(app): 100.0 * busy * ms / total for app, ms in own.items() if total}
    if any(bars.values()):
        figure = bars_figure(bars, "busy [% of the run; CPU: mean over all cores]", most=108.0)
        yield image(drawn(figure), "busy share of every processor, by application")


def energy_by_part(saved: Saved) -> Iterator[str]:
    """Energy by component, rail and meter."""
    found = saved.table("energy", ("meter", "name", "energy_mj", "power_w"))
    if found is None:
        return
    if "run" in found.columns:
        own = found[found["meter"] == "component"]
        yield _parts_figure(own, "run", "name", "Of the whole device, idle and board included.")
        yield _pivot(own, "run", "name", "energy_mj", "run")
        return
    about = COLUMNS["energy"]
    totals = found[found["meter"] == "component"]["energy_mj"].sum()
    heads = [Head("meter", about["meter"]), Head("name"), heading("energy_mj", about, "energy [mJ]")]
    heads += [Head("share", number=True), heading("power_w", about, "mean power [W]")]
    yield table(
        heads,
        [
            [
                str(row["meter"]), str(row["name"]), number(row["energy_mj"], ",.1f"),
                number(row["energy_mj"] / totals if totals else None, ".1%"), number(row["power_w"], ".3f"),
            ]
            for row in records(found)
        ],
    )  # fmt: skip


def energy_by_app(saved: Saved) -> Iterator[str]:
    """Energy by application and component."""
    found = saved.table("app_energy", ("app", "kind", "component", "energy_mj"))
    if found is None:
        return
    idle = found["kind"] == "idle"
    found = found.assign(
        who=found["app"].where(idle | (found["app"] != "idle"), "idle (application)").astype(str)
    )
    if "run" in found.columns:
        found = found.assign(who=found["run"].astype(str) + ", " + found["who"])
    else:
        told = "What each application's work added to the idle device, and what nobody caused (idle)."
        yield _parts_figure(found, "who", "component", told)
    yield _pivot(found, "who", "component", "energy_mj", "application")


def _parts_figure(frame: pd.DataFrame, rows: str, parts: str, caption: str) -> str:
    """Energies as bars, in J where they are large."""
    unit, scale = ("J", 1e-3) if float(frame["energy_mj"].sum()) > 1e4 else ("mJ", 1.0)
    bars = {
        str(name): {
            str(part): scale * float(mj) for part, mj in zip(own[parts], own["energy_mj"], strict=True)
        }
        for name, own in frame.groupby(rows, sort=False)
    }
    return image(drawn(bars_figure(bars, f"energy [{unit}]")), "energy by component", caption)


def _pivot(frame: pd.DataFrame, rows: str, columns: str, values: str, corner: str) -> str:
    """Sums of a column in mJ, crosswise, with the sum of each row."""
    crossed = frame.pivot_table(
        index=rows, columns=columns, values=values, aggfunc="sum", sort=False, observed=True
    )
    heads = [
        Head(corner),
        *(Head(f"{name} [mJ]", number=True) for name in crossed.columns),
        Head("sum [mJ]", "", True),
    ]
    lines = [
        [str(name), *(number(_value(v), ",.1f") for v in row), number(float(row.sum()), ",.1f")]
        for name, row in crossed.iterrows()
    ]
    return table(heads, lines)


def _value(value: float) -> float | None:
    return None if value != value else float(value)


def fallbacks(saved: Saved) -> Iterator[str]:
    """Operators that fell back to the CPU, by reason."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in records(saved.table("fallback_ops", ("app", "operator", "reason"))):
        found.setdefault((_who(row), str(row["reason"])), []).append(str(row["operator"]))
    heads = [
        Head("of"),
        Head("why they run on the CPU instead"),
        Head("operators", number=True),
        Head("which"),
    ]
    lines = [[who, why, str(len(names)), _listed(names)] for (who, why), names in found.items()]
    yield table(heads, lines)


def _listed(names: list[str], most: int = 24) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


def _who(row: Mapping[str, Any]) -> str:
    return str(row.get("run", row["app"]))


def rates(saved: Saved) -> Iterator[str]:
    """What simulated times rest on, and how far off that is known to be."""
    about = COLUMNS["rates"]
    heads = [
        Head("of"),
        Head("rates", about["rates"]),
        Head("grade", about["grade"]),
        heading("share", about),
    ]
    heads.append(
        Head("nine in ten measured ones", "as factors of a prediction: between which they are expected", True)
    )
    rows = records(saved.table("rates", ("app", *tuple(about)[1:])))
    ends = ["not known" if r["low"] is None else f"{r['low']:.2f} to {r['high']:.2f} times" for r in rows]
    lines = [
        [_who(row), str(row["rates"]), str(row["grade"] or "-"), number(row["share"], ".0%"), end]
        for row, end in zip(rows, ends, strict=True)
    ]
    yield table(heads, lines)


def predictions(saved: Saved) -> Iterator[str]:
    """How far the schedulers' latency predictors were off."""
    about = COLUMNS["prediction_error"]
    keys = (("n", "d"), ("mape", ".1%"), ("bias", "+.1%"), ("within_10", ".0%"))
    heads = [
        Head("of"),
        *(Head(key.replace("_", " "), about[key]) for key in ("predictor", "processor", "kernel_class")),
    ]
    heads += [heading(key, about) for key, _ in keys]
    rows = records(saved.table("prediction_error", tuple(about)))
    lines = [
        [_who(row), *(str(row[key]) for key in ("predictor", "processor", "kernel_class")),
         *(number(row[key], form) for key, form in keys)]
        for row in rows
    ]  # fmt: skip
    yield table(heads, lines)
