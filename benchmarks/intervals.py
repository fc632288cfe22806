"""How many measurements the intervals of predictions hold, family of networks by family.

    python benchmarks/intervals.py [--json] [SOC ...]

Each parameter set is fitted as benchmarks/calibrate_profiles.py does. Of each family of networks, an interval is made
of the errors on all *other* families (each predicted by fits without it), and the family's own rows are held against
it: neither the prediction nor its interval has seen them. Beside it stands the span of those errors' 5th to 95th
percentile.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.calibrate_profiles import TARGETS, measured
from socsim.calibration.calibrate import Calibrated
from socsim.calibration.metrics import interval

SIZES = (5, 15, 25, 1000)
"""Most networks of the groups that are told."""


@dataclass(frozen=True)
class Held:
    """Rows of one parameter set within intervals that did not see them."""

    device: str
    key: str
    networks: int
    rows: int
    inside: int
    in_span: int


def main() -> None:
    """Print shares by size of the parameter sets."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("socs", nargs="*", metavar="SOC", help=f"default all: {', '.join(TARGETS)}")
    parser.add_argument("--json", action="store_true", help="a row for each parameter set")
    args = parser.parse_args()
    found = [one for soc in args.socs or TARGETS for one in coverage(soc)]
    if args.json:
        print(json.dumps([vars(one) for one in found], indent=2))
        return
    print(f"{'networks':>10} {'sets':>5} {'rows':>6} {'in interval':>12} {'5 to 95 % of errors':>20}")
    for row in summary(found):
        print("{:>10} {:>5} {:>6} {:>12.1%} {:>20.1%}".format(*row.values()))


def coverage(soc: str) -> Iterator[Held]:
    """Every parameter set of a file of rates that has rows of several families."""
    target = TARGETS[soc]
    outcomes, _ = measured(target)
    for outcome in outcomes:
        for found in outcome.calibrated:
            if not any(np.isnan(part.predicted).any() for part in found.parts):
                yield held(outcome.device.name, found)


def held(device: str, found: Calibrated) -> Held:
    """Rows of a parameter set within intervals by the other families."""
    models = np.array([row.model for part in found.parts for row in part.rows])
    ratios = np.concatenate([part.measured / part.predicted for part in found.parts])
    families = np.array([found.families[model] for model in models])
    inside = in_span = 0
    for family in sorted(set(families)):
        own, others = ratios[families == family], ratios[families != family]
        low, high = interval(others, np.ones(len(others)), len(set(models[families != family])))
        inside += int(((low <= own) & (own <= high)).sum())
        low, high = np.quantile(others, 0.05, method="lower"), np.quantile(others, 0.95, method="higher")
        in_span += int(((low <= own) & (own <= high)).sum())
    return Held(device, "/".join(filter(None, found.key)), len(set(models)), len(ratios), inside, in_span)


def summary(found: Sequence[Held]) -> Iterator[dict[str, Any]]:
    """Shares of rows by how many networks a set has, and of all."""
    least = 0
    for most in SIZES:
        own = [one for one in found if least < one.networks <= most]
        if own:
            yield {
                "networks": f"{min(o.networks for o in own)} to {max(o.networks for o in own)}",
                **_shares(own),
            }
        least = most
    yield {"networks": "all", **_shares(found)}


def _shares(found: Iterable[Held]) -> dict[str, Any]:
    own = list(found)
    rows = sum(one.rows for one in own)
    inside, in_span = sum(one.inside for one in own), sum(one.in_span for one in own)
    return {"sets": len(own), "rows": rows, "inside": inside / rows, "in_span": in_span / rows}


if __name__ == "__main__":
    main()
