"""``socsim profile``."""

from __future__ import annotations

import click

from socsim.cli.output import emit_json, json_option
from socsim.cli.shapes import load, model_options

__all__ = ["profile"]


@click.command()
@click.option("-d", "--device", required=True, help="Name or file of a device.")
@click.option("-m", "--model", required=True, help="Name of a network, or an ONNX file.")
@click.option(
    "-l", "--library", default="mace", show_default=True, help="Name or file of an inference library."
)
@click.option("-o", "--output", required=True, metavar="FILE", help="Write the profile to FILE (.csv).")
@click.option(
    "--cores", default="", metavar="MASK", help="CPU cores, such as prime:1+gold:3. [default: the library's]"
)
@click.option(
    "--dtype",
    type=click.Choice(["fp32", "fp16", "int8"]),
    help="Data type, where the library has it. [default: the library's]",
)
@click.option(
    "--step", type=float, default=0.1, show_default=True, help="Grid of the shares of split operators."
)
@click.option(
    "-n",
    "--repetitions",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Of each measurement; their mean is kept.",
)
@click.option("--noise", is_flag=True, help="Draw the calibrated run-to-run spread.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the noise.")
@model_options
@json_option
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors (and JSON).")
def profile(
    device: str,
    model: str,
    library: str,
    output: str,
    cores: str,
    dtype: str | None,
    step: float,
    repetitions: int,
    noise: bool,
    seed: int,
    shapes: tuple[str, ...],
    no_fuse: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write an offline profile for the predictors profile and online."""
    from socsim import api
    from socsim.schedulers.profile_file import check_profile_target, write_profile

    check_profile_target(output)
    rows = api.profile(
        device, load(model, shapes, no_fuse), library=library, dtype=dtype or "", cores=cores, step=step,
        repetitions=repetitions, noise=noise, seed=seed,
    )  # fmt: skip
    written = write_profile(rows, output)
    about = {"file": str(written), "operators": len({row.operator for row in rows}), "rows": len(rows)}
    if as_json:
        emit_json(about)
    elif not quiet:
        click.echo(f"{about['rows']} times of {about['operators']} operators written to {output}")
