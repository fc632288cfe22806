"""What is expected of TensorFlow Lite's, Arm NN's and ncnn's kernels: how much of the accuracy rests on it.

    python benchmarks/priors.py [--json]

Expectations of group convolutions, of Winograd, of what runs on one thread and of how soon threads meet were set with
the measurements in view that calibration is judged by. Here each device is calibrated three times, and held against
families of networks that the fit did not see: with expectations as they ship; without any that a library has of its
own; and with those taken from fits to the other devices of the table alone.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import exp, log
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from socsim.calibration import priors
from socsim.calibration.crossval import held_out
from socsim.calibration.families import row_families
from socsim.calibration.features import Team, cpu_kernels
from socsim.calibration.fit import Fit, Series, fit
from socsim.calibration.metrics import accuracy
from socsim.calibration.model import CpuModel
from socsim.calibration.networks import Networks
from socsim.calibration.space import Space, cpu_space
from socsim.calibration.tables import find_table, read_table
from socsim.devices.device import Device
from socsim.devices.profile import load_device
from socsim.workloads.library import load_library

_BOARDS = ("raspberry-pi-4", "rk3588", "jetson-agx-xavier", "jetson-orin", "rk3399")
CASES: Mapping[tuple[str, str, str], tuple[str, ...]] = {
    ("qed", "tflite", "fp32"): ("pixel-4", "galaxy-s10", "galaxy-a03s"),
    ("qed", "tflite", "int8"): ("pixel-4", "galaxy-s10", "galaxy-a03s"),
    ("mlperf", "tflite", "fp32"): _BOARDS,
    ("mlperf", "tflite", "int8"): _BOARDS,
    ("mlperf", "armnn", "fp32"): _BOARDS,
    ("mlperf", "armnn", "int8"): _BOARDS[:-1],
    ("ncnn", "ncnn", "fp16"): ("oneplus-7t", "rk3588", "jetson-agx-xavier"),
    ("ncnn", "ncnn", "fp32"): ("mate-10-pro", "raspberry-pi-4", "jetson-nano"),
}
"""Table, library and data type -> devices."""

OWN = frozenset(
    {"grouped", "depthwise", "winograd43", "winograd63", "conv_shallow", "eltwise", "norm", "activation"}
)
"""Classes of which something is expected of a library's own."""


class Case:
    """Measurements of one device."""

    def __init__(self, table: str, library: str, dtype: str, name: str) -> None:
        device = load_device(name)
        self.device: Device = device
        own, networks = load_library(library), Networks(None)
        rows = [
            row
            for row in read_table(find_table(table), device, name).rows
            if (row.library, row.processor, row.precision) == (library, "cpu", dtype)
        ]
        graphs = {m: networks.load(m, own) for m in sorted({row.model for row in rows})}
        fastest = device.cores[device.fastest_core]
        kernels, self.families = cpu_kernels(own, dtype, graphs, fastest), dict(row_families(rows))
        self.series, teams = [], []
        for mask in sorted({row.cores for row in rows}):
            team = Team.of(device, own, mask)
            here = sorted((row for row in rows if row.cores == mask), key=lambda row: row.model)
            model = CpuModel(kernels.select([row.model for row in here]), team, dtype)
            self.series.append(Series(model, np.array([row.latency for row in here])))
            teams.append(team.cores)
        self.space = cpu_space(library, dtype, kernels.classes, teams)
        self.first = (
            teams[0][0]
            if len(teams) == 1
            else max((c for t in teams for c in t), key=lambda c: c.peak("fp32"))
        )
        self.plain = _plain(self.space, library, dtype, self.first)

    def error(self, space: Space) -> float:
        """Mean error on families that a fit did not see, as a share."""
        found = held_out(self.series, self.families, lambda some: fit(space, some))
        measured = np.concatenate([s.seconds for s in self.series])
        return accuracy(measured, np.concatenate(found)).mape

    def fitted(self) -> Fit:
        """The fit to all rows, without expectations of the library's own."""
        return fit(self.plain, self.series)


def _class_of(name: str) -> str:
    return name.rpartition(".")[2]


def _plain(space: Space, library: str, dtype: str, first: Any) -> Space:
    """Expectations of any library's kernels, wide ones for classes that the library has its own of."""
    parameters = []
    for p in space.parameters:
        if p.quantity == "efficiency":
            rate = priors.class_rate("", "cpu", dtype, _class_of(p.name))
            p = replace(p, median=rate.efficiency(first, dtype), spread=rate.spread)
        elif p.quantity == "serial_share":
            p = replace(p, median=0.1, spread=1.0)
        elif p.quantity == "fork_join":
            median, spread = priors.meeting_prior("")
            p = replace(p, median=median, spread=spread)
        parameters.append(p)
    return Space(space.fixed, tuple(parameters))


def _from_others(case: Case, others: Sequence[tuple[Case, Fit]]) -> Space:
    """Expectations from fits to other devices: the mean of what they came to, as a share of the expectation of any."""
    told = [
        {
            p.name: float(value) - log(p.median)
            for p, value in zip(found.space.parameters, found.vector, strict=True)
        }
        for _, found in others
    ]
    parameters = []
    for p in case.plain.parameters:
        known = [own[p.name] for own in told if p.name in own]
        mine = p.quantity == "serial_share" or (p.quantity == "efficiency" and _class_of(p.name) in OWN)
        if known and mine:
            p = replace(p, median=min(p.high * 0.99, p.median * exp(fmean(known))), spread=0.4)
        elif known and p.quantity == "fork_join":
            p = replace(p, median=p.median * exp(fmean(known)))
        parameters.append(p)
    return Space(case.plain.fixed, tuple(parameters))


def rows() -> list[dict[str, Any]]:
    """A row for each device and data type."""
    found = []
    for (table, library, dtype), names in CASES.items():
        cases = {name: Case(table, library, dtype, name) for name in names}
        fits = {name: case.fitted() for name, case in cases.items()}
        for name, case in cases.items():
            others = [(cases[other], fits[other]) for other in names if other != name]
            found.append(
                {
                    "device": name, "library": library, "precision": dtype,
                    "as_shipped": case.error(case.space), "none": case.error(case.plain),
                    "from_other_devices": case.error(_from_others(case, others)),
                }
            )  # fmt: skip
    return found


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    found = rows()
    if arguments.json:
        print(json.dumps(found, indent=2))
        return
    print("mean error on families of networks that were not fitted, all sets of cores")
    for row in found:
        errors = (
            f"{what.replace('_', ' ')} {row[what]:.1%}"
            for what in ("as_shipped", "none", "from_other_devices")
        )
        print(f"{row['device']:18} {row['library']} {row['precision']}: {', '.join(errors)}")


if __name__ == "__main__":
    main()
