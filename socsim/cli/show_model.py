"""``socsim show model``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from socsim.cli.options import accuracy_option
from socsim.cli.output import emit_json, emit_table, json_option, show_fields
from socsim.cli.shapes import load, model_options

if TYPE_CHECKING:
    from socsim.workloads.graph import ModelGraph

__all__ = ["scaled", "show_model"]

_PREFIXES = ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"))


@click.command("model", short_help="Show a network, by name or ONNX file.")
@click.argument("name")
@model_options
@accuracy_option
@click.option("-v", "--verbose", is_flag=True, help="List every operator.")
@json_option
def show_model(
    name: str, shapes: tuple[str, ...], no_fuse: bool, accuracy: str, verbose: bool, as_json: bool
) -> None:
    """Show a network, by name or ONNX file; transforms after it, as in 'resnet50+prune(0.5)', step by step."""
    graph = load(name, shapes, no_fuse, accuracy)
    summary = _model(graph)
    if graph.lineage:
        summary |= _transforms(graph, load(_base(name), shapes, no_fuse))
    if as_json:
        emit_json(summary)
        return
    show_fields(
        [
            ("network", graph.name),
            ("operators", summary["operators"]),
            ("multiply-accumulates", scaled(graph.macs)),
            ("parameters", scaled(graph.parameters)),
            ("inputs", _shapes(summary["inputs"])),
            ("outputs", _shapes(summary["outputs"])),
            ("peak memory", f"{summary['peak_memory_mb']:,.1f} MB in {graph.dtype or 'fp32'}"),
            *([("accuracy", _cost(graph, accuracy))] if graph.lineage else []),
        ]
    )
    if graph.lineage:
        _print_steps(summary["steps"])
    _print_types(graph)
    if verbose:
        rows = [
            (op.name, op.type, _shape(graph.output_shape(op)), scaled(op.macs), op.weights) for op in graph
        ]
        emit_table(("operator", "type", "output", ">MAC", ">parameters"), rows, title="\noperators")


def _model(graph: ModelGraph) -> dict[str, Any]:
    return {
        "name": graph.name,
        "operators": len(graph),
        "macs": graph.macs,
        "parameters": graph.parameters,
        "inputs": {name: list(graph.tensors[name].shape) for name in graph.inputs},
        "outputs": {name: list(graph.tensors[name].shape) for name in graph.outputs},
        "peak_memory_mb": graph.peak_memory_bytes(graph.dtype or "fp32") / 1e6,
    }


def _base(name: str) -> str:
    """The name or path of a network without its transforms."""
    from socsim.workloads.transforms import split_transforms

    return split_transforms(name)[0]


def _transforms(graph: ModelGraph, base: ModelGraph) -> dict[str, Any]:
    """What a network's transforms did to it, one after the other, and what they cost in accuracy."""
    from socsim.workloads.transforms import parse_transform

    lineage = graph.lineage
    steps = [{"after": base.name, **_size(base)}]
    for step in lineage.steps if lineage else ():
        base = parse_transform(step)(base)
        steps.append({"after": f"+{step}", **_size(base)})
    drop = graph.top1_drop
    return {
        "steps": steps,
        "top1_drop": None if drop != drop else drop,
        "top1_drop_source": lineage.source if lineage else "",
    }


def _size(graph: ModelGraph) -> dict[str, Any]:
    from socsim.workloads.kernels import part_bytes

    dtype = graph.dtype or "fp32"
    return {
        "operators": len(graph),
        "macs": graph.macs,
        "parameters": graph.parameters,
        "dtype": dtype,
        "traffic_mb": sum(part_bytes(graph, op, dtype) for op in graph) / 1e6,
        "peak_memory_mb": graph.peak_memory_bytes(dtype) / 1e6,
    }


def _print_steps(steps: list[dict[str, Any]]) -> None:
    rows = [
        (
            step["after"],
            step["operators"],
            scaled(step["macs"]),
            scaled(step["parameters"]),
            step["dtype"],
            f"{step['traffic_mb']:,.1f}",
            f"{step['peak_memory_mb']:,.1f}",
        )
        for step in steps
    ]
    emit_table(
        ("after", ">operators", ">MAC", ">parameters", "type", ">MB moved", ">peak MB"), rows, title=""
    )


def _cost(graph: ModelGraph, accuracy: str) -> str:
    """What transforms cost in accuracy, in words."""
    from socsim.workloads.transforms.catalogue import lossy

    drop, lineage = graph.top1_drop, graph.lineage
    if drop != drop:
        if accuracy and lineage:
            return f"cost not known; {accuracy} has no row for {lineage.base} with {'+'.join(lossy(lineage.steps))}"
        return "cost not known; a table given with --accuracy may say"
    source = lineage.source if lineage else ""
    return f"{drop:g} points of Top-1 lost ({source})" if source else f"{drop:g} points of Top-1 lost"


def scaled(count: int) -> str:
    """A count with four digits and the prefix of its size: ``568.7 M``, ``3.858 G``, ``12 k``."""
    scale, prefix = next(((s, p) for s, p in _PREFIXES if count >= s), (1, ""))
    return f"{count / scale:.4g} {prefix}".strip()


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
    rows = [(kind, n, scaled(macs)) for kind, (n, macs) in sorted(counts.items(), key=lambda x: -x[1][1])]
    emit_table(("operator type", ">count", ">MAC"), rows, title="")
