"""The policies of reuse that come with socsim."""

from __future__ import annotations

from math import inf
from typing import Any

from socsim import units
from socsim.errors import UnitError, UsageError
from socsim.schedulers.reuse.base import ReusePolicy, Way

__all__ = ["FrameReuse", "LayerReuse", "NoReuse"]


class NoReuse(ReusePolicy):
    """Compute every frame, and compare none."""

    name, keeps = "none", ""

    def decide(self, changed: float, skipped: int) -> Way:
        """All of it."""
        return "none"


class FrameReuse(ReusePolicy):
    """Give the last result again where little has changed since.

    Parameters
    ----------
    threshold
        Changed share below which a frame is skipped.
    max_skips
        How many frames in a row are skipped at most; the next one is computed.
    passes
        How often both frames are read to compare them.

    Raises
    ------
    UsageError
        An option outside its rule.
    """

    name = "frame"

    def __init__(self, threshold: float | str = 0.05, max_skips: int = 10, passes: float = 1.0) -> None:
        self.threshold = _number("frame", "threshold", threshold, "ratio", high=1.0)
        self.max_skips = _count("frame", "max_skips", max_skips, 0)
        self.passes = _number("frame", "passes", passes, "ratio")

    def decide(self, changed: float, skipped: int) -> Way:
        """Skip what is below the threshold, unless too many were skipped."""
        return "frame" if changed < self.threshold and skipped < self.max_skips else "none"


class LayerReuse(ReusePolicy):
    """Recompute, layer by layer, the region that what has changed reaches.

    The region grows by the receptive field of each operator. Operators whose every output depends on all of their input
    (fully connected ones, global pooling) are computed whole, and so are those that would take as long in part, that
    are divided between processors, or of which the library has no kernels for a part on an accelerator. Where nothing
    has changed, the last result is given again.

    Parameters
    ----------
    block
        Rows of the network's input that change together.
    boundary
        Time of the CPU for each operator computed in part, in s or with a unit.
    copies
        Whether reused rows are copied into new feature maps; otherwise changed rows are written over in place.
    passes
        How often both frames are read to compare them.

    Raises
    ------
    UsageError
        An option outside its rule.

    References
    ----------
    .. [1] Xu, Zhu, Liu, Lin and Liu, "DeepCache: Principled Cache for Mobile Deep Vision", MobiCom 2018: regions of the
       input that match the frame before, propagated through the layers of a network; 18 % of the time saved on average
       and 47 % at most, 20 % of the energy on average. It finds blocks that have moved, which costs more comparing and
       copying than is assumed here by default.
    """

    name, keeps = "layer", "layers"

    def __init__(
        self, block: int = 8, boundary: float | str = 10e-6, copies: bool = False, passes: float = 1.0
    ) -> None:
        self.block = _count("layer", "block", block, 1)
        self.boundary = _number("layer", "boundary", boundary, "time")
        if not isinstance(copies, bool):
            raise UsageError(f"reuse policy 'layer': copies must be true or false, got {copies!r}")
        self.copies = copies
        self.passes = _number("layer", "passes", passes, "ratio")

    def decide(self, changed: float, skipped: int) -> Way:
        """What has changed."""
        return "layer"


def _number(owner: str, setting: str, value: Any, dimension: str, high: float = inf) -> float:
    parsed = value
    if isinstance(value, str):
        try:
            parsed = units.parse(value, dimension)
        except UnitError as error:
            raise UsageError(f"reuse policy {owner!r}: {setting}: {error}") from error
    number = isinstance(parsed, (int, float)) and not isinstance(parsed, bool)
    if not number or not 0.0 <= parsed <= high or parsed == inf:
        rule = "not be negative" if high == inf else f"be from 0 to {high:g}"
        raise UsageError(f"reuse policy {owner!r}: {setting} must {rule}, got {value!r}")
    return float(parsed)


def _count(owner: str, setting: str, value: Any, low: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < low:
        raise UsageError(
            f"reuse policy {owner!r}: {setting} must be a whole number from {low}, got {value!r}"
        )
    return value
