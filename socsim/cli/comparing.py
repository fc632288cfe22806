"""``socsim compare``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from socsim.cli.options import (
    device_option,
    dtype_option,
    library_option,
    model_option,
    noise_option,
)
from socsim.cli.output import emit, emit_json, json_option
from socsim.cli.shapes import load, model_options, parse_shapes

if TYPE_CHECKING:
    from socsim.results.comparison import Comparison
    from socsim.results.repeated import RepeatedComparison
    from socsim.results.result import Result

__all__ = ["compare", "report", "report_options", "saved", "say_fallbacks", "split_names"]


def _not_empty(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not value.strip():
        raise click.BadParameter("must not be empty")
    return value


def _seeds(context: click.Context, parameter: click.Parameter, value: str) -> str:
    from socsim.errors import UsageError
    from socsim.seeds import read_seeds

    try:
        read_seeds(value)
    except UsageError as error:
        raise click.BadParameter(str(error)) from None
    return value


def report_options(command: Any) -> Any:
    """Add ``-o``, ``--json``, ``-v`` and ``-q``."""
    options = (
        click.option(
            "-o",
            "--output",
            metavar="DIR",
            callback=_not_empty,
            help="Write tables, traces, pictures and a manifest to DIR.",
        ),
        json_option,
        click.option("-v", "--verbose", is_flag=True, help="Also say which operators fell back, and why."),
        click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors (and JSON)."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command(short_help="Run one network under several schedulers and governors.")
@device_option
@model_option
@click.option(
    "-s", "--schedulers", required=True, metavar="NAME,...", help="Names, name(option=value) or module:Class."
)
@click.option(
    "-g",
    "--governors",
    metavar="SET,...",
    help="Sets of governors, each names joined by +, such as schedutil,schedutil+adreno_tz.",
)
@library_option
@click.option(
    "--cores",
    metavar="MASK",
    callback=_not_empty,
    help="CPU cores, such as prime:1+gold:3. [default: the library's]",
)
@dtype_option
@model_options
@click.option(
    "-n",
    "--inferences",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="For each scheduler.",
)
@click.option("--period", metavar="TIME", help='Between arrivals, such as "100 ms". [default: back to back]')
@noise_option
@click.option(
    "--seed",
    "--seeds",
    default="0",
    callback=_seeds,
    show_default=True,
    metavar="SEED",
    help="Of the noise; several, such as 0..9 or 1,2,5, give means, confidence and paired differences.",
)
@report_options
def compare(
    device: str,
    model: str,
    schedulers: str,
    governors: str | None,
    library: str,
    cores: str | None,
    dtype: str | None,
    shapes: tuple[str, ...],
    no_fuse: bool,
    inferences: int,
    period: str | None,
    noise: bool,
    seed: str,
    output: str | None,
    as_json: bool,
    verbose: bool,
    quiet: bool,
) -> None:
    """Run one network under several schedulers, and governors, side by side."""
    from socsim import api
    from socsim.results.inputs import located
    from socsim.results.store import check_output
    from socsim.workloads.library import load_library

    if output:
        check_output(output)
    names = split_names(schedulers)
    sets = None if governors is None else split_names(governors, "-g", "set of governors")
    graph = load(model, shapes, no_fuse or not load_library(library).fuses)
    comparison = api.compare(
        device, graph, names, governors=sets, library=library, inferences=inferences, period=period,
        dtype=dtype or "", cores=cores or "", noise=noise, seed=seed, kernels=output is not None,
    )  # fmt: skip
    comparison.config.update(located(_origin(model, shapes, no_fuse), Path.cwd()))
    report(comparison, as_json=as_json, verbose=verbose, quiet=quiet)
    if output:
        saved(comparison.save(output), as_json or quiet)


def split_names(text: str, option: str = "-s", noun: str = "scheduler") -> list[str]:
    """Names between commas, which options in parentheses may hold too: ``cpu,heft(predictor=flops)``.

    Parameters
    ----------
    option, noun
        What takes them, and what they name, for messages.

    Raises
    ------
    UsageError
        A name is empty.
    """
    from socsim.errors import UsageError

    names, depth = [""], 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            names.append("")
        else:
            names[-1] += character
    stripped = [name.strip() for name in names]
    if not all(stripped):
        raise UsageError(
            f"{option} takes at least one {noun}, and no empty name between commas, got {text!r}"
        )
    return stripped


def _origin(model: str, shapes: tuple[str, ...], no_fuse: bool) -> dict[str, Any]:
    """How the network was loaded, as an experiment file has it."""
    origin: dict[str, Any] = {"model": model}
    if shapes:
        origin["shapes"] = {name: list(shape) for name, shape in parse_shapes(shapes).items()}
    return origin | ({"fuse": False} if no_fuse else {})


def report(comparison: Comparison | RepeatedComparison, *, as_json: bool, verbose: bool, quiet: bool) -> None:
    """Print a comparison."""
    if as_json:
        emit_json(comparison.rows)
    elif not quiet:
        emit(comparison.render())
        for result, row in zip(comparison.results, comparison.rows, strict=True) if verbose else ():
            say_fallbacks(result, f"{row['scheduler']}: ")


def say_fallbacks(result: Result, before: str = "") -> None:
    """Say which operators fell back to the CPU, and why; `before` goes before each line."""
    for operator, why in result.fallbacks.items():
        click.echo(f"{before}{operator} on the CPU: {why}")


def saved(path: object, silent: bool) -> None:
    """Say where results are."""
    if not silent:
        click.echo(f"written to {path}")
