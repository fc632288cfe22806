"""``socsim new-device``: a starting profile from public specifications."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from socsim.cli.output import emit_table
from socsim.errors import UsageError

if TYPE_CHECKING:
    from socsim.newdevice import NewDevice, Specification

__all__ = ["new_device"]

_NEAR = {"same": "the same", "alike": "alike", "other": "another kind"}


@click.command("new-device", short_help="Make a starting profile from public specifications.")
@click.argument("spec", required=False, type=click.Path(path_type=Path))
@click.option(
    "--cpu",
    multiple=True,
    metavar="CORE:CLOCK:COUNT",
    help="A group of cores: cortex-a76:2.84GHz:1. May be repeated.",
)
@click.option(
    "--gpu", default="", metavar="MODEL:CLOCK[:MACS]", help="adreno-640:585MHz, mali-g76-mp12:702MHz."
)
@click.option("--memory", default="", metavar="KIND:BANDWIDTH", help="lpddr4x:34GB/s.")
@click.option("--title", default="", help="What the device is called. [default: the output's name]")
@click.option(
    "-x", "--exclude", multiple=True, metavar="DEVICE", help="Take nothing from this device. May be repeated."
)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The profile to write.")
def new_device(
    spec: Path | None,
    cpu: tuple[str, ...],
    gpu: str,
    memory: str,
    title: str,
    exclude: tuple[str, ...],
    output: Path,
) -> None:
    """Make a starting profile from what is publicly told of a device, in file SPEC or in options.

    Rates of kernels are those of the nearest devices that were calibrated, as shares of the peaks.
    """
    from socsim.devices.profile import device_names
    from socsim.devices.target import check_device_target, write_device
    from socsim.errors import UnknownNameError
    from socsim.newdevice import new_device as made

    for name in exclude:
        if name not in device_names():
            raise UnknownNameError("device", name, device_names())
    check_device_target(output, [spec] if spec else [])
    found = made(_specification(spec, cpu, gpu, memory, title, output.stem), exclude)
    write_device(output, found.text)
    _print(found, output)


def _specification(
    spec: Path | None, cpu: tuple[str, ...], gpu: str, memory: str, title: str, usual: str
) -> Specification:
    from socsim.newdevice import read_specification, specification

    if spec is None:
        return specification(title or usual, cpu, gpu, memory)
    if cpu or gpu or memory or title:
        raise UsageError("give either a file or --cpu, --gpu, --memory and --title, not both")
    return read_specification(spec)


def _print(found: NewDevice, output: Path) -> None:
    hardware = [(taken.part, taken.model, taken.origin) for taken in found.hardware]
    emit_table(("part", "as", "of"), hardware, title="what was not told of the hardware")
    rates = [
        (*rate.calibration.key, rate.origin, rate.reason, _NEAR[rate.near], f"{rate.factor:.2g}")
        for rate in found.rates
    ]
    headers = (
        "library",
        "processor",
        "data type",
        "layout",
        "from",
        "core or model",
        "nearness",
        ">within factor",
    )
    emit_table(headers, rates, title="\nrates of kernels")
    click.echo(
        f"\nwrote {output}: nothing was measured on this device. Nine of ten latencies are expected within the factor\n"
        "either way, as when devices that were measured were predicted so."
    )
