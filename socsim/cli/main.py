"""The command line: its commands, and what becomes of errors.

Commands import what they need when they run, so that ``socsim --help`` and ``socsim list`` answer at once.
"""

from __future__ import annotations

import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

import click

from socsim._version import __version__
from socsim.cli.calibrating import calibrate
from socsim.cli.checking import check
from socsim.cli.comparing import compare
from socsim.cli.listing import list_things
from socsim.cli.newdevice import new_device
from socsim.cli.profiling import profile
from socsim.cli.reporting import report
from socsim.cli.reproducing import reproduce
from socsim.cli.running import run
from socsim.cli.showing import show
from socsim.cli.sweep_command import sweep
from socsim.cli.validating import validate
from socsim.errors import SimulationError, SocsimError, SweepError

__all__ = ["BAD_INPUT", "DONE", "FAILED", "INTERRUPTED", "TERMINATED", "cli", "main"]

DONE, FAILED, BAD_INPUT, INTERRUPTED, TERMINATED = 0, 1, 2, 130, 143
"""Exit codes."""


class _Terminated(BaseException):
    """The process was asked to end (SIGTERM): cleaned up after as an interruption is."""


def _print_version(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(f"socsim {__version__}")
        context.exit()


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
def cli() -> None:
    """Simulate neural networks on phones, and compare schedulers."""


for _command in (
    list_things, show, check, run, sweep, compare, report, profile, calibrate, validate, new_device, reproduce
):  # fmt: skip
    cli.add_command(_command)


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 done, 1 the run failed, 2 bad input, 130 interrupted, 143 terminated.

    Parameters
    ----------
    args
        Arguments; default those of the process.
    """
    with _termination():
        code = _run(args)
    sys.exit(code)


@contextmanager
def _termination() -> Iterator[None]:
    """Let SIGTERM unwind the stack, so that nothing half-written stays behind; in the main thread only."""

    def terminate(number: int, frame: object) -> NoReturn:
        raise _Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _noun(error: Exception) -> str:
    return "sweep" if isinstance(error, SweepError) else "run"


def _run(args: Sequence[str] | None) -> int:
    try:
        code = cli.main(args=None if args is None else list(args), prog_name="socsim", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return BAD_INPUT
    except (SimulationError, SweepError) as error:
        if error.__cause__ is not None and {"-v", "--verbose"}.intersection(
            sys.argv if args is None else args
        ):
            click.echo("".join(traceback.format_exception(error.__cause__)), err=True, nl=False)
        click.echo(f"socsim: the {_noun(error)} failed: {error}", err=True)
        return FAILED
    except SocsimError as error:
        click.echo(f"socsim: {error}", err=True)
        return BAD_INPUT
    except _Terminated:
        click.echo("socsim: terminated", err=True)
        return TERMINATED
    except (click.Abort, KeyboardInterrupt):
        click.echo("socsim: interrupted", err=True)
        return INTERRUPTED
    return code if isinstance(code, int) else DONE
