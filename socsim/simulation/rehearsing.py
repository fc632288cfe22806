"""What a rehearsed run has led to."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import replace
from typing import Any

from socsim.schedulers.base import Scheduler
from socsim.schedulers.managers.device import Rehearsal
from socsim.simulation.inferencelog import InferenceRecord
from socsim.simulation.records import Outcome
from socsim.workloads.apps import Inference

__all__ = ["copied", "rehearsal_of"]


def copied(apps: Iterable[Any]) -> list[Any]:
    """Applications with schedulers of their own: what one run teaches them is not known in another."""
    memo: dict[int, Any] = {}
    return [
        replace(app, scheduler=deepcopy(app.scheduler, memo))
        if isinstance(app, Inference) and isinstance(app.scheduler, Scheduler)
        else app
        for app in apps
    ]


def rehearsal_of(outcome: Outcome) -> Rehearsal:
    """A finished run, in brief."""
    own: dict[str, list[InferenceRecord]] = {app: [] for app in outcome.apps}
    for record in sorted(outcome.inferences, key=lambda r: r.number):
        own[record.app].append(record)
    done = {app: [r for r in records if r.status == "finished"] for app, records in own.items()}
    return Rehearsal(
        duration_s=outcome.duration_s,
        energy_j={**outcome.rails_j, **outcome.meters_j, "total": sum(outcome.energy_j.values())},
        latencies_s={app: [r.finish_s - r.arrival_s for r in records] for app, records in done.items()},
        arrivals_s={app: [r.arrival_s for r in records] for app, records in done.items()},
        levels={app: [r.level or 1 for r in records] for app, records in done.items()},
        unfinished={app: len(own[app]) - len(done[app]) for app in own},
    )
