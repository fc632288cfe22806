"""Simulated latencies beside measured ones, library by library, and what they say of the schedulers.

    python benchmarks/anchors.py [--json]

Measured values and their sources are in anchors.csv. One parameter set for each device, library, processor, data type
and layout; none for a network.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import sys
from functools import cache
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import socsim

_TABLE = Path(__file__).with_name("anchors.csv")


@cache
def simulated_ms(device: str, library: str, scheduler: str, dtype: str, cores: str, model: str) -> float:
    """Latency of one inference on the idle phone."""
    comparison = socsim.compare(
        device, model, [scheduler], library=library, dtype=dtype, cores=cores, inferences=1
    )
    return float(comparison.rows[0]["latency_ms_mean"])


def anchors() -> list[dict[str, Any]]:
    """One row for each measured latency, with the simulated one and the relative error."""
    with _TABLE.open(newline="") as file:
        rows: list[dict[str, Any]] = list(csv.DictReader(file))
    for row in rows:
        where = (row["device"], row["library"], row["scheduler"], row["dtype"], row["cores"], row["model"])
        row["measured_ms"] = float(row["measured_ms"])
        row["simulated_ms"] = simulated_ms(*where)
        row["error"] = row["simulated_ms"] / row["measured_ms"] - 1.0
    return rows


def ratios(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Ratios between schedulers, simulated and measured."""

    def pair(device: str, model: str, over: str, under: str) -> dict[str, float]:
        found = {
            r["scheduler"].partition("(")[0]: r for r in rows if (r["device"], r["model"]) == (device, model)
        }
        return {
            kind: found[over][f"{kind}_ms"] / found[under][f"{kind}_ms"] for kind in ("simulated", "measured")
        }

    models = ("yolov2", "vgg16", "posenet", "fast_style_transfer")
    named = {
        f"mulayer / gpu, fast_style_transfer, {d}": pair(d, "fast_style_transfer", "mulayer", "gpu")
        for d in ("xiaomi-9", "honor-v30-pro")
    }
    for device in ("xiaomi-9", "honor-v30-pro"):
        for other in ("cpu", "gpu", "mulayer"):
            pairs = [pair(device, model, other, "codl") for model in models]
            named[f"{other} / codl, mean of {len(models)}, {device}"] = {
                kind: statistics.mean(p[kind] for p in pairs) for kind in ("simulated", "measured")
            }
    return named


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    rows = anchors()
    if arguments.json:
        print(json.dumps({"anchors": rows, "ratios": ratios(rows)}, indent=2))
        return
    for row in rows:
        what = f"{row['device']:13} {row['library']:6} {row['scheduler']:18} {row['cores'] or '-':8} {row['model']:20}"
        print(
            f"{what} {row['measured_ms']:8.1f} ms measured {row['simulated_ms']:8.1f} simulated {row['error']:+6.0%}"
        )
    for name, ratio in ratios(rows).items():
        print(f"{name}: {ratio['simulated']:.2f} simulated, {ratio['measured']:.2f} measured")


if __name__ == "__main__":
    main()
