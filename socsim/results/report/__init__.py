"""One page of what an output directory holds; the same page for the same directory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from socsim.errors import UsageError
from socsim.results.html import document, section
from socsim.results.report import about, history, shares, summary, swept
from socsim.results.report.saved import Saved, open_saved
from socsim.results.store import REPORT

__all__ = ["Saved", "open_saved", "report_page", "write_report"]


def write_report(saved: Saved, target: str | Path | None = None) -> Path:
    """Write the page of an output; a file of that name is replaced.

    Parameters
    ----------
    saved
        The output.
    target
        The page; default ``report.html`` in its directory.

    Returns
    -------
    The absolute path of the page: for what is a page already, that one, and nothing is written.

    Raises
    ------
    UsageError
        Something in the output is damaged, or the page cannot be written.
    """
    if saved.kind == "page":
        return saved.page
    path = (saved.path / REPORT if target is None else Path(target)).resolve()
    if path.is_dir():
        raise UsageError(
            f"cannot write the page to {str(target)!r}: it is a directory; name a file, such as page.html"
        )
    data = report_page(saved).encode("utf-8", "replace")
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise UsageError(f"cannot write the page to {str(path)!r}: {error.strerror}") from None
    return path


def report_page(saved: Saved) -> str:
    """The page.

    Raises
    ------
    UsageError
        As of :func:`write_report`; also of what is a page already.
    """
    if saved.kind == "page":
        raise UsageError(f"{str(saved.path)!r} is a page already: {str(saved.page)!r}")
    return document(about.title(saved), _body(saved))


def _body(saved: Saved) -> Iterator[str]:
    yield about.facts(saved)
    yield about.applications(saved)
    yield from {"run": _run, "comparison": _comparison, "repeated": _repeated, "sweep": _sweep}[saved.kind](
        saved
    )
    yield about.origin(saved)


def _run(saved: Saved) -> Iterator[str]:
    yield section("Summary", [*summary.summary(saved), *summary.notes(saved)], "summary")
    yield from _behaviour(saved)


def _comparison(saved: Saved) -> Iterator[str]:
    yield section("Comparison", [*summary.compared(saved), *summary.notes(saved)], "summary")
    yield from _behaviour(saved)


def _repeated(saved: Saved) -> Iterator[str]:
    yield section("Comparison", [*summary.repeated(saved), *summary.notes(saved)], "summary")


def _sweep(saved: Saved) -> Iterator[str]:
    yield section("Figure", swept.figure(saved), "figure")
    yield section("Points", swept.points(saved), "summary")
    yield section("Failures", swept.failures(saved), "failures")


def _behaviour(saved: Saved) -> Iterator[str]:
    """What one or several runs did."""
    yield section("Latency", history.latency(saved, about.deadlines_ms(saved)), "latency")
    yield section("Frames", history.frames(saved), "frames")
    yield section("Who computed what when", history.gantts(saved), "gantt")
    yield section("Processors", shares.utilisation(saved), "processors")
    yield section("Power over time", [*history.power(saved), *history.rails(saved)], "power")
    yield section("Energy", [*shares.energy_by_app(saved), *shares.energy_by_part(saved)], "energy")
    yield section("Clocks", history.clocks(saved), "clocks")
    yield section("Temperatures", history.temperatures(saved), "temperatures")
    yield section("Operators that fell back", shares.fallbacks(saved), "fallbacks")
    yield section("What the times rest on", shares.rates(saved), "rates")
    yield section("Predictions of the schedulers", shares.predictions(saved), "predictions")
