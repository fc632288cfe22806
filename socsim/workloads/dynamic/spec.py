"""What a family's file may say, and the recipes that follow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from socsim import units
from socsim.errors import nearest
from socsim.workloads.dynamic.networks import ChannelRecipe, OfaRecipe, OfaStage, Recipe, WidthRecipe
from socsim.yamlfile import Loc, RelativeFaults

__all__ = ["SPECS", "FamilySpec", "LevelSpec"]

Whole = Annotated[int, Field(gt=0, strict=True)]
Positive = Annotated[float, Field(gt=0)]
Time = Annotated[float, BeforeValidator(partial(units.parse, dimension="time")), Field(gt=0)]
Top1 = Annotated[float, Field(gt=0, le=100)]
Stride = Literal[1, 2]
Activation = Literal["relu", "relu6", "hswish"]
Faults = Iterator[tuple[Loc, str]]


def _odd(size: int) -> int:
    if size % 2 == 0:
        raise ValueError(f"a kernel must have an odd size, got {size}; the nearest is {size + 1}")
    return size


Kernel = Annotated[Whole, BeforeValidator(lambda size: _odd(size) if isinstance(size, int) else size)]


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PublishedSpec(_Block):
    """What a sub-network's authors say of it."""

    mmac: Positive | None = None
    mparameters: Positive | None = None


class LevelSpec(_Block):
    """One sub-network; subclasses add its configuration as ``network``."""

    top1: Top1
    published: PublishedSpec = PublishedSpec()
    latencies: dict[str, Time] = {}


class PointSpec(_Block):
    """A published point without configuration."""

    top1: Top1
    latency: Time


class SwitchSpec(_Block):
    """What changing the sub-network costs."""

    cost: Annotated[float, BeforeValidator(partial(units.parse, dimension="time")), Field(ge=0)]


class FamilySpec(_Block):
    """What all families' files say."""

    title: str
    kind: str
    sources: dict[str, str] = {}
    switch: SwitchSpec
    setups: dict[str, str] = {}
    points: dict[str, Annotated[list[PointSpec], Field(min_length=1)]] = {}

    def members(self) -> Sequence[LevelSpec]:
        """Its levels."""
        raise NotImplementedError

    def recipe(self, index: int) -> Recipe:
        """How to build the sub-network at a position."""
        raise NotImplementedError

    def configuration_faults(self) -> Faults:
        """What does not fit in the configurations of the levels."""
        yield from ()

    @model_validator(mode="after")
    def _consistent(self) -> FamilySpec:
        if faults := [*self._order_faults(), *self._setup_faults(), *self.configuration_faults()]:
            raise RelativeFaults(faults)
        return self

    def _order_faults(self) -> Faults:
        for i, (lower, upper) in enumerate(pairwise(self.members()), 1):
            if upper.top1 <= lower.top1:
                words = f"levels go from the least accurate to the most, got {upper.top1} after {lower.top1}"
                yield ("levels", i, "top1"), words

    def _setup_faults(self) -> Faults:
        named: list[Loc] = [("points", name) for name in self.points]
        named += [("levels", i, "latencies", n) for i, m in enumerate(self.members()) for n in m.latencies]
        for loc in named:
            if (name := str(loc[-1])) not in self.setups:
                guess = nearest(name, self.setups)
                tail = f"did you mean {guess!r}?" if guess else f"known: {', '.join(self.setups) or 'none'}"
                yield loc, f"{name!r} is not in the table of set-ups; {tail}"


# --- once-for-all MobileNetV3 -----------------------------------------------------------------------------


class _OfaStageSpec(_Block):
    channels: Whole
    stride: Stride
    activation: Activation
    excite: bool


class _OfaSkeletonSpec(_Block):
    stem: Whole
    stages: Annotated[list[_OfaStageSpec], Field(min_length=1)]
    head: Annotated[list[Whole], Field(min_length=2, max_length=2)]


class _OfaNetworkSpec(_Block):
    resolution: Whole
    depths: list[Whole]
    kernels: list[list[Kernel]]
    expansions: list[list[Whole]]


class _OfaLevelSpec(LevelSpec):
    network: _OfaNetworkSpec


class OfaFamilySpec(FamilySpec):
    """Sub-networks of a once-for-all MobileNetV3: kernels and expansions of blocks beyond a depth are not used."""

    skeleton: _OfaSkeletonSpec
    levels: Annotated[list[_OfaLevelSpec], Field(min_length=1)]

    def members(self) -> Sequence[LevelSpec]:
        return self.levels

    def configuration_faults(self) -> Faults:
        stages = len(self.skeleton.stages)
        for i, level in enumerate(self.levels):
            here: Loc = ("levels", i, "network")
            for key in ("depths", "kernels", "expansions"):
                if (count := len(getattr(level.network, key))) != stages:
                    yield (*here, key), f"the skeleton has {stages} stages, got {count} entries"
            for key in ("kernels", "expansions"):
                rows = zip(level.network.depths, getattr(level.network, key), strict=False)
                for stage, (depth, values) in enumerate(rows):
                    if len(values) < depth:
                        yield (*here, key, stage), f"{depth} blocks need {depth} {key}, got {len(values)}"

    def recipe(self, index: int) -> Recipe:
        net = self.levels[index].network
        rows = zip(self.skeleton.stages, net.depths, net.kernels, net.expansions, strict=True)
        stages = tuple(
            OfaStage(s.channels, s.stride, s.activation, s.excite, tuple(ks[:depth]), tuple(es[:depth]))
            for s, depth, ks, es in rows
        )
        return OfaRecipe(
            net.resolution, self.skeleton.stem, stages, (self.skeleton.head[0], self.skeleton.head[1])
        )


# --- inverted residuals with given channels ---------------------------------------------------------------


class _WindowSpec(_Block):
    kernel: Kernel
    stride: Stride


class _ChannelSkeletonSpec(_Block):
    resolution: Whole
    activation: Activation
    blocks: Annotated[list[_WindowSpec], Field(min_length=1)]


class _ChannelNetworkSpec(_Block):
    stem: Whole
    blocks: list[Annotated[list[Whole], Field(min_length=2, max_length=2)]]
    head: Whole


class _ChannelLevelSpec(LevelSpec):
    network: _ChannelNetworkSpec


class ChannelFamilySpec(FamilySpec):
    """Inverted residuals whose channels are given, expanded and output, block by block."""

    skeleton: _ChannelSkeletonSpec
    levels: Annotated[list[_ChannelLevelSpec], Field(min_length=1)]

    def members(self) -> Sequence[LevelSpec]:
        return self.levels

    def configuration_faults(self) -> Faults:
        wanted = len(self.skeleton.blocks)
        for i, level in enumerate(self.levels):
            if (count := len(level.network.blocks)) != wanted:
                yield (
                    ("levels", i, "network", "blocks"),
                    f"the skeleton has {wanted} blocks, got {count} entries",
                )

    def recipe(self, index: int) -> Recipe:
        net, shape = self.levels[index].network, self.skeleton
        windows = tuple((block.kernel, block.stride) for block in shape.blocks)
        channels = tuple((expanded, out) for expanded, out in net.blocks)
        return ChannelRecipe(shape.resolution, shape.activation, net.stem, windows, channels, net.head)


# --- separable convolutions of one width ------------------------------------------------------------------


class _StepSpec(_Block):
    channels: Whole
    stride: Stride


class _WidthSkeletonSpec(_Block):
    resolution: Whole
    activation: Activation
    stem: Whole
    blocks: Annotated[list[_StepSpec], Field(min_length=1)]


class _WidthNetworkSpec(_Block):
    width: Positive


class _WidthLevelSpec(LevelSpec):
    network: _WidthNetworkSpec


class WidthFamilySpec(FamilySpec):
    """Separable convolutions, as in MobileNet, whose channels are scaled together."""

    skeleton: _WidthSkeletonSpec
    levels: Annotated[list[_WidthLevelSpec], Field(min_length=1)]

    def members(self) -> Sequence[LevelSpec]:
        return self.levels

    def recipe(self, index: int) -> Recipe:
        shape = self.skeleton
        steps = tuple((block.channels, block.stride) for block in shape.blocks)
        width = self.levels[index].network.width
        return WidthRecipe(shape.resolution, shape.activation, shape.stem, steps, width)


SPECS: dict[str, type[FamilySpec]] = {
    "once_for_all": OfaFamilySpec,
    "channels": ChannelFamilySpec,
    "width": WidthFamilySpec,
}
"""Kind of a family -> what its file may say."""
