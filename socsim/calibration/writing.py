"""A calibration as a device file: it extends the device's own, and says of each number what it rests on.

A parameter set that was fitted stands for itself (``whole: true``): what the device's own file says of the same kernels
was no part of the fit, and would change what it predicts. Everything else stays as that file has it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import median

from socsim import units
from socsim.calibration.calibrate import Calibrated, Outcome
from socsim.calibration.metrics import Accuracy
from socsim.calibration.power import known
from socsim.calibration.report import IDENTIFIED, held_out_accuracy, range_of
from socsim.calibration.tables import Table
from socsim.calibration.values import SCALARS
from socsim.devices.device import Calibration, Device, KernelPower, KernelRate
from socsim.devices.modes import of_whole, split_mode
from socsim.devices.profile import device_names
from socsim.devices.target import check_device_target, write_device
from socsim.errors import UsageError
from socsim.words import counted

__all__ = ["base_of", "power_lines", "profile_text", "set_lines", "source_lines", "write_profile"]

_TIMES = frozenset({"kernel_overhead", "inference_overhead", "dispatch", "host_overhead", "fork_join"})
_PRIOR = "prior: what is expected of such kernels; the measurements do not tell"
_GOOD, _BAD = 0.1, 0.5
"""Errors on unknown families up to which numbers count as measured (B), and beyond which as guesses (D)."""


def write_profile(outcome: Outcome, path: str | Path, extends: str) -> Path:
    """Write the file.

    Parameters
    ----------
    extends
        Name of the device that was calibrated, or the path of its file; a power mode is left out.

    Raises
    ------
    UsageError
        The file cannot be written, or would not extend what was calibrated.
    """
    return write_device(path, profile_text(outcome, base_of(extends, path)))


def base_of(extends: str, path: str | Path) -> str:
    """What a device file says that it extends.

    Parameters
    ----------
    extends
        Name of a device that comes with socsim, or the path of a file; with a power mode, which is left out.
    path
        Where it will stand.

    Raises
    ------
    UsageError
        No device file can be written there, or it would extend another device.
    """
    folder = Path(path).resolve().parent
    name = extends if Path(extends).is_file() else split_mode(extends)[0]
    if name not in device_names():
        check_device_target(path, [name])
        if Path(name).suffix not in (".yaml", ".yml"):
            raise UsageError(f"a device file that another extends ends in .yaml, got {name!r}")
        return os.path.relpath(Path(name).resolve(), folder)
    check_device_target(path)
    own = folder / f"{name}.yaml"
    if own.is_file() or own == Path(path).resolve():
        means = (
            f"in it, 'extends: {name}' means {own.name!r} beside it, not the device that comes with socsim"
        )
        raise UsageError(f"cannot write {str(path)!r}: {means}; choose another name or folder")
    return name


def profile_text(outcome: Outcome, extends: str) -> str:
    """The file's text: the same for the same measurements."""
    lines = [
        f"# Calibrated by measurements: {_line(Path(outcome.table.path).name)}",
        *(f"# {_line(warning)}" for warning in (*outcome.table.warnings, *outcome.warnings)),
        f"extends: {_plain(extends)}",
        "sources:",
        *source_lines([outcome.table]),
        *power_lines(outcome),
        "calibration:",
    ]
    by_library: dict[str, dict[str, list[Calibrated]]] = {}
    for found in outcome.calibrated:
        by_library.setdefault(found.key[0], {}).setdefault(found.key[1], []).append(found)
    for library, processors in sorted(by_library.items()):
        lines.append(f"  {library}:")
        for processor, sets in sorted(processors.items()):
            lines.append(f"    {processor}:")
            for found in sets:
                _, _, dtype, layout = found.key
                lines.append(f"      {dtype}:")
                lines += [f"        {layout}:"] if layout else []
                pad = " " * (10 if layout else 8)
                lines.append(f"{pad}whole: true")
                lines += [pad + line for line in set_lines(found, outcome.table, outcome.device)]
    return "\n".join(lines) + "\n"


def source_lines(tables: Iterable[Table]) -> list[str]:
    """Of block ``sources``: what the numbers that were fitted to tables say of themselves."""
    names = ", ".join(dict.fromkeys(Path(table.path).name for table in tables))
    if not names:
        return []
    return [
        f"  calibrated: {_quoted(f'socsim calibrate, {names}')}",
        '  prior: "socsim calibrate: expectations from hardware facts"',
    ]


def set_lines(found: Calibrated, table: Table, device: Device) -> Iterable[str]:
    """A parameter set, as it stands below its data type and layout.

    Parameters
    ----------
    table
        What it was fitted to.
    device
        What it was fitted on. Times are told at the hardware's highest clocks, as files tell them, if its power mode
        has lower ones.
    """
    held = held_out_accuracy(found)
    yield f"grade: {_grade(held)}"
    where = f"{table.name} in {Path(table.path).name}"
    yield f"source: {_quoted(f'calibrated: {_source(found)}; {where}')}"
    yield from _scalars(found, of_whole(device, found.calibration))
    yield f"noise: {_noise(found)}"
    low, high = range_of(found)
    yield (
        f"error: {{low: {_number(low)}, high: {_number(high)}, mape: {_number(held.mape)}}}"
        if held
        else (f"error: {{low: {_number(low)}, high: {_number(high)}}}")
    )
    yield from _power(found)
    yield from _clusters(found)
    yield "kernels:"
    learned = _learned(found)
    for name, rate in found.calibration.kernels.items():
        yield f"  {name}: {_rate(rate, learned.get(name))}"


def _grade(held: Accuracy | None) -> str:
    if held is not None and held.mape > _BAD:
        return "D"
    return "B" if held and held.mape <= _GOOD and held.n >= 8 else "C"


def _noise(found: Calibrated) -> str:
    """Spread between runs: the median of what the rows tell, else what is usual."""
    told = [row.noise for part in found.parts for row in part.rows if row.noise is not None]
    if told:
        return _number(min(0.1, max(0.003, median(told))))
    usual = 0.004 if found.key[1] == "cpu" else 0.024
    return f'{{value: {usual}, grade: D, source: "prior: as in TensorFlow Lite on a Pixel 4"}}'


def _source(found: Calibrated) -> str:
    rows = [row for part in found.parts for row in part.rows]
    lines = f"lines {min(r.line for r in rows)} to {max(r.line for r in rows)}"
    held = held_out_accuracy(found)
    told = f"{counted(len(rows), 'row')} ({lines}) of {counted(len(found.families), 'network')}"
    cores = ", ".join(part.cores for part in found.parts if part.cores)
    told += f" on {cores}" if cores else ""
    return told + (
        f"; error on other families {100 * held.mape:.1f} %" if held else "; one family, no cross-validation"
    )


def _scalars(found: Calibrated, calibration: Calibration) -> Iterable[str]:
    fitted = {
        p.name: float(told) for p, told in zip(found.fit.space.parameters, found.fit.learned, strict=True)
    }
    for name in SCALARS:
        if found.key[1] == "cpu" and name in ("dispatch", "host_overhead"):
            continue
        if found.key[1] != "cpu" and name in ("fork_join", "crossing"):
            continue
        value = getattr(calibration, name)
        if name == "host_overhead" and not value:
            continue
        text = units.format(float(_number(value)), "time") if name in _TIMES else _number(value)
        if value and fitted.get(name, 0.0) < IDENTIFIED:
            yield f'{name}: {{value: {text}, grade: D, source: "{_PRIOR}"}}'
        else:
            yield f"{name}: {text}"


def _learned(found: Calibrated) -> Mapping[str, tuple[float, float]]:
    """Class -> how much was learned of its rate, and its standard error."""
    fit = found.fit
    return {
        fit.space.fixed.classes[i]: (float(told), float(error))
        for p, told, error in zip(fit.space.parameters, fit.learned, fit.deviations, strict=True)
        if p.quantity == "efficiency"
        for i in p.members
    }


def _rate(rate: KernelRate, learned: tuple[float, float] | None) -> str:
    fields = [f"efficiency: {_number(rate.efficiency)}"]
    if rate.half_work:
        fields.append(f"half_work: {_number(rate.half_work / 1e3)} kMAC")
    for name in ("half_depth", "half_channels", "half_pixels", "half_outputs", "serial_share"):
        value = getattr(rate, name)
        if value:
            fields.append(f"{name}: {_number(value)}")
    if rate.tile:
        fields.append(f"tile: {rate.tile}")
    if rate.weights != 1.0:
        fields.append(f"weights: {_number(rate.weights)}")
    if learned is None or learned[0] < IDENTIFIED:
        fields.append(f'grade: D, source: "{_PRIOR}"')
        return "{" + ", ".join(fields) + "}"
    return "{" + ", ".join(fields) + "}" + f"  # s.e. {100 * learned[1]:.0f} %"


def _power(found: Calibrated) -> Iterable[str]:
    """What the processor draws meanwhile, if energies tell it."""
    own = found.calibration.power
    if own == KernelPower():
        return
    rows = sum(row.energy is not None or row.power is not None for part in found.parts for row in part.rows)
    told = [f"computing: {_number(own.computing)}", f"waiting: {_number(own.waiting)}"]
    told += [f"mape: {_number(own.mape)}"] if own.mape is not None else []
    source = f'grade: C, source: "calibrated: energies of {counted(rows, "row")}"'
    yield f"power: {{{', '.join(told)}, {source}}}"


def _clusters(found: Calibrated) -> Iterable[str]:
    factors = list(found.calibration.clusters.items())[1:]
    if not factors:
        return
    yield "clusters:"
    for name, own in factors:
        rates = ", ".join(f"{kernel}: {_number(value)}" for kernel, value in own.kernels.items())
        yield f"  {name}:"
        yield f"    overhead: {_number(own.overhead)}"
        yield f"    kernels: {{{rates}}}"


def power_lines(outcome: Outcome, *, board: bool = True) -> Iterable[str]:
    """Powers that energies told; nothing without them.

    Parameters
    ----------
    board
        Whether to tell the board's, too.
    """
    power = outcome.power
    if power is None:
        return
    if board and power.board is not None:
        told = f"calibrated: idle power of {counted(power.idle_rows, 'row')}, less what is modelled by itself"
        idle = units.format(float(_number(power.board)), "power")
        yield f'board_power: {{value: {idle}, grade: C, source: "{told}"}}'
    factors = {p.processor: p for p in power.processors if known(p)}
    if "cpu" in factors:
        yield "clusters:"
        for cluster in outcome.device.clusters:
            yield f"  - name: {cluster.name}"
            yield f"    power: {_coefficient(cluster.power.coefficient, factors['cpu'].factor, factors['cpu'].n)}"
    others = [(name, p) for name, p in factors.items() if name != "cpu"]
    if others:
        yield "accelerators:"
        for name, p in others:
            unit = outcome.device.accelerators[name]
            yield f"  {name}:"
            yield f"    power: {_coefficient(unit.power.coefficient, p.factor, p.n)}"


def _coefficient(coefficient: float, factor: float, rows: int) -> str:
    text = units.format(float(_number(coefficient * factor)), "dynamic power")
    return f'{{coefficient: {{value: {text}, grade: C, source: "calibrated: energies of {counted(rows, "row")}"}}}}'


def _quoted(text: str) -> str:
    """A text that YAML reads as it is, whatever is in it."""
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if character.isprintable() else f"\\U{ord(character):08x}"


def _plain(text: str) -> str:
    return text if re.fullmatch(r"[A-Za-z][\w./-]*", text) else _quoted(text)


def _line(text: str) -> str:
    """A text on one line, for a comment."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))


def _number(value: float) -> str:
    """Four significant digits: more than any of the numbers is sure of, and the same on every machine."""
    return f"{value:.4g}" if 1e-4 <= abs(value) < 1e6 or not value else repr(float(f"{value:.4g}"))
