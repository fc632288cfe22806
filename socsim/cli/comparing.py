"""``socsim compare``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from socsim.cli.options import (
    accuracy_option,
    device_option,
    dtype_option,
    library_option,
    model_option,
    noise_option,
    seed_option,
)
from socsim.cli.output import emit, emit_json, json_option
from socsim.cli.shapes import model_options, parse_shapes

if TYPE_CHECKING:
    from socsim.results.comparison import Comparison
    from socsim.results.result import Result

__all__ = ["compare", "parse_limits", "report", "report_options", "saved", "say_fallbacks", "split_names"]


def _not_empty(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not value.strip():
        raise click.BadParameter("must not be empty")
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


@click.command(short_help="Run one network under several schedulers, managers and governors.")
@device_option
@model_option
@click.option(
    "-s",
    "--schedulers",
    required=True,
    metavar="NAME,...",
    help="Schedulers and managers: names, name(option=value) or module:Class.",
)
@click.option(
    "-g",
    "--governors",
    metavar="SET,...",
    help="Sets of governors, each names joined by +, such as schedutil,schedutil+adreno_tz.",
)
@click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="DOMAIN=CLOCKS",
    help='Clocks that a domain may have, such as "cpu=1 GHz..2 GHz" or "gpu=..345 MHz"; may be repeated.',
)
@click.option(
    "-t",
    "--transforms",
    metavar="SET,...",
    help="Sets of transforms, each joined by +, such as none,prune(0.5),prune(0.5)+quantise.",
)
@accuracy_option
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
@click.option("--level", type=click.IntRange(min=1), help="Of a family, the one to run or begin with.")
@click.option("--latency", metavar="TIME", help='What managers are to reach, such as "60 ms".')
@click.option("--top1", type=click.FloatRange(0.0, 100.0), help="Accuracy in % that they are to keep.")
@noise_option
@seed_option
@report_options
def compare(
    device: str,
    model: str,
    schedulers: str,
    governors: str | None,
    limits: tuple[str, ...],
    transforms: str | None,
    accuracy: str,
    library: str,
    cores: str | None,
    dtype: str | None,
    shapes: tuple[str, ...],
    no_fuse: bool,
    inferences: int,
    period: str | None,
    level: int | None,
    latency: str | None,
    top1: float | None,
    noise: bool,
    seed: int,
    output: str | None,
    as_json: bool,
    verbose: bool,
    quiet: bool,
) -> None:
    """Run one network, or family, under several schedulers, managers and governors, side by side."""
    from socsim import api
    from socsim.cli.comparison_file import load_compared
    from socsim.results.inputs import located
    from socsim.results.store import check_output

    if output:
        check_output(output)
    names = split_names(schedulers)
    sets = None if governors is None else split_names(governors, "-g", "set of governors")
    changes = None if transforms is None else split_names(transforms, "-t", "set of transforms")
    graph = load_compared(model, library, parse_shapes(shapes), fuse=not no_fuse)
    targets = {key: value for key, value in (("latency", latency), ("top1", top1)) if value is not None}
    comparison = api.compare(
        device, graph, names, governors=sets, limits=parse_limits(limits), library=library,
        inferences=inferences, period=period, dtype=dtype or "", cores=cores or "", level=level,
        targets=targets or None, transforms=changes, accuracy=accuracy, noise=noise, seed=seed,
        kernels=output is not None,
    )  # fmt: skip
    comparison.config.update(located(_origin(model, shapes, no_fuse), Path.cwd()))
    report(comparison, as_json=as_json, verbose=verbose, quiet=quiet)
    if output:
        saved(comparison.save(output), as_json or quiet)


def parse_limits(texts: Sequence[str]) -> dict[str, dict[str, float]]:
    """Limits of clocks in Hz from ``DOMAIN=MIN..MAX``, either of which may be left out; a single clock is both.

    Raises
    ------
    UsageError
        Something else, or a domain that is named twice.
    UnitError
        A clock that is none.
    """
    from socsim import units
    from socsim.errors import UsageError

    found: dict[str, dict[str, float]] = {}
    for text in texts:
        domain, equals, clocks = (part.strip() for part in text.partition("="))
        least, dots, most = (part.strip() for part in clocks.partition(".."))
        if not domain or not equals or not (least or most):
            raise UsageError(f"--limit is DOMAIN=MIN..MAX, such as 'cpu=1 GHz..2 GHz', got {text!r}")
        if domain in found:
            raise UsageError(f"--limit names {domain!r} twice")
        bounds = {"min": least, "max": most if dots else least}
        found[domain] = {key: units.parse(clock, "frequency") for key, clock in bounds.items() if clock}
    return found


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


def report(comparison: Comparison, *, as_json: bool, verbose: bool, quiet: bool) -> None:
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
