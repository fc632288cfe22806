"""Options of several commands that say what runs on what, and with which noise."""

from __future__ import annotations

import click

__all__ = [
    "accuracy_option",
    "device_option",
    "dtype_option",
    "library_option",
    "model_option",
    "noise_option",
    "seed_option",
]

device_option = click.option("-d", "--device", required=True, help="Name or file of a device.")

model_option = click.option(
    "-m",
    "--model",
    required=True,
    help="Name of a network, or an ONNX file; transforms after it, as in resnet50+prune(0.5).",
)

accuracy_option = click.option(
    "--accuracy",
    default="",
    metavar="FILE",
    help="Table (CSV or YAML) of what transforms cost in accuracy. [default: published figures]",
)

library_option = click.option(
    "-l", "--library", default="mace", show_default=True, help="Name or file of an inference library."
)

dtype_option = click.option(
    "--dtype",
    type=click.Choice(["fp32", "fp16", "int8"]),
    help="Data type, where the library has it. [default: the library's]",
)

noise_option = click.option("--noise", is_flag=True, help="Draw the calibrated run-to-run spread.")

seed_option = click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the noise."
)
