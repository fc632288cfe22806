"""Colours of plots: one per kernel class, the same in every picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from colorsys import hls_to_rgb
from itertools import cycle
from types import MappingProxyType
from zlib import crc32

__all__ = ["KIND_COLOURS", "class_colours", "processor_colour", "series_colours"]

KIND_COLOURS: Mapping[str, str] = MappingProxyType(
    {
        "map": "#4d4d4d",
        "sync": "#a9a9a9",
        "call": "#7a6a9b",
        "transform": "#d9a441",
        "dispatch": "#7fb3c8",
        "other inferences": "#e4e4e4",
        "other processes": "#c9bfb0",
    }
)
"""What is not a kernel."""

_CLASS_COLOURS = MappingProxyType(
    {
        # Algorithms of convolutions by hue: Winograd blue, matrix products green, direct ones red.
        "winograd": "#1f77b4",
        "winograd_small": "#6baed6",
        "winograd_thin": "#08306b",
        "gemm": "#2ca02c",
        "sgemm": "#98d594",
        "igemm": "#00611f",
        "direct": "#d62728",
        "direct_1x1": "#f79c87",
        "direct_small": "#8b0a1a",
        "direct_shallow": "#fb6a4a",
        "direct_narrow": "#fcc9b5",
        "conv": "#a63603",
        "conv_1x1": "#e6844a",
        "conv_1x1_small": "#fcc9b5",
        "conv_small": "#8b0a1a",
        "conv_shallow": "#fb6a4a",
        "conv_stem": "#c2185b",
        "general": "#3b3b98",
        "depthwise": "#ff7f0e",
        "grouped": "#fdbe85",
        "deconv": "#6a3d9a",
        "matmul": "#9e7bd0",
        "fc": "#8c564b",
        "pool": "#17becf",
        "eltwise": "#bcbd22",
        "activation": "#e6d96a",
        "softmax": "#e377c2",
        "norm": "#f5b5dc",
        "reduce": "#006d75",
        "resize": "#66c2a5",
        "movement": "#c9b79c",
    }
)
_PROCESSORS = MappingProxyType({"cpu": "#4c78a8", "gpu": "#f58518", "dsp": "#54a24b", "npu": "#b279a2"})
_KNOWN = MappingProxyType(
    {
        "idle": "#bab0ac",
        "board": "#bab0ac",
        "unmetered": "#bab0ac",
        "dropped": "#b3261e",
        "presented": "#54a24b",
        "late": "#f58518",
        "pending": "#bab0ac",
    }
)
_SERIES = (
    "#4c78a8",
    "#f58518",
    "#54a24b",
    "#b279a2",
    "#e45756",
    "#72b7b2",
    "#9d755d",
    "#eeca3b",
    "#ff9da6",
    "#3b3b98",
)


def class_colours(classes: Iterable[str]) -> dict[str, str]:
    """A colour for each kernel class, in the order given."""
    return {c: _CLASS_COLOURS.get(c) or _own_colour(c) for c in dict.fromkeys(classes)}


def _own_colour(name: str) -> str:
    """A colour that follows from the name alone, for classes of a user's own library."""
    digest = crc32(name.encode())
    hue, lightness = (digest & 0xFFFF) / 0x10000, 0.3 + 0.25 * (digest >> 16) / 0x10000
    return "#" + "".join(f"{round(255 * c):02x}" for c in hls_to_rgb(hue, lightness, 0.6))


def processor_colour(processor: str) -> str:
    """The colour of a processor."""
    return _PROCESSORS.get(processor, "#9d755d")


def series_colours(names: Sequence[str]) -> dict[str, str]:
    """A colour for each name: that of a processor for those called like one, grey for what is idle or the board's.

    The others take the colours of a list in turn.
    """
    free = cycle([c for c in _SERIES if c not in {_PROCESSORS.get(name) for name in names}])
    return {name: _KNOWN.get(name) or _PROCESSORS.get(name) or next(free) for name in dict.fromkeys(names)}
