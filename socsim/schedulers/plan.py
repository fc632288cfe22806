"""What a scheduler decides: where every operator runs, whole or split, and which operators form chains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from socsim.errors import PlanError, nearest
from socsim.workloads.graph import ModelGraph, Operator

__all__ = ["Decision", "Placement", "Plan", "RawPlan", "Split"]


@dataclass(frozen=True, slots=True)
class Placement:
    """One processor, and how it is used.

    Parameters
    ----------
    processor
        ``"cpu"``, ``"gpu"``, ``"dsp"``, ``"npu"``.
    layout
        Memory type of its tensors; ``""`` takes the processor's first.
    dtype
        Data type; ``""`` takes the run's.
    cores
        CPU mask such as ``"prime:1+gold:3"``; ``""`` takes the run's.
    """

    processor: str
    layout: str = ""
    dtype: str = ""
    cores: str = ""


@dataclass(frozen=True, slots=True)
class Split:
    """One operator on several processors at once.

    Parameters
    ----------
    dimension
        ``"OC"`` (output channels) or ``"H"`` (output rows).
    shares
        (placement, share of the output) pairs; shares sum to 1.
    """

    dimension: str
    shares: tuple[tuple[Placement, float], ...]

    def share(self, processor: str) -> float:
        """Share of a processor, 0 if it has none."""
        return sum(share for placement, share in self.shares if placement.processor == processor)


Decision = Placement | Split
RawPlan = Mapping[Operator, "str | Decision"] | Mapping[str, "str | Decision"]
"""What ``StaticScheduler.plan`` may return beside a :class:`Plan`: operators (or names) to processors or decisions."""


@dataclass(frozen=True)
class Plan:
    """A decision for every operator of a network.

    Parameters
    ----------
    decisions
        Operator name -> :class:`Placement` or :class:`Split`.
    chains
        Operators in sequence that are split alike, so that only the first and the last share data.
    groups
        Subgraphs that are handed over as one piece; ``()`` for the whole network.
    order
        Operator names in the order of execution; ``()`` for the network's topological order.
    fallbacks
        Operators that run on the CPU although the scheduler wanted them elsewhere, with the reason.
    frequency_hints
        Clock domain -> Hz, for governors that take hints.
    gap
        How far the plan's predicted time may be above the least possible one, as a share of it; None if not known.
    """

    decisions: Mapping[str, Decision]
    chains: tuple[tuple[str, ...], ...] = ()
    groups: tuple[tuple[str, ...], ...] = ()
    order: tuple[str, ...] = ()
    fallbacks: Mapping[str, str] = field(default_factory=dict)
    frequency_hints: Mapping[str, float] = field(default_factory=dict)
    gap: float | None = None

    @classmethod
    def of(cls, raw: Plan | RawPlan, graph: ModelGraph) -> Plan:
        """A plan from what a scheduler returned.

        Raises
        ------
        PlanError
            An operator left out or unknown, or a value that is no decision.
        """
        if isinstance(raw, Plan):
            _check_names(raw.decisions, graph)
            return raw
        decisions = {_name(key): _decision(_name(key), value) for key, value in raw.items()}
        _check_names(decisions, graph)
        return cls(decisions)

    @property
    def key(self) -> tuple[object, ...]:
        """Hashable identity of everything that changes how the plan runs."""
        return (tuple(sorted(self.decisions.items())), self.chains, self.groups, self.order)

    def processors(self) -> tuple[str, ...]:
        """Processors that the plan uses, in order of first use."""
        used: dict[str, None] = {}
        for decision in self.decisions.values():
            for placement in placements(decision):
                used[placement.processor] = None
        return tuple(used)


def placements(decision: Decision) -> tuple[Placement, ...]:
    """The placements of a decision."""
    return (decision,) if isinstance(decision, Placement) else tuple(p for p, _ in decision.shares)


def _name(key: Operator | str) -> str:
    return key if isinstance(key, str) else key.name


def _decision(name: str, value: object) -> Decision:
    if isinstance(value, str):
        return Placement(value)
    if isinstance(value, (Placement, Split)):
        return value
    raise PlanError(
        f"operator {name!r}: a decision is a processor's name, a Placement or a Split, got {value!r}"
    )


def _check_names(decisions: Iterable[str], graph: ModelGraph) -> None:
    given = set(decisions)
    missing = [op.name for op in graph if op.name not in given]
    if missing:
        raise PlanError(
            f"the plan for {graph.name!r} places {len(given)} of {len(graph)} operators; first left out: {missing[0]!r}"
        )
    unknown = sorted(given.difference(graph.operators))
    if unknown:
        guess = nearest(unknown[0], graph.operators)
        hint = f", did you mean {guess!r}?" if guess else ""
        raise PlanError(f"the plan for {graph.name!r} names unknown operator {unknown[0]!r}{hint}")
