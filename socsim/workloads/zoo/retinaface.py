"""RetinaFace on ResNet-50."""

from __future__ import annotations

from dataclasses import dataclass

from socsim.workloads.builder import GraphBuilder
from socsim.workloads.graph import ModelGraph

__all__ = ["retinaface"]

_STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))
"""Inner channels and units of each stage."""
_ANCHORS = 3


def retinaface(*, resolution: int = 640, full: bool = False) -> ModelGraph:
    """RetinaFace (Deng et al., "RetinaFace: Single-shot Multi-level Face Localisation in the Wild", 2020).

    A ResNet-50 whose stages sub-sample in their last unit, a feature pyramid of five levels with 256
    channels (1/4 to 1/64 of the size), and on each level a context module and heads for boxes and scores,
    three anchors each; no landmarks. The shapes of the convolutions and poolings are those that CoDL (Jia
    et al., MobiSys 2022) lists; how they are connected is a reconstruction from those shapes and their
    order.

    By default the network has these 91 convolutions (92.4 GMAC) and 4 poolings only: additions,
    up-sampling and joins are left out, and what reads their result reads their last operand of the same
    shape instead. Short-cuts and context branches that only such an operator would read are computed, as
    listed, and read by nobody. (CoDL's runner also leaves out the four widening short-cuts, the three
    poolings beside the backbone and the convolution to the last level: 87 operators, about 89.4 GMAC.)

    Parameters
    ----------
    resolution
        Height and width of the image in pixels, a multiple of 32.
    full
        Build the whole network: with additions, up-sampling, joins, and the heads' results gathered into
        (1, anchors, 4) boxes and (1, anchors, 2) probabilities.

    Raises
    ------
    UsageError
        A resolution that is not a multiple of 32.
    """
    b = GraphBuilder("retinaface")
    net = _Parts(b, full)
    levels = net.pyramid(net.backbone(b.image(resolution, resolution, multiple=32)))
    contexts, boxes = [], []
    for level, x in enumerate(levels):
        contexts.append(net.context(x))
        boxes.append(b.conv(contexts[-1], 4 * _ANCHORS, 3, name=f"boxes_{level}"))
    scores = [b.conv(x, 2 * _ANCHORS, 3, name=f"scores_{level}") for level, x in enumerate(contexts)]
    if not full:
        return b.build(*boxes, *scores)
    return b.build(net.gathered(boxes, 4), b.softmax(net.gathered(scores, 2)))


@dataclass(frozen=True)
class _Parts:
    """The parts of the network; operators other than convolutions and poolings only if `full`."""

    b: GraphBuilder
    full: bool

    def sum(self, skip: str, x: str, activation: str) -> str:
        return self.b.add_(skip, x, activation=activation) if self.full else x

    def backbone(self, x: str) -> list[str]:
        """Maps at 1/4, 1/8, 1/16 and 1/32 of the size, of 256, 256, 512 and 2048 channels."""
        x = self.b.max_pool(self.b.conv(x, 64, 7, 2, activation="relu"))
        maps = []
        for stage, (inner, units) in enumerate(_STAGES):
            last = stage == len(_STAGES) - 1
            x = self.unit(x, inner, widen=True)
            for _ in range(units - 2):
                x = self.unit(x, inner)
            if stage == 0:
                maps.append(x)
            x = self.unit(x, inner, stride=1 if last else 2)
            maps.append(x)
        fine, eighth, sixteenth, _, coarse = maps
        return [fine, eighth, sixteenth, coarse]

    def unit(self, x: str, inner: int, *, widen: bool = False, stride: int = 1) -> str:
        b = self.b
        skip = b.conv(x, 4 * inner) if widen else b.max_pool(x) if stride > 1 else x
        x = b.conv(b.conv(x, inner, activation="relu"), inner, 3, stride, activation="relu")
        return self.sum(skip, b.conv(x, 4 * inner), activation="relu")

    def pyramid(self, maps: list[str]) -> list[str]:
        """Five levels of 256 channels from fine to coarse."""
        b = self.b
        levels = [b.conv(maps[-1], 256, activation="relu")]
        for x in reversed(maps[:-1]):
            lateral = b.conv(x, 256, activation="relu")
            if self.full:
                lateral = b.add_(b.resize(levels[0]), lateral)
            levels.insert(0, b.conv(lateral, 256, 3, activation="relu"))
        return [*levels, b.conv(levels[-1], 256, 3, 2, activation="relu")]

    def context(self, x: str) -> str:
        branches = [self.b.conv(x, channels, 3, activation="relu") for channels in (128, 64, 64)]
        return self.b.conv(self.b.concat(*branches) if self.full else x, 256, 3, activation="relu")

    def gathered(self, maps: list[str], values: int) -> str:
        return self.b.concat(*(self.b.reshape(x, 1, -1, values) for x in maps))
