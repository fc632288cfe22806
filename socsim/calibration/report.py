"""What a calibration found, as plain values: for JSON, for tables, for a profile's sources."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from socsim.calibration.calibrate import Calibrated, Outcome, Part
from socsim.calibration.features import FloatArray
from socsim.calibration.metrics import Accuracy, accuracy, interval, unusual
from socsim.calibration.power import SetPower, known
from socsim.devices.device import Device

__all__ = ["IDENTIFIED", "described", "held_out_accuracy", "kept", "kind_of_cores", "range_of", "summary"]

IDENTIFIED = 0.5
"""Share of what was unknown of a parameter that measurements must have removed to have told it."""
_AT = 1e-3
"""Distance in the logarithm at which a parameter counts as held back by its bound."""


def described(outcome: Outcome) -> dict[str, Any]:
    """Everything, for JSON."""
    power = outcome.power
    return {
        "device": outcome.device.name,
        "table": outcome.table.path,
        "rows": len(outcome.table.rows),
        "warnings": [*outcome.table.warnings, *outcome.warnings],
        "calibrations": [_calibration(found) for found in outcome.calibrated],
        "power": power and {
            "board_w": power.board,
            "idle_rows": power.idle_rows,
            "processors": [
                {"processor": p.processor, "factor": p.factor, "rows": p.n, "energy_mape": p.mape, "told": known(p)}
                for p in power.processors
            ],
            "sets": [_set_power(key, own) for key, own in power.sets.items()],
        },
    }  # fmt: skip


def kept(outcome: Outcome, device: Device) -> list[str]:
    """Parameter sets of a device that a calibration did not fit: those that a written file takes over from it."""
    fitted = {found.key for found in outcome.calibrated}
    return [" ".join(filter(None, key)) for key in sorted(device.calibrations) if key not in fitted]


def _set_power(key: tuple[str, str, str, str], own: SetPower) -> dict[str, Any]:
    library, processor, dtype, layout = key
    return {
        "library": library,
        "processor": processor,
        "precision": dtype,
        "layout": layout,
        "computing": own.power.computing,
        "waiting": own.power.waiting,
        "rows": own.n,
        "energy_mape": own.mape,
        "cross_validated_energy_mape": own.power.mape,
    }


def _calibration(found: Calibrated) -> dict[str, Any]:
    library, processor, dtype, layout = found.key
    low, high = range_of(found)
    held = held_out_accuracy(found)
    return {
        "library": library,
        "processor": processor,
        "precision": dtype,
        "layout": layout,
        "networks": len(found.families),
        "families": len(set(found.families.values())),
        "rows": sum(len(part.rows) for part in found.parts),
        "fitted": _all(found.parts, fitted=True).as_dict(),
        "cross_validated": held.as_dict() if held else None,
        "by_cores": [_part(part) for part in found.parts],
        "by_family": _by_family(found),
        "interval_90": {"low": low, "high": high},
        "parameters": list(_parameters(found)),
        "outliers": [row for part in found.parts for row in _outliers(part)],
    }


def _part(part: Part) -> dict[str, Any]:
    crossed = not np.isnan(part.predicted).any()
    return {
        "cores": part.cores,
        "fitted": accuracy(part.measured, part.fitted).as_dict(),
        "cross_validated": accuracy(part.measured, part.predicted).as_dict() if crossed else None,
    }


def _by_family(found: Calibrated) -> list[dict[str, Any]]:
    """Mean relative errors of predictions by fits to other families."""
    errors: dict[str, list[float]] = defaultdict(list)
    for part in found.parts:
        for row, measured, predicted in zip(part.rows, part.measured, part.predicted, strict=True):
            errors[found.families[row.model]].append(float(predicted / measured - 1.0))
    return [
        {"family": name, "n": len(own), "bias": float(np.mean(own)), "mape": float(np.mean(np.abs(own)))}
        for name, own in sorted(errors.items())
    ]


def _outliers(part: Part) -> Iterable[dict[str, Any]]:
    for i in unusual(part.measured, part.fitted):
        row = part.rows[int(i)]
        yield {
            "model": row.model,
            "cores": part.cores,
            "line": row.line,
            "measured_ms": 1e3 * float(part.measured[i]),
            "fitted_ms": 1e3 * float(part.fitted[i]),
            "error": float(part.fitted[i] / part.measured[i] - 1.0),
        }


def _parameters(found: Calibrated) -> Iterable[dict[str, Any]]:
    fit = found.fit
    for p, value, error, learned, low, high in zip(
        fit.space.parameters, fit.vector, fit.deviations, fit.learned, *fit.space.bounds, strict=True
    ):
        yield {
            "name": p.name,
            "value": float(np.exp(value)),
            "standard_error": float(error),
            "expected": p.median,
            "learned": float(learned),
            "identified": bool(learned >= IDENTIFIED),
            "at_bound": bool(min(value - low, high - value) < _AT),
        }


def _gathered(parts: Sequence[Part], name: str) -> FloatArray:
    return np.concatenate([getattr(part, name) for part in parts])


def _all(parts: Sequence[Part], *, fitted: bool) -> Accuracy:
    return accuracy(_gathered(parts, "measured"), _gathered(parts, "fitted" if fitted else "predicted"))


def held_out_accuracy(found: Calibrated) -> Accuracy | None:
    """Errors on networks of families that were not fitted; None where there is one family only."""
    if np.isnan(_gathered(found.parts, "predicted")).any():
        return None
    return _all(found.parts, fitted=False)


def range_of(found: Calibrated) -> tuple[float, float]:
    """Factors of a prediction between which nine in ten measurements of other networks are expected.

    By the errors on families that were left out of a fit; where there is one family only, by those of the fit.
    """
    crossed = held_out_accuracy(found) is not None
    predicted = _gathered(found.parts, "predicted" if crossed else "fitted")
    return interval(_gathered(found.parts, "measured"), predicted, len(found.families))


def kind_of_cores(cores: str) -> str:
    """How a set of cores is called in a summary."""
    return cores or "-"


def summary(outcome: Outcome) -> list[tuple[str, ...]]:
    """Rows of a table: what, cores, networks, errors of the fit and on unknown families."""
    rows: list[tuple[str, ...]] = []
    for found in outcome.calibrated:
        what = " ".join(filter(None, found.key))
        for part in found.parts:
            inside = accuracy(part.measured, part.fitted)
            crossed = not np.isnan(part.predicted).any()
            outside = accuracy(part.measured, part.predicted) if crossed else None
            rows.append(
                (
                    what, kind_of_cores(part.cores), str(inside.n), f"{100 * inside.mape:.1f} %",
                    f"{100 * outside.mape:.1f} %" if outside else "-",
                    f"{100 * outside.within_10:.0f} %" if outside else "-",
                    f"{outside.spearman:.3f}" if outside else "-",
                )
            )  # fmt: skip
    return rows
