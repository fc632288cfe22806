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
        "--no-fuse", is_flag=True, help="Keep batch normalisations and activations of an ONNX file."
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

    shapes = {}
    for text in texts:
        name, _, sizes = text.rpartition("=")
        parts = sizes.split("x")
        if not name or not all(part.isascii() and part.isdigit() and int(part) > 0 for part in parts):
            raise UsageError(f"--shape takes INPUT=SIZExSIZEx..., such as data=1x3x224x224, got {text!r}")
        shapes[name] = tuple(int(part) for part in parts)
    return shapes


def load(model: str, shapes: Iterable[str], no_fuse: bool) -> ModelGraph:
    """Load a network by zoo name or path, with the options of :func:`model_options`."""
    from socsim.api import load_model

    return load_model(model, shapes=parse_shapes(shapes) or None, fuse=not no_fuse)
