"""Energy by application: what each one's work caused, and what nobody did."""

from __future__ import annotations

from collections.abc import Iterator

from socsim.simulation.records import Outcome

__all__ = ["IDLE", "caused_j", "energy_by_app", "energy_rows"]

IDLE = "idle"
"""Kind of what nobody caused: idle units, the DRAM's background, the board."""

Row = tuple[str, str, str, float, float, float]


def caused_j(outcome: Outcome, app: str) -> float:
    """Energy in J that an application's work added to the idle device."""
    return sum(r.energy_j for r in outcome.used if r.app == app and r.kind != IDLE)


def energy_by_app(outcome: Outcome) -> dict[str, float]:
    """Energy in J by application, in order, and last ``"idle"``, what nobody caused; sums to the device's.

    An application that is itself called ``"idle"`` is told as ``"idle (application)"``.
    """
    found: dict[str, float] = {}
    for r in outcome.used:
        name = IDLE if r.kind == IDLE else f"{r.app} (application)" if r.app == IDLE else r.app
        found[name] = found.get(name, 0.0) + r.energy_j
    return found


def energy_rows(outcome: Outcome) -> Iterator[Row]:
    """Application, kind, component, energy in mJ, the same with its part of the idle energy, and busy time in ms.

    What nobody caused is shared out component by component, each application paying for as much as it had processors:
    its busy time on cores and accelerators over that of all. With nobody busy it stays where it is.
    """
    idle = {r.component: r.energy_j for r in outcome.used if r.kind == IDLE}
    busy: dict[str, float] = {}
    for r in outcome.used:
        if r.kind != IDLE:
            busy[r.app] = busy.get(r.app, 0.0) + r.busy_s
    total = sum(busy.values())
    paid = {app: time / total if total else 0.0 for app, time in busy.items()}
    for (app, kind, component), (joules, seconds) in _all_pairs(outcome, list(idle)).items():
        part = paid.get(app, 0.0) * idle.get(component, 0.0) if kind != IDLE else -joules * (total > 0.0)
        yield app, kind, component, joules * 1e3, (joules + part) * 1e3, seconds * 1e3


def _all_pairs(outcome: Outcome, components: list[str]) -> dict[tuple[str, str, str], tuple[float, float]]:
    """Energy in J and busy time in s by application, kind and component, each application with all components."""
    found: dict[tuple[str, str, str], tuple[float, float]] = {}
    for r in outcome.used:
        for component in components:
            found.setdefault((r.app, r.kind, component), (0.0, 0.0))
        found[r.app, r.kind, r.component] = (r.energy_j, r.busy_s)
    return found
