"""Bars on standard error while something takes long."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["progress_bars"]


@contextmanager
def progress_bars(*, silent: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A bar for each thing that is under way, if standard error is a terminal.

    Parameters
    ----------
    silent
        Show none.

    Yields
    ------
    What to call with a name, steps done and all steps.
    """
    if silent or not sys.stderr.isatty():
        yield lambda what, done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def show(what: str, done: int, total: int) -> None:
            task = tasks.setdefault(what, None)
            if task is None:
                tasks[what] = task = bars.add_task(what, total=total)
            bars.update(task, completed=done)

        yield show
