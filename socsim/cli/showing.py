"""``socsim show``."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from socsim.cli.output import emit_json, emit_table, json_option, show_fields
from socsim.cli.shapes import load, model_options

if TYPE_CHECKING:
    from socsim.devices.device import Device, Opp
    from socsim.devices.provenance import Provenance
    from socsim.workloads.graph import ModelGraph
    from socsim.workloads.library import Library

__all__ = ["show"]


@click.group()
def show() -> None:
    """Show one device, model, library or scheduler."""


# --- devices ------------------------------------------------------------------------------------------------------


@show.command("device")
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
            {"name": c.name, "core": c.core, "count": c.count, "mhz": _mhz(c.opps), "gmacs_per_s": _peak(c)}
            for c in device.clusters
        ],
        "accelerators": [
            {
                "name": a.name,
                "model": a.model,
                "mhz": _mhz(a.opps),
                "gmacs_per_s": _peak(a),
                "layouts": list(a.layouts),
            }
            for a in device.accelerators.values()
        ],
        "dram_gb_per_s": device.memory.bandwidth / 1e9,
        "board_w": device.board_power,
        "rails": {rail: list(components) for rail, components in device.rails.items()},
        "calibrations": [
            {
                "library": c.library,
                "processor": c.processor,
                "dtype": c.dtype,
                "layout": c.layout,
                "grade": c.grade,
            }
            for c in device.calibrations.values()
        ],
        "grades": dict(device.grades),
    }


def _mhz(opps: Iterable[Opp]) -> list[float]:
    return [opp.frequency / 1e6 for opp in opps]


def _peak(unit: Any) -> dict[str, float]:
    """Peak multiply-accumulates of a core or an accelerator in 10^9/s, by data type."""
    return {dtype: macs * unit.max_opp.frequency / 1e9 for dtype, macs in unit.macs_per_cycle.items()}


def _print_device(device: Device) -> None:
    data = _device(device)
    show_fields([("device", f"{device.title} ({device.name})"), ("SoC", device.soc)])
    rows = [(f"cpu {c['name']}", f"{c['count']} x {c['core']}", *_unit_cells(c)) for c in data["clusters"]]
    rows += [(a["name"], a["model"], *_unit_cells(a)) for a in data["accelerators"]]
    headers = ("processor", "model", "clock MHz", "points", "peak GMAC/s (of one core)", "layouts")
    emit_table(headers, rows, title="\nprocessors")
    memory = [("DRAM", f"{data['dram_gb_per_s']:.1f} GB/s usable"), ("board", f"{data['board_w']:.2f} W")]
    show_fields([*memory, *((f"rail {rail}", ", ".join(parts)) for rail, parts in data["rails"].items())])
    calibrated = [tuple(c.values()) for c in data["calibrations"]]
    emit_table(
        ("library", "processor", "data type", "layout", "grade"), calibrated, title="\ncalibrated kernels"
    )


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


# --- models -------------------------------------------------------------------------------------------------------


@show.command("model")
@click.argument("name")
@model_options
@click.option("-v", "--verbose", is_flag=True, help="List every operator.")
@json_option
def show_model(name: str, shapes: tuple[str, ...], no_fuse: bool, verbose: bool, as_json: bool) -> None:
    """Show a network, by name or ONNX file."""
    graph = load(name, shapes, no_fuse)
    summary = _model(graph)
    if as_json:
        emit_json(summary)
        return
    show_fields(
        [
            ("network", graph.name),
            ("operators", summary["operators"]),
            ("multiply-accumulates", f"{graph.macs / 1e6:,.1f} M"),
            ("parameters", f"{graph.parameters / 1e6:,.2f} M"),
            ("inputs", _shapes(summary["inputs"])),
            ("outputs", _shapes(summary["outputs"])),
            ("peak memory", f"{summary['peak_memory_mb']:,.1f} MB in fp32"),
        ]
    )
    _print_types(graph)
    if verbose:
        rows = [
            (op.name, op.type, _shape(graph.output_shape(op)), f"{op.macs / 1e6:,.2f}", op.weights)
            for op in graph
        ]
        emit_table(("operator", "type", "output", ">MMAC", ">parameters"), rows, title="\noperators")


def _model(graph: ModelGraph) -> dict[str, Any]:
    return {
        "name": graph.name,
        "operators": len(graph),
        "macs": graph.macs,
        "parameters": graph.parameters,
        "inputs": {name: list(graph.tensors[name].shape) for name in graph.inputs},
        "outputs": {name: list(graph.tensors[name].shape) for name in graph.outputs},
        "peak_memory_mb": graph.peak_memory_bytes() / 1e6,
    }


def _shapes(tensors: dict[str, list[int]]) -> str:
    return ", ".join(f"{name} {_shape(shape)}" for name, shape in tensors.items())


def _shape(shape: Iterable[int]) -> str:
    return "x".join(map(str, shape)) or "scalar"


def _print_types(graph: ModelGraph) -> None:
    counts: dict[str, list[int]] = {}
    for op in graph:
        entry = counts.setdefault(op.type, [0, 0])
        entry[0] += 1
        entry[1] += op.macs
    rows = [
        (kind, n, f"{macs / 1e6:,.1f}") for kind, (n, macs) in sorted(counts.items(), key=lambda x: -x[1][1])
    ]
    emit_table(("operator type", ">count", ">MMAC"), rows, title="")


# --- libraries ----------------------------------------------------------------------------------------------------


@show.command("library")
@click.argument("name")
@json_option
def show_library(name: str, as_json: bool) -> None:
    """Show an inference library, by name or file: what it runs where."""
    from socsim.workloads.library import load_library

    library = load_library(name)
    if as_json:
        emit_json(_library(library))
        return
    threads = library.threads or "one for each core"
    show_fields(
        [
            ("library", f"{library.title} ({library.name})"),
            ("CPU cores", library.cores),
            ("threads", threads),
            (
                "work of a kernel is divided",
                {"static": "equally", "capacity": "by core speed"}[library.chunking],
            ),
        ]
    )
    rows = [
        (
            backend["processor"],
            ", ".join(backend["dtypes"]),
            backend["layout"],
            len(backend["operators"]),
            backend["else"],
        )
        for backend in _library(library)["backends"]
    ]
    emit_table(("processor", "data types", "layout", ">operator types", "others"), rows, title="\nkernels")
    columns = [(b["processor"], b["layout"], b["operators"]) for b in _library(library)["backends"]]
    types = sorted({t for _, _, operators in columns for t in operators})
    marks = [
        (t, *("yes" if t in ops and not ops[t] else "if" if t in ops else "-" for _, _, ops in columns))
        for t in types
    ]
    emit_table(
        ("operator type", *(f"{p} {x}".strip() for p, x, _ in columns)),
        marks,
        title="\nsupport (if: under conditions)",
    )


def _library(library: Library) -> dict[str, Any]:
    backends = [
        {
            "processor": processor,
            "dtypes": list(backend.dtypes),
            "layout": layout,
            "else": {"cpu": "fall back to the CPU", "fail": "network refused"}[backend.on_unsupported],
            "operators": {name: dict(when) for name, when in table.items()},
        }
        for processor, backend in library.backends.items()
        for layout, table in backend.tables.items()
    ]
    fields = {
        "name": library.name,
        "title": library.title,
        "cores": library.cores,
        "threads": library.threads,
    }
    return {**fields, "chunking": library.chunking, "host": library.host, "backends": backends}


# --- schedulers ---------------------------------------------------------------------------------------------------


@show.command("scheduler")
@click.argument("name")
@json_option
def show_scheduler(name: str, as_json: bool) -> None:
    """Show a scheduler, by name or module:Class: what it does, and its options."""
    from socsim.schedulers.registry import make_scheduler

    scheduler = make_scheduler(name)
    cls = type(scheduler)
    options = {p.name: _default(p) for p in list(inspect.signature(cls.__init__).parameters.values())[1:]}
    about = {
        "name": name,
        "class": f"{cls.__module__}:{cls.__qualname__}",
        "kind": _base_name(cls),
        "options": options,
        "predictor": scheduler.predictor,
        "decision_time_ms": scheduler.decision_time * 1e3,
        "description": inspect.cleandoc(cls.__doc__ or ""),
    }
    if as_json:
        emit_json(about)
        return
    click.echo(f"{about['description']}\n")
    fields = [(key, about[key]) for key in ("class", "kind", "predictor", "decision_time_ms")]
    show_fields([*fields, ("options", ", ".join(f"{k}={v!r}" for k, v in options.items()) or "none")])


def _default(parameter: inspect.Parameter) -> object:
    return "required" if parameter.default is parameter.empty else parameter.default


def _base_name(cls: type) -> str:
    from socsim.schedulers import base

    kinds = (base.SplitScheduler, base.StaticScheduler, base.OnlineScheduler)
    return next((kind.__name__ for kind in kinds if issubclass(cls, kind)), cls.__name__)
