"""Inception networks: GoogLeNet, Inception-v3 and Inception-v4.

Modules are written as branches, and branches as steps separated by blanks:

- ``64@1x1``: convolution to 64 channels with a 1x1 (height x width) kernel, at full size, ReLU fused;
- ``96@3x3v``: the same without padding; ``96@3x3/2``: without padding at stride 2;
- ``max``, ``avg``: 3x3 pooling at full size; ``max/2``: without padding at stride 2;
- ``256@1x3|256@3x1``: last step only, two convolutions side by side.
"""

from __future__ import annotations

import re

from socsim.errors import ModelError
from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph

__all__ = ["googlenet", "googlenet_torch", "inception_v3", "inception_v4"]

_CONV = re.compile(r"(?P<channels>\d+)@(?P<height>\d)x(?P<width>\d)(?P<mode>v|/2)?")

_GOOGLENET = (
    (64, 96, 128, 16, 32, 32),
    (128, 128, 192, 32, 96, 64),
    (192, 96, 208, 16, 48, 64),
    (160, 112, 224, 24, 64, 64),
    (128, 128, 256, 24, 64, 64),
    (112, 144, 288, 32, 64, 64),
    (256, 160, 320, 32, 128, 128),
    (256, 160, 320, 32, 128, 128),
    (384, 192, 384, 48, 128, 128),
)
"""Channels of 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5 and pool projection, modules 3a to 5b."""


def googlenet(*, resolution: int = 224, classes: int = 1000) -> ModelGraph:
    """GoogLeNet (Szegedy et al., "Going Deeper with Convolutions", 2014), without the auxiliary classifiers.

    Parameters
    ----------
    resolution
        Height and width of the input in pixels.
    classes
        Size of the output.
    """
    b = GraphBuilder("googlenet")
    x = b.conv(b.input(1, 3, resolution, resolution), 64, 7, 2, padding=3, activation="relu")
    x = b.norm("lrn", b.max_pool(x, 3, 2, ceil=True))
    x = b.norm("lrn", _branch(b, x, "64@1x1 192@3x3")[0])
    x = b.max_pool(x, 3, 2, ceil=True)
    for i, (one, reduce3, three, reduce5, five, pool) in enumerate(_GOOGLENET):
        if i in (2, 7):
            x = b.max_pool(x, 3, 2, ceil=True)
        x = _module(
            b, x, f"{one}@1x1", f"{reduce3}@1x1 {three}@3x3", f"{reduce5}@1x1 {five}@5x5", f"max {pool}@1x1"
        )
    return _head(b, x, classes)


def googlenet_torch(*, resolution: int = 224, classes: int = 1000) -> ModelGraph:
    """GoogLeNet as PyTorch has it: batch norms for response normalisations, 3x3 for 5x5 convolutions.

    1.5 GMAC, 6.6 M parameters; the outputs are scores. Options as of :func:`googlenet`.
    """
    b = GraphBuilder("googlenet_torch")
    x = b.conv(b.input(1, 3, resolution, resolution), 64, 7, 2, padding=3, activation="relu")
    x = _branch(b, b.max_pool(x, 3, 2, ceil=True), "64@1x1 192@3x3")[0]
    for i, (one, reduce3, three, reduce5, five, pool) in enumerate(_GOOGLENET):
        if i in (0, 2):
            x = b.max_pool(x, 3, 2, ceil=True)
        if i == 7:
            x = b.max_pool(x, 2, 2, ceil=True)
        x = _module(
            b, x, f"{one}@1x1", f"{reduce3}@1x1 {three}@3x3", f"{reduce5}@1x1 {five}@3x3", f"max {pool}@1x1"
        )
    return b.build(b.dense(b.avg_pool_all(x), classes))


def inception_v3(*, resolution: int = 299, classes: int = 1000) -> ModelGraph:
    """Inception-v3 (Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", 2015).

    Parameters
    ----------
    resolution
        Height and width of the input in pixels, at least 75.
    classes
        Size of the output.
    """
    b = GraphBuilder("inception_v3")
    x = b.input(1, 3, resolution, resolution)
    x = _branch(b, x, "32@3x3/2 32@3x3v 64@3x3 max/2 80@1x1 192@3x3v max/2")[0]
    for pool in (32, 64, 64):
        x = _module(b, x, "64@1x1", "48@1x1 64@5x5", "64@1x1 96@3x3 96@3x3", f"avg {pool}@1x1")
    x = _module(b, x, "384@3x3/2", "64@1x1 96@3x3 96@3x3/2", "max/2")
    for c in (128, 160, 160, 192):
        twice = f"{c}@1x1 {c}@7x1 {c}@1x7 {c}@7x1 192@1x7"
        x = _module(b, x, "192@1x1", f"{c}@1x1 {c}@1x7 192@7x1", twice, "avg 192@1x1")
    x = _module(b, x, "192@1x1 320@3x3/2", "192@1x1 192@1x7 192@7x1 192@3x3/2", "max/2")
    fork = "384@1x3|384@3x1"
    for _ in range(2):
        x = _module(b, x, "320@1x1", f"384@1x1 {fork}", f"448@1x1 384@3x3 {fork}", "avg 192@1x1")
    return _head(b, x, classes)


def inception_v4(*, resolution: int = 299, classes: int = 1000) -> ModelGraph:
    """Inception-v4 (Szegedy et al., "Inception-v4, Inception-ResNet and the Impact of Residual ...", 2016).

    Options as of :func:`inception_v3`.
    """
    b = GraphBuilder("inception_v4")
    x = _branch(b, b.input(1, 3, resolution, resolution), "32@3x3/2 32@3x3v 64@3x3")[0]
    x = _module(b, x, "max/2", "96@3x3/2")
    x = _module(b, x, "64@1x1 96@3x3v", "64@1x1 64@1x7 64@7x1 96@3x3v")
    x = _module(b, x, "192@3x3/2", "max/2")
    for _ in range(4):
        x = _module(b, x, "96@1x1", "64@1x1 96@3x3", "64@1x1 96@3x3 96@3x3", "avg 96@1x1")
    x = _module(b, x, "384@3x3/2", "192@1x1 224@3x3 256@3x3/2", "max/2")
    twice = "192@1x1 192@7x1 224@1x7 224@7x1 256@1x7"
    for _ in range(7):
        x = _module(b, x, "384@1x1", "192@1x1 224@1x7 256@7x1", twice, "avg 128@1x1")
    x = _module(b, x, "192@1x1 192@3x3/2", "256@1x1 256@1x7 320@7x1 320@3x3/2", "max/2")
    fork = "256@1x3|256@3x1"
    for _ in range(3):
        x = _module(b, x, "256@1x1", f"384@1x1 {fork}", f"384@1x1 448@3x1 512@1x3 {fork}", "avg 256@1x1")
    return _head(b, x, classes)


def _module(b: GraphBuilder, x: str, *branches: str) -> str:
    return b.concat(*(end for branch in branches for end in _branch(b, x, branch)))


def _branch(b: GraphBuilder, x: str, steps: str) -> list[str]:
    """Add a chain of steps behind `x`; returns its output, or its outputs where the last step forks."""
    *chain, last = steps.split()
    for step in chain:
        x = _step(b, x, step)
    return [_step(b, x, step) for step in last.split("|")]


def _step(b: GraphBuilder, x: str, step: str) -> str:
    if step == "max/2":
        return b.max_pool(x, 3, 2)
    if step in ("max", "avg"):
        return (b.max_pool if step == "max" else b.avg_pool)(x, 3, 1, padding="same")
    match = _CONV.fullmatch(step)
    if match is None:
        raise ModelError(f"network {b.name!r}: a step must look like '64@3x3/2' or 'max', got {step!r}")
    kernel = int(match["height"]), int(match["width"])
    stride, padding = (2 if match["mode"] == "/2" else 1), ("valid" if match["mode"] else "same")
    return b.conv(x, int(match["channels"]), kernel, stride, padding=padding, activation="relu")


def _head(b: GraphBuilder, x: str, classes: int) -> ModelGraph:
    return b.build(b.softmax(b.dense(b.avg_pool_all(x), classes)))
