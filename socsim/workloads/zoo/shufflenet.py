"""ShuffleNet, versions 1 and 2."""

from __future__ import annotations

from socsim.errors import UsageError
from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph

__all__ = ["halved", "shuffle_branch", "shuffle_stage", "shufflenet_v1", "shufflenet_v2"]

_V2_CHANNELS = {
    0.5: (48, 96, 192, 1024),
    1.0: (116, 232, 464, 1024),
    1.5: (176, 352, 704, 1024),
    2.0: (244, 488, 976, 2048),
}
"""Width -> channels of each stage and of the last convolution."""


def shufflenet_v1(*, resolution: int = 224, classes: int = 1000) -> ModelGraph:
    """ShuffleNet 1x in 3 groups (Zhang et al., "ShuffleNet: An Extremely Efficient Convolutional ...", 2018).

    As the Caffe and ncnn graphs have it.

    Parameters
    ----------
    resolution
        Height and width of the input in pixels.
    classes
        Size of the output.
    """
    b = GraphBuilder("shufflenet_v1")
    x = b.conv(b.input(1, 3, resolution, resolution), 24, 3, 2, padding=1, activation="relu")
    x = b.max_pool(x, 3, 2, padding="same")
    for channels, units in ((240, 4), (480, 8), (960, 4)):
        for i in range(units):
            x = _grouped_unit(b, x, channels, stride=1 if i else 2)
    return b.build(b.softmax(b.dense(b.avg_pool_all(x), classes)))


def _grouped_unit(b: GraphBuilder, x: str, channels: int, stride: int) -> str:
    """Unit of version 1; the narrow input of the first one is neither grouped nor shuffled."""
    grown = channels - b.channels(x) if stride > 1 else channels
    first = b.channels(x) == 24
    y = b.conv(x, grown // 4, groups=1 if first else 3, activation="relu")
    y = b.depthwise(y if first else b.channel_shuffle(y, 3), 3, stride, padding=1)
    y = b.conv(y, grown, groups=3)
    if stride == 1:
        return b.add_(x, y, activation="relu")
    return b.activation(b.concat(b.avg_pool(x, 3, 2, padding="same"), y), "relu")


def shufflenet_v2(*, width: float = 1.0, resolution: int = 224, classes: int = 1000) -> ModelGraph:
    """ShuffleNetV2 (Ma et al., "ShuffleNet V2: Practical Guidelines for Efficient CNN ...", 2018).

    Parameters
    ----------
    width
        0.5, 1.0, 1.5 or 2.0; channels of each are the paper's.
    resolution
        Height and width of the input in pixels.
    classes
        Size of the output.

    Raises
    ------
    UsageError
        Another width.
    """
    if width not in _V2_CHANNELS:
        raise UsageError(
            f"width of shufflenet_v2 must be one of {', '.join(map(str, _V2_CHANNELS))}, got {width}"
        )
    *stages, last = _V2_CHANNELS[width]
    plain = (width, resolution) == (1.0, 224)
    b = GraphBuilder("shufflenet_v2" if plain else f"shufflenet_v2_{float(width)}_{resolution}")
    x = b.conv(b.input(1, 3, resolution, resolution), 24, 3, 2, padding=1, activation="relu")
    x = b.max_pool(x, 3, 2, padding="same")
    for channels, units in zip(stages, (4, 8, 4), strict=True):
        x = shuffle_stage(b, x, channels, units)
    x = b.conv(x, last, activation="relu")
    return b.build(b.softmax(b.dense(b.avg_pool_all(x), classes)))


def shuffle_stage(b: GraphBuilder, x: str, channels: int, units: int, activation: str = "relu") -> str:
    """Add a stage of ShuffleNetV2: a unit that halves the image, and others; channels shuffled behind each."""
    x = b.channel_shuffle(b.concat(*halved(b, x, channels, activation)), 2)
    for _ in range(units - 1):
        kept, y = b.split(x, 2)
        x = b.channel_shuffle(b.concat(kept, shuffle_branch(b, y, b.channels(y), 1, activation)), 2)
    return x


def halved(b: GraphBuilder, x: str, channels: int, activation: str = "relu") -> tuple[str, str]:
    """Both branches, not yet joined, of a unit of ShuffleNetV2 that halves the image, `channels` together."""
    left = b.conv(b.depthwise(x, 3, 2, padding=1), channels // 2, activation=activation)
    return left, shuffle_branch(b, x, channels // 2, 2, activation)


def shuffle_branch(b: GraphBuilder, x: str, channels: int, stride: int, activation: str = "relu") -> str:
    """Add the main branch of a unit of ShuffleNetV2."""
    y = b.depthwise(b.conv(x, channels, activation=activation), 3, stride, padding=1)
    return b.conv(y, channels, activation=activation)
