"""Branch and bound among candidates that only a rehearsal can judge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf

from socsim.schedulers.managers.candidates import Assignment, Candidate
from socsim.schedulers.managers.device import Rehearsal
from socsim.schedulers.managers.phases import Phase, Score
from socsim.schedulers.managers.spaces import Clocks

__all__ = ["Found", "Search"]

_SLACK = 1e-9
"""Relative difference of energies that are the same."""

Trial = Callable[[Candidate], tuple[Score, Rehearsal]]
"""Rehearses a candidate."""


@dataclass(slots=True)
class Found:
    """What a search came to.

    Parameters
    ----------
    candidate
        The best one that was rehearsed.
    score
        How well it does.
    run
        Its rehearsal.
    rehearsals
        How many candidates were rehearsed.
    bound
        Energy in J over work below which no candidate that was searched can be; the best one's where it is proved best.
    broken
        Rehearsals that kept all limits and took less energy than their bound.
    """

    candidate: Candidate
    score: Score
    run: Rehearsal
    rehearsals: int
    bound: float
    broken: int


@dataclass(slots=True)
class Search:
    """Finds the candidate of least energy that keeps all limits.

    What is rehearsed next is what is likely to keep the limits at the least energy: latencies alone, times how much
    longer rehearsals with the same levels and places took. Once there is one that does, candidates whose bound is not
    below its energy are out; where one is too slow, so are all with the same levels and places whose clocks are nowhere
    higher. It ends when none is left, and what it has is proved best, as far as bounds and these two rules go; or when
    its rehearsals are used up.

    Parameters
    ----------
    phase
        What is searched for.
    trial
        Rehearses a candidate.
    effort
        Most rehearsals.
    settle
        Time in s at the beginning of the phase whose arrivals need not be in time.
    """

    phase: Phase
    trial: Trial
    effort: int
    settle: float = 0.0
    best: Found | None = None
    rehearsals: int = 0
    broken: int = 0
    _longer: dict[Assignment, list[float]] = field(default_factory=dict)
    _slow: dict[Assignment, list[Clocks]] = field(default_factory=dict)

    def through(self, candidates: Sequence[Candidate]) -> Found | None:
        """The best of candidates and of what was found before; None where nothing was rehearsed."""
        left = sorted(candidates, key=lambda c: (c.bound, c.what, c.clocks))
        while self.rehearsals < self.effort and (left := self._left(left)):
            chosen = self._next(left)
            left.remove(chosen)
            self._try(chosen)
        if self.best is not None:
            least = min((c.bound for c in self._left(left)), default=inf)
            self.best.rehearsals, self.best.broken = self.rehearsals, self.broken
            self.best.bound = min(least, self.best.score.joules)
        return self.best

    def _left(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        best = self.best.score.joules if self.best and self.best.score.feasible else inf
        return [c for c in candidates if c.bound < best * (1.0 - _SLACK) and not self._hopeless(c)]

    def _hopeless(self, candidate: Candidate) -> bool:
        """Whether the same was too slow with clocks nowhere lower."""
        for slow in self._slow.get(candidate.what, ()):
            if all(f <= g for (_, f), (_, g) in zip(candidate.clocks, slow, strict=True)):
                return True
        return False

    def _next(self, left: Sequence[Candidate]) -> Candidate:
        """The first in order of bounds that should be in time; else, to halve what is left, one that may or may not be.

        Without anything that keeps the limits yet, the one that is most likely to.
        """
        hopeful = next((c for c in left if self._ratio(c) <= 1.0), None)
        if hopeful is not None:
            return hopeful
        likely = sorted(left, key=self._ratio)
        return likely[len(likely) // 2] if self.best and self.best.score.feasible else likely[0]

    def _ratio(self, candidate: Candidate) -> float:
        """Foreseen latency over limit, of the application that is worst off."""
        longer = self._longer.get(candidate.what, [1.0] * len(candidate.alone))
        goals = self.phase.goals
        return max(
            (s * t / g.limit for s, t, g in zip(longer, candidate.alone, goals, strict=True)), default=0.0
        )

    def _try(self, candidate: Candidate) -> None:
        self.rehearsals += 1
        score, run = self.trial(candidate)
        if score.feasible and score.joules < candidate.bound * (1.0 - _SLACK):
            self.broken += 1
        if any(score.late):
            self._slow.setdefault(candidate.what, []).append(candidate.clocks)
            self._learn(candidate, run)
        if self.best is None or score < self.best.score:
            self.best = Found(candidate, score, run, 0, 0.0, 0)

    def _learn(self, candidate: Candidate, run: Rehearsal) -> None:
        """How much longer inferences may take than alone, where that was too long: between what fits and what was."""
        longer = self._longer.setdefault(candidate.what, [1.0] * len(candidate.alone))
        for i, (goal, alone) in enumerate(zip(self.phase.goals, candidate.alone, strict=True)):
            pairs = zip(run.arrivals_s[goal.app], run.latencies_s[goal.app], strict=True)
            worst = max((t for a, t in pairs if a >= self.phase.begin + self.settle), default=0.0)
            if worst > goal.limit:
                longer[i] = max(longer[i], (worst * goal.limit) ** 0.5 / alone)
