"""From what a scheduler returned to a plan that can run: complete, consistent, and with fallbacks applied."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby, pairwise

from socsim.errors import PlanError, nearest
from socsim.schedulers.chains import follower
from socsim.schedulers.plan import Decision, Placement, Plan, RawPlan, Split, placements
from socsim.workloads.graph import ModelGraph, Operator
from socsim.workloads.pricing import Pricer

__all__ = ["resolve"]


def resolve(raw: Plan | RawPlan, pricer: Pricer) -> Plan:
    """Check a plan, fill layouts in, and move operators to the CPU where their processor does not support
    them.

    Parameters
    ----------
    raw
        What :meth:`StaticScheduler.plan` returned.
    pricer
        The network under its library on its device.

    Returns
    -------
    A plan whose ``fallbacks`` tell why an operator was moved. A chain that loses an operator falls into
    pieces.

    Raises
    ------
    PlanError
        An operator left out, unknown, on an unknown processor, wrongly split, or unsupported where the
        library does not fall back; an order, a chain or a group that does not fit the network.
    """
    graph = pricer.graph
    if not isinstance(raw, (Plan, Mapping)):
        raise PlanError(
            f"a plan is a Plan or a mapping from operators to processors, got {type(raw).__name__}"
        )
    plan = Plan.of(raw, graph)
    decisions = _all_filled(plan, pricer)
    _check_order(plan.order, graph)
    _check_groups(plan.groups, graph)
    _check_chains(plan.chains, decisions, graph)
    fallbacks = _fallbacks(decisions, pricer)
    for name in fallbacks:
        decisions[name] = Placement("cpu")
    for name, decision in decisions.items():
        if isinstance(decision, Split):
            _check_dimension(graph[name], decision, pricer)
    chains = tuple(piece for chain in plan.chains for piece in _pieces(chain, fallbacks))
    return replace(plan, decisions=decisions, chains=chains, fallbacks={**plan.fallbacks, **fallbacks})


# --- decisions ----------------------------------------------------------------------------------------------


def _all_filled(plan: Plan, pricer: Pricer) -> dict[str, Decision]:
    """Operator -> decision with every layout told; what is wrong with all operators alike is not told of one."""
    alike = len({str(decision) for decision in plan.decisions.values()}) == 1
    filled: dict[str, Decision] = {}
    for op in pricer.graph:
        try:
            filled[op.name] = _filled(op, plan.decisions[op.name], pricer)
        except PlanError as error:
            raise PlanError(
                str(error).removeprefix(f"operator {op.name!r}: ") if alike else str(error)
            ) from None
    return filled


def _filled(op: Operator, decision: Decision, pricer: Pricer) -> Decision:
    """The decision with every layout told; a split with one share is a placement."""
    if isinstance(decision, Placement):
        return _placed(op, decision, pricer)
    _check_shares(op, decision)
    shares = tuple((_placed(op, placement, pricer), share) for placement, share in decision.shares)
    return shares[0][0] if len(shares) == 1 else Split(decision.dimension, shares)


def _placed(op: Operator, placement: Placement, pricer: Pricer) -> Placement:
    _check_processor(op, placement, pricer)
    if placement.cores:
        pricer.device.allowed_cores(placement.cores, pricer.cpuset)
    layouts = pricer.layouts(placement.processor, placement.dtype)
    if not layouts:
        raise PlanError(
            f"operator {op.name!r}: library {pricer.library.name!r} is not calibrated for "
            f"{placement.dtype!r} on {placement.processor!r} of {pricer.device.name!r}"
        )
    if placement.layout and placement.layout not in layouts:
        unknown = _unknown(f"{placement.processor} layout", placement.layout, layouts)
        raise PlanError(f"operator {op.name!r}: {unknown}")
    return placement if placement.layout else replace(placement, layout=layouts[0])


def _check_processor(op: Operator, placement: Placement, pricer: Pricer) -> None:
    known = pricer.device.processors
    if placement.processor in ("gpu", "dsp", "npu") and placement.processor not in known:
        missing = f"{pricer.device.name} has no {placement.processor}; it has {', '.join(known)}"
        raise PlanError(f"operator {op.name!r}: {missing}")
    if placement.processor not in known:
        unknown = _unknown("processor", placement.processor, known)
        raise PlanError(f"operator {op.name!r}: {unknown}")
    if placement.processor not in pricer.processors:
        raise PlanError(
            f"operator {op.name!r}: library {pricer.library.name!r} does not run on "
            f"{placement.processor!r} of {pricer.device.name!r}; it runs on {', '.join(pricer.processors)}"
        )


def _check_shares(op: Operator, split: Split) -> None:
    shares = [share for _, share in split.shares]
    processors = [placement.processor for placement, _ in split.shares]
    if not all(0.0 < share <= 1.0 for share in shares):
        raise PlanError(f"operator {op.name!r}: shares must be above 0 and at most 1, got {shares}")
    if abs(sum(shares) - 1.0) > 1e-9:
        raise PlanError(
            f"operator {op.name!r}: shares must sum to 1, got {shares}, which sum to {sum(shares):.9g}"
        )
    if len(set(processors)) != len(processors):
        raise PlanError(f"operator {op.name!r}: a split may name a processor once, got {processors}")
    if len(processors) > 1 and (len(processors) > 2 or "cpu" not in processors):
        raise PlanError(
            f"operator {op.name!r}: a split is between the CPU and one accelerator, got {processors}"
        )


def _check_dimension(op: Operator, split: Split, pricer: Pricer) -> None:
    for placement, _ in split.shares:
        known = pricer.library.split_dimensions(op, pricer.graph, placement.layout)
        if placement.processor != "cpu" and split.dimension not in known:
            allowed = f"may be split along {', '.join(known)}" if known else "cannot be split"
            raise PlanError(
                f"operator {op.name!r} ({op.type}) {allowed} with layout {placement.layout!r}, "
                f"got {split.dimension!r}"
            )


def _unknown(kind: str, name: str, known: Iterable[str]) -> str:
    guess = nearest(name, known)
    return f"unknown {kind} {name!r}; " + (
        f"did you mean {guess!r}?" if guess else f"known: {', '.join(known)}"
    )


# --- fallbacks ----------------------------------------------------------------------------------------------


def _fallbacks(decisions: Mapping[str, Decision], pricer: Pricer) -> dict[str, str]:
    """Operator -> why it moves to the CPU."""
    reasons: dict[str, str] = {}
    stuck: dict[str, list[str]] = {}
    for name, decision in decisions.items():
        for placement in placements(decision):
            processor, layout = placement.processor, placement.layout
            obstacle = pricer.obstacle(pricer.graph[name], processor, layout, placement.dtype)
            if obstacle is None:
                continue
            if processor == "cpu" or pricer.library.on_unsupported(processor) == "fail":
                stuck.setdefault(processor, []).append(f"{name!r} ({obstacle})")
            else:
                reasons.setdefault(name, obstacle)
    for processor, names in stuck.items():
        raise PlanError(
            f"{pricer.library.name!r} cannot run {len(names)} of {len(pricer.graph)} operators of "
            f"{pricer.graph.name!r} on {processor!r} and does not fall back; first: {', '.join(names[:3])}"
        )
    return reasons


def _pieces(chain: Sequence[str], lost: Mapping[str, str]) -> list[tuple[str, ...]]:
    runs = [tuple(run) for gone, run in groupby(chain, key=lost.__contains__) if not gone]
    return [run for run in runs if len(run) > 1]


# --- order, groups, chains ----------------------------------------------------------------------------------


def _check_order(order: Sequence[str], graph: ModelGraph) -> None:
    if not order:
        return
    _check_known("order", order, graph)
    if len(order) != len(graph) or len(set(order)) != len(order):
        raise PlanError(f"the order of {graph.name!r} must name each of its {len(graph)} operators once")
    position = {name: i for i, name in enumerate(order)}
    for before, after in graph.dag.edges:
        if position[before] > position[after]:
            raise PlanError(
                f"the order of {graph.name!r} puts {after!r} before {before!r}, whose output it reads"
            )


def _check_groups(groups: Sequence[Sequence[str]], graph: ModelGraph) -> None:
    names = [name for group in groups for name in group]
    _check_known("groups", names, graph)
    if groups and sorted(names) != sorted(graph.operators):
        raise PlanError(
            f"the groups of {graph.name!r} must name each of its {len(graph)} operators once, "
            f"got {len(names)} names"
        )


def _check_known(what: str, names: Iterable[str], graph: ModelGraph) -> None:
    for name in names:
        if name not in graph.operators:
            raise PlanError(f"the {what} of {graph.name!r}: {_unknown('operator', name, graph.operators)}")


def _check_chains(
    chains: Sequence[Sequence[str]], decisions: Mapping[str, Decision], graph: ModelGraph
) -> None:
    _check_known("chains", (name for chain in chains for name in chain), graph)
    names = [name for chain in chains for name in chain]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise PlanError(f"operator {twice!r} is in two chains of {graph.name!r}")
    for chain in chains:
        _check_splits(chain, decisions)
        for before, after in pairwise(chain):
            next_ = follower(graph, graph[before])
            if next_ is None or next_.name != after:
                raise PlanError(f"chain {_short(chain)}: {after!r} is not the only reader of {before!r}")


def _check_splits(chain: Sequence[str], decisions: Mapping[str, Decision]) -> None:
    first = decisions[chain[0]]
    for name in chain:
        decision = decisions[name]
        if not isinstance(decision, Split):
            raise PlanError(f"chain {_short(chain)}: {name!r} is not split")
        if decision != first or decision.dimension != "H":
            raise PlanError(
                f"chain {_short(chain)}: all must be split along H with the same shares, {name!r} is not"
            )


def _short(chain: Sequence[str]) -> str:
    return " -> ".join(chain) if len(chain) <= 3 else f"{chain[0]} -> ... -> {chain[-1]}"
