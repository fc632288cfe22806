"""``socsim report``."""

from __future__ import annotations

import click

from socsim.cli.output import emit_json, json_option

__all__ = ["report"]


@click.command("report", short_help="Make one HTML page of what -o has written.")
@click.argument("directory", metavar="DIR")
@click.option("-o", "--output", metavar="PAGE.html", help="The page to write. [default: DIR/report.html]")
@json_option
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors (and JSON).")
def report(directory: str, output: str | None, as_json: bool, quiet: bool) -> None:
    """Make one HTML page of DIR, which run, compare or sweep has written with -o.

    The page needs nothing beside itself: what ran and how to run it again, tables with explanations, figures of
    latency, power, clocks and temperatures over time, energy by application, fallbacks with reasons; of a sweep its
    points and metrics against what was swept. The same directory gives the same bytes. Outputs of validate and
    reproduce are pages already, which are pointed to.
    """
    from socsim.results.report import open_saved, write_report

    saved = open_saved(directory)
    kind = saved.kind
    page = write_report(saved, output)
    if as_json:
        emit_json({"page": str(page), "kind": kind, "written": kind != "page"})
    elif not quiet:
        click.echo(f"{directory} has its own page: {page}" if kind == "page" else f"written to {page}")
