"""Calling the command line, and small files for it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from socsim.cli import main

Cli = Callable[..., tuple[int, str, str]]
"""Arguments in; exit code, standard output and standard error out."""

DEVICE = """\
title: Tiny
soc: T1
grade: B
source: meter
sources: {meter: a power meter, sheet: a data sheet}
clusters:
- name: big
  core: cortex-a76
  count: 2
  capacity: 1024
  bandwidth: 10 GB/s
  macs_per_cycle: {fp32: 8, int8: 32}
  power: {coefficient: 300 uW/MHz/V^2}
  opps:
  - {freq: 500 MHz, voltage: 700 mV}
  - {freq: {value: 2 GHz, grade: A, source: "sheet: page 3"}, voltage: 900 mV}
accelerators:
  gpu:
    model: G1
    layouts: [image, buffer]
    bandwidth: 20 GB/s
    macs_per_cycle: {fp32: 256}
    power: {coefficient: 6000 uW/MHz/V^2}
    opps: [{freq: 500 MHz, voltage: 700 mV}]
memory:
  efficiency: 80 %
  energy_per_byte: 4 pJ/bit
  background_power: 100 mW
  opps: [{freq: 1 GHz, bandwidth: 16 GB/s}]
cpu_bandwidth: 10 GB/s
sharing:
  gpu: {map_per_byte: 50 us/MB, transform_per_byte: 80 us/MB, sync: {mean: 0.5 ms}}
board_power: 1.25 W
rails: {cpu: [cpu.big], rest: [gpu, dram, board]}
calibration:
  mace:
    cpu: {fp32: {kernels: {other: {efficiency: 0.5}}}}
    gpu: {fp32: {image: {kernels: {other: {efficiency: 0.5}}}, buffer: {kernels: {other: {efficiency: 0.25}}}}}
"""
"""A phone with two big cores and a GPU, calibrated for MACE in fp32."""


def calling(capsys: pytest.CaptureFixture[str]) -> Cli:
    """A function that runs the command line."""

    def run(*args: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([str(arg) for arg in args])
        captured = capsys.readouterr()
        return ended.value.code, captured.out, captured.err  # type: ignore[return-value]

    return run


def cells(text: str) -> list[list[str]]:
    """The words of a table's lines, apart by two spaces or more; empty lines are left out."""
    lines = (line.strip() for line in text.splitlines())
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines if line]
