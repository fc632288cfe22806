"""DenseNet."""

from __future__ import annotations

from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph

__all__ = ["densenet121"]

_GROWTH = 32


def densenet121(*, resolution: int = 224, classes: int = 1000) -> ModelGraph:
    """DenseNet-121 (Huang et al., "Densely Connected Convolutional Networks", 2016).

    Batch norms and ReLUs that read a concatenation follow no convolution and stand alone.

    Parameters
    ----------
    resolution
        Height and width of the input in pixels.
    classes
        Size of the output.
    """
    b = GraphBuilder("densenet121")
    x = b.conv(b.input(1, 3, resolution, resolution), 64, 7, 2, padding=3, activation="relu")
    x = b.max_pool(x, 3, 2, padding=1)
    for stage, layers in enumerate((6, 12, 24, 16)):
        if stage > 0:
            x = _transition(b, x)
        for _ in range(layers):
            x = _dense_layer(b, x)
    x = b.avg_pool_all(_normalised(b, x))
    return b.build(b.softmax(b.dense(x, classes)))


def _dense_layer(b: GraphBuilder, x: str) -> str:
    y = b.conv(_normalised(b, x), 4 * _GROWTH, activation="relu")
    return b.concat(x, b.conv(y, _GROWTH, 3, bias=False))


def _transition(b: GraphBuilder, x: str) -> str:
    return b.avg_pool(b.conv(_normalised(b, x), b.channels(x) // 2, bias=False))


def _normalised(b: GraphBuilder, x: str) -> str:
    return b.activation(b.batch_norm(x), "relu")
