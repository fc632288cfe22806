"""``socsim calibrate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from socsim.cli.options import device_option
from socsim.cli.output import emit_json, emit_table, json_option
from socsim.cli.progress import progress_bars

if TYPE_CHECKING:
    from collections.abc import Sequence

    from socsim.calibration.calibrate import Outcome
    from socsim.devices.device import Device

__all__ = ["calibrate"]


@click.command(short_help="Fit a device's kernel rates and fixed costs to measured latencies.")
@click.argument("table", metavar="TABLE")
@device_option
@click.option("-o", "--output", metavar="FILE", help="Write the calibrated device to FILE (.yaml).")
@click.option(
    "--rows", "name", default="", metavar="NAME", help="What the table calls the device. [default: its name]"
)
@click.option("--operators", metavar="FILE", help="Times of single GPU kernels (.csv or .csv.gz).")
@click.option(
    "--models", metavar="DIR", type=click.Path(exists=True, file_okay=False), help="Networks DIR/NAME.onnx."
)
@json_option
@click.option("-v", "--verbose", is_flag=True, help="Print every parameter and outlier, too.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors (and JSON).")
def calibrate(
    table: str, device: str, output: str | None, name: str, operators: str | None, models: str | None,
    as_json: bool, verbose: bool, quiet: bool,
) -> None:  # fmt: skip
    """Fit a device's kernel rates and fixed costs to TABLE: a CSV file, or a table that comes with socsim.

    TABLE has the columns device, library, processor, cores, precision, model and latency_ms; with energy_mj, powers are
    fitted too. Errors are told as of the fit, and on families of networks that were left out of it. FILE extends the
    device: parameter sets that were fitted take the place of its own, everything else stays.
    """
    from socsim.calibration.calibrate import calibrate as fit_all
    from socsim.calibration.families import row_families
    from socsim.calibration.operators import NONE, read_operators
    from socsim.calibration.report import described, kept
    from socsim.calibration.tables import find_table, read_table
    from socsim.calibration.writing import base_of, write_profile
    from socsim.devices.profile import load_device

    target = load_device(device)
    if output:
        base_of(device, output)  # before anything long begins
    read = read_table(find_table(table), target, name)
    times = read_operators(operators, read.name, row_families(read.rows)) if operators else NONE
    with progress_bars(silent=quiet or as_json) as progress:
        outcome = fit_all(target, read, operators=times, models=models, progress=progress)
    if output:
        write_profile(outcome, output, device)
    if as_json:
        emit_json({**described(outcome), "output": output, "kept": kept(outcome, target)})
    elif not quiet:
        _show(outcome, f"{name} on {target.name}" if name else target.name, verbose)
        if output:
            _show_written(output, target, kept(outcome, target))


def _show_written(output: str, target: Device, sets: Sequence[str]) -> None:
    from socsim.devices.modes import MODE

    click.echo(
        f"\nwritten to {output}: what was fitted, on top of {target.name}; its hardware stays as it was"
    )
    if target.mode != target.default_mode:
        click.echo(
            f"times were fitted in power mode {target.mode}: its device is '{output}({MODE}={target.mode})'"
        )
    if sets:
        click.echo(f"not fitted, and as in {target.name}: {', '.join(sets)}")


def _show(outcome: Outcome, title: str, verbose: bool) -> None:
    from socsim.calibration.report import described, summary

    found = described(outcome)
    for warning in found["warnings"]:
        click.echo(f"warning: {warning}", err=True)
    headers = ["calibration", "cores", ">n", ">error", ">other families", ">within 10 %", ">Spearman"]
    emit_table(headers, summary(outcome), title=f"{title}, {Path(found['table']).name}")
    _show_power(found["power"])
    for one in found["calibrations"]:
        what = " ".join(filter(None, (one["library"], one["processor"], one["precision"], one["layout"])))
        unknown = [p["name"] for p in one["parameters"] if not p["identified"]]
        low, high = one["interval_90"]["low"], one["interval_90"]["high"]
        click.echo(
            f"\n{what}: nine in ten measurements within {low:.2f} to {high:.2f} of the prediction; "
            f"{len(unknown)} of {len(one['parameters'])} parameters are not told by the rows and stay as expected"
        )
        if verbose:
            _show_parameters(one)
        _show_outliers(one, verbose)


def _show_power(power: Any) -> None:
    if not power:
        return
    if power["board_w"] is not None:
        click.echo(f"\nboard: {power['board_w']:.3g} W, from {power['idle_rows']} idle powers")
    for one in filter(lambda one: one["told"], power["processors"]):
        click.echo(
            f"\npower of the {one['processor']}: {one['factor']:.3g} times the profile's, energies of {one['rows']} "
            f"rows within {100 * one['energy_mape']:.1f} % on average"
        )


def _show_parameters(one: Any) -> None:
    rows = [
        (p["name"], f"{p['value']:.4g}", f"{100 * p['standard_error']:.0f} %", f"{p['expected']:.4g}", _remark(p))
        for p in one["parameters"]
    ]  # fmt: skip
    emit_table(["parameter", ">value", ">standard error", ">expected", ""], rows)


def _remark(parameter: Any) -> str:
    told = "" if parameter["identified"] else "not told by the rows"
    return ", ".join(filter(None, (told, "at its bound" if parameter["at_bound"] else "")))


def _show_outliers(one: Any, verbose: bool) -> None:
    for row in one["outliers"][: None if verbose else 5]:
        click.echo(
            f"  outlier, line {row['line']}: {row['model']} {row['cores']}: measured {row['measured_ms']:.4g} ms, "
            f"fitted {row['fitted_ms']:.4g} ms ({100 * row['error']:+.0f} %)"
        )
    if not verbose and len(one["outliers"]) > 5:
        click.echo(f"  and {len(one['outliers']) - 5} more (-v shows all)")
