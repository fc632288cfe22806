"""PoseNet: convolutional pose machine."""

from __future__ import annotations

from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph

__all__ = ["posenet"]

_STEM = ((64, 64), (128, 128), (256, 256, 256, 256))
"""Output channels of the 3x3 convolutions before each pooling."""
_FEATURES = (512, 512, 256, 256, 256, 256, 128)
_REFINEMENTS = 2


def posenet(*, resolution: int = 256, keypoints: int = 21, full: bool = False) -> ModelGraph:
    """Pose machine (Wei et al., "Convolutional Pose Machines", 2016) with two refining stages.

    By default these are the 31 convolutions and 3 poolings, 30.16 GMAC, that CoDL (Jia et al., MobiSys
    2022) lists as PoseNet, one after the other. The joins of features and belief maps ahead of the
    refining stages are left out there, so these read inputs of the network, ``joined_1`` and
    ``joined_2``; each still waits for the stage before.

    Parameters
    ----------
    resolution
        Height and width of the image in pixels, a multiple of 8.
    keypoints
        Belief maps: one for each point of the body or hand.
    full
        Join the features and the belief maps before each refining stage.

    Raises
    ------
    UsageError
        A resolution that is not a multiple of 8.
    """
    b = GraphBuilder("posenet")
    features = _features(b, b.image(resolution, resolution, multiple=8))
    maps = b.conv(b.conv(features, 512, activation="relu"), keypoints)
    for stage in range(1, _REFINEMENTS + 1):
        if full:
            x, after = b.concat(features, maps), None
        else:
            n, c, h, w = b.shape(features)
            x, after = b.input(n, c + keypoints, h, w, name=f"joined_{stage}"), maps
        maps = _refined(b, x, keypoints, after)
    return b.build(maps)


def _features(b: GraphBuilder, x: str) -> str:
    for group in _STEM:
        for channels in group:
            x = b.conv(x, channels, 3, activation="relu")
        x = b.max_pool(x)
    for channels in _FEATURES:
        x = b.conv(x, channels, 3, activation="relu")
    return x


def _refined(b: GraphBuilder, x: str, keypoints: int, after: str | None) -> str:
    for i in range(5):
        x = b.conv(x, 128, 7, activation="relu", after=None if i else after)
    return b.conv(b.conv(x, 128, activation="relu"), keypoints)
