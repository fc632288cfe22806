"""Options that say which network to load, and how."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from socsim.workloads.graph import ModelGraph

__all__ = ["load", "model_options", "parse_shapes"]

Command = TypeVar("Command", bound=Callable[..., object])


def model_options(command: Command) -> Command:
    """Add ``--shape`` and ``--no-fuse``."""
    shape = click.option(
        "--shape",
        "shapes",
        multiple=True,
        metavar="INPUT=1x3x224x224",
        help="Shape of an input of an ONNX file; repeat it for several inputs.",
    )
    fuse = click.option(
        "--no-fuse",
        is_flag=True,
        help="Keep batch normalisations and activations of an ONNX file or a family.",
    )
    return shape(fuse(command))


def parse_shapes(texts: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """Input name -> shape, from ``name=1x3x224x224``.

    Raises
    ------
    UsageError
        A text of another form.
    """
    from socsim.errors import UsageError
    from socsim.workloads.onnx_import.pins import parse_shape

    try:
        return dict(parse_shape(text) for text in texts)
    except UsageError as error:
        raise UsageError(f"--shape: {error}") from None


def load(model: str, shapes: Iterable[str], no_fuse: bool, accuracy: str = "") -> ModelGraph:
    """Load a network by zoo name or path, with the options of :func:`model_options` and a table of accuracy costs."""
    from socsim.api import load_model

    return load_model(model, shapes=parse_shapes(shapes) or None, fuse=not no_fuse, accuracy=accuracy)
