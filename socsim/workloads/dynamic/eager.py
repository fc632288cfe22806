"""Networks operator by operator, as PyTorch runs them in eager mode."""

from __future__ import annotations

from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph
from socsim.workloads.zoo.mobilenet import scaled_channels

__all__ = ["EagerBuilder"]


class EagerBuilder:
    """Writes what a PyTorch module calls, with nothing fused: one operator for each call that starts a kernel.

    A convolution, its batch normalisation and its activation are three operators. The hard functions are spelled out as
    in the code of once-for-all: hard swish ``x * relu6(x + 3) / 6`` is four operators (sum, clip, product, quotient),
    hard sigmoid three; squeeze-and-excite is nine (a mean over each axis, two convolutions with bias, a ReLU, a hard
    sigmoid's three, a product). Views and slices start no kernel and are left out.

    Parameters
    ----------
    name
        Name of the network.
    resolution
        Height and width of its input in pixels.
    """

    def __init__(self, name: str, resolution: int) -> None:
        self.graph = GraphBuilder(name)
        self.input = self.graph.image(resolution, resolution)

    def conv(
        self,
        x: str,
        channels: int,
        kernel: int = 1,
        stride: int = 1,
        *,
        groups: int = 1,
        activation: str | None = None,
        norm: bool = True,
    ) -> str:
        """Convolution without bias, padded by half its kernel; batch normalisation; activation."""
        y = self.graph.conv(x, channels, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
        y = self.graph.batch_norm(y) if norm else y
        return y if activation is None else self.activation(y, activation)

    def depthwise(self, x: str, kernel: int, stride: int, *, activation: str) -> str:
        """Depth-wise :meth:`conv`."""
        channels = self.graph.channels(x)
        return self.conv(x, channels, kernel, stride, groups=channels, activation=activation)

    def activation(self, x: str, function: str) -> str:
        """An activation function; ``hswish`` and ``hsigmoid`` as several operators."""
        if function not in ("hswish", "hsigmoid"):
            return self.graph.activation(x, function)
        gate = self.graph.activation(self._scalar("add", x, 3.0), "relu6")
        return self._scalar("div", self.graph.mul(x, gate) if function == "hswish" else gate, 6.0)

    def excite(self, x: str) -> str:
        """Squeeze-and-excite: a quarter of the channels in between, rounded to a multiple of 8."""
        channels = self.graph.channels(x)
        y = self.graph.conv(self.mean(x), scaled_channels(channels // 4, 1.0))
        y = self.graph.conv(self.graph.activation(y, "relu"), channels)
        return self.graph.mul(x, self.activation(y, "hsigmoid"))

    def mean(self, x: str) -> str:
        """Mean over the width, and of that over the height."""
        for axis in (3, 2):
            shape = self.graph.shape(x)
            out = (*shape[:axis], 1, *shape[axis + 1 :])
            x = self.graph.add("reduce", [x], out, function="mean", axes=(axis,), keepdims=True)
        return x

    def inverted_residual(
        self,
        x: str,
        channels: int,
        expanded: int,
        kernel: int,
        stride: int,
        *,
        activation: str,
        excite: bool = False,
    ) -> str:
        """Expand (unless there is nothing to), filter each channel, project; a shortcut where shapes allow."""
        wide = expanded != self.graph.channels(x)
        y = self.conv(x, expanded, activation=activation) if wide else x
        y = self.depthwise(y, kernel, stride, activation=activation)
        y = self.conv(self.excite(y) if excite else y, channels)
        same = self.graph.shape(x) == self.graph.shape(y)
        return self.graph.add_(y, x) if same else y

    def classify(self, x: str, classes: int = 1000) -> ModelGraph:
        """End with a fully connected layer; the network gives its scores."""
        return self.graph.build(self.graph.dense(x, classes))

    def _scalar(self, function: str, x: str, value: float) -> str:
        return self.graph.add(
            "eltwise", [x], self.graph.shape(x), function=function, constant="scalar", value=value
        )
