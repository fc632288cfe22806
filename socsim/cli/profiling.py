"""``socsim profile``."""

from __future__ import annotations

import click

from socsim.cli.options import (
    device_option,
    dtype_option,
    library_option,
    model_option,
    noise_option,
    seed_option,
)
from socsim.cli.output import emit_json, json_option
from socsim.cli.shapes import load, model_options

__all__ = ["profile"]


@click.command("profile", short_help="Write an offline profile for some predictors.")
@device_option
@model_option
@library_option
@click.option("-o", "--output", required=True, metavar="FILE", help="Write the profile to FILE (.csv).")
@click.option(
    "--cores", default="", metavar="MASK", help="CPU cores, such as prime:1+gold:3. [default: the library's]"
)
@dtype_option
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
@noise_option
@seed_option
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
