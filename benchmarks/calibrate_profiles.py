"""Rates of every device that comes with socsim: fitted where there are measurements, else the nearest device's.

    python benchmarks/calibrate_profiles.py [--check] [--json] [SOC ...]

Writes device_profiles/kernels/SOC.yaml from the tables in socsim/measurements and the hardware in
device_profiles/socs. The same tables and hardware give the same files, byte for byte; --check only tells whether they
would differ. Files that are written by hand (snapdragon-855, kirin-990, tegra194-nx, exynos-5422) stay; what was
measured beside them is in SOC-measured.yaml.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from socsim.calibration.calibrate import Outcome, calibrate
from socsim.calibration.operators import NONE, OperatorTimes, read_operators
from socsim.calibration.report import held_out_accuracy
from socsim.calibration.tables import find_table, read_table
from socsim.calibration.writing import power_lines, set_lines, source_lines
from socsim.devices.device import Device
from socsim.devices.profile import device_names, load_device
from socsim.newdevice import rates_for
from socsim.newdevice.writing import calibration_block

ROOT = Path(__file__).resolve().parents[1]
PROFILES = ROOT / "device_profiles"
OPERATORS = ROOT / "socsim" / "measurements" / "qed_gpu_operators.csv.gz"


@dataclass(frozen=True)
class Target:
    """A file of rates.

    Parameters
    ----------
    device
        Device whose hardware it is for.
    tables
        Table, and what it calls the device.
    whole
        Whether rates of other devices fill what is not measured; not beside a file that is written by hand.
    """

    device: str
    tables: tuple[tuple[str, str], ...] = ()
    whole: bool = True


TARGETS: Mapping[str, Target] = {
    "bcm2711": Target("raspberry-pi-4", (("mlperf", "raspberry-pi-4"), ("ncnn", "raspberry-pi-4"))),
    "exynos-9820": Target("galaxy-s10", (("qed", "galaxy-s10"),)),
    "helio-p35": Target("galaxy-a03s", (("qed", "galaxy-a03s"),)),
    "kirin-960": Target("hikey960"),
    "kirin-970": Target("mate-10-pro", (("ncnn", "mate-10-pro"), ("paddlelite", "mate-10-pro"))),
    "kirin-980": Target("p30", (("paddlelite", "p30"),)),
    "mt8183": Target("mt8183-chromebook"),
    "rk3399": Target("rk3399", (("mlperf", "rk3399"), ("paddlelite", "rk3399"))),
    "rk3588": Target("rk3588", (("mlperf", "rk3588"), ("ncnn", "rk3588"))),
    "snapdragon-8-gen-2": Target("snapdragon-8-gen-2-phone", (("aihub", "snapdragon-8-gen-2-phone"),)),
    "snapdragon-845": Target("pixel-3", (("tensorflow", "pixel-3"), ("paddlelite", "xiaomi-8"))),
    "snapdragon-855-measured": Target(
        "pixel-4", (("qed", "pixel-4"), ("paddlelite", "xiaomi-9")), whole=False
    ),
    "snapdragon-855-plus": Target("oneplus-7t", (("ncnn", "oneplus-7t"),)),
    "snapdragon-865": Target("redmi-k30-pro"),
    "snapdragon-888": Target("mi-11-pro"),
    "tegra-x1": Target("jetson-nano", (("ncnn", "jetson-nano"),)),
    "tegra194-agx": Target(
        "jetson-agx-xavier", (("mlperf", "jetson-agx-xavier"), ("ncnn", "jetson-agx-xavier"))
    ),
    "tegra234": Target("jetson-orin", (("mlperf", "jetson-orin"),)),
}
"""File -> what it is made of."""

HEAD = """\
# {}: how fast kernels are, by benchmarks/calibrate_profiles.py: fitted to measurements where there are some, else as
# on the nearest device that was measured ("family")."""
FAMILY = (
    "socsim new-device: rates of the nearest device that was calibrated; nothing was measured on this one"
)

Sets = dict[str, dict[str, dict[str, dict[str, list[str]]]]]


def built(name: str, kernels: Mapping[str, str]) -> Device:
    """A device that comes with socsim, whose generated rates are none but those given: file -> text."""
    blocks = yaml.safe_load((PROFILES / f"{name}.yaml").read_text(encoding="utf-8"))
    generated = {f"kernels/{file}" for file in TARGETS}
    given = {f"kernels/{file}" for file in kernels}
    blocks["extends"] = [base for base in blocks["extends"] if base not in generated - given]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.yaml"
        path.write_text(yaml.safe_dump(blocks, sort_keys=False), encoding="utf-8")
        (path.parent / "kernels").mkdir()
        for file, text in kernels.items():
            (path.parent / "kernels" / f"{file}.yaml").write_text(text, encoding="utf-8")
        device = load_device(path)
    return device.in_mode("") if device.mode else device


def donors(fits: Mapping[str, Sequence[Outcome]]) -> list[Device]:
    """Devices of which something was measured, with that alone."""
    texts = {file: text(file, found, {}) for file, found in fits.items() if found}
    found = [built(name, texts) for name in device_names()]
    return [d for d in found if any(c.grade != "D" for c in d.calibrations.values())]


def measured(target: Target) -> tuple[list[Outcome], float]:
    """Fits to the tables, one after the other, and the seconds that they took."""
    device, found, begun = load_bare(target.device), [], time.perf_counter()
    for table, name in target.tables:
        times: OperatorTimes = read_operators(OPERATORS, name) if table == "qed" else NONE
        found.append(calibrate(device, read_table(find_table(table), device, name), operators=times))
        device = found[-1].device
    return found, time.perf_counter() - begun


def load_bare(name: str) -> Device:
    """A device in its usual mode, without generated rates."""
    device = built(name, {})
    return device.in_mode(device.default_mode) if device.default_mode else device


def text(file: str, outcomes: Sequence[Outcome], others: Mapping[str, Any]) -> str:
    """The file's text.

    Parameters
    ----------
    others
        Block ``calibration`` of rates of other devices; they are taken where nothing was measured.
    """
    sets: Sets = {}
    for outcome in outcomes:
        for one in outcome.calibrated:
            library, processor, dtype, layout = one.key
            own = sets.setdefault(library, {}).setdefault(processor, {})
            own.setdefault(dtype, {})[layout] = list(set_lines(one, outcome.table, outcome.device))
    lines = [HEAD.format(file), "sources:", *source_lines(outcome.table for outcome in outcomes)]
    if others:
        lines.append(f"  family: '{FAMILY}'")
        _fill(sets, others)
    for outcome in outcomes:
        lines += power_lines(outcome, board=False)
    return "\n".join([*lines, "calibration:", *_block(sets)]) + "\n"


def _fill(sets: Sets, others: Mapping[str, Any]) -> None:
    for library, processors in others.items():
        for processor, dtypes in processors.items():
            own = sets.setdefault(library, {}).setdefault(processor, {})
            for dtype, block in dtypes.items():
                for layout, values in ({"": block} if processor == "cpu" else block).items():
                    own.setdefault(dtype, {}).setdefault(layout, _yaml(values))


def _yaml(values: Any) -> list[str]:
    return str(yaml.safe_dump(values, sort_keys=False, default_flow_style=None, width=110)).splitlines()


def _block(sets: Sets) -> Iterable[str]:
    for library, processors in sorted(sets.items()):
        yield f"  {library}:"
        for processor, dtypes in sorted(processors.items()):
            yield f"    {processor}:"
            for dtype, layouts in sorted(dtypes.items()):
                yield f"      {dtype}:"
                for layout, lines in sorted(layouts.items()):
                    if layout:
                        yield f"        {layout}:"
                    yield from (" " * (10 if layout else 8) + line for line in lines)


def described(file: str, outcomes: Iterable[Outcome], seconds: float, same: bool) -> dict[str, Any]:
    """What of a file is measured, and how well."""
    sets = [
        {"set": "/".join(filter(None, one.key)), "networks": len(one.families), "mape": held and held.mape}
        for outcome in outcomes
        for one in outcome.calibrated
        for held in [held_out_accuracy(one)]
    ]
    return {"file": f"kernels/{file}.yaml", "seconds": round(seconds, 1), "same": same, "measured": sets}


def main() -> None:
    """Write the files, or check them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("socs", nargs="*", metavar="SOC", help="files to write; default all")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 if a file would change"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    wanted = {name: TARGETS[name] for name in arguments.socs or TARGETS}
    fits = {name: measured(target) for name, target in TARGETS.items()}
    known = donors({name: found for name, (found, _) in fits.items()})
    rows = []
    for name, target in wanted.items():
        outcomes, seconds = fits[name]
        sets = rates_for(load_bare(target.device), [target.device], known) if target.whole else ()
        new, path = text(name, outcomes, calibration_block(sets)), PROFILES / "kernels" / f"{name}.yaml"
        same = path.is_file() and path.read_text(encoding="utf-8") == new
        if not arguments.check:
            path.write_text(new, encoding="utf-8")
        rows.append(described(name, outcomes, seconds, same))
        if not arguments.json:
            print(_line(rows[-1]))
    if arguments.json:
        print(json.dumps(rows, indent=2))
    sys.exit(1 if arguments.check and not all(row["same"] for row in rows) else 0)


def _line(row: dict[str, Any]) -> str:
    told = [f"{s['set']} {100 * s['mape']:.0f} %" if s["mape"] else str(s["set"]) for s in row["measured"]]
    state = "as it was" if row["same"] else "changed"
    return f"{row['file']}: {row['seconds']} s, {state}; {', '.join(told) or 'nothing measured'}"


if __name__ == "__main__":
    main()
