"""Sweeps of ``socsim run``: how far they are, and what comes out."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from socsim.cli.output import emit, emit_json
from socsim.words import counted

if TYPE_CHECKING:
    from pathlib import Path

    from socsim.sweeps.plan import Sweep

__all__ = ["run_sweep"]

_EVERY_S = 5.0
"""Time between two lines about how far it is, where they are not shown in one place."""


def run_sweep(
    plan: Sweep,
    overrides: Sequence[str],
    *,
    slowdown: bool,
    output: str | None,
    as_json: bool,
    verbose: bool,
    quiet: bool,
) -> Path | None:
    """Run all points, print their table, and write it where asked for; returns the directory written."""
    from socsim.sweeps.checking import check_sweep
    from socsim.sweeps.render import render_sweep
    from socsim.sweeps.running import run_points
    from socsim.sweeps.saving import save_sweep
    from socsim.sweeps.tables import evened

    check_sweep(plan)
    progress = _Progress(plan, quiet)
    found = list[dict[str, Any]]()
    for number, rows in enumerate(run_points(plan, slowdown=slowdown)):
        found += rows
        progress.done(number, verbose=verbose)
    progress.end()
    rows = evened(found)
    if as_json:
        emit_json(rows)
    elif not quiet:
        emit(render_sweep(plan, rows))
    return save_sweep(plan, rows, output, overrides) if output else None


class _Progress:
    """Says on standard error how many points have run: in one place on a terminal, else now and then."""

    def __init__(self, plan: Sweep, quiet: bool) -> None:
        self.plan, self.quiet, self.shown = plan, quiet, time.monotonic()
        self.terminal = sys.stderr.isatty()
        self._say(f"socsim: {counted(len(plan), 'run')} of {plan.name}\n")

    def done(self, number: int, *, verbose: bool) -> None:
        """A point has run."""
        from socsim.sweeps.tables import point_title

        line = f"socsim: {number + 1} of {len(self.plan)} done"
        if self.terminal:
            self._say(f"\r{line}")
        elif verbose or time.monotonic() - self.shown > _EVERY_S:
            self.shown = time.monotonic()
            self._say(f"{line}: {point_title(self.plan, number)}\n")

    def end(self) -> None:
        """All have run."""
        if self.terminal:
            self._say("\r" + " " * 60 + "\r")

    def _say(self, text: str) -> None:
        if not self.quiet:
            click.echo(text, err=True, nl=False)
