"""``socsim check``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from socsim.errors import FileError, SocsimError, UsageError
from socsim.words import counted

__all__ = ["check", "check_file"]


@click.command(short_help="Check device, library, family, experiment and ONNX files.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but faults.")
def check(files: tuple[str, ...], quiet: bool) -> None:
    """Check files of devices, libraries, families, experiments and accuracy costs (YAML) and networks (ONNX), and tell
    all their faults."""
    failed = 0
    for file in files:
        try:
            found = check_file(file)
        except SocsimError as error:
            failed += 1
            text = str(error)
            click.echo(
                text if isinstance(error, FileError) or text.startswith(file) else f"{file}: {text}", err=True
            )
        else:
            if not quiet:
                click.echo(f"{file}: {found}")
    if failed:
        sys.exit(2)


def check_file(file: str) -> str:
    """What a sound file is, in one phrase.

    Raises
    ------
    SocsimError
        The file cannot be read, is of no kind that socsim knows, or has faults.
    """
    path = Path(file)
    if not file:
        raise UsageError("an empty name is no file")
    if path.is_dir():
        raise UsageError(f"{file}: is a directory; name a file")
    if not path.is_file():
        raise UsageError(f"{file}: no such file{_hint(file)}")
    if path.suffix == ".onnx":
        return _network(file)
    if path.suffix not in (".yaml", ".yml", ".json"):
        raise UsageError(
            f"{file}: check reads .yaml, .json and .onnx files, got {path.suffix or 'no suffix'!r}"
        )
    return _KINDS[_kind(path)](file)


def _hint(name: str) -> str:
    from socsim.devices.profile import device_names
    from socsim.experiments import experiment_names
    from socsim.workloads.dynamic import family_names
    from socsim.workloads.library import library_names

    shipped = name in (*device_names(), *library_names(), *family_names(), *experiment_names())
    return (
        f"; check takes paths of files, and {name!r} is the name of one that comes with socsim"
        if shipped
        else ""
    )


def _network(file: str) -> str:
    from socsim.api import load_model
    from socsim.cli.show_model import scaled

    graph = load_model(file)
    work = scaled(graph.macs)
    return f"network, {counted(len(graph), 'operator')}, {work}{'' if work[-1].isalpha() else ' '}MAC"


def _device(file: str) -> str:
    from socsim.devices.plausibility import doubts
    from socsim.devices.profile import load_device

    device = load_device(file)
    for doubt in doubts(device):
        click.echo(f"{file}: warning: {doubt}", err=True)
    numbers = sum(device.grades.values())
    return f"device {device.title!r}, {', '.join(device.processors)}, {numbers} graded numbers"


def _library(file: str) -> str:
    from socsim.workloads.library import load_library

    library = load_library(file)
    return f"library {library.title!r} for {', '.join(library.processors)}"


def _family(file: str) -> str:
    from socsim.workloads.dynamic import load_family

    family = load_family(file)
    for member in family.levels:
        member.graph  # noqa: B018 - building it finds what does not fit
    return f"family {family.title!r} of {counted(len(family), 'network')}"


def _experiment(file: str) -> str:
    from socsim.sweeps.checking import check_sweep
    from socsim.sweeps.plan import load_sweep

    return check_sweep(load_sweep(file))


def _comparison(file: str) -> str:
    from socsim.cli.comparison_file import check_comparison

    return check_comparison(file)


def _accuracy(file: str) -> str:
    from socsim.workloads.transforms import load_drops

    rows = load_drops(file).rows
    networks = len({row.model for row in rows})
    return f"table of accuracy costs, {counted(len(rows), 'row')} on {counted(networks, 'network')}"


_KINDS = {
    "device": _device,
    "library": _library,
    "family": _family,
    "experiment": _experiment,
    "comparison": _comparison,
    "accuracy": _accuracy,
}


def _kind(path: Path) -> str:
    """What a YAML file is, by its top-level keys.

    Raises
    ------
    UsageError
        Nothing that socsim knows.
    FileError
        No YAML.
    """
    from socsim import yamlfile

    keys = set(yamlfile.read(path).root.value)
    if keys == {"drops"}:
        return "accuracy"
    if "schedulers" in keys:
        return "comparison"
    if "apps" in keys:
        return "experiment"
    if keys & {"kernel_classes", "processors"}:
        return "library"
    if keys & {"levels", "skeleton"}:
        return "family"
    if keys & {"clusters", "accelerators", "soc", "extends"}:
        return "device"
    raise UsageError(
        f"{path}: neither a device (clusters, soc, extends), a library (processors, kernel_classes), "
        "a family (levels, skeleton), a table of accuracy costs (drops) nor "
        f"an experiment (device, apps or schedulers); its keys: {', '.join(sorted(keys)) or 'none'}"
    )
