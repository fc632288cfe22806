"""``socsim show device``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from socsim.cli.list_devices import measured_rows
from socsim.cli.output import emit_json, emit_table, json_option, show_fields

if TYPE_CHECKING:
    from socsim.devices.device import Accelerator, Clocked, Cluster, Device, IdleState, Opp
    from socsim.devices.provenance import Provenance

__all__ = ["show_device"]


@click.command("device", short_help="Show a device, and where its numbers come from.")
@click.argument("name")
@click.option("-v", "--verbose", is_flag=True, help="List every number with its grade and source.")
@json_option
def show_device(name: str, verbose: bool, as_json: bool) -> None:
    """Show a device, by name or file, and where its numbers come from."""
    from socsim.devices.profile import load_device, provenance

    device, origins = load_device(name), provenance(name)
    if as_json:
        emit_json({**_device(device), "provenance": [origin._asdict() for origin in origins]})
        return
    _print_device(device)
    if verbose:
        emit_table(("number", "value", "grade", "source"), origins, title="\nevery number")
    else:
        _print_sources(origins)


def _device(device: Device) -> dict[str, Any]:
    return {
        "name": device.name,
        "title": device.title,
        "soc": device.soc,
        "clusters": [
            {
                "name": c.name,
                "core": c.core,
                "count": c.count,
                "mhz": _mhz(c.opps),
                "gmacs_per_s": _peak(c),
                "idle_states": [_idle_state(c, state) for state in c.idle_states],
            }
            for c in device.clusters
        ],
        "accelerators": [_accelerator(a) for a in device.accelerators.values()],
        "dram_gb_per_s": device.memory.bandwidth / 1e9,
        "board_w": device.board_power,
        "rails": {rail: list(components) for rail, components in device.rails.items()},
        "meters": {meter: list(rails) for meter, rails in device.meters.items()},
        "mode": device.mode,
        "modes": list(device.modes),
        "calibrations": _calibrations(device),
        "grades": dict(device.grades),
    }


def _calibrations(device: Device) -> list[dict[str, Any]]:
    from socsim.measurements import row_counts

    counts = row_counts()
    shown = ("library", "processor", "dtype", "layout", "grade")
    return [
        {
            **{key: getattr(c, key) for key in shown},
            "rows": measured_rows(counts, device.name, c.key),
            "source": c.source,
        }
        for c in device.calibrations.values()
    ]


def _accelerator(unit: Accelerator) -> dict[str, Any]:
    described = {"name": unit.name, "model": unit.model, "mhz": _mhz(unit.opps), "gmacs_per_s": _peak(unit)}
    return {**described, "layouts": list(unit.layouts)}


def _idle_state(cluster: Cluster, state: IdleState) -> dict[str, Any]:
    """Power in it is that of all the cluster's cores for states of the cluster, else of one core."""
    clock_gated = cluster.power.idle_at(cluster.max_opp) * (cluster.count if state.scope == "cluster" else 1)
    return {
        "name": state.name,
        "scope": state.scope,
        "entry_us": state.entry * 1e6,
        "exit_us": state.exit * 1e6,
        "min_residency_us": state.min_residency * 1e6,
        "power_mw": state.share * clock_gated * 1e3,
    }


def _mhz(opps: Iterable[Opp]) -> list[float]:
    return [opp.frequency / 1e6 for opp in opps]


def _peak(unit: Clocked) -> dict[str, float]:
    """Peak multiply-accumulates of a core or an accelerator in 10^9/s, by data type."""
    return {dtype: unit.peak(dtype) / 1e9 for dtype in unit.macs_per_cycle}


def _print_device(device: Device) -> None:
    data = _device(device)
    show_fields([("device", f"{device.title} ({device.name})"), ("SoC", device.soc)])
    rows = [(f"cpu {c['name']}", f"{c['count']} x {c['core']}", *_unit_cells(c)) for c in data["clusters"]]
    rows += [(a["name"], a["model"], *_unit_cells(a)) for a in data["accelerators"]]
    headers = ("processor", "model", "clock MHz", "points", "peak GMAC/s (CPU: one core)", "layouts")
    emit_table(headers, rows, title="\nprocessors")
    _print_idle_states(device, data)
    memory = [("DRAM", f"{data['dram_gb_per_s']:.1f} GB/s usable"), ("board", f"{data['board_w']:.2f} W")]
    seen = [(kind, name, parts) for kind in ("rail", "meter") for name, parts in data[f"{kind}s"].items()]
    fields = [*memory, *((f"{kind} {name}", ", ".join(parts)) for kind, name, parts in seen)]
    show_fields([*fields, *_modes(data)])
    told = ("library", "processor", "data type", "layout", "grade", ">measured rows", "rests on")
    emit_table(told, [_calibration_cells(c) for c in data["calibrations"]], title="\nrates of kernels")


def _calibration_cells(found: dict[str, Any]) -> tuple[str, ...]:
    """Cells of a parameter set; grade D means that it was not calibrated."""
    *key, grade, rows, source = found.values()
    return (*key, f"{grade}, not calibrated" if grade == "D" else grade, str(rows or ""), source)


def _print_idle_states(device: Device, data: dict[str, Any]) -> None:
    """What cores draw that do nothing, at the highest clock."""
    rows = []
    for cluster, shown in zip(device.clusters, data["clusters"], strict=True):
        gated = cluster.power.idle_at(cluster.max_opp) * 1e3
        rows.append((f"cpu {cluster.name}", "clock-gated", "core", "", "", "", f"{gated:.4g}"))
        for state in shown["idle_states"]:
            times = (f"{state[key]:.0f}" for key in ("entry_us", "exit_us", "min_residency_us"))
            rows.append(
                (f"cpu {cluster.name}", state["name"], state["scope"], *times, f"{state['power_mw']:.4g}")
            )
    headers = ("processor", "state", "of", ">entry us", ">exit us", ">pays from us", ">mW")
    emit_table(headers, rows, title="\nidle states")


def _modes(data: dict[str, Any]) -> list[tuple[str, str]]:
    others = [name for name in data["modes"] if name != data["mode"]]
    return [("power mode", f"{data['mode'] or 'none'} (others: {', '.join(others)})")] if others else []


def _unit_cells(unit: dict[str, Any]) -> tuple[str, ...]:
    mhz = unit["mhz"]
    clock = f"{mhz[0]:.0f} to {mhz[-1]:.0f}" if len(mhz) > 1 else f"{mhz[0]:.0f}"
    peak = ", ".join(f"{dtype} {value:.0f}" for dtype, value in unit["gmacs_per_s"].items())
    return clock, str(len(mhz)), peak, ", ".join(unit.get("layouts", ()))


def _print_sources(origins: Iterable[Provenance]) -> None:
    """Numbers by grade and source, with the blocks that they are in."""
    places: dict[tuple[str, str], list[str]] = defaultdict(list)
    for origin in origins:
        places[origin.grade, origin.source].append(origin.path)
    rows = [
        (grade, str(len(paths)), _blocks(paths), source) for (grade, source), paths in sorted(places.items())
    ]
    emit_table(
        ("grade", ">numbers", "of", "source"), rows, title="\nwhere the numbers come from (-v lists each)"
    )


def _blocks(paths: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(path.split(".")[0] for path in paths))
