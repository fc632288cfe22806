"""The six sub-networks of Dynamic-OFA as PyTorch runs them: every operator by itself, nothing fused."""

from __future__ import annotations

from functools import cache

from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph

WIDTHS, STRIDES = (32, 48, 96, 136, 192), (2, 2, 2, 1, 2)
FUNCTIONS = ("relu", "relu", "hswish", "hswish", "hswish")
EXCITED = (False, True, False, True, True)

LEVELS = {
    1: (176, "32322", "5777355777535337 3377", "6446436464464646 4334"),
    2: (176, "32332", "7357735757535335 3337", "6444466633464663 4333"),
    3: (192, "33333", "5573777377757773 7777", "3434444344334444 4444"),
    4: (208, "23334", "7353573355577755 3337", "6633443364446446 4633"),
    5: (224, "24443", "5337733375357573 7757", "6643466346346666 4446"),
    6: (224, "44444", "5555577357777755 7555", "6666664664666666 6663"),
}
"""Level -> input size, blocks by stage, kernel sizes and expansions, four by stage."""

MEASURED_MS = {1: 41.16, 2: 45.42, 3: 49.44, 4: 51.08, 5: 56.75, 6: 61.73}
SLOWER_MS = {1: 48.8, 2: 53.0, 3: 58.8, 4: 62.1, 5: 71.6, 6: 79.6}
"""The same in another figure of theirs, at clocks not told."""

OPERATORS = {1: 225, 2: 249, 3: 291, 4: 306, 5: 339, 6: 381}
MMACS = {1: 235.5, 2: 254.0, 3: 288.8, 4: 375.5, 5: 522.1, 6: 731.1}


class Eager(GraphBuilder):
    """Layers of three operators and more."""

    def activate(self, x: str, function: str) -> str:
        """ReLU, or the four operators of a hard swish, ``x * relu6(x + 3) / 6``."""
        if function == "relu":
            return self.activation(x, "relu")
        return self.eltwise("div", self.mul(x, self.gate(x)))

    def gate(self, x: str) -> str:
        """``relu6(x + 3)``."""
        return self.activation(self.eltwise("add", x), "relu6")

    def mean(self, x: str) -> str:
        """Mean over the width, and of that over the height."""
        n, c, h, _ = self.shape(x)
        x = self.add("reduce", [x], (n, c, h, 1), function="mean", axes=(3,), keepdims=True)
        return self.add("reduce", [x], (n, c, 1, 1), function="mean", axes=(2,), keepdims=True)

    def layer(
        self, x: str, channels: int, kernel: int = 1, stride: int = 1, function: str = "", *, groups: int = 1
    ) -> str:  # fmt: skip
        """Convolution, normalisation, activation."""
        x = self.batch_norm(self.conv(x, channels, kernel, stride, groups=groups, bias=False))
        return self.activate(x, function) if function else x

    def excite(self, x: str) -> str:
        """Squeeze and excitation: nine operators."""
        channels = self.channels(x)
        hidden = max(8, (channels // 4 + 4) // 8 * 8)
        inner = self.activation(self.conv(self.mean(x), hidden), "relu")
        return self.mul(x, self.eltwise("div", self.gate(self.conv(inner, channels))))

    def block(
        self, x: str, channels: int, kernel: int, expansion: int, stride: int, function: str, excited: bool
    ) -> str:  # fmt: skip
        """Inverted residual; the shortcut where shapes allow."""
        middle = self.channels(x) * expansion
        y = self.layer(x, middle, function=function) if expansion > 1 else x
        y = self.layer(y, middle, kernel, stride, function, groups=middle)
        y = self.layer(self.excite(y) if excited else y, channels)
        return self.add_(x, y) if stride == 1 and self.channels(x) == channels else y


@cache
def sub_network(level: int) -> ModelGraph:
    """One of the six."""
    size, depths, kernels, expansions = LEVELS[level]
    kernels, expansions = kernels.replace(" ", ""), expansions.replace(" ", "")
    b = Eager(f"level{level}")
    x = b.layer(b.image(size, size), 24, 3, 2, "hswish")
    x = b.block(x, 24, 3, 1, 1, "relu", False)
    for stage, depth in enumerate(map(int, depths)):
        for i in range(depth):
            at = 4 * stage + i
            stride = STRIDES[stage] if i == 0 else 1
            x = b.block(
                x,
                WIDTHS[stage],
                int(kernels[at]),
                int(expansions[at]),
                stride,
                FUNCTIONS[stage],
                EXCITED[stage],
            )
    x = b.layer(x, 1152, 1, 1, "hswish")
    x = b.activate(b.conv(b.mean(x), 1536, bias=False), "hswish")
    return b.build(b.dense(x, 1000))
