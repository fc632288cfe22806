"""Which networks there are, and where each is built."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping
from math import isfinite
from numbers import Integral, Real
from types import MappingProxyType
from typing import Any

from socsim.errors import UnknownNameError, UsageError
from socsim.workloads.graph import ModelGraph

__all__ = ["CATALOGUE", "build_model", "model_names"]

CATALOGUE: Mapping[str, str] = MappingProxyType(
    {
        "resnet18": "resnet:resnet18",
        "resnet34": "resnet:resnet34",
        "resnet50": "resnet:resnet50",
        "resnet101": "resnet:resnet101",
        "resnet50_v2": "resnet:resnet50_v2",
        "vgg16": "vgg:vgg16",
        "vgg19": "vgg:vgg19",
        "mobilenet_v1": "mobilenet:mobilenet_v1",
        "mobilenet_v2": "mobilenet:mobilenet_v2",
        "mobilenet_v3": "mobilenet:mobilenet_v3",
        "mnasnet": "mobilenet:mnasnet",
        "efficientnet_b0": "efficientnet:efficientnet_b0",
        "efficientnet_lite0": "efficientnet:efficientnet_lite0",
        "squeezenet_1.0": "squeezenet:squeezenet_10",
        "squeezenet_1.1": "squeezenet:squeezenet_11",
        "googlenet": "inception:googlenet",
        "inception_v3": "inception:inception_v3",
        "inception_v4": "inception:inception_v4",
        "densenet121": "densenet:densenet121",
        "shufflenet_v2": "shufflenet:shufflenet_v2",
        "alexnet": "vgg:alexnet",
        "fast_style_transfer": "style_transfer:fast_style_transfer",
        "unet": "unet:unet",
        "yolov2": "yolo:yolov2",
        "yolov4_tiny": "yolo:yolov4_tiny",
        "posenet": "posenet:posenet",
        "retinaface": "retinaface:retinaface",
        "bert_tiny": "transformer:bert_tiny",
        "mobilebert": "transformer:mobilebert",
        "vit_b16": "transformer:vit_b16",
    }
)
"""Model name -> ``module:function`` in this package. Functions take only keyword arguments with defaults."""

_SIZED = re.compile(r"(?P<base>[a-z0-9_.]+?)_(?P<width>\d\.\d+)(?:_(?P<resolution>\d{2,4}))?$")


def model_names() -> list[str]:
    """Names of all networks of the zoo, sorted."""
    return sorted(CATALOGUE)


def build_model(name: str, **options: Any) -> ModelGraph:
    """Build a network by name.

    Parameters
    ----------
    name
        A key of :data:`CATALOGUE`, or one with its width and resolution: ``mobilenet_v1_0.5_160``.
    **options
        Keyword arguments of its builder (``width``, ``resolution``, ...).

    Raises
    ------
    UnknownNameError
        No such network.
    UsageError
        An option that the builder does not have, or of another kind than its default.
    """
    base, sized = _parse(name)
    try:
        module, _, function = CATALOGUE[base].partition(":")
    except KeyError:
        raise UnknownNameError("model", name, CATALOGUE, "(or give the path of an .onnx file)") from None
    builder: Callable[..., ModelGraph] = getattr(importlib.import_module(f"{__package__}.{module}"), function)
    merged = {**sized, **options}
    _check_options(base, merged, builder.__kwdefaults__ or {})
    return builder(**merged)


_KINDS: Mapping[type, tuple[type, str]] = MappingProxyType(
    {
        bool: (bool, "true or false"),
        int: (Integral, "a whole number"),
        float: (Real, "a finite number"),
        str: (str, "a text"),
    }
)
"""Type of a default -> what the option may be, and how it is called."""


def _check_options(model: str, options: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    unknown = set(options) - set(defaults)
    if unknown:
        has = ", ".join(defaults) or "none"
        raise UsageError(f"model {model!r} has no option {sorted(unknown)[0]!r}; it has: {has}")
    for option, value in options.items():
        default = defaults[option]
        kind, words = _KINDS[type(default)]
        fits = isinstance(value, kind) and isinstance(value, bool) == isinstance(default, bool)
        if not fits or (kind is Real and not isfinite(value)):
            raise UsageError(
                f"model {model!r}: option {option!r} must be {words}, got {value!r}; its default is {default!r}"
            )


def _parse(name: str) -> tuple[str, dict[str, Any]]:
    match = None if name in CATALOGUE else _SIZED.match(name)
    if match is None or match["base"] not in CATALOGUE:
        return name, {}
    sized: dict[str, Any] = {"width": float(match["width"])}
    if match["resolution"]:
        sized["resolution"] = int(match["resolution"])
    return match["base"], sized
