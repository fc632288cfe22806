"""``socsim show model``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from socsim.cli.output import emit_json, emit_table, json_option, show_fields
from socsim.cli.shapes import load, model_options

if TYPE_CHECKING:
    from socsim.workloads.graph import ModelGraph

__all__ = ["scaled", "show_model"]

_PREFIXES = ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"))


@click.command("model")
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
            ("multiply-accumulates", scaled(graph.macs)),
            ("parameters", scaled(graph.parameters)),
            ("inputs", _shapes(summary["inputs"])),
            ("outputs", _shapes(summary["outputs"])),
            ("peak memory", f"{summary['peak_memory_mb']:,.1f} MB in fp32"),
        ]
    )
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
        "peak_memory_mb": graph.peak_memory_bytes() / 1e6,
    }


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
