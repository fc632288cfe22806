"""``socsim run``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from socsim.cli.comparing import report, report_options, saved, say_fallbacks
from socsim.cli.output import emit, emit_json
from socsim.errors import SimulationError, SocsimError

if TYPE_CHECKING:
    from socsim.results.result import Result
    from socsim.sweeps.plan import Sweep

__all__ = ["run"]


@click.command(short_help="Run an experiment, or an earlier run again.")
@click.argument("experiment", metavar="EXPERIMENT")
@click.option(
    "-s",
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a value of the file; a swept one is then no longer swept.",
)
@click.option("--seed", type=click.IntRange(min=0), help="Same as -s seed=N.")
@click.option("--slowdown", is_flag=True, help="Also simulate each application alone on the idle phone.")
@report_options
def run(
    experiment: str,
    overrides: tuple[str, ...],
    seed: int | None,
    slowdown: bool,
    output: str | None,
    as_json: bool,
    verbose: bool,
    quiet: bool,
) -> None:
    """Run an experiment: a YAML file, or the manifest or directory that an earlier run has written.

    An experiment with a sweep is run at every point of its grid.
    """
    from socsim.cli.comparison_file import is_comparison, run_comparison
    from socsim.cli.sweeping import run_sweep
    from socsim.results.store import check_output
    from socsim.sweeps.plan import load_sweep

    if output:
        check_output(output)
    changes = _changes(overrides, seed)
    path = _resolve(experiment)
    _warn_of_changes(Path(path))
    if is_comparison(path):
        if slowdown:
            raise click.UsageError(
                "--slowdown is for experiments, and this file is a comparison of schedulers"
            )
        comparison = run_comparison(path, changes, kernels=output is not None)
        report(comparison, as_json=as_json, verbose=verbose, quiet=quiet)
        written = comparison.save(output, overrides=changes) if output else None
    elif (plan := load_sweep(path, changes)).axes:
        written = run_sweep(
            plan, changes, slowdown=slowdown, output=output, as_json=as_json, verbose=verbose, quiet=quiet
        )
    else:
        result = _run_single(plan, kernels=output is not None, changed=bool(changes))
        _report(result, slowdown=slowdown, as_json=as_json, verbose=verbose, quiet=quiet)
        written = result.save(output, overrides=changes) if output else None
    if written:
        saved(written, as_json or quiet)


def _changes(overrides: tuple[str, ...], seed: int | None) -> list[str]:
    """Overrides, ``--seed`` among them."""
    if seed is not None and any(text.startswith("seed=") for text in overrides):
        raise click.UsageError("--seed and -s seed=... say the same; give one of them")
    return [*overrides, *([] if seed is None else [f"seed={seed}"])]


def _run_single(plan: Sweep, *, kernels: bool, changed: bool) -> Result:
    """Run the only point; what keeps it from running is told with its place in the file, unless that was changed."""
    from socsim.sweeps.checking import check_sweep

    try:
        return plan.experiment(0).run(kernels=kernels)
    except SimulationError:
        raise
    except SocsimError:
        if not changed:
            check_sweep(plan)
        raise


def _resolve(experiment: str) -> str:
    """The experiment file that a manifest or an output directory stands for; other names as they are."""
    from socsim.results.store import EXPERIMENT, MANIFEST

    path = Path(experiment)
    if path.name == MANIFEST:
        path = path.parent
    return str(path / EXPERIMENT) if (path / EXPERIMENT).is_file() else experiment


def _warn_of_changes(path: Path) -> None:
    """Say on standard error which files that an output was made from hold something else now."""
    from socsim.results.inputs import changed_inputs
    from socsim.results.store import EXPERIMENT, read_manifest

    if path.name == EXPERIMENT:
        for name in changed_inputs(read_manifest(path.parent)):
            state = "has changed" if Path(name).exists() else "is gone"
            click.echo(f"socsim: warning: {name} {state} since {path.parent} was written", err=True)


def _report(result: Result, *, slowdown: bool, as_json: bool, verbose: bool, quiet: bool) -> None:
    from socsim.results.render import render_applications

    if as_json:
        emit_json(result.rows(slowdown=slowdown))
    elif not quiet:
        emit(render_applications(result, slowdown=slowdown))
        if verbose:
            say_fallbacks(result)
