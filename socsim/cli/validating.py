"""``socsim validate``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from socsim.cli.output import emit_json, emit_table, json_option
from socsim.cli.progress import progress_bars

if TYPE_CHECKING:
    from collections.abc import Sequence

    from socsim.calibration.validation import Validation
    from socsim.calibration.validation_report import Group

__all__ = ["validate"]


@click.command(short_help="Hold simulated latencies and energies against measured ones.")
@click.option(
    "--measurements",
    "tables",
    multiple=True,
    metavar="TABLE",
    help="A CSV file, or a table that comes with socsim. [default: all of these]",
)
@click.option("-d", "--device", help="Name or file of a device. [default: all that the tables name]")
@click.option(
    "--rows", "name", default="", metavar="NAME", help="What the tables call the device. [default: its name]"
)
@click.option(
    "--models", metavar="DIR", type=click.Path(exists=True, file_okay=False), help="Networks DIR/NAME.onnx."
)
@click.option("--energy", is_flag=True, help="Compare energies of inferences in place of latencies.")
@click.option("--per-model", is_flag=True, help="Also tell each network's measured and predicted value.")
@click.option("-o", "--output", metavar="DIR", help="Write a page with plots and tables to DIR.")
@json_option
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors (and JSON).")
def validate(
    tables: tuple[str, ...], device: str | None, name: str, models: str | None, energy: bool, per_model: bool,
    output: str | None, as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Simulate what was measured, and tell how far off the simulation is.

    Each row of the tables is one inference, alone on the idle device. Rows that cannot be simulated are counted by
    reason, on standard error with --json.
    """
    from socsim.calibration.validation import validate as compare_all
    from socsim.calibration.validation_report import groups, json_rows, left_out_lines
    from socsim.devices.profile import load_device
    from socsim.errors import UsageError
    from socsim.results.store import check_output

    if name and not device:
        raise UsageError("--rows says what the tables call one device; name it with -d")
    if output:
        check_output(output)
    target = load_device(device) if device else None
    with progress_bars(silent=quiet or as_json) as progress:
        found = compare_all(tables, target, name=name, models=models, progress=progress)
    shown = groups(found, "energy" if energy else "latency")
    if energy and not shown:
        raise UsageError("no row that can be compared has an energy")
    if output:
        from socsim.calibration.validation_page import write_page

        write_page(found, output)
    if as_json:
        emit_json(json_rows(shown, per_model=per_model))
    elif not quiet:
        _show(found, shown, per_model)
    if not quiet:
        for line in left_out_lines(found):
            click.echo(line, err=as_json)
    if output and not (as_json or quiet):
        click.echo(f"written to {output}")


def _show(found: Validation, shown: Sequence[Group], per_model: bool) -> None:
    from socsim.calibration.validation_report import COLUMNS, json_rows, summary

    quantity = shown[0].quantity
    emit_table(COLUMNS, summary(shown), title=f"{quantity} of one inference on the idle device")
    if per_model:
        unit = {"latency": "ms", "energy": "mj"}[quantity]
        rows = [
            (row["device"], f"{row['library']} {row['processor']} {row['precision']}", row["cores"] or "-",
             one["model"], f"{one[f'measured_{unit}']:.4g}", f"{one[f'predicted_{unit}']:.4g}",
             f"{100 * one['error']:+.0f} %")
            for row in json_rows(shown, per_model=True)
            for one in row["models"]
        ]  # fmt: skip
        named = unit.replace("mj", "mJ")
        values = [f">{what} [{named}]" for what in ("measured", "predicted")]
        columns = ["device", "what", "cores", "network", *values, ">error"]
        click.echo("")
        emit_table(columns, rows)
    click.echo("")
