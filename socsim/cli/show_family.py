"""``socsim show family``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from socsim.cli.output import emit_json, emit_table, json_option, show_fields

if TYPE_CHECKING:
    from socsim.workloads.dynamic import DynamicFamily, SubNetwork

__all__ = ["show_family"]

_COLUMNS = (
    "level",
    ">pixels",
    ">blocks",
    ">operators",
    ">fused",
    ">MMAC",
    ">M parameters",
    ">Top-1 %",
    "grade",
)


@click.command("family", short_help="Show a family of sub-networks, by name or file.")
@click.argument("name")
@click.option("-v", "--verbose", is_flag=True, help="List every number with its grade and source.")
@json_option
def show_family(name: str, verbose: bool, as_json: bool) -> None:
    """Show a family of sub-networks, by name or file: what each level is, and what switching costs."""
    from socsim.workloads.dynamic import load_family

    family = load_family(name)
    if as_json:
        emit_json(_family(family))
        return
    switch = family.switch
    show_fields(
        [
            ("family", f"{family.title} ({family.name})"),
            ("switch cost", f"{switch.seconds * 1e3:g} ms ({switch.grade}; {switch.source})"),
        ]
    )
    emit_table(_COLUMNS, [_cells(member) for member in family.levels], title="\nlevels")
    if verbose:
        emit_table(("number", "value", "grade", "source"), family.provenance, title="\nnumbers")


def _cells(member: SubNetwork) -> tuple[object, ...]:
    graph, recipe = member.graph, member.recipe
    return (
        member.name,
        recipe.resolution,
        recipe.blocks,
        len(graph),
        len(member.fused),
        f"{graph.macs / 1e6:.1f}",
        f"{graph.parameters / 1e6:.2f}",
        f"{member.top1:g}",
        member.grade,
    )


def _family(family: DynamicFamily) -> dict[str, Any]:
    return {
        "name": family.name,
        "title": family.title,
        "switch_cost_ms": family.switch.seconds * 1e3,
        "levels": [_level(member) for member in family.levels],
        "setups": dict(family.setups),
        "points": {
            setup: [{"top1": p.top1, "latency_ms": p.latency_s * 1e3} for p in points]
            for setup, points in family.points.items()
        },
    }


def _level(member: SubNetwork) -> dict[str, Any]:
    graph, recipe = member.graph, member.recipe
    return {
        "name": member.name,
        "level": member.level,
        "resolution": recipe.resolution,
        "blocks": recipe.blocks,
        "operators": len(graph),
        "operators_fused": len(member.fused),
        "macs": graph.macs,
        "macs_published": member.published_macs,
        "parameters": graph.parameters,
        "parameters_published": member.published_parameters,
        "top1": member.top1,
        "grade": member.grade,
        "source": member.source,
        "latencies_ms": {setup: seconds * 1e3 for setup, seconds in member.latencies.items()},
    }
