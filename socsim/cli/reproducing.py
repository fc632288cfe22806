"""``socsim reproduce``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from socsim.cli.comparing import saved
from socsim.cli.output import emit_json, emit_table

if TYPE_CHECKING:
    from socsim.reproduce import Claim, Effort, Report

__all__ = ["reproduce"]


@click.command(short_help="Simulate what the two studies report.")
@click.argument("claims", nargs=-1, metavar="[CLAIM]...")
@click.option("-o", "--output", metavar="DIR", help="Write a page with figures, and the table, to DIR.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Number of processes. [default: one per core]")
@click.option("--seeds", type=click.IntRange(min=2), default=10, show_default=True, help="Number of seeds.")
@click.option(
    "--resume/--no-resume",
    default=True,
    help="Go on where an interrupted reproduction ended.",
    show_default=True,
)
@click.option("--list", "only_list", is_flag=True, help="List the claims and exit.")
@click.option("-q", "--quiet", is_flag=True, help="No progress, and no table.")
def reproduce(
    claims: tuple[str, ...],
    output: str | None,
    as_json: bool,
    jobs: int | None,
    seeds: int,
    resume: bool,
    only_list: bool,
    quiet: bool,
) -> None:
    """Run the experiments behind the findings of two studies, and hold what comes out against what they report.

    All claims by default. A claim that does not hold is a result, not a failure: the exit code is 0.
    """
    from socsim.reproduce import Effort, load_claims
    from socsim.reproduce.journal import Journal, cache_directory
    from socsim.reproduce.runner import forget
    from socsim.reproduce.runner import reproduce as run
    from socsim.results.store import check_output

    chosen = load_claims(claims)
    if only_list:
        _list(chosen, as_json=as_json)
        return
    if output:
        check_output(output)
    effort, journal = Effort(seeds), Journal(cache_directory())
    if not resume:
        journal.clear()
    workers = jobs or _cores()
    reports, progress = list["Report"](), _Progress(len(chosen), quiet=quiet)
    for report in run(chosen, effort, workers=workers, journal=journal, progress=progress.step):
        reports.append(report)
        progress.finished(report)
    progress.end()
    if as_json:
        emit_json([row for report in reports for row in report.rows()])
    elif not quiet:
        _print(reports)
    if output:
        saved(_save(reports, output, chosen, effort, all_of_them=not claims), as_json or quiet)
    forget(chosen, effort, journal)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _list(claims: list[Claim], *, as_json: bool) -> None:
    if as_json:
        emit_json(
            [{"claim": c.name, "title": c.title, "paper": c.paper, "reports": c.reports} for c in claims]
        )
    else:
        emit_table(["claim", "what", "paper"], [(c.name, c.title, c.paper) for c in claims])


def _print(reports: list[Report]) -> None:
    from socsim.reproduce.page import band_text
    from socsim.reproduce.verdict import format_value

    rows = []
    for report in reports:
        for number, one in enumerate(report.judged):
            unit, digits = one.measure.unit, one.digits
            half = one.mean.half_width
            width = f" ± {format_value(half, unit, digits)}" if half else ""
            shown = f"{format_value(one.mean.value, unit, digits)}{width}"
            name = "" if number else report.claim.name
            paper = format_value(one.measure.paper, unit)
            rows.append((name, one.measure.what, paper, shown, band_text(one), "yes" if one.holds else "no"))
    emit_table(["claim", "measure", ">paper", ">simulated", ">band", "holds"], rows)
    held = sum(report.holds for report in reports)
    click.echo(f"\n{held} of {len(reports)} claims hold.")
    for report in reports:
        for text in report.shortfalls:
            click.echo(f"\n{report.claim.name}: {text}")


def _save(
    reports: list[Report], output: str, claims: list[Claim], effort: Effort, *, all_of_them: bool
) -> Path:
    """Write the page and the rows."""
    import json

    from socsim._version import __version__
    from socsim.reproduce.page import page
    from socsim.results.environment import commit, versions
    from socsim.results.plain import plain
    from socsim.results.store import output_directory

    names = [] if all_of_them else [claim.name for claim in claims]
    seeds = [] if effort.seeds == type(effort)().seeds else ["--seeds", str(effort.seeds)]
    command = " ".join(["socsim", "reproduce", *names, *seeds])
    told = versions()
    about = {
        "socsim": f"{__version__} ({commit() or 'installed'})",
        "Python": f"{told['python']}, numpy {told['numpy']}, simpy {told['simpy']}",
        "command": command,
        "seeds": f"0 to {effort.seeds - 1}",
    }
    rows = plain([row for report in reports for row in report.rows()])
    with output_directory(output, {"reproduce": command, "seeds": effort.seeds}) as partial:
        (partial / "index.html").write_text(page(reports, about), encoding="utf-8")
        (partial / "claims.json").write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    return Path(output).resolve()


class _Progress:
    """Says on standard error how far it is: in one place on a terminal, else claim by claim."""

    def __init__(self, claims: int, *, quiet: bool) -> None:
        self.claims, self.quiet, self.terminal = claims, quiet, sys.stderr.isatty()
        self.reported = 0

    def step(self, done: int, total: int) -> None:
        """A job is done."""
        if self.terminal:
            self._say(f"\rsocsim: {done} of {total} runs done")

    def finished(self, report: Report) -> None:
        """A claim is."""
        self.reported += 1
        start = "\r" if self.terminal else ""
        verdict = "holds" if report.holds else "does not hold"
        self._say(f"{start}socsim: {self.reported} of {self.claims}: {report.claim.name} {verdict}\n")

    def end(self) -> None:
        """All are."""
        if self.terminal:
            self._say("\r" + " " * 60 + "\r")

    def _say(self, text: str) -> None:
        if not self.quiet:
            click.echo(text, err=True, nl=False)
