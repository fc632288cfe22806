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

__all__ = ["CATALOGUE", "build_model", "describe_model", "model_names"]

CATALOGUE: Mapping[str, str] = MappingProxyType(
    {
        "alexnet": "vgg:alexnet",
        "bert_tiny": "transformer:bert_tiny",
        "blazeface": "blazeface:blazeface",
        "convnext_base": "convnext:convnext_base",
        "convnext_tiny": "convnext:convnext_tiny",
        "densenet121": "densenet:densenet121",
        "efficientnet_b0": "efficientnet:efficientnet_b0",
        "efficientnet_lite0": "efficientnet:efficientnet_lite0",
        "efficientnet_lite2": "efficientnet:efficientnet_lite2",
        "efficientnet_v2_b0": "efficientnet_v2:efficientnet_v2_b0",
        "efficientnet_v2_s": "efficientnet_v2:efficientnet_v2_s",
        "fast_style_transfer": "style_transfer:fast_style_transfer",
        "fastestdet": "light_detectors:fastestdet",
        "fbnet_cb": "searched:fbnet_cb",
        "googlenet": "inception:googlenet",
        "googlenet_torch": "inception:googlenet_torch",
        "inception_v3": "inception:inception_v3",
        "inception_v4": "inception:inception_v4",
        "mnasnet": "mobilenet:mnasnet",
        "mnasnet_a1": "searched:mnasnet_a1",
        "mobilebert": "transformer:mobilebert",
        "mobilenet_ssd": "ssd:mobilenet_ssd",
        "mobilenet_v1": "mobilenet:mobilenet_v1",
        "mobilenet_v1b": "mobilenet:mobilenet_v1b",
        "mobilenet_v2": "mobilenet:mobilenet_v2",
        "mobilenet_v2_tf": "mobilenet:mobilenet_v2_tf",
        "mobilenet_v2_unrounded": "mobilenet:mobilenet_v2_unrounded",
        "mobilenet_v2_yolov3": "yolo_mobile:mobilenet_v2_yolov3",
        "mobilenet_v3": "mobilenet:mobilenet_v3",
        "mobilenet_v3_large": "mobilenet:mobilenet_v3_large",
        "mobilenet_yolo": "yolo_mobile:mobilenet_yolo",
        "nanodet_m": "light_detectors:nanodet_m",
        "posenet": "posenet:posenet",
        **{f"preresnet{units}": f"resnet_family:preresnet:{units}" for units in (10, 12, 14, 16, 18)},
        **{f"preresnet_{units}": f"resnet_family:preresnet:{units}" for units in ("bc14b", "bc26b")},
        "proxylessnas": "searched:proxylessnas",
        **{
            f"regnet_x_{size}": f"regnet:regnet_x:{size}"
            for size in ("200mf", "400mf", "600mf", "800mf", "1.6gf", "3.2gf")
        },
        "regnet_y_400mf": "regnet:regnet_y:400mf",
        **{f"resnet{units}": f"resnet_family:resnet:{units}" for units in (10, 12, 14, 16)},
        "resnet18": "resnet:resnet18",
        "resnet18_torch": "resnet_family:resnet:18_torch",
        "resnet34": "resnet:resnet34",
        "resnet50": "resnet:resnet50",
        "resnet50_v1.5": "resnet:resnet50_v15",
        "resnet50_v2": "resnet:resnet50_v2",
        "resnet101": "resnet:resnet101",
        **{f"resnet_{units}": f"resnet_family:resnet:{units}" for units in ("bc14b", "bc26b")},
        "resnext50": "resnext:resnext50",
        "resnext101": "resnext:resnext101",
        "retinaface": "retinaface:retinaface",
        **{f"seresnet{units}": f"resnet_family:seresnet:{units}" for units in (10, 12, 14, 16, 18)},
        "shufflenet_v1": "shufflenet:shufflenet_v1",
        "shufflenet_v2": "shufflenet:shufflenet_v2",
        "squeezenet_1.0": "squeezenet:squeezenet_10",
        "squeezenet_1.1": "squeezenet:squeezenet_11",
        "squeezenet_1.1_torch": "squeezenet:squeezenet_11_torch",
        "squeezenet_ssd": "ssd:squeezenet_ssd",
        "ssd_mobilenet_v1": "ssd:ssd_mobilenet_v1",
        "unet": "unet:unet",
        "vgg16": "vgg:vgg16",
        "vgg19": "vgg:vgg19",
        "vit_b16": "transformer:vit_b16",
        "wide_resnet50": "resnext:wide_resnet50",
        "yolo_fastest": "yolo_mobile:yolo_fastest",
        "yolo_fastest_v2": "light_detectors:yolo_fastest_v2",
        "yolov2": "yolo:yolov2",
        "yolov4_tiny": "yolo:yolov4_tiny",
    }
)
"""Model name -> ``module:function`` in this package, or ``module:function:member`` of a family.

Functions take only keyword arguments with defaults, those of families the member's name ahead of them.
"""

_SIZES = (
    re.compile(r"(?P<base>.+)_(?P<resolution>\d{2,4})$"),
    re.compile(r"(?P<base>.+)_(?P<width>\d\.\d+)$"),
    re.compile(r"(?P<base>.+)_(?P<width>\d\.\d+)_(?P<resolution>\d{2,4})$"),
)


def model_names() -> list[str]:
    """Names of all networks of the zoo, sorted."""
    return sorted(CATALOGUE)


def build_model(name: str, **options: Any) -> ModelGraph:
    """Build a network by name.

    Parameters
    ----------
    name
        A key of :data:`CATALOGUE`, or one with its width, resolution or both: ``mobilenet_v1_0.5_160``,
        ``inception_v3_224``.
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
    builder, *member = _builder(base, name)
    merged = {**sized, **options}
    _check_options(base, merged, builder.__kwdefaults__ or {})
    return builder(*member, **merged)


def describe_model(name: str) -> tuple[str, list[str]]:
    """What a network is, and which of ``width`` and ``resolution`` its name may be followed by.

    Raises
    ------
    UnknownNameError
        No such network.
    """
    builder, *_ = _builder(name, name)
    title = next(iter((builder.__doc__ or "").splitlines()), "").partition("; options as of")[0]
    return title.strip().rstrip("."), [
        k for k in ("width", "resolution") if k in (builder.__kwdefaults__ or {})
    ]


def _builder(base: str, name: str) -> tuple[Callable[..., ModelGraph], *tuple[str, ...]]:
    """The function of a network, and its name in its family if it is of one."""
    if base not in CATALOGUE:
        raise UnknownNameError("model", name, CATALOGUE, "(or give the path of an .onnx file)")
    module, function, *member = CATALOGUE[base].split(":")
    return (getattr(importlib.import_module(f"{__package__}.{module}"), function), *member)


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
    """A key of the catalogue and the sizes behind it; any other name comes back as it is."""
    for pattern in () if name in CATALOGUE else _SIZES:
        match = pattern.match(name)
        if match and match["base"] in CATALOGUE:
            sizes = match.groupdict()
            return sizes.pop("base"), {size: _KIND_OF_SIZE[size](text) for size, text in sizes.items()}
    return name, {}


_KIND_OF_SIZE: Mapping[str, Callable[[str], float]] = MappingProxyType({"width": float, "resolution": int})
