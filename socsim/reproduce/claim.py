"""What a claim is: what a paper reports, how it is simulated, and within which band it holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from socsim.reproduce.chart import Chart, Table

__all__ = [
    "CODL",
    "DYNAMIC_OFA",
    "PARALLEL",
    "RUNTIME",
    "Claim",
    "Effort",
    "Finding",
    "Job",
    "Measure",
    "band",
]

PARALLEL = "Liu et al. 2024, arXiv 2405.01851"
RUNTIME = "Xun et al. 2024, arXiv 2401.08965"
DYNAMIC_OFA = "Lou et al. 2021, arXiv 2105.03596"
CODL = "Jia et al. 2022, MobiSys (CoDL)"

TOLERANCE = 0.20
"""Half-width of a band around a published factor for which nobody has stated another."""

Kind = Literal["band", "direction"]


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is simulated.

    Parameters
    ----------
    seeds
        Number of seeds of what is random, from 0 on.
    share
        Share of each run's full length, above 0 to 1; below 1 for a quick look only.
    """

    seeds: int = 10
    share: float = 1.0

    def seconds(self, full: float, least: float = 0.2) -> str:
        """A duration for an experiment, at least `least` seconds."""
        return f"{max(least, full * self.share):g} s"

    def count(self, full: int) -> int:
        """A number of inferences, at least three."""
        return max(3, round(full * self.share))


@dataclass(frozen=True, slots=True)
class Job:
    """A part of a claim's work that depends on nothing else.

    Parameters
    ----------
    function
        A function of a module.
    arguments
        For it; text and numbers.

    Notes
    -----
    What it returns must survive a file of JSON: text, numbers, None, lists and mappings of those.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()

    def run(self) -> Any:
        """Do it."""
        return self.function(*self.arguments)


@dataclass(frozen=True, slots=True)
class Measure:
    """One number of a claim.

    Parameters
    ----------
    name
        Short; unique within its claim.
    what
        What it is, for a table.
    paper
        What the paper reports; None where it gives no number.
    low, high
        Band within which it holds; None for no bound.
    unit
        ``"x"`` (a factor), ``"share"`` (0 to 1, shown in %), ``"points"``, ``"ms"``, ``"%"`` or ``""``.
    kind
        ``"band"``: the mean is within the band. ``"direction"``: so is the whole 95 % confidence interval.
    otherwise
        Why it does not hold, for where it does not; ``{name}`` stands for one of the finding's numbers.
    """

    name: str
    what: str
    paper: float | None
    low: float | None
    high: float | None
    unit: str = "x"
    kind: Kind = "band"
    otherwise: str = ""


def band(
    name: str, what: str, paper: float, unit: str = "x", *, tolerance: float = TOLERANCE, otherwise: str = ""
) -> Measure:
    """A measure whose band is `tolerance` (default 20 %) to both sides of what is published."""
    low, high = paper * (1 - tolerance), paper * (1 + tolerance)
    return Measure(name, what, paper, round(low, 6), round(high, 6), unit, otherwise=otherwise)


@dataclass(frozen=True, slots=True)
class Finding:
    """What the simulation gives.

    Parameters
    ----------
    values
        Name of each measure -> its value for each seed; a single one where nothing is random.
    chart
        The figure.
    ablation
        What becomes of the measures without single mechanisms.
    tables
        What else is worth telling.
    notes
        Sentences about what was found.
    caption
        What the figure shows beyond its axes and legend.
    numbers
        Name -> number in words, for ``{name}`` in what a claim says of itself: prose never has a simulated number
        of its own.
    """

    values: Mapping[str, Sequence[float]]
    chart: Chart
    ablation: Table
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()
    caption: str = ""
    numbers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claim:
    """A finding of a paper, and its simulation.

    Parameters
    ----------
    name, title
        For the command line, and for readers.
    paper, section
        Who reports it, and where; sections are those of the paper, or say that its text was not at hand.
    reports
        What the paper reports, in a sentence.
    measures
        Its numbers.
    jobs
        Key -> job; all jobs are independent.
    conclude
        From key -> result of each job to the finding.
    mechanism
        A paragraph: why it comes out as it does; ``{name}`` stands for one of the finding's numbers.
    assumptions
        What was assumed where the paper is silent; the same holds.
    random
        Whether anything depends on the seed.
    """

    name: str
    title: str
    paper: str
    section: str
    reports: str
    measures: tuple[Measure, ...]
    jobs: Callable[[Effort], Mapping[str, Job]]
    conclude: Callable[[Mapping[str, Any], Effort], Finding]
    mechanism: str
    assumptions: tuple[str, ...] = field(default=())
    random: bool = True

    def command(self, effort: Effort) -> str:
        """What to type to run it alone."""
        seeds = f" --seeds {effort.seeds}" if effort.seeds != Effort().seeds else ""
        return f"socsim reproduce {self.name}{seeds}"
